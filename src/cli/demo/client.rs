//! A plain HTTP/1.1 client on one kept-alive connection, for the load and for reading the router's metrics.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Request, Response, header};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// How long one exchange may take. Everything that the router answers, it answers within its own deadlines of 60 s.
const PATIENCE: Duration = Duration::from_secs(75);

/// Why a request got no answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The connection was refused.
    #[error("no connection: {0}")]
    Connect(std::io::Error),
    /// The connection broke off, or what came is not HTTP.
    #[error("no answer: {0}")]
    Http(#[from] hyper::Error),
    /// Nothing came in time.
    #[error("no answer within {} s", PATIENCE.as_secs())]
    Timeout,
}

/// One connection, used for one request at a time.
#[derive(Debug)]
pub(super) struct Connection {
    sender: http1::SendRequest<Full<Bytes>>,
    host: HeaderValue,
}

impl Connection {
    /// Connects. Must be called on a tokio runtime, which goes on serving the connection.
    ///
    /// # Errors
    /// [`ClientError::Connect`] or [`ClientError::Http`].
    pub(super) async fn open(address: SocketAddr) -> Result<Self, ClientError> {
        let stream = TcpStream::connect(address).await.map_err(ClientError::Connect)?;
        stream.set_nodelay(true).map_err(ClientError::Connect)?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        // The error reaches whoever waits for an answer.
        tokio::spawn(async move { connection.await.ok() });
        let host = HeaderValue::try_from(address.to_string()).unwrap_or(HeaderValue::from_static("localhost"));
        Ok(Self { sender, host })
    }

    /// Whether it can take another request.
    pub(super) fn is_usable(&self) -> bool {
        self.sender.is_ready()
    }

    /// Sends a request, with the Host of this connection, and reads the whole answer.
    ///
    /// # Errors
    /// [`ClientError`] where no whole answer came.
    pub(super) async fn send(&mut self, mut request: Request<Full<Bytes>>) -> Result<Response<Bytes>, ClientError> {
        request.headers_mut().insert(header::HOST, self.host.clone());
        let exchange = async {
            self.sender.ready().await?;
            let (head, body) = self.sender.send_request(request).await?.into_parts();
            Ok(Response::from_parts(head, body.collect().await?.to_bytes()))
        };
        tokio::time::timeout(PATIENCE, exchange).await.unwrap_or(Err(ClientError::Timeout))
    }

    /// Gets `path`.
    ///
    /// # Errors
    /// As [`Self::send`].
    pub(super) async fn get(&mut self, path: &'static str) -> Result<Response<Bytes>, ClientError> {
        let mut request = Request::new(Full::default());
        *request.uri_mut() = http::Uri::from_static(path);
        self.send(request).await
    }
}

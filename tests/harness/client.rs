//! A client that speaks either version, frame by frame.

use std::convert::Infallible;
use std::net::{Shutdown, SocketAddr};
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Request, Response, response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;

use super::Wire;
use super::body::{BodyReader, BodySender, Outgoing, Rest};
use super::raw_client::{Head, Reply};
use super::runtime::{background, wait};

/// The host that the requests of a [`Client`] are for, unless it is told another.
const AUTHORITY: &str = "app.example";

enum Requests {
    H1(http1::SendRequest<Outgoing>),
    H2(http2::SendRequest<Outgoing>),
}

/// One connection to the router, for the host `app.example` or another.
pub struct Client {
    requests: Requests,
    authority: String,
    /// The same socket once more, to close it under the connection.
    socket: std::net::TcpStream,
    scheme: &'static str,
}

/// A request under way.
pub struct Call {
    sender: Option<BodySender>,
    response: Option<JoinHandle<hyper::Result<Response<Incoming>>>>,
    reader: Option<BodyReader>,
}

impl Client {
    /// Connects.
    pub fn connect(address: SocketAddr, wire: Wire) -> Self {
        wait(background().spawn(async move {
            let (stream, socket) = open(address).await;
            Self { requests: requests(stream, wire).await, socket, scheme: "http", authority: AUTHORITY.to_owned() }
        }))
        .expect("the task does not panic")
    }

    /// Connects over TLS, asking for `server_name`; an IP address asks for none.
    ///
    /// # Errors
    /// Why the handshake failed. Over TLS 1.3 a server judges its client only after that: the first request shows it.
    pub fn connect_tls(
        address: SocketAddr,
        wire: Wire,
        config: ClientConfig,
        server_name: &str,
    ) -> Result<Self, std::io::Error> {
        let name = ServerName::try_from(server_name.to_owned()).expect("a server name");
        wait(background().spawn(async move {
            let (stream, socket) = open(address).await;
            let stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await?;
            Ok(Self {
                requests: requests(stream, wire).await,
                socket,
                scheme: "https",
                authority: AUTHORITY.to_owned(),
            })
        }))
        .expect("the task does not panic")
    }

    /// Makes the requests that follow ones for `authority`.
    pub fn to(&mut self, authority: &str) -> &mut Self {
        authority.clone_into(&mut self.authority);
        self
    }

    /// Sends a request whole and reads the answer whole.
    #[track_caller]
    pub fn ask(&mut self, method: &str, path: &str, fields: &[(&str, &str)], body: &str) -> Reply {
        let full = Full::new(Bytes::from(body.to_owned())).map_err(|never: Infallible| match never {}).boxed_unsync();
        let mut call = self.dispatch(method, path, fields, full);
        let head = call.head();
        let (body, trailers) = call.rest().expect("the answer is whole");
        Reply { interim: Vec::new(), head, body, trailers: trailers.as_ref().map(pairs).unwrap_or_default() }
    }

    /// Sends the head of a request; its body follows with [`Call::send`].
    pub fn start(&mut self, method: &str, path: &str, fields: &[(&str, &str)]) -> Call {
        let (sender, body) = BodySender::channel();
        let mut call = self.dispatch(method, path, fields, body);
        call.sender = Some(sender);
        call
    }

    /// Sends a request without a body.
    pub fn start_empty(&mut self, method: &str, path: &str, fields: &[(&str, &str)]) -> Call {
        let empty = Full::new(Bytes::new()).map_err(|never: Infallible| match never {}).boxed_unsync();
        self.dispatch(method, path, fields, empty)
    }

    /// Goes away at once, whatever is under way.
    pub fn vanish(self) {
        self.socket.shutdown(Shutdown::Both).expect("an open socket");
    }

    fn dispatch(&mut self, method: &str, path: &str, fields: &[(&str, &str)], body: Outgoing) -> Call {
        let request = |uri: String| {
            let mut request = Request::builder().method(method).uri(uri);
            for (name, value) in fields {
                request = request.header(*name, *value);
            }
            request
        };
        let response = match &mut self.requests {
            Requests::H1(requests) => {
                let request = request(path.to_owned()).header("host", &self.authority);
                let request = request.body(body).expect("a valid request");
                // A connection that the router has closed shows in the answer, which then is none.
                drop(wait(requests.ready()));
                background().spawn(requests.send_request(request))
            }
            Requests::H2(requests) => {
                let request =
                    request(format!("{}://{}{path}", self.scheme, self.authority)).body(body).expect("a valid request");
                // A connection that the router has closed shows in the answer, which then is none.
                drop(wait(requests.ready()));
                background().spawn(requests.send_request(request))
            }
        };
        Call { sender: None, response: Some(response), reader: None }
    }
}

async fn open(address: SocketAddr) -> (TcpStream, std::net::TcpStream) {
    let stream = TcpStream::connect(address).await.expect("the router listens");
    stream.set_nodelay(true).expect("an open socket");
    let stream = stream.into_std().expect("an open socket");
    let socket = stream.try_clone().expect("an open socket");
    (TcpStream::from_std(stream).expect("a socket that does not block"), socket)
}

async fn requests(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, wire: Wire) -> Requests {
    let io = TokioIo::new(stream);
    match wire {
        Wire::H1 => {
            let (requests, connection) = http1::handshake(io).await.expect("a connection");
            tokio::spawn(connection);
            Requests::H1(requests)
        }
        Wire::H2 => {
            let (requests, connection) =
                http2::Builder::new(TokioExecutor::new()).handshake(io).await.expect("a connection");
            tokio::spawn(connection);
            Requests::H2(requests)
        }
    }
}

impl Call {
    /// Sends a piece of the request's body; `false` where the router has given up.
    pub fn send(&self, data: &str) -> bool {
        self.sender.as_ref().expect("the body has not ended").send(data.to_owned())
    }

    /// Ends the request's body.
    pub fn finish(&mut self) {
        drop(self.sender.take());
    }

    /// Ends the request's body with trailers.
    pub fn finish_with(&mut self, trailers: HeaderMap) {
        self.sender.take().expect("the body has not ended").trailers(trailers);
    }

    /// Breaks the request's body off.
    pub fn abort(&mut self) {
        self.sender.take().expect("the body has not ended").abort();
    }

    /// The answer's head.
    #[track_caller]
    pub fn head(&mut self) -> Head {
        self.try_head().unwrap_or_else(|error| panic!("no answer: {error:?}"))
    }

    /// The answer's head, or why there is none.
    pub fn try_head(&mut self) -> hyper::Result<Head> {
        let response = self.response.take().expect("a head is read once");
        let (head, body) = wait(response).expect("the task does not panic")?.into_parts();
        self.reader = Some(BodyReader(body));
        Ok(head_of(&head))
    }

    /// The next piece of the answer's body.
    #[track_caller]
    pub fn data(&mut self) -> Option<Bytes> {
        self.reader.as_mut().expect("the head has been read").data()
    }

    /// What is left of the answer's body, and its trailers.
    pub fn rest(&mut self) -> Rest {
        self.reader.take().expect("the head has been read").rest()
    }

    /// Gives up on the answer: a stream of HTTP/2 is reset, a connection of HTTP/1.1 closed.
    pub fn cancel(self) {
        if let Some(response) = self.response {
            response.abort();
        }
    }
}

fn head_of(head: &response::Parts) -> Head {
    Head { status: head.status.as_u16(), fields: pairs(&head.headers) }
}

fn pairs(headers: &HeaderMap) -> Vec<(String, String)> {
    let text = |value: &http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect()
}

//! One HTTP request from a command: a name looked up, a connection, the whole answer.
//!
//! HTTP/1.1 in clear alone: what is asked is in the same pod, the same cluster, or behind `kubectl port-forward`.

use std::io;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Method, Request, StatusCode, Uri, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// The largest answer that is read, in bytes.
const LARGEST: usize = 256 << 20;

/// Why a request has no answer, or none that can be used.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// Nothing listens there, or the name has no address.
    #[error("{url}: no connection: {why}")]
    Connect {
        /// What was asked.
        url: Uri,
        /// The system's own words.
        why: io::Error,
    },
    /// The connection broke off, or what came is not HTTP or is too large.
    #[error("{url}: no answer: {why}")]
    Http {
        /// What was asked.
        url: Uri,
        /// What was wrong.
        why: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Nothing came in time.
    #[error("{url}: no answer within {} s", patience.as_secs_f64())]
    Timeout {
        /// What was asked.
        url: Uri,
        /// How long it may take.
        patience: Duration,
    },
    /// An answer that is no success.
    #[error("{url}: answered {status}: {}", text.trim())]
    Status {
        /// What was asked.
        url: Uri,
        /// The status.
        status: StatusCode,
        /// The beginning of the body.
        text: String,
    },
    /// No thread can be had to ask with.
    #[error("no request can be sent: {0}")]
    Runtime(io::Error),
}

/// A request to send.
#[derive(Clone, Debug)]
pub(super) struct Asking {
    pub(super) method: Method,
    pub(super) url: Uri,
    /// The body; one that is there is sent as JSON.
    pub(super) body: Option<String>,
    /// How long the whole exchange may take.
    pub(super) patience: Duration,
}

impl Asking {
    /// A GET of `url`.
    pub(super) fn get(url: Uri, patience: Duration) -> Self {
        Self { method: Method::GET, url, body: None, patience }
    }

    /// Sends it, and gives the body of an answer that is 2xx.
    ///
    /// # Errors
    /// [`FetchError`].
    pub(super) async fn send(self) -> Result<Bytes, FetchError> {
        let (url, patience) = (self.url.clone(), self.patience);
        let exchange = tokio::time::timeout(patience, self.exchange()).await;
        let (status, body) = exchange.map_err(|_| FetchError::Timeout { url: url.clone(), patience })??;
        if status.is_success() {
            return Ok(body);
        }
        let text = String::from_utf8_lossy(&body[..body.len().min(512)]).into_owned();
        Err(FetchError::Status { url, status, text })
    }

    async fn exchange(self) -> Result<(StatusCode, Bytes), FetchError> {
        let url = self.url;
        let connect = |why| FetchError::Connect { url: url.clone(), why };
        let http = |why: hyper::Error| FetchError::Http { url: url.clone(), why: why.into() };
        let host = url.host().unwrap_or("localhost").trim_start_matches('[').trim_end_matches(']');
        let stream = TcpStream::connect((host, url.port_u16().unwrap_or(80))).await.map_err(connect)?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(http)?;
        // Its error reaches whoever waits for the answer.
        tokio::spawn(async move { connection.await.ok() });
        let mut request = Request::new(Full::<Bytes>::from(self.body.clone().unwrap_or_default()));
        *request.method_mut() = self.method;
        *request.uri_mut() = origin_form(&url);
        let host = url.authority().map(http::uri::Authority::as_str).and_then(|host| HeaderValue::try_from(host).ok());
        request.headers_mut().extend(host.map(|host| (header::HOST, host)));
        let json = self.body.map(|_| (header::CONTENT_TYPE, HeaderValue::from_static("application/json")));
        request.headers_mut().extend(json);
        let (head, body) = sender.send_request(request).await.map_err(http)?.into_parts();
        let body = Limited::new(body, LARGEST).collect().await;
        let body = body.map_err(|why| FetchError::Http { url: url.clone(), why })?;
        Ok((head.status, body.to_bytes()))
    }
}

/// The path and query alone, as a server is asked (RFC 9112, section 3.2.1).
fn origin_form(url: &Uri) -> Uri {
    url.path_and_query().cloned().map_or_else(Uri::default, Uri::from)
}

/// The runtime of a command that asks others.
///
/// # Errors
/// [`FetchError::Runtime`].
pub(super) fn runtime() -> Result<tokio::runtime::Runtime, FetchError> {
    tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(FetchError::Runtime)
}

/// An `http` URL with its host.
pub(super) fn parse_url(text: &str) -> Result<Uri, String> {
    let url: Uri = text.parse().map_err(|error| format!("{error}"))?;
    match (url.scheme_str(), url.host()) {
        (Some("http"), Some(_)) => Ok(url),
        (Some("https"), _) => {
            Err("HTTPS is not spoken here: ask inside the cluster, or through `kubectl port-forward`".to_owned())
        }
        _ => Err("write a URL with its host, as in http://localhost:15000/metrics".to_owned()),
    }
}

/// A duration in Kubernetes' spelling, as `10s`.
pub(super) fn parse_duration(text: &str) -> Result<Duration, String> {
    crate::domain::parse_duration(text).map_err(|_| "write a duration, as in 10s or 1m30s".to_owned())
}

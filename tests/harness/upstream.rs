//! Well-behaved upstreams that tests script: HTTP/1.1 and HTTP/2 with prior knowledge, in clear or over TLS.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, Response, request};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::{HandshakeKind, ServerConfig};
use socket2::Socket;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::{AbortHandle, JoinSet};
use tokio_rustls::TlsAcceptor;

use super::body::{BodyReader, Outgoing};
use super::health::Given;
use super::runtime::{background, wait};
use super::{DEADLINE, Exchange, Wire};

/// What an upstream does with a request.
#[derive(Clone, Debug)]
pub enum Answer {
    /// Reads it whole and answers 200 with a JSON account of it: `upstream`, `method`, `path`, `authority`, `version`,
    /// `headers` (each a list), `body`, `bytes` and `trailers`.
    Echo(String),
    /// Reads it whole and answers with a status and a body.
    Fixed(u16, String),
    /// Answers 200 after `quick`, every tenth request after `slow`: a service time, not a wait for anything.
    Timed {
        /// The time of nine in ten.
        quick: Duration,
        /// The time of the tenth.
        slow: Duration,
    },
    /// Reads it whole and answers as a function of its head says.
    By(By),
    /// Hands it to the test, which takes it with [`Upstream::next`].
    Held,
}

/// What an upstream answers to a request of this head.
#[derive(Clone)]
pub struct By(pub Arc<dyn Fn(&request::Parts) -> Given + Send + Sync>);

impl std::fmt::Debug for By {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("By(..)")
    }
}

/// What an upstream has counted.
#[derive(Debug, Default)]
pub struct Seen {
    requests: AtomicU64,
    body_bytes: AtomicU64,
    connections: AtomicU64,
    handshakes: Mutex<Vec<Handshake>>,
}

/// A TLS handshake that an upstream has ended well.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Handshake {
    /// The server name that the client asked for.
    pub server_name: Option<String>,
    /// The protocol agreed on.
    pub alpn: Option<String>,
    /// The certificate that the client has shown.
    pub certificate: Option<Vec<u8>>,
    /// Whether it resumes a session.
    pub resumed: bool,
}

impl Seen {
    /// Requests whose head has come.
    pub fn requests(&self) -> u64 {
        self.requests.load(Ordering::SeqCst)
    }

    /// Bytes of request bodies that [`Answer::Echo`] and [`Answer::Fixed`] have read.
    pub fn body_bytes(&self) -> u64 {
        self.body_bytes.load(Ordering::SeqCst)
    }

    /// Handshakes that ended well, in their order.
    pub fn handshakes(&self) -> Vec<Handshake> {
        self.handshakes.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Connections accepted.
    pub fn connections(&self) -> u64 {
        self.connections.load(Ordering::SeqCst)
    }
}

/// A server. Its connections break off when it is dropped.
pub struct Upstream {
    /// Where it listens.
    pub address: SocketAddr,
    /// What it has counted.
    pub seen: Arc<Seen>,
    exchanges: Mutex<Receiver<Exchange>>,
    accepting: AbortHandle,
}

#[derive(Clone)]
struct Script {
    answer: Answer,
    seen: Arc<Seen>,
    exchanges: Sender<Exchange>,
}

impl Upstream {
    /// Starts one on a free port.
    pub fn start(wire: Wire, answer: Answer) -> Self {
        Self::bind_with((Ipv4Addr::LOCALHOST, 0).into(), wire, answer, None).expect("a free port")
    }

    /// Starts one that speaks TLS alone.
    pub fn start_tls(wire: Wire, answer: Answer, config: ServerConfig) -> Self {
        let tls = Some(TlsAcceptor::from(Arc::new(config)));
        Self::bind_with((Ipv4Addr::LOCALHOST, 0).into(), wire, answer, tls).expect("a free port")
    }

    /// Starts one at `address`; `None` where that is taken.
    pub fn bind(address: SocketAddr, wire: Wire, answer: Answer) -> Option<Self> {
        Self::bind_with(address, wire, answer, None)
    }

    /// Has a bound socket listen, so that nobody takes its port before.
    pub fn listen(socket: Socket, wire: Wire, answer: Answer) -> Self {
        socket.listen(128).expect("a bound socket");
        socket.set_nonblocking(true).expect("an open socket");
        let _entered = background().enter();
        let listener = TcpListener::from_std(socket.into()).expect("a socket that does not block");
        Self::with(listener, wire, answer, None)
    }

    fn bind_with(address: SocketAddr, wire: Wire, answer: Answer, tls: Option<TlsAcceptor>) -> Option<Self> {
        let listener = wait(TcpListener::bind(address)).ok()?;
        Some(Self::with(listener, wire, answer, tls))
    }

    fn with(listener: TcpListener, wire: Wire, answer: Answer, tls: Option<TlsAcceptor>) -> Self {
        let address = listener.local_addr().expect("a bound address");
        let seen = Arc::new(Seen::default());
        let (sender, exchanges) = channel();
        let script = Script { answer, seen: Arc::clone(&seen), exchanges: sender };
        let accepting = background().spawn(accept(listener, wire, script, tls)).abort_handle();
        Self { address, seen, exchanges: Mutex::new(exchanges), accepting }
    }

    /// The next request of an [`Answer::Held`] upstream.
    #[track_caller]
    pub fn next(&self) -> Exchange {
        let exchanges = self.exchanges.lock().unwrap_or_else(PoisonError::into_inner);
        exchanges.recv_timeout(DEADLINE).expect("a request reaches the upstream")
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, wire: Wire, script: Script, tls: Option<TlsAcceptor>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        script.seen.connections.fetch_add(1, Ordering::SeqCst);
        connections.spawn_on(greet(stream, wire, script.clone(), tls.clone()), background());
    }
}

async fn greet(stream: TcpStream, wire: Wire, script: Script, tls: Option<TlsAcceptor>) {
    // Nagle's delay would show in every latency that a test measures.
    drop(stream.set_nodelay(true));
    let Some(tls) = tls else { return serve(stream, wire, script).await };
    // A client that breaks off here shows what it makes of it on its own side.
    let Ok(stream) = tls.accept(stream).await else { return };
    let session = stream.get_ref().1;
    let handshake = Handshake {
        server_name: session.server_name().map(str::to_owned),
        alpn: session.alpn_protocol().map(|name| String::from_utf8_lossy(name).into_owned()),
        certificate: session.peer_certificates().and_then(|chain| chain.first()).map(|leaf| leaf.to_vec()),
        resumed: session.handshake_kind() == Some(HandshakeKind::Resumed),
    };
    script.seen.handshakes.lock().unwrap_or_else(PoisonError::into_inner).push(handshake);
    serve(stream, wire, script).await;
}

async fn serve(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, wire: Wire, script: Script) {
    let service = service_fn(move |request| respond(request, script.clone()));
    let io = TokioIo::new(stream);
    // Connections end in errors where a test breaks them off; what matters shows on the client's side.
    match wire {
        Wire::H1 => drop(hyper::server::conn::http1::Builder::new().serve_connection(io, service).await),
        Wire::H2 => {
            drop(hyper::server::conn::http2::Builder::new(TokioExecutor::new()).serve_connection(io, service).await);
        }
    }
}

async fn respond(request: Request<Incoming>, script: Script) -> Result<Response<Outgoing>, io::Error> {
    let nth = script.seen.requests.fetch_add(1, Ordering::SeqCst);
    let (name, status, body) = match script.answer {
        Answer::Held => return hold(request, &script.exchanges).await,
        Answer::By(By(answer)) => return said(request, &*answer).await,
        Answer::Echo(name) => (Some(name), 200, String::new()),
        Answer::Fixed(status, body) => (None, status, body),
        Answer::Timed { quick, slow } => {
            tokio::time::sleep(if nth % 10 == 9 { slow } else { quick }).await;
            (None, 200, "ok".to_owned())
        }
    };
    let (head, incoming) = request.into_parts();
    let collected = incoming.collect().await.map_err(io::Error::other)?;
    let trailers = collected.trailers().map(fields);
    let read = collected.to_bytes();
    script.seen.body_bytes.fetch_add(read.len() as u64, Ordering::SeqCst);
    let Some(name) = name else {
        return Ok(whole(status, body.into()));
    };
    let account = serde_json::json!({
        "upstream": name,
        "method": head.method.as_str(),
        "path": head.uri.path_and_query().map(http::uri::PathAndQuery::as_str),
        "authority": head.uri.authority().map(http::uri::Authority::as_str),
        "version": format!("{:?}", head.version),
        "headers": fields(&head.headers),
        "body": String::from_utf8_lossy(&read[..read.len().min(4096)]),
        "bytes": read.len(),
        "trailers": trailers,
    });
    Ok(whole(status, account.to_string().into()))
}

async fn hold(request: Request<Incoming>, exchanges: &Sender<Exchange>) -> Result<Response<Outgoing>, io::Error> {
    let (head, incoming) = request.into_parts();
    let (reply, answer) = oneshot::channel();
    exchanges.send(Exchange::new(head, BodyReader(incoming), reply)).map_err(io::Error::other)?;
    answer.await.map_err(io::Error::other)
}

async fn said(
    request: Request<Incoming>,
    answer: &(dyn Fn(&request::Parts) -> Given + Send + Sync),
) -> Result<Response<Outgoing>, io::Error> {
    let (head, incoming) = request.into_parts();
    incoming.collect().await.map_err(io::Error::other)?;
    let (response, trailers) = answer(&head);
    Ok(response.map(|body| {
        let body = Full::new(Bytes::from_static(body)).map_err(|never: Infallible| match never {});
        match trailers {
            Some(trailers) => body.with_trailers(std::future::ready(Some(Ok(trailers)))).boxed_unsync(),
            None => body.boxed_unsync(),
        }
    }))
}

fn whole(status: u16, body: Bytes) -> Response<Outgoing> {
    let body = Full::new(body).map_err(|never: Infallible| match never {}).boxed_unsync();
    let mut response = Response::new(body);
    *response.status_mut() = status.try_into().expect("a valid status");
    response
}

fn fields(headers: &HeaderMap) -> BTreeMap<String, Vec<String>> {
    let mut fields: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, value) in headers {
        fields.entry(name.to_string()).or_default().push(String::from_utf8_lossy(value.as_bytes()).into_owned());
    }
    fields
}

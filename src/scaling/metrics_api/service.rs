//! The server: TLS on a port of its own, HTTP/1.1 and HTTP/2.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::caller::Caller;
use super::failure::Failure;
use super::question::{Question, Selectors};
use super::{answer, discovery};
use crate::accept::Acceptor;
use crate::scaling::{Board, Report};
use crate::tls::{Judged, Servers};

/// Connections at once; each API server of a cluster has a few.
const MAX_CONNECTIONS: usize = 256;
/// Questions at once on one.
const MAX_STREAMS: u32 = 250;
/// How long a handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// How long a client may take over a request's head, and be idle.
const IDLE: Duration = Duration::from_mins(2);
/// How long a client without the front proxy's certificate may stay, as probes do.
const STRANGER: Duration = Duration::from_secs(10);
/// How often an idle client of HTTP/2 is asked whether it is still there.
const KEEPALIVE: Duration = Duration::from_secs(30);

/// How many routers took part in the answer, of how many that there are. Kubernetes passes it on, and clients leave it alone.
const ROUTERS: &str = "overspill-routers";

/// How clients get in.
#[derive(Debug)]
pub struct Access {
    /// What connections are secured with.
    pub servers: Arc<Servers>,
    /// The common names that a front proxy may have; any of its authority where there are none.
    pub allowed_names: Vec<Box<str>>,
}

/// Serves the connections of `acceptor` for as long as the future is polled, from `board`.
pub fn serve(acceptor: Acceptor, access: Access, board: Board) -> impl Future<Output = ()> + Send {
    let access = Arc::new(access);
    acceptor.serve(MAX_CONNECTIONS, move |stream| connection(stream, Arc::clone(&access), board.clone()))
}

async fn connection(stream: TcpStream, access: Arc<Access>, board: Board) {
    let accepted = match timeout(HANDSHAKE, access.servers.accept(stream)).await {
        Ok(Ok(accepted)) => accepted,
        Ok(Err(error)) => return tracing::debug!(%error, "a client of the metrics API is not served"),
        Err(_) => return,
    };
    let judged = accepted.judged.unwrap_or_else(|| Judged::Refused("it was not asked for a certificate".to_owned()));
    let is_trusted = matches!(judged, Judged::Trusted { .. });
    let api = Arc::new(Api { board, access, judged });
    let service = service_fn(move |request: Request<Incoming>| {
        let response = api.respond(&request);
        async move { Ok::<_, Infallible>(response) }
    });
    let mut server = auto::Builder::new(TokioExecutor::new());
    server.http1().timer(TokioTimer::new()).header_read_timeout(IDLE);
    server.http2().timer(TokioTimer::new()).keep_alive_interval(KEEPALIVE).max_concurrent_streams(MAX_STREAMS);
    let exchange = server.serve_connection(TokioIo::new(accepted.stream), service);
    // Its error is its client's, who has gone. Who is nobody's front proxy is told so, and takes no place for long.
    if is_trusted {
        exchange.await.ok();
    } else {
        timeout(STRANGER, exchange).await.ok();
    }
}

/// What the requests of one connection are answered by.
struct Api {
    board: Board,
    access: Arc<Access>,
    judged: Judged,
}

impl Api {
    fn respond<B>(&self, request: &Request<B>) -> Response<Full<Bytes>> {
        let path = request.uri().path();
        // Probes have no certificate, and learn nothing else.
        if matches!(path, "/healthz" | "/readyz" | "/livez") {
            return response(StatusCode::OK, "text/plain; charset=utf-8", "ok".to_owned());
        }
        let report = self.board.known().all;
        let answered = Caller::of(&self.judged, &self.access.allowed_names, request.headers()).and_then(|caller| {
            tracing::debug!(user = caller.user, groups = ?caller.groups, uri = %request.uri(), "metrics are asked for");
            if !matches!(*request.method(), Method::GET | Method::HEAD) {
                return Err(Failure::wrong_method());
            }
            answer(&Question::parse(path)?, request.uri().query().unwrap_or_default(), &report)
        });
        let (status, json) = match answered {
            Ok(json) => (StatusCode::OK, json),
            Err(failure) => (failure.status, failure.json()),
        };
        let mut response = response(status, "application/json", json.to_string());
        if status == StatusCode::OK
            && let Ok(routers) = HeaderValue::try_from(report.routers.to_string())
        {
            response.headers_mut().insert(ROUTERS, routers);
        }
        response
    }
}

fn answer(question: &Question, query: &str, report: &Report) -> Result<Value, Failure> {
    match question {
        Question::Groups => Ok(discovery::groups()),
        Question::Group(group) => Ok(group.json()),
        Question::Resources(group) => Ok(group.resources()),
        Question::External(metric) => answer::external(report, *metric, &Selectors::parse(query)?, &now()),
        Question::Service { namespace, name, metric } => {
            answer::custom(report, (namespace, name, *metric), &Selectors::parse(query)?, &now())
        }
    }
}

/// The time, to the second, as Kubernetes writes it (RFC 3339).
fn now() -> String {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let second = i64::try_from(since.as_secs()).ok().and_then(|second| jiff::Timestamp::from_second(second).ok());
    second.unwrap_or(jiff::Timestamp::UNIX_EPOCH).to_string()
}

fn response(status: StatusCode, content_type: &'static str, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

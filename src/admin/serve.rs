//! The admin listener.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tower::{ServiceBuilder, ServiceExt};

use super::pages::Scope;
use super::{Admin, pages};
use crate::accept::Acceptor;

/// Connections at once: of people, probes, Prometheus and the other routers.
const MAX_CONNECTIONS: usize = 1024;
/// Requests answered at once, on all connections; more are told to come again.
const MAX_CONCURRENT: usize = 32;
/// How long one answer may take to make.
const TIMEOUT: Duration = Duration::from_secs(10);
/// How long a client may take over a request's head, and be idle.
const IDLE: Duration = Duration::from_mins(2);

type Page = Response<Full<Bytes>>;

/// Serves `listener` for as long as the future is polled. `drain` is called for `POST /shutdown`.
///
/// # Errors
/// The system's own, where the socket cannot be used.
pub fn serve(
    listener: std::net::TcpListener,
    admin: Arc<Admin>,
    drain: impl Fn() + Send + Sync + 'static,
) -> io::Result<impl Future<Output = ()> + Send> {
    let acceptor = Acceptor::new(listener, admin.metrics.limits())?;
    let drain = Arc::new(drain);
    let pages = tower::service_fn(move |request: Request<Incoming>| {
        let page = answer(&admin, &*drain, &request);
        async move { Ok::<_, Infallible>(page) }
    });
    let limited = ServiceBuilder::new().load_shed().concurrency_limit(MAX_CONCURRENT).timeout(TIMEOUT).service(pages);
    Ok(acceptor.serve(MAX_CONNECTIONS, move |stream| {
        let limited = limited.clone();
        let service = service_fn(move |request| {
            let answer = limited.clone().oneshot(request);
            async move { Ok::<_, Infallible>(answer.await.unwrap_or_else(|_| pages::busy())) }
        });
        let connection = hyper::server::conn::http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(IDLE)
            .serve_connection(TokioIo::new(stream), service);
        // Its error is its client's, who has gone.
        connection.map(drop)
    }))
}

fn answer(admin: &Admin, drain: &dyn Fn(), request: &Request<Incoming>) -> Page {
    let asks = |wanted: &str| request.uri().query().is_some_and(|query| query.split('&').any(|pair| pair == wanted));
    match (request.method(), request.uri().path()) {
        (&Method::GET | &Method::HEAD, path) => match path {
            "/" => pages::index(),
            "/healthz/ready" | "/ready" => pages::ready(admin),
            "/livez" => pages::text(StatusCode::OK, "live\n"),
            "/metrics" | "/stats/prometheus" => pages::metrics(admin),
            "/config_dump" => pages::config_dump(admin),
            "/scaling" if asks("scope=own") => pages::scaling(admin, Scope::Own),
            "/scaling" if asks("scope=peer") => pages::scaling(admin, Scope::Peer),
            "/scaling" => pages::scaling(admin, Scope::All),
            "/clusters" if asks("format=json") => pages::clusters_json(admin),
            "/clusters" => pages::clusters(admin),
            "/shutdown" | "/quitquitquit" => pages::text(StatusCode::METHOD_NOT_ALLOWED, "use POST\n"),
            _ => pages::not_found(),
        },
        (&Method::POST, "/shutdown" | "/quitquitquit") => {
            drain();
            pages::text(StatusCode::OK, "draining\n")
        }
        (&Method::POST, "/scaling/wake") => {
            admin.board.nudge();
            pages::text(StatusCode::OK, "heard\n")
        }
        (&Method::POST, _) => pages::not_found(),
        _ => pages::text(StatusCode::METHOD_NOT_ALLOWED, "use GET, or POST for /shutdown\n"),
    }
}

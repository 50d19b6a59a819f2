//! A reverse proxy on Pingora that does what every proxy of the bench does: requests with the rule's header go to pool A,
//! the others are split over both pools by weight.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use clap::Parser;
use pingora_core::apps::HttpServerOptions;
use pingora_core::server::Server;
use pingora_core::server::configuration::ServerConf;
use pingora_core::upstreams::peer::HttpPeer;
use pingora_core::{Error, ErrorType, Result};
use pingora_proxy::{ProxyHttp, Session, http_proxy_service};

/// Pool A's share of the requests without the rule's header, in percent.
const SHARE_OF_A: u32 = 70;
const RULE: (&str, &[u8]) = ("x-latency-sensitive", b"true");
/// Requests at a time on one HTTP/2 connection to an endpoint. Pingora's own default is one.
const UPSTREAM_STREAMS: usize = 100;
/// Idle connections that are kept to endpoints.
const KEPT: usize = 512;

/// A reverse proxy on Pingora, for the bench
#[derive(Parser)]
#[command(version = "on Pingora 0.9.1")]
struct Options {
    #[arg(long)]
    listen: SocketAddr,
    #[arg(long)]
    workers: usize,
    /// The certificate to serve, in PEM; in clear without one
    #[arg(long, requires = "key")]
    certificate: Option<PathBuf>,
    #[arg(long)]
    key: Option<PathBuf>,
    /// Endpoints speak HTTP/2 in clear
    #[arg(long)]
    upstream_h2: bool,
    /// An endpoint of pool A
    #[arg(long, required = true)]
    a: Vec<SocketAddr>,
    /// An endpoint of pool B
    #[arg(long, required = true)]
    b: Vec<SocketAddr>,
}

/// The endpoints of a pool, taken in turn.
struct Pool {
    endpoints: Vec<SocketAddr>,
    next: AtomicUsize,
}

impl Pool {
    fn new(endpoints: Vec<SocketAddr>) -> Self {
        Self { endpoints, next: AtomicUsize::new(0) }
    }

    fn next(&self) -> Option<SocketAddr> {
        let turn = self.next.fetch_add(1, Ordering::Relaxed);
        self.endpoints.get(turn % self.endpoints.len().max(1)).copied()
    }
}

struct Proxy {
    a: Pool,
    b: Pool,
    upstream_h2: bool,
}

#[async_trait]
impl ProxyHttp for Proxy {
    type CTX = ();

    fn new_ctx(&self) {}

    async fn upstream_peer(&self, session: &mut Session, (): &mut ()) -> Result<Box<HttpPeer>> {
        let (name, value) = RULE;
        let is_ruled = session.req_header().headers.get(name).is_some_and(|found| found.as_bytes() == value);
        let pool = if is_ruled || fastrand::u32(..100) < SHARE_OF_A { &self.a } else { &self.b };
        let endpoint =
            pool.next().ok_or_else(|| Error::explain(ErrorType::InternalError, "a pool without endpoints"))?;
        let mut peer = HttpPeer::new(endpoint, false, String::new());
        if self.upstream_h2 {
            peer.options.set_http_version(2, 2);
            peer.options.max_h2_streams = UPSTREAM_STREAMS;
        }
        Ok(Box::new(peer))
    }
}

fn main() -> Result<()> {
    let options = Options::parse();
    let conf = ServerConf {
        threads: options.workers,
        upstream_keepalive_pool_size: KEPT,
        // It ends at once when it is told to.
        grace_period_seconds: Some(0),
        graceful_shutdown_timeout_seconds: Some(0),
        ..ServerConf::default()
    };
    let mut server = Server::new_with_opt_and_conf(None, conf);
    server.bootstrap();
    let proxy = Proxy { a: Pool::new(options.a), b: Pool::new(options.b), upstream_h2: options.upstream_h2 };
    let mut service = http_proxy_service(&server.configuration, proxy);
    let listen = options.listen.to_string();
    if let (Some(certificate), Some(key)) = (options.certificate, options.key) {
        service.add_tls(&listen, &certificate.to_string_lossy(), &key.to_string_lossy())?;
    } else {
        service.add_tcp(&listen);
    }
    if let Some(logic) = service.app_logic_mut() {
        let mut http = HttpServerOptions::default();
        http.h2c = true;
        logic.server_options = Some(http);
    }
    server.add_service(service);
    server.run_forever();
}

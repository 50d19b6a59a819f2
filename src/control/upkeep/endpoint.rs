//! One endpoint that is looked after: where it is, how it is spoken to, and what was asked of it.

use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;

use super::Common;
use super::ask::{Answered, ask};
use super::grpc;
use crate::domain::{
    Address, CheckKind, ConnectionSettings, HealthCheck, LoadReport, MetricsPage, OwnRequest, PoolKey, Protocol,
    Upkeep, WarmupRequest,
};
use crate::live::Live;
use crate::pool::{CheckResult, EndpointState, Pool};
use crate::snapshot::PoolId;
use crate::tls;
use crate::upstream::{Secured, Target};

/// The least time that a page of metrics has to be read.
const PAGE_TIMEOUT: Duration = Duration::from_secs(1);

/// An endpoint, apart from any generation.
pub(super) struct Endpoint {
    pub(super) common: Rc<Common>,
    pub(super) pool: PoolKey,
    /// The pool's name in metrics and logs.
    pub(super) pool_name: Arc<str>,
    pub(super) address: Address,
    pub(super) state: Arc<EndpointState>,
    pub(super) upkeep: Arc<Upkeep>,
    socket: SocketAddr,
    protocol: Protocol,
    tls: Option<Arc<tls::Client>>,
    host: String,
    connect_timeout: Duration,
    settings: ConnectionSettings,
}

impl Endpoint {
    /// Those of the pool `id` that can be connected to.
    pub(super) fn of(live: &Live, id: PoolId, common: &Rc<Common>) -> Vec<Self> {
        let pool: &Pool = live.snapshot.pool(id);
        let endpoint = |endpoint: &crate::pool::Endpoint| {
            Some(Self {
                common: Rc::clone(common),
                pool: pool.key.clone(),
                pool_name: Arc::clone(&pool.name),
                address: endpoint.address.clone(),
                state: Arc::clone(&endpoint.state),
                upkeep: Arc::clone(&pool.upkeep),
                socket: endpoint.socket?,
                protocol: pool.protocol,
                tls: live.tls_client(id),
                host: pool.key.host.to_string(),
                connect_timeout: pool.connect_timeout,
                settings: pool.connections.clone(),
            })
        };
        pool.endpoints.iter().filter_map(endpoint).collect()
    }

    /// Whether `other` is the same endpoint, spoken to and asked in the same way.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        let identity = |endpoint: &Self| endpoint.tls.as_ref().map(|tls| tls.identity());
        Arc::ptr_eq(&self.state, &other.state)
            && self.upkeep == other.upkeep
            && (self.socket, self.protocol, identity(self)) == (other.socket, other.protocol, identity(other))
            && (self.connect_timeout, &self.settings) == (other.connect_timeout, &other.settings)
    }

    /// Carries out one health check.
    pub(super) async fn check(&self, check: &HealthCheck) -> CheckResult {
        let asked = async {
            match &check.kind {
                CheckKind::Http { request, expected, retriable } => {
                    let answer = self.ask(request, self.protocol).await?;
                    Some(match answer.status {
                        status if expected.contains(&status) => CheckResult::Passed,
                        status if retriable.contains(&status) => CheckResult::Lost,
                        _ => CheckResult::Failed,
                    })
                }
                CheckKind::Grpc { service, authority } => {
                    let request = grpc::request(service, authority.as_deref());
                    Some(grpc::result(&self.ask(&request, Protocol::Http2).await?))
                }
            }
        };
        timeout(check.timeout, asked).await.ok().flatten().unwrap_or(CheckResult::Lost)
    }

    /// Sends the warm-up request once; whether it was answered well.
    pub(super) async fn warm_up(&self, warmup: &WarmupRequest) -> bool {
        let answer = timeout(warmup.timeout, self.ask(&warmup.request, self.protocol)).await.ok().flatten();
        answer.is_some_and(|answer| warmup.accepts(answer.status))
    }

    /// Reads the page of metrics once.
    pub(super) async fn read(&self, page: &MetricsPage) -> Option<LoadReport> {
        let request = OwnRequest {
            method: http::Method::GET,
            path: page.path.clone(),
            host: None,
            headers: http::HeaderMap::new(),
            body: bytes::Bytes::new(),
        };
        let asked = async {
            match page.port {
                None => self.ask(&request, self.protocol).await,
                // A port of its own for metrics is served in clear.
                Some(port) => {
                    let socket = SocketAddr::new(self.socket.ip(), port);
                    let address = Address::Socket(socket);
                    let target = Target { socket, address: &address, tls: None, ..self.target(Protocol::Http1) };
                    ask(&self.common.connections, target, &request, &self.host).await.ok()
                }
            }
        };
        let answer = timeout(page.interval.max(PAGE_TIMEOUT), asked).await.ok().flatten()?;
        let report = LoadReport::from_metrics(std::str::from_utf8(&answer.body).ok()?);
        (answer.status.is_success() && report != LoadReport::default()).then_some(report)
    }

    async fn ask(&self, own: &OwnRequest, protocol: Protocol) -> Option<Answered> {
        let target = self.target(protocol);
        let host = own.host.as_deref().map_or(&*self.host, host_without_port);
        let tls = self.tls.as_deref().map(|client| Secured { client, host });
        ask(&self.common.connections, Target { tls, ..target }, own, &self.host).await.ok()
    }

    fn target(&self, protocol: Protocol) -> Target<'_> {
        Target {
            address: &self.address,
            socket: self.socket,
            protocol,
            tls: None,
            connect_timeout: self.connect_timeout,
            max_requests: None,
            settings: &self.settings,
            handed: None,
            continued: None,
        }
    }
}

/// The server name that a Host stands for.
fn host_without_port(host: &str) -> &str {
    host.rsplit_once(':')
        .filter(|(_, port)| port.bytes().all(|byte| byte.is_ascii_digit()))
        .map_or(host, |(name, _)| name)
}

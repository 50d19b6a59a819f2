//! Asking the other routers of a Deployment what is asked of their pools.
//!
//! Every router asks every other one, over their admin API and with a short deadline, before anybody asks it: what it knows is
//! at hand when an autoscaler wants it. A peer that does not answer is left out, and counted.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt, Empty, Limited};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use super::names::Resolver;
use crate::config::{Autoscaling, Dns};
use crate::domain::Address;
use crate::scaling::{Board, Loads, Others, Own, RouterFault, Routers};

/// How often peers are asked.
const EVERY: Duration = Duration::from_secs(1);
/// How long the addresses of a name are used: pods come and go, and DNS is not asked for each question.
const ADDRESSES_FOR: Duration = Duration::from_secs(5);
/// Peers that are asked at most: a name with more addresses is no Deployment's.
const MOST_PEERS: usize = 256;
/// The largest answer that is read, in bytes: some hundred for each pool that is in use.
const MOST_BYTES: usize = 16 << 20;
/// Where a peer tells of its pools, and where it is told that there is news.
const LOADS: &str = "/scaling?scope=peer";
const WAKE: &str = "/scaling/wake";

/// The other routers.
pub struct Peers {
    settings: Autoscaling,
    resolver: Resolver,
    board: Board,
    /// What names had for addresses, and when that was.
    resolved: Option<Instant>,
    known: BTreeMap<String, Vec<SocketAddr>>,
    faults: Vec<RouterFault>,
}

impl Peers {
    /// The peers that `settings` name; what they say hangs at `board`.
    pub fn new(settings: Autoscaling, dns: Dns, board: Board) -> Self {
        Self {
            settings,
            resolver: Resolver::new(dns),
            board,
            resolved: None,
            known: BTreeMap::new(),
            faults: Vec::new(),
        }
    }

    /// Asks them for as long as the future is polled: every second, and at once when one says that there is news. Tells them
    /// when something is asked for here that was not before.
    pub async fn follow(mut self, heard: impl Fn(Others)) {
        let mut own = self.board.follow();
        let mut active = BTreeSet::new();
        let mut failing = BTreeSet::new();
        loop {
            heard(self.ask(&mut failing).await);
            let next = sleep(EVERY);
            tokio::pin!(next);
            loop {
                tokio::select! {
                    () = &mut next => break,
                    () = self.board.nudged() => break,
                    changed = own.changed() => {
                        if changed.is_err() {
                            return;
                        }
                        let now: BTreeSet<String> = own.borrow_and_update().own.pools.keys().cloned().collect();
                        if !now.is_subset(&active) {
                            self.tell();
                        }
                        active = now;
                    }
                }
            }
        }
    }

    /// Asks each peer once. One that begins to fail is logged, once.
    async fn ask(&mut self, failing: &mut BTreeSet<String>) -> Others {
        self.resolve().await;
        let limit = self.settings.peer_timeout;
        let mut asked = JoinSet::new();
        for address in self.addresses() {
            asked.spawn(async move { (address, timeout(limit, loads(address)).await) });
        }
        let (mut routers, mut faults) = (BTreeMap::new(), self.faults.clone());
        while let Some(Ok((address, answer))) = asked.join_next().await {
            let answer = answer.unwrap_or_else(|_| Err(format!("no answer within {limit:?}")));
            match answer {
                Ok(own) => drop(routers.insert(own.router, own.pools)),
                Err(error) => faults.push(RouterFault { router: address.to_string(), error }),
            }
        }
        // A router that is reached by its own name, or by several, counts once.
        routers.remove(&self.board.known().own.router);
        faults.sort_by(|one, other| one.router.cmp(&other.router));
        for fault in faults.iter().filter(|fault| !failing.contains(&fault.router)) {
            tracing::warn!(peer = fault.router, error = fault.error, "a peer is left out of what autoscalers are told");
        }
        *failing = faults.iter().map(|fault| fault.router.clone()).collect();
        let answered = u32::try_from(routers.len()).unwrap_or(u32::MAX);
        let asked = answered.saturating_add(u32::try_from(faults.len()).unwrap_or(u32::MAX));
        let loads: Vec<Loads> = routers.into_values().collect();
        Others { routers: Routers { asked, answered, faults }, loads }
    }

    /// Looks the names up, where that is due. One that cannot be looked up keeps the addresses that it had.
    async fn resolve(&mut self) {
        if self.resolved.is_some_and(|at| at.elapsed() < ADDRESSES_FOR) {
            return;
        }
        self.resolved = Some(Instant::now());
        self.faults.clear();
        for (host, port) in self.settings.peers.iter().filter_map(|peer| match peer {
            Address::Name(host, port) => Some((host, *port)),
            _ => None,
        }) {
            let name = format!("{host}:{port}");
            match self.resolver.look_up(host).await {
                Ok(answer) if !answer.addresses.is_empty() => {
                    let addresses = answer.addresses.into_iter().map(|ip| SocketAddr::new(ip, port)).collect();
                    self.known.insert(name, addresses);
                }
                Ok(_) => {
                    self.known.remove(&name);
                    self.faults.push(RouterFault { router: name, error: "the name has no address".to_owned() });
                }
                Err(error) => self.faults.push(RouterFault { router: name, error }),
            }
        }
    }

    fn addresses(&self) -> BTreeSet<SocketAddr> {
        let written = self.settings.peers.iter().filter_map(|peer| match peer {
            Address::Socket(address) => Some(*address),
            _ => None,
        });
        written.chain(self.known.values().flatten().copied()).take(MOST_PEERS).collect()
    }

    /// Tells every peer that there is news. One that is not told finds out within a second.
    fn tell(&self) {
        let limit = self.settings.peer_timeout;
        for address in self.addresses() {
            tokio::spawn(async move { timeout(limit, exchange(address, Method::POST, WAKE)).await });
        }
    }
}

async fn loads(address: SocketAddr) -> Result<Own, String> {
    let body = exchange(address, Method::GET, LOADS).await?;
    serde_json::from_slice(&body).map_err(|error| format!("the answer is not a router's: {error}"))
}

/// One request on a connection of its own.
async fn exchange(address: SocketAddr, method: Method, path: &'static str) -> Result<Bytes, String> {
    let told = |error: &dyn std::fmt::Display| error.to_string();
    let stream = TcpStream::connect(address).await.map_err(|error| told(&error))?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(|error| told(&error))?;
    // It ends with the sender, below.
    tokio::spawn(connection);
    let mut request = Request::new(Empty::<Bytes>::new());
    *request.method_mut() = method;
    *request.uri_mut() = Uri::from_static(path);
    let host = http::HeaderValue::try_from(address.to_string()).map_err(|error| told(&error))?;
    request.headers_mut().insert(http::header::HOST, host);
    let response = sender.send_request(request).await.map_err(|error| told(&error))?;
    if response.status() != StatusCode::OK {
        return Err(format!("its admin API answers {}", response.status()));
    }
    let body = Limited::new(response.into_body(), MOST_BYTES).collect().await.map_err(|error| told(&error))?;
    Ok(body.to_bytes())
}

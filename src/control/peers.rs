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
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

use super::names::{Outcome, Resolver};
use crate::config::{Autoscaling, Dns};
use crate::domain::Address;
use crate::scaling::{Board, Others, Own, RouterFault, Routers};

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
    /// What each name had for addresses when it was looked up last, and what was wrong then.
    names: BTreeMap<String, (Vec<SocketAddr>, Option<String>)>,
    resolved: Option<Instant>,
    lookups: JoinSet<(String, u16, Outcome)>,
    /// What each address said last.
    said: BTreeMap<SocketAddr, Result<Own, String>>,
    asked: JoinSet<(SocketAddr, Result<Own, String>)>,
    /// Those that are being asked; to be asked once more where there was news meanwhile.
    under_way: BTreeMap<SocketAddr, Again>,
    failing: BTreeSet<String>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Again {
    No,
    Yes,
}

impl Peers {
    /// The peers that `settings` name; what they say hangs at `board`.
    pub fn new(settings: Autoscaling, dns: Dns, board: Board) -> Self {
        Self {
            settings,
            resolver: Resolver::new(dns),
            board,
            names: BTreeMap::new(),
            resolved: None,
            lookups: JoinSet::new(),
            said: BTreeMap::new(),
            asked: JoinSet::new(),
            under_way: BTreeMap::new(),
            failing: BTreeSet::new(),
        }
    }

    /// Asks them for as long as the future is polled: every second, and at once when one says that there is news. Tells them
    /// when something is asked for here that was not before. A peer or a DNS server that is slow holds up nobody else.
    pub async fn follow(mut self, heard: impl Fn(Others)) {
        let (mut own, board) = (self.board.follow(), self.board.clone());
        let mut active = BTreeSet::new();
        let mut next = interval(EVERY);
        next.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = next.tick() => {
                    // One that is slow keeps nobody from hearing what the others have said meanwhile.
                    if !self.under_way.is_empty() {
                        heard(self.others());
                    }
                    self.look_up();
                    self.ask_all(Again::No);
                }
                () = board.nudged() => self.ask_all(Again::Yes),
                Some(Ok((host, port, outcome))) = self.lookups.join_next() => {
                    self.note_addresses((host, port), outcome);
                    self.ask_all(Again::No);
                }
                Some(Ok((address, answer))) = self.asked.join_next() => {
                    let is_news = self.note_answer(address, answer);
                    if is_news || self.under_way.is_empty() {
                        heard(self.others());
                    }
                }
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

    /// Asks every peer that is not being asked; the others once more, where that is wanted.
    fn ask_all(&mut self, again: Again) {
        let addresses = self.addresses();
        self.said.retain(|address, _| addresses.contains(address));
        for address in addresses {
            match self.under_way.get_mut(&address) {
                Some(wanted) if again == Again::Yes => *wanted = again,
                Some(_) => {}
                None => self.ask(address),
            }
        }
    }

    fn ask(&mut self, address: SocketAddr) {
        let limit = self.settings.peer_timeout;
        self.under_way.insert(address, Again::No);
        self.asked.spawn(async move {
            let answer = timeout(limit, loads(address)).await;
            (address, answer.unwrap_or_else(|_| Err(format!("no answer within {limit:?}"))))
        });
    }

    /// Notes what the peer at `address` said. Whether something is asked for there that was not before.
    fn note_answer(&mut self, address: SocketAddr, answer: Result<Own, String>) -> bool {
        if self.under_way.remove(&address) == Some(Again::Yes) {
            self.ask(address);
        }
        let pools = |said: &Result<Own, String>| -> BTreeSet<String> {
            said.iter().flat_map(|own| own.pools.keys().cloned()).collect()
        };
        let now = pools(&answer);
        let before = self.said.insert(address, answer);
        !before.iter().map(pools).any(|before| now.is_subset(&before)) && !now.is_empty()
    }

    /// What is known of all of them. One that begins to fail is logged, once.
    fn others(&mut self) -> Others {
        let (mut routers, mut faults) = (BTreeMap::new(), Vec::new());
        for (name, (_, fault)) in &self.names {
            faults.extend(fault.iter().map(|error| RouterFault { router: name.clone(), error: error.clone() }));
        }
        for (address, said) in &self.said {
            match said {
                Ok(own) => drop(routers.insert(own.router, own.pools.clone())),
                Err(error) => faults.push(RouterFault { router: address.to_string(), error: error.clone() }),
            }
        }
        // A router that is reached by its own name, or by several, counts once.
        routers.remove(&self.board.known().own.router);
        faults.sort_by(|one, other| one.router.cmp(&other.router));
        for fault in faults.iter().filter(|fault| !self.failing.contains(&fault.router)) {
            tracing::warn!(peer = fault.router, error = fault.error, "a peer is left out of what autoscalers are told");
        }
        self.failing = faults.iter().map(|fault| fault.router.clone()).collect();
        let answered = u32::try_from(routers.len()).unwrap_or(u32::MAX);
        let asked = answered.saturating_add(u32::try_from(faults.len()).unwrap_or(u32::MAX));
        Others { routers: Routers { asked, answered, faults }, loads: routers.into_values().collect() }
    }

    /// Looks the names up, where that is due.
    fn look_up(&mut self) {
        if !self.lookups.is_empty() || self.resolved.is_some_and(|at| at.elapsed() < ADDRESSES_FOR) {
            return;
        }
        self.resolved = Some(Instant::now());
        for peer in &self.settings.peers {
            if let Address::Name(host, port) = peer {
                let (lookup, name, port) = (self.resolver.look_up(host), host.to_string(), *port);
                self.lookups.spawn(async move { (name, port, lookup.await) });
            }
        }
    }

    /// Notes the addresses of a name. One that cannot be looked up keeps those that it had.
    fn note_addresses(&mut self, (host, port): (String, u16), outcome: Outcome) {
        let known = self.names.entry(format!("{host}:{port}")).or_default();
        match outcome {
            Ok(answer) => {
                let fault = answer.addresses.is_empty().then(|| "the name has no address".to_owned());
                *known = (answer.addresses.into_iter().map(|ip| SocketAddr::new(ip, port)).collect(), fault);
            }
            Err(error) => known.1 = Some(error),
        }
    }

    fn addresses(&self) -> BTreeSet<SocketAddr> {
        let written = self.settings.peers.iter().filter_map(|peer| match peer {
            Address::Socket(address) => Some(*address),
            _ => None,
        });
        let named = self.names.values().flat_map(|(addresses, _)| addresses.iter().copied());
        written.chain(named).take(MOST_PEERS).collect()
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
    let own: Own = serde_json::from_slice(&body).map_err(|error| format!("the answer is not a router's: {error}"))?;
    own.check().map_err(|error| format!("the answer is not a router's: {error}"))?;
    Ok(own)
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

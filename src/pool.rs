//! Pools and their endpoints: who may take a request, and how many at once.
//!
//! Owns the counts of requests in flight and the health of each endpoint, in atomics that outlive a reload. Never
//! connects to anything and never waits.

mod balance;
mod checks;
mod demand;
mod endpoint;
mod endpoint_load;
mod gradient;
mod hash;
mod health;
mod hold;
mod latencies;
mod load;
mod locality;
mod outlier;
mod outlook;
mod proximity;
mod queue;
mod retries;
mod slot;
mod timing;
mod warmup;

use std::num::NonZeroU32;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

pub use balance::Balancer;
pub use checks::{CheckResult, CheckTally};
pub use demand::{Arrived, Counts, DemandState, Elsewhere, LATENCY_BUCKETS, latency_edge};
pub use endpoint::{Endpoint, EndpointState};
pub use endpoint_load::Load;
pub use hash::{Table, stable_hash};
pub use health::{Admission, Health, Readiness};
pub use hold::{HoldState, Holding};
pub use latencies::Latencies;
pub use load::PoolLoad;
pub use locality::{Group, Groups};
pub use outlier::{Ejections, Outcome};
pub use outlook::Outlook;
pub use proximity::{Arrangement, Member, Rank, arrange};
pub use queue::{Called, Joined, Line, QueueState, Terms, Ticket, Tried, Wish};
pub use retries::{RetryLimit, RetryState, Retrying};
pub use slot::Slot;
pub use timing::Timed;

use http::{HeaderValue, Version};

use crate::domain::{
    AdaptiveSlots, ConnectionSettings, HashKey, Hedge, Hold, LATENCY_OBJECTIVE, Moment, Original, OutlierDetection,
    PoolKey, Protocol, QueueOrder, Reason, Reports, Scaling, Tier, Upkeep, Warmup,
};
use balance::{Asked, mix};
use gradient::Bounds;
use load::Share;
use locality::{Candidate, View};
use outlier::is_error;
use slot::Measure;

/// The endpoints behind one destination.
#[derive(Debug)]
pub struct Pool {
    /// What it is called.
    pub key: PoolKey,
    /// Its name in metric labels, logs and headers.
    pub name: Arc<str>,
    /// What `Proxy-Status` says of an answer that came from it (RFC 9209, section 2.1.2).
    pub next_hop: HeaderValue,
    /// Which tier it is, if a `PoolPolicy` says.
    pub tier: Option<Tier>,
    /// What its endpoints speak; see [`Pool::protocol_for`].
    pub protocol: Protocol,
    /// Whether they are spoken to as the client speaks instead.
    pub uses_client_protocol: bool,
    /// How connections to them are kept.
    pub connections: ConnectionSettings,
    /// Its endpoints; one that stands for all destinations where requests bring theirs along.
    pub endpoints: Box<[Endpoint]>,
    /// Where its requests go in place of an endpoint.
    pub original: Option<Box<Original>>,
    /// Requests in flight that one endpoint takes; where an adaptive limit begins.
    pub slots_per_endpoint: NonZeroU32,
    /// The bounds of a limit that follows the latency of each endpoint; `None` keeps it fixed.
    pub adaptive_slots: Option<AdaptiveSlots>,
    /// Requests in flight that all endpoints together take, where there is such a limit.
    pub max_requests: Option<NonZeroU32>,
    /// What it bears as a whole; outlives the snapshot.
    pub load: Arc<PoolLoad>,
    /// Whether the time that requests take is measured, since something goes by it.
    pub measures: bool,
    /// The most requests that wait for a slot; zero waits for nothing.
    pub max_pending: u32,
    /// What waits now; outlives the snapshot.
    pub queue: Arc<QueueState>,
    /// Which of them is served first.
    pub queue_order: QueueOrder,
    /// How long one waits at most.
    pub queue_timeout: Duration,
    /// How many requests are sent again at once.
    pub retry_limit: RetryLimit,
    /// Those that are now; outlives the snapshot.
    pub retries: Arc<RetryState>,
    /// Whether the local model may answer for it.
    pub local_model: bool,
    /// What is asked of it; outlives the snapshot.
    pub demand: Arc<DemandState>,
    /// The latency that its users expect.
    pub latency_objective: Option<Duration>,
    /// The room where requests wait for its first endpoint; `None` holds none.
    pub hold: Option<Hold>,
    /// Those that do; outlives the snapshot.
    pub held: Arc<HoldState>,
    /// What it is scaled by, if a `PoolPolicy` says.
    pub scaling: Option<Box<Scaling>>,
    /// How long a connection to an endpoint may take to open.
    pub connect_timeout: Duration,
    /// Requests after which a connection is not used again; `None` uses it as long as it lasts.
    pub max_requests_per_connection: Option<NonZeroU32>,
    /// The way its endpoints are chosen.
    pub choice: Choice,
    /// How endpoints that are new get their share; `None` gives it all at once.
    pub warmup: Option<Warmup>,
    /// What of a request is hashed, where its balancer goes by hash.
    pub hash_key: Option<HashKey>,
    /// When an endpoint is ejected for its answers; without it, its connections alone decide.
    pub outlier_detection: Option<OutlierDetection>,
    /// What its endpoints are asked beside requests.
    pub upkeep: Arc<Upkeep>,
    /// Whether answers of its endpoints are asked for load reports.
    pub load_reports: Reports,
    /// How long the latency of its endpoints is remembered; `None` where nothing goes by it.
    pub latency_decay: Option<Duration>,
    /// When a request that is slow to be answered is sent a second time.
    pub hedge: Option<Hedge>,
    /// How long its answers of late took; outlives the snapshot.
    pub latencies: Arc<Latencies>,
    /// What its ejections have in common; outlives the snapshot.
    pub ejections: Arc<Ejections>,
}

/// How a pool's endpoints are chosen.
#[derive(Debug)]
pub enum Choice {
    /// Among all of them.
    Even(Balancer),
    /// By where they are, then among those that are there.
    ByLocality(Groups),
}

/// One request for a slot.
#[derive(Clone, Copy)]
struct Asking<'a> {
    now: Moment,
    draw: u64,
    tried: &'a [usize],
    /// Whether health is not heeded.
    panics: bool,
}

impl Pool {
    /// What its endpoints are spoken to in for a request that came in `version`.
    pub fn protocol_for(&self, version: Version) -> Protocol {
        match (self.uses_client_protocol, version) {
            (false, _) => self.protocol,
            (true, Version::HTTP_2) => Protocol::Http2,
            (true, _) => Protocol::Http1,
        }
    }

    /// Takes a slot of the first endpoint in its balancer's order that has one free. The endpoint's place comes with it.
    /// Endpoints in `tried` are left out. `draw` is a number uniform over all of `u64`, or the request's hash.
    ///
    /// # Errors
    /// [`Reason::SlotsTaken`] where the pool is at its limit, or an endpoint admits requests but has no slot free;
    /// [`Reason::NoEndpoint`] where none admits.
    pub fn take(&self, now: Moment, draw: u64, tried: &[usize]) -> Result<(usize, Slot), Reason> {
        let share = match self.max_requests {
            None => None,
            // Those that were let in before there was such a limit are seen by the endpoints alone.
            Some(most) if self.in_flight() >= most.get() => return Err(Reason::SlotsTaken),
            Some(most) => Some(Share::take(&self.load, most).ok_or(Reason::SlotsTaken)?),
        };
        let (place, slot) = self.take_any(now, draw, tried)?;
        let measure =
            self.measures.then(|| Measure { load: Arc::clone(&self.load), taken: now, bounds: self.bounds() });
        Ok((place, slot.with(measure, share)))
    }

    fn take_any(&self, now: Moment, draw: u64, tried: &[usize]) -> Result<(usize, Slot), Reason> {
        let asking = |panics| Asking { now, draw, tried, panics };
        let least_percent = self.outlier_detection.as_ref().map_or(0, |detection| detection.min_health_percent);
        match &self.choice {
            Choice::Even(balancer) => {
                self.take_among(balancer, 0..self.endpoints.len(), asking(self.panics(now, least_percent)))
            }
            Choice::ByLocality(groups) => {
                let mut refusal = Reason::NoEndpoint;
                for Candidate { group, panics } in
                    groups.order(View { endpoints: &self.endpoints, now, least_percent }, draw)
                {
                    match self.take_among(&group.balancer, group.places.clone(), asking(panics)) {
                        Ok(taken) => return Ok(taken),
                        Err(Reason::SlotsTaken) => refusal = Reason::SlotsTaken,
                        Err(_) => {}
                    }
                }
                Err(refusal)
            }
        }
    }

    /// Takes a slot of an endpoint at `places`, of one that is not new where there is any.
    fn take_among(
        &self,
        balancer: &Balancer,
        places: Range<usize>,
        asking: Asking<'_>,
    ) -> Result<(usize, Slot), Reason> {
        if let Some(warmup) = &self.warmup
            && let Ok(taken) = self.ask(balancer, places.clone(), asking, |nth, endpoint| {
                // The age of one that is not ready yet has not begun.
                endpoint.state.health.readiness() == Readiness::Ready
                    && warmup::takes(warmup, endpoint.state.age(asking.now), mix(asking.draw ^ mix(nth)))
            })
        {
            return Ok(taken);
        }
        self.ask(balancer, places, asking, |_, _| true)
    }

    /// Asks the endpoints at `places` in order, but for those that do not want to be the `nth` that is asked.
    fn ask(
        &self,
        balancer: &Balancer,
        places: Range<usize>,
        asking: Asking<'_>,
        wants: impl Fn(u64, &Endpoint) -> bool,
    ) -> Result<(usize, Slot), Reason> {
        let mut refusal = Reason::NoEndpoint;
        let mut asked = Asked::default();
        let endpoints = &self.endpoints[places.clone()];
        for (nth, at) in (0..).zip(balancer.order(endpoints, asking.draw, asking.now)) {
            let (endpoint, place) = (&endpoints[at], places.start + at);
            if !wants(nth, endpoint) || !asked.note(at) || asking.tried.contains(&place) {
                continue;
            }
            let taken = if asking.panics {
                endpoint.take_unheeding(self.slots_of(endpoint))
            } else {
                endpoint.take(self.slots_of(endpoint), asking.now)
            };
            match taken {
                Ok(slot) => return Ok((place, slot)),
                Err(Reason::SlotsTaken) => refusal = Reason::SlotsTaken,
                Err(_) => {}
            }
            if asked.count() == endpoints.len() {
                break;
            }
        }
        Err(refusal)
    }

    /// Notes how an attempt at the endpoint at `place` went. Where that changes whether it is given requests, what it is
    /// from now on comes back.
    pub fn note(&self, place: usize, outcome: Outcome, now: impl FnOnce() -> Moment) -> Option<Admission> {
        // One destination that fails says nothing of the others; Envoy does not heed the health of such hosts either.
        if self.original.is_some() {
            return None;
        }
        let health = &self.endpoints.get(place)?.state.health;
        let admitted = matches!(outcome, Outcome::Answered(_)) && health.connected();
        let change = match (&self.outlier_detection, outcome) {
            (Some(detection), _) => self.judge(detection, health, outcome, now),
            (None, Outcome::ConnectFailed) => health.failed_to_connect(now()).then_some(Admission::Ejected),
            // An ejection may be left over from a policy that had outliers detected.
            (None, Outcome::Answered(_)) => health.outlier.close().then_some(Admission::Admitting),
            (None, _) => None,
        };
        change.or(admitted.then_some(Admission::Admitting))
    }

    /// Counts an outcome, or takes it for that of a probe.
    fn judge(
        &self,
        detection: &OutlierDetection,
        health: &Health,
        outcome: Outcome,
        now: impl FnOnce() -> Moment,
    ) -> Option<Admission> {
        if !health.outlier.is_open() {
            let ejects = health.outlier.count(detection, outcome) && self.eject(detection, health, now());
            return ejects.then_some(Admission::Ejected);
        }
        let now = now();
        // Requests from before the ejection, or despite it, say nothing of what comes after.
        if health.outlier.is_ejected(now) {
            return None;
        }
        let change = if is_error(detection, outcome) {
            health.outlier.eject(detection, now);
            Some(Admission::Ejected)
        } else {
            health.outlier.close().then_some(Admission::Admitting)
        };
        health.end_probe();
        change
    }

    /// Ejects an endpoint unless that would be too many. As in Envoy, a pool of fewer than ten loses none to the default
    /// of ten percent. One whose ejection is over and that has not proved itself yet counts as ejected.
    fn eject(&self, detection: &OutlierDetection, health: &Health, now: Moment) -> bool {
        let decide = || {
            let ejected = self.endpoints.iter().filter(|endpoint| endpoint.state.health.outlier.is_open()).count();
            let most = u64::from(detection.max_ejection_percent) * self.endpoints.len() as u64;
            let ejects = !health.outlier.is_open() && (ejected as u64 + 1) * 100 <= most;
            if ejects {
                health.outlier.eject(detection, now);
            }
            ejects
        };
        self.ejections.one_at_a_time(decide).unwrap_or_else(|| {
            health.outlier.defer();
            false
        })
    }

    /// Whether so few endpoints are healthy that all are asked.
    fn panics(&self, now: Moment, least_percent: u32) -> bool {
        let admits = |endpoint: &&Endpoint| endpoint.state.health.admission(now) == Admission::Admitting;
        let healthy = || self.endpoints.iter().filter(admits).count() as u64;
        least_percent > 0 && healthy() * 100 < u64::from(least_percent) * self.endpoints.len() as u64
    }

    /// Whether any request was sent to one of its endpoints.
    pub fn is_used(&self) -> bool {
        self.endpoints.iter().any(|endpoint| endpoint.state.is_used())
    }

    /// What its answers are held against: without an objective of its own, the one that operators alert on.
    pub fn objective(&self) -> Duration {
        self.latency_objective.unwrap_or(LATENCY_OBJECTIVE)
    }

    /// The most requests that `endpoint`, one of its own, has in flight now.
    pub fn slots_of(&self, endpoint: &Endpoint) -> NonZeroU32 {
        self.bounds().map_or(self.slots_per_endpoint, |bounds| endpoint.state.gradient.limit(bounds))
    }

    fn bounds(&self) -> Option<Bounds> {
        self.adaptive_slots.map(|range| Bounds { initial: self.slots_per_endpoint, range })
    }

    /// Requests in flight over all endpoints.
    pub fn in_flight(&self) -> u32 {
        self.endpoints.iter().map(|endpoint| endpoint.state.in_flight()).sum()
    }
}

#[cfg(test)]
mod fixtures;
#[cfg(test)]
mod tests;

//! Every series that the router counts, behind typed methods.
//!
//! Owns counters and histograms. What can be looked up in the live snapshot (in flight, queued, weights, generation) is
//! not counted here a second time but read at the scrape.

mod edges;
mod istio;
mod limits;
mod local;
mod lookups;
mod memory;
mod rate_limits;
mod reload;
mod requests;
mod scaling;
mod scrape;
mod traces;
mod upkeep;

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use prometheus::IntCounter;

pub use limits::LimitCounters;
pub use local::{LoadResult, LocalGauges, LocalMetrics, LocalVersion};
pub use lookups::Lookup;
pub use rate_limits::{RateLimitCount, RateLimitCounts};
pub use reload::Reload;
pub(super) use requests::{RequestKey, RequestSeries};
pub use traces::TraceCounters;

use super::family::{Counters, Labels, Single};
use super::names;
use crate::config::Workload;
use crate::domain::{HedgeEnd, MirrorEnd, Reason};
use crate::scaling::Known;
use crate::snapshot::{PoolId, Snapshot};

/// The router's metrics. One for the process; every method may be called from any thread.
#[derive(Debug)]
pub struct Metrics {
    requests: requests::RequestFamilies,
    istio: istio::IstioFamilies,
    local: LocalMetrics,
    reload: reload::ReloadMetrics,
    lookups: lookups::LookupMetrics,
    upkeep: upkeep::UpkeepMetrics,
    access_log_dropped: Single<IntCounter>,
    traces: Counters<1>,
    limits: LimitCounters,
    client_connections: Arc<AtomicU64>,
    /// The newest generation that is published.
    generation: AtomicU64,
    /// Whether a request of an older generation may have brought back a series that publishing had removed.
    late: AtomicBool,
}

/// What is not counted here, but looked up at a scrape.
#[derive(Clone, Debug, Default)]
pub struct Gauges {
    /// The local model's.
    pub local: LocalGauges,
    /// The rate limits'.
    pub rate_limits: RateLimitCounts,
    /// What is known of the demand.
    pub demand: Known,
}

/// One open client connection, counted until it is dropped.
#[derive(Debug)]
pub struct ClientConnection(Arc<AtomicU64>);

impl Drop for ClientConnection {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Metrics {
    /// All metrics at zero. `workload` is what Istio's series name the router itself by.
    pub fn new(workload: &Workload) -> Arc<Self> {
        Arc::new(Self {
            requests: requests::RequestFamilies::new(),
            istio: istio::IstioFamilies::new(workload),
            local: LocalMetrics::new(),
            reload: reload::ReloadMetrics::new(),
            lookups: lookups::LookupMetrics::new(),
            upkeep: upkeep::UpkeepMetrics::new(),
            access_log_dropped: Single::new(&names::ACCESS_LOG_DROPPED, ()),
            traces: traces::family(),
            limits: LimitCounters::new(),
            client_connections: Arc::default(),
            generation: AtomicU64::new(0),
            late: AtomicBool::new(false),
        })
    }

    /// Notes that `snapshot` is what requests are decided by from now on. Series of routes and pools that it does not
    /// have are removed, so that what is gone from the configuration is gone from the next scrape.
    pub fn published(&self, snapshot: &Snapshot) {
        self.generation.fetch_max(snapshot.generation(), Ordering::AcqRel);
        self.forget_what_is_gone(snapshot);
    }

    /// Counts one open client connection for as long as the answer is held.
    pub fn client_connected(&self) -> ClientConnection {
        self.client_connections.fetch_add(1, Ordering::Relaxed);
        ClientConnection(Arc::clone(&self.client_connections))
    }

    /// What the local model counts; a handle to keep.
    pub fn local(&self) -> LocalMetrics {
        self.local.clone()
    }

    /// What counts how often clients come to a limit; a handle to keep.
    pub fn limits(&self) -> LimitCounters {
        self.limits.clone()
    }

    pub(super) fn access_log_dropped(&self) -> IntCounter {
        self.access_log_dropped.series.clone()
    }

    /// The series that requests like `key` count in.
    pub(super) fn request_series(&self, snapshot: &Snapshot, key: RequestKey) -> RequestSeries {
        self.note_generation(snapshot);
        let istio = self.istio.series(snapshot, key);
        self.requests.series(snapshot, key, istio)
    }

    /// The counter of requests that `pool` left unserved for `reason`.
    pub(super) fn spilled(&self, snapshot: &Snapshot, pool: PoolId, reason: Reason) -> IntCounter {
        self.note_generation(snapshot);
        self.requests.spilled(snapshot, pool, reason)
    }

    /// The counter of copies for `pool` that came to this end.
    pub(super) fn mirrored(&self, snapshot: &Snapshot, pool: PoolId, end: MirrorEnd) -> IntCounter {
        self.note_generation(snapshot);
        self.requests.mirrored(snapshot, pool, end)
    }

    /// The counter of second tries of `pool` that came to this end.
    pub(super) fn hedged(&self, snapshot: &Snapshot, pool: PoolId, end: HedgeEnd) -> IntCounter {
        self.note_generation(snapshot);
        self.requests.hedged(snapshot, pool, end)
    }

    /// A request that was decided before the last publication may end after it, and its route may be gone.
    fn note_generation(&self, snapshot: &Snapshot) {
        if snapshot.generation() < self.generation.load(Ordering::Acquire) {
            self.late.store(true, Ordering::Release);
        }
    }

    fn forget_what_is_gone(&self, snapshot: &Snapshot) {
        let routes: HashSet<&str> = snapshot.routes().map(|(_, route)| &*route.name).collect();
        let pools: HashSet<&str> = snapshot.pools().map(|(_, pool)| &*pool.name).collect();
        let known = |labels: &Labels<'_>| {
            let route = labels.get(names::ROUTE).is_none_or(|route| route.is_empty() || routes.contains(route));
            let pool = labels.get(names::POOL);
            route && pool.is_none_or(|pool| pool.is_empty() || pool == names::LOCAL || pools.contains(pool))
        };
        self.requests.retain(&known);
        self.upkeep.retain(known);
        self.istio.retain(snapshot);
    }
}

#[cfg(test)]
mod tests;

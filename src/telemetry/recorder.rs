//! From one finished request to numbers and a line.

use std::cell::RefCell;
use std::sync::Arc;

use prometheus::IntCounter;
use rustc_hash::FxHashMap;

use super::metrics::{LimitCounters, Metrics, RequestKey, RequestSeries};
use super::{AccessLog, ClientConnection, Record, Tracer};
use crate::domain::{HedgeEnd, MirrorEnd, Reason, Tier};
use crate::snapshot::{PoolId, Snapshot};

/// Takes the records of one traffic worker. Its handles to series are found once for a generation; from then on a record
/// costs one look-up by small ids and a handful of atomic additions.
#[derive(Debug)]
pub struct Recorder {
    metrics: Arc<Metrics>,
    access_log: Option<AccessLog>,
    tracer: Option<Tracer>,
    handles: RefCell<Handles>,
}

/// Handles to the series of one generation, by ids that mean something in it alone.
#[derive(Debug, Default)]
struct Handles {
    generation: u64,
    requests: FxHashMap<RequestKey, RequestSeries>,
    spills: FxHashMap<(PoolId, Reason), IntCounter>,
    mirrored: FxHashMap<(PoolId, MirrorEnd), IntCounter>,
}

impl Handles {
    /// Lets go of the handles of a generation that `snapshot` succeeds. False where `snapshot` is the older one: its ids
    /// mean something else by now.
    fn are_of(&mut self, snapshot: &Snapshot) -> bool {
        if snapshot.generation() > self.generation {
            *self = Self { generation: snapshot.generation(), ..Self::default() };
        }
        snapshot.generation() == self.generation
    }
}

/// Counts what the request says of the pools that it was for and that answered it. An answer that says that an endpoint
/// failed is no measure of what the endpoint carries.
fn note_demand(snapshot: &Snapshot, record: &Record, key: RequestKey) {
    if let (Some(pool), None) = (record.pool, record.reason)
        && record.tier != Some(Tier::Local)
        && record.attempts > 0
        && record.status < 500
    {
        let pool = snapshot.pool(pool);
        pool.demand.answered(record.duration, pool.objective());
    } else if let (Some(chosen), Some(reason)) = (record.chosen, key.refusal())
        && (reason.is_passing() || reason == Reason::RequestTimeout)
    {
        snapshot.pool(chosen).demand.refused();
    }
}

impl Recorder {
    /// A recorder for one worker; `None` logs no requests.
    pub fn new(metrics: Arc<Metrics>, access_log: Option<AccessLog>) -> Self {
        Self { metrics, access_log, tracer: None, handles: RefCell::default() }
    }

    /// The same, which traces requests too where there is a `tracer`.
    #[must_use]
    pub fn tracing(self, tracer: Option<Tracer>) -> Self {
        Self { tracer, ..self }
    }

    /// What decides which requests are traced; `None` traces none.
    pub fn tracer(&self) -> Option<&Tracer> {
        self.tracer.as_ref()
    }

    /// Counts one open client connection for as long as the answer is held.
    pub fn client_connected(&self) -> ClientConnection {
        self.metrics.client_connected()
    }

    /// What counts how often clients come to a limit; a handle to keep.
    pub fn limits(&self) -> LimitCounters {
        self.metrics.limits()
    }

    /// Counts, logs and traces a request that is over. `snapshot` is the one that decided it, however old it is by now.
    pub fn record(&self, snapshot: &Snapshot, record: &Record) {
        self.count(snapshot, record);
        if let Some(log) = &self.access_log {
            log.write(snapshot, record);
        }
        if let (Some(trace), Some(tracer)) = (&record.trace, &self.tracer) {
            tracer.record(snapshot, record, trace);
        }
    }

    /// Counts a copy of a request that is over.
    pub fn mirrored(&self, snapshot: &Snapshot, pool: PoolId, end: MirrorEnd) {
        let mut handles = self.handles.borrow_mut();
        let counter = || self.metrics.mirrored(snapshot, pool, end);
        if handles.are_of(snapshot) {
            handles.mirrored.entry((pool, end)).or_insert_with(counter).inc();
        } else {
            counter().inc();
        }
    }

    /// Counts what became of a second try.
    pub fn hedged(&self, snapshot: &Snapshot, pool: PoolId, end: HedgeEnd) {
        self.metrics.hedged(snapshot, pool, end).inc();
    }

    fn count(&self, snapshot: &Snapshot, record: &Record) {
        let mut handles = self.handles.borrow_mut();
        let key = RequestKey::of(record);
        note_demand(snapshot, record, key);
        // A request that was refused spilled from nowhere to nowhere: it counts as refused.
        let spills = if key.refusal().is_some() { &[][..] } else { &record.spills };
        if !handles.are_of(snapshot) {
            // Such requests end within a deadline of a reload, so that they may look up.
            self.metrics.request_series(snapshot, key).count(record);
            return spills.iter().for_each(|(pool, reason)| self.metrics.spilled(snapshot, *pool, *reason).inc());
        }
        let Handles { requests, spills: counters, .. } = &mut *handles;
        requests.entry(key).or_insert_with(|| self.metrics.request_series(snapshot, key)).count(record);
        for (pool, reason) in spills {
            let counter = || self.metrics.spilled(snapshot, *pool, *reason);
            counters.entry((*pool, *reason)).or_insert_with(counter).inc();
        }
    }
}

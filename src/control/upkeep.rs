//! What the router asks of endpoints on its own account: health checks, warm-up requests and their pages of metrics.
//!
//! One task for each endpoint, on the control thread, over connections of its own. Tasks follow what is in force; an endpoint
//! that goes on as it was keeps its task, and with it what is known of it.

mod ask;
mod endpoint;
mod grpc;
mod keep;

use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio::time::{sleep, timeout};

use crate::domain::{Address, PoolKey};
use crate::live::{Live, Publisher};
use crate::pool::Readiness;
use crate::telemetry::Metrics;
use crate::upstream::Connections;
pub(super) use ask::{Answered, ask};
use endpoint::Endpoint;

/// How often connections that are of no more use are closed.
const SWEEP: Duration = Duration::from_secs(10);

/// How much longer than a check may take its result is waited for at the start.
const MARGIN: Duration = Duration::from_secs(1);

/// What every task stands on.
struct Common {
    publisher: Arc<Publisher>,
    metrics: Arc<Metrics>,
    connections: Connections,
    /// Tells of each change of an endpoint's readiness.
    progress: watch::Sender<()>,
}

/// Looks after the endpoints of what is in force.
pub struct Upkeep {
    common: Rc<Common>,
    tasks: HashMap<(PoolKey, Address), (Rc<Endpoint>, Task)>,
}

/// Ends with whoever holds it.
struct Task(AbortHandle);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// A way to wait for the first health checks.
pub struct FirstChecks(watch::Receiver<()>);

impl Upkeep {
    /// Nobody is asked anything before [`Upkeep::follow`].
    pub fn new(publisher: Arc<Publisher>, metrics: Arc<Metrics>) -> (Self, FirstChecks) {
        let (progress, checked) = watch::channel(());
        let common = Rc::new(Common { publisher, metrics, connections: Connections::default(), progress });
        (Self { common, tasks: HashMap::new() }, FirstChecks(checked))
    }

    /// Looks after endpoints for as long as the future is polled, on a runtime that can hold tasks of one thread.
    pub async fn follow(mut self) {
        let mut swaps = self.common.publisher.swaps();
        loop {
            self.take_over();
            tokio::select! {
                Ok(()) = swaps.changed() => {}
                () = sleep(SWEEP) => self.common.connections.sweep(),
            }
        }
    }

    /// Goes over to what is in force now.
    fn take_over(&mut self) {
        let live = self.common.publisher.current();
        let mut before = std::mem::take(&mut self.tasks);
        for (id, pool) in live.snapshot.pools() {
            if !pool.upkeep.holds_back() {
                release(&live, id);
            }
            if !pool.upkeep.is_any() {
                continue;
            }
            for endpoint in Endpoint::of(&live, id, &self.common) {
                let key = (pool.key.clone(), endpoint.address.clone());
                let kept = before.remove(&key).filter(|(known, _)| known.is_same(&endpoint));
                let task = kept.unwrap_or_else(|| {
                    let endpoint = Rc::new(endpoint);
                    let task = tokio::task::spawn_local(keep::keep(Rc::clone(&endpoint))).abort_handle();
                    (endpoint, Task(task))
                });
                self.tasks.insert(key, task);
            }
        }
    }
}

/// Lets requests to endpoints that were held back by a policy which is gone.
fn release(live: &Live, id: crate::snapshot::PoolId) {
    for endpoint in &live.snapshot.pool(id).endpoints {
        if endpoint.state.health.readiness() != Readiness::Ready {
            endpoint.state.health.set_readiness(Readiness::Ready);
            live.admits(id);
        }
    }
}

impl FirstChecks {
    /// Waits until every endpoint of what is in force was checked once, no longer than the checks may take.
    pub async fn wait(mut self, publisher: &Publisher) {
        let unchecked = || {
            let live = publisher.current();
            let pools = live.snapshot.pools().flat_map(|(_, pool)| &pool.endpoints);
            pools.filter(|endpoint| endpoint.state.health.readiness() == Readiness::Unchecked).count() > 0
        };
        let timeouts = || {
            let live = publisher.current();
            let checks = live.snapshot.pools().filter_map(|(_, pool)| pool.upkeep.health_check.as_ref());
            checks.map(|check| check.timeout).max().unwrap_or_default()
        };
        let all_checked = async { while unchecked() && self.0.changed().await.is_ok() {} };
        timeout(timeouts() + MARGIN, all_checked).await.ok();
    }
}

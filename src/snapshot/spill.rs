//! Whether a request waits for a full pool or goes on, where a latency objective is set.

use std::time::Duration;

use super::{PoolId, RouteId, Snapshot};
use crate::domain::{Moment, Priority, Reason};

/// How soon a request that finds a pool full must be answered.
#[derive(Clone, Copy, Debug)]
pub struct Urgency {
    /// Its priority.
    pub priority: Priority,
    /// What is left of its latency objective; zero where it has none.
    pub left: Duration,
    /// This moment.
    pub now: Moment,
}

/// What becomes of a request that finds a pool full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Full {
    /// It waits there: that keeps the objective, and no later pool would.
    Waits,
    /// It goes on, for this reason.
    Spills(Reason),
}

impl Snapshot {
    /// The latency objective of a request that `route` matched and that goes to the pool `chosen`: the rule's own, else the
    /// pool's.
    pub fn objective(&self, route: Option<RouteId>, chosen: PoolId) -> Option<Duration> {
        let own = route.and_then(|route| self.route(route).policy.as_ref()?.latency_objective);
        own.or(self.pool(chosen).latency_objective)
    }

    /// How urgent the requests of `route` are.
    pub fn priority(&self, route: Option<RouteId>) -> Priority {
        route.and_then(|route| self.route(route).policy.as_ref()).map(|policy| policy.priority).unwrap_or_default()
    }

    /// What a request does that finds `pool` full and has `later` pools left. What was never measured is taken to keep the
    /// objective in a later pool, and not to keep it here.
    pub fn weigh(&self, pool: PoolId, later: &[PoolId], urgency: Urgency) -> Full {
        let Some(here) = self.pool(pool).outlook(urgency.priority, urgency.now) else {
            return Full::Spills(Reason::SlotsTaken);
        };
        if here.total() > urgency.left {
            return Full::Spills(Reason::WaitTooLong);
        }
        let others_keep_it = later.iter().any(|pool| self.keeps(*pool, urgency));
        if later.is_empty() || others_keep_it { Full::Spills(Reason::SlotsTaken) } else { Full::Waits }
    }

    /// Where a request waits that every pool has turned away, of those that were `full`: the first that would keep the
    /// objective, else the one that would answer soonest; without an objective, of which nothing is left, the one whose turn
    /// comes soonest, so that no pool stands idle while requests wait for another. A pool whose queue has no place is the last.
    pub fn place_to_wait(&self, full: &[PoolId], urgency: Urgency) -> Option<PoolId> {
        let total =
            |pool: &PoolId| self.pool(*pool).outlook(urgency.priority, urgency.now).map(|outlook| outlook.total());
        let is_packed = |pool: &PoolId| {
            let pool = self.pool(*pool);
            !pool.queue.has_place(urgency.priority, pool.max_pending)
        };
        let keeps = |pool: &PoolId| total(pool).is_some_and(|total| total <= urgency.left) && !is_packed(pool);
        let keeping = full.iter().find(|pool| keeps(pool));
        // What is unknown is not preferred to what is known to be late, and comes first only where all is unknown.
        let late = |pool: &PoolId| match urgency.left {
            Duration::ZERO => self.pool(*pool).queue.wait(urgency.priority),
            _ => total(pool).unwrap_or(Duration::MAX),
        };
        keeping.or_else(|| full.iter().min_by_key(|pool| (is_packed(pool), late(pool)))).copied()
    }

    fn keeps(&self, pool: PoolId, urgency: Urgency) -> bool {
        let pool = self.pool(pool);
        let outlook = pool.outlook(urgency.priority, urgency.now);
        pool.slots(urgency.now) > 0 && outlook.is_none_or(|outlook| outlook.total() <= urgency.left)
    }
}

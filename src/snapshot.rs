//! The immutable compiled table, and the decision on a request.
//!
//! Owns what one generation of the configuration means, in dense ids, so that whatever is kept for each route or pool is
//! a slice in the same order. Never changes after it is compiled; the endpoint state that it points to does.

mod affinity;
mod choose;
mod compile;
mod edits;
mod endpoints;
mod entries;
mod resolved;
mod spill;
mod trace;

use std::sync::Arc;
use std::time::Duration;

pub use affinity::{Affinity, affinities};
pub use choose::{Decision, choose};
pub use compile::{compile, resolve};
pub use edits::Edits;
pub use resolved::{Addresses, NameStatus, Resolved, Use, names};
pub use spill::{Full, Urgency};
pub use trace::{Considered, Trace, trace};

use crate::config::{Limits, ServiceIdentity};
use crate::domain::{CorsPolicy, Fault, OwnAnswer, Percentage, PoolKey, RetryPolicy, RoutePolicy};
use crate::pool::Pool;
use crate::routing::{Matcher, PathIndex, Split};
use entries::Entries;

/// The place of a route in [`Snapshot::routes`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RouteId(u32);

impl RouteId {
    /// The place as an index, for what is kept beside the snapshot in the same order.
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// The place of a pool in [`Snapshot::pools`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PoolId(u32);

impl PoolId {
    /// The place as an index, for what is kept beside the snapshot in the same order.
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// One generation of the configuration, compiled.
#[derive(Debug)]
pub struct Snapshot {
    generation: u64,
    limits: Limits,
    // What is shared stays the same while names resolve to other addresses.
    entries: Arc<Entries>,
    virtual_hosts: Arc<[VirtualHost]>,
    routes: Arc<[Route]>,
    pools: Box<[Pool]>,
    has_originals: bool,
    services: Arc<[ServiceIdentity]>,
    overflow: Arc<[Box<[PoolId]>]>,
}

#[derive(Clone, Copy, Debug)]
struct VirtualHostId(u32);

/// Rules that share hosts: a range of the routes.
#[derive(Clone, Debug)]
struct VirtualHost {
    routes: std::ops::Range<u32>,
    /// The routes by path, where there are so many that to try each would take longer.
    paths: Option<PathIndex>,
}

/// One rule.
#[derive(Debug)]
pub struct Route {
    /// `namespace/virtual-service/rule`: its name in metric labels, logs and headers.
    pub name: Arc<str>,
    /// Where it stands in the documents.
    pub origin: Box<str>,
    /// The document that it is of, as `VirtualService namespace/name`.
    pub document: Arc<str>,
    /// The alternatives; with none it matches everything.
    pub matchers: Box<[Matcher]>,
    /// What it does with a request.
    pub action: Action,
    /// What it changes of a request and of its answer; `None` for a rule that changes nothing.
    pub edits: Option<Box<Edits>>,
    /// What it does to requests on purpose; `None` for nothing.
    pub fault: Option<Box<Fault>>,
    /// What scripts of other origins may do; `None` leaves it to the destination.
    pub cors: Option<Box<CorsPolicy>>,
    /// Its own deadline: `Some(ZERO)` is none at all, `None` leaves it to [`Limits::request_timeout`].
    pub timeout: Option<Duration>,
    /// What is sent again; `None` is the default of a rule that does not say. See [`Route::retries`].
    retries: Option<Box<RetryPolicy>>,
    /// The destinations that are sent a copy.
    pub mirrors: Box<[Mirror]>,
    /// What its `RoutePolicy` says; rules that share one share what it counts.
    pub policy: Option<Arc<RoutePolicy>>,
}

/// A destination that is sent a copy of a rule's requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mirror {
    /// The pool.
    pub pool: PoolId,
    /// How many of the requests it is sent; each mirror of a rule draws by itself.
    pub share: Percentage,
}

/// What a rule does with a request.
#[derive(Debug)]
pub enum Action {
    /// Sends it to one of weighted destinations.
    Forward(Split<PoolId>),
    /// Answers it.
    Answer(OwnAnswer),
}

/// What holds where no rule says otherwise.
static DEFAULT_RETRIES: RetryPolicy = RetryPolicy::DEFAULT;

impl Route {
    /// What is sent again where it fails, and how.
    pub fn retries(&self) -> &RetryPolicy {
        self.retries.as_deref().unwrap_or(&DEFAULT_RETRIES)
    }

    /// The destinations that can be chosen, each with its weight; none for a rule that answers itself.
    pub fn weights(&self) -> impl Iterator<Item = (u64, PoolId)> + '_ {
        let split = match &self.action {
            Action::Forward(split) => Some(split),
            Action::Answer(_) => None,
        };
        split.into_iter().flat_map(Split::weights)
    }
}

impl Snapshot {
    /// Which publication this is, from 1.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// The limits on requests.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Whether some pool asks where a connection was sent to.
    pub fn has_originals(&self) -> bool {
        self.has_originals
    }

    /// One route.
    pub fn route(&self, id: RouteId) -> &Route {
        &self.routes[id.0 as usize]
    }

    /// What is sent again of a request that `route` matched.
    pub fn retries(&self, route: Option<RouteId>) -> &RetryPolicy {
        route.map_or(&DEFAULT_RETRIES, |route| self.route(route).retries())
    }

    /// One pool.
    pub fn pool(&self, id: PoolId) -> &Pool {
        &self.pools[id.index()]
    }

    /// The pool that is called `key`.
    pub fn pool_of(&self, key: &PoolKey) -> Option<PoolId> {
        self.pools().find(|(_, pool)| pool.key == *key).map(|(id, _)| id)
    }

    /// How Istio's metrics label the service behind a pool.
    pub fn service(&self, id: PoolId) -> &ServiceIdentity {
        &self.services[id.index()]
    }

    /// Where a request for `id` may be served, in order: the pool itself, then the pools it spills to.
    pub fn overflow(&self, id: PoolId) -> &[PoolId] {
        &self.overflow[id.index()]
    }

    /// Every route with its id.
    pub fn routes(&self) -> impl Iterator<Item = (RouteId, &Route)> {
        (0..).map(RouteId).zip(&*self.routes)
    }

    /// Every pool with its id.
    pub fn pools(&self) -> impl Iterator<Item = (PoolId, &Pool)> {
        (0..).map(PoolId).zip(&self.pools)
    }
}

#[cfg(test)]
mod tests;

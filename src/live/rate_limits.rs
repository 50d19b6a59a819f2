//! How often requests are let through: the buckets of the rate limits in force.
//!
//! Each router counts for itself. A limit that a reload leaves as it was goes on with the tokens it had.

mod bucket;
mod limit;
mod table;

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use http::{HeaderMap, HeaderValue};

use crate::domain::{RateLimit, RoutePolicy};
use crate::snapshot::{RouteId, Snapshot};
use crate::telemetry::{RateLimitCount, RateLimitCounts};
use limit::{Limit, Standing};
use table::Table;

/// The rate limits of one generation.
#[derive(Debug, Default)]
pub struct RateLimits {
    /// Those of each route, in the snapshot's order; nothing where no route has any.
    routes: Box<[Option<Arc<PolicyLimits>>]>,
    /// The buckets of all keys; `None` where no limit counts by a key.
    table: Option<Arc<Table>>,
}

/// The rate limits of one `RoutePolicy`, of which each must let a request through.
#[derive(Debug)]
pub struct PolicyLimits {
    document: Box<str>,
    limits: Box<[Arc<Limit>]>,
    /// `RateLimit-Policy`, the same for every answer.
    policy: HeaderValue,
}

/// What the rate limits of its rule say of one request.
#[derive(Debug)]
pub struct Judged {
    /// `RateLimit-Policy` of the IETF's draft-ietf-httpapi-ratelimit-headers.
    pub policy: HeaderValue,
    /// `RateLimit` of the same.
    pub standing: HeaderValue,
    /// For a request that must wait: `Retry-After` (RFC 9110, section 10.2.3), in seconds, rounded up.
    pub retry_after: Option<HeaderValue>,
}

impl RateLimits {
    /// Those of `snapshot`. Limits that `previous` has too, by document and all that they say, keep their buckets.
    pub(super) fn of(snapshot: &Snapshot, previous: Option<&Self>) -> Self {
        let is_limited = |policy: &&Arc<RoutePolicy>| !policy.rate_limits.is_empty();
        if !snapshot.routes().any(|(_, route)| route.policy.as_ref().as_ref().is_some_and(is_limited)) {
            return Self::default();
        }
        let mut building = Building::new(snapshot, previous);
        let routes = snapshot.routes().map(|(_, route)| {
            let policy = route.policy.as_ref().filter(is_limited)?;
            Some(building.policy(policy))
        });
        Self { routes: routes.collect(), table: building.table }
    }

    /// Those of one route.
    pub fn of_route(&self, route: RouteId) -> Option<&PolicyLimits> {
        self.routes.get(route.index())?.as_deref()
    }

    /// What they have counted.
    pub fn counts(&self) -> RateLimitCounts {
        let mut seen: Vec<&PolicyLimits> = Vec::new();
        for policy in self.routes.iter().flatten() {
            if seen.iter().all(|known| known.document != policy.document) {
                seen.push(policy);
            }
        }
        let refused = seen.iter().flat_map(|policy| {
            policy.limits.iter().map(|limit| RateLimitCount {
                policy: policy.document.clone(),
                limit: limit.settings().name.clone(),
                refused: limit.refused(),
            })
        });
        RateLimitCounts {
            refused: refused.collect(),
            tracked_keys: self.table.as_ref().map_or(0, |table| table.tracked()),
            evicted_keys: self.table.as_ref().map_or(0, |table| table.evicted()),
        }
    }
}

/// The limits of a generation while they are put together.
struct Building<'p> {
    known: HashMap<(&'p str, &'p RateLimit), &'p Arc<Limit>>,
    built: HashMap<Box<str>, Arc<PolicyLimits>>,
    table: Option<Arc<Table>>,
    capacity: u32,
}

impl<'p> Building<'p> {
    fn new(snapshot: &Snapshot, previous: Option<&'p RateLimits>) -> Self {
        let capacity = snapshot.limits().max_rate_limit_keys;
        let table = previous.and_then(|previous| previous.table.clone());
        let table = table.filter(|table| table.capacity() == Table::capacity_for(capacity));
        let policies = previous.iter().flat_map(|previous| &previous.routes).flatten();
        let limits = policies.flat_map(|policy| policy.limits.iter().map(|limit| (&*policy.document, limit)));
        // Buckets of another table stay behind with it.
        let kept = limits.filter(|(_, limit)| limit.settings().key.is_none() || table.is_some());
        let known = kept.map(|(document, limit)| ((document, limit.settings()), limit)).collect();
        Self { known, built: HashMap::new(), table, capacity }
    }

    fn policy(&mut self, policy: &RoutePolicy) -> Arc<PolicyLimits> {
        if let Some(built) = self.built.get(&policy.document) {
            return Arc::clone(built);
        }
        let limits: Box<[Arc<Limit>]> =
            policy.rate_limits.iter().map(|limit| self.limit(&policy.document, limit)).collect();
        let built = Arc::new(PolicyLimits {
            document: policy.document.clone(),
            policy: header(limits.iter().map(|limit| limit.policy())),
            limits,
        });
        self.built.insert(policy.document.clone(), Arc::clone(&built));
        built
    }

    fn limit(&mut self, document: &str, settings: &RateLimit) -> Arc<Limit> {
        if let Some(known) = self.known.get(&(document, settings)) {
            return Arc::clone(known);
        }
        let capacity = self.capacity;
        let table = settings
            .key
            .is_some()
            .then(|| Arc::clone(self.table.get_or_insert_with(|| Arc::new(Table::new(capacity)))));
        Arc::new(Limit::new(settings.clone(), table))
    }
}

impl PolicyLimits {
    /// Takes a token of each limit for a request with `headers` from `client`. Where one has none, those taken before are
    /// given back, so that what is refused has used up nothing; it is told how each limit stands then, and to wait for the
    /// last of those that have none.
    pub fn judge(&self, headers: &HeaderMap, client: IpAddr) -> Judged {
        let mut standings: Vec<Standing> = Vec::with_capacity(self.limits.len());
        let mut keys: Vec<u64> = Vec::with_capacity(self.limits.len());
        for limit in &self.limits {
            let key = limit.key(headers, client);
            let standing = limit.take(key);
            keys.push(key);
            standings.push(standing);
            if matches!(standing, Standing::Empty { .. }) {
                limit.count_refused();
                self.give_back(headers, client, (&mut keys, &mut standings));
                break;
            }
        }
        let wait = standings.iter().filter_map(|standing| match standing {
            Standing::Empty { wait } => Some(*wait),
            Standing::Open { .. } => None,
        });
        let retry_after = wait.max().map(HeaderValue::from);
        let standing = header(self.limits.iter().zip(&standings).map(|(limit, standing)| limit.standing(*standing)));
        Judged { policy: self.policy.clone(), standing, retry_after }
    }

    /// Gives back what was taken before the last of `standings`, which is the limit that has refused, and looks at all others.
    fn give_back(&self, headers: &HeaderMap, client: IpAddr, (keys, standings): (&mut Vec<u64>, &mut Vec<Standing>)) {
        let refusing = standings.len() - 1;
        let taken = || self.limits.iter().zip(&*keys).take(refusing);
        taken().for_each(|(limit, key)| limit.give_back(*key));
        taken().zip(standings.iter_mut()).for_each(|((limit, key), standing)| *standing = limit.look(*key));
        let unasked = self.limits.iter().skip(standings.len());
        standings.extend(unasked.map(|limit| limit.look(limit.key(headers, client))));
    }
}

/// A list of structured fields (RFC 9651, section 3.1).
fn header(items: impl Iterator<Item = String>) -> HeaderValue {
    let list: Vec<String> = items.collect();
    // The names are plain text, as the configuration's check has it.
    HeaderValue::try_from(list.join(", ")).unwrap_or(HeaderValue::from_static(""))
}

#[cfg(test)]
mod tests;

//! What is to be done with one request.

use super::{Action, PoolId, RouteId, Snapshot, VirtualHost};
use crate::domain::{OwnAnswer, Reason};
use crate::routing::{Head, Place};

/// What the configuration says of a request, before any slot is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision<'s> {
    /// Try these pools in order; the first is the one that the split chose.
    Forward {
        /// The rule.
        route: RouteId,
        /// Which of the rule's destinations it is, among those that can be chosen.
        share: usize,
        /// The pools, never empty.
        candidates: &'s [PoolId],
    },
    /// No pool on the list has an endpoint, and the local model may answer.
    Local {
        /// The rule.
        route: RouteId,
        /// Which of the rule's destinations it is, among those that can be chosen.
        share: usize,
        /// The pool that the split chose.
        pool: PoolId,
    },
    /// The rule answers it itself.
    Answer {
        /// The rule.
        route: RouteId,
        /// The answer.
        answer: &'s OwnAnswer,
    },
    /// Nothing can serve it.
    Refuse {
        /// The rule, which of its destinations the split chose, and its pool; `None` where no rule matched.
        chosen: Option<(RouteId, usize, PoolId)>,
        /// Why.
        reason: Reason,
    },
}

/// Decides by the request's head and `draw`, a number uniform over all of `u64`.
pub fn choose<'s>(snapshot: &'s Snapshot, head: &Head<'_>, draw: u64) -> Decision<'s> {
    let Some(route) = snapshot.find_route(head) else {
        return Decision::Refuse { chosen: None, reason: Reason::RouteNotFound };
    };
    let split = match &snapshot.route(route).action {
        Action::Forward(split) => split,
        Action::Answer(answer) => return Decision::Answer { route, answer },
    };
    let share = split.place(draw);
    let pool = split.at(share);
    let candidates = snapshot.overflow(pool);
    // A pool that holds requests for its first endpoint has somewhere for them to go.
    if snapshot.pool(pool).hold.is_some()
        || candidates.iter().any(|candidate| !snapshot.pool(*candidate).endpoints.is_empty())
    {
        Decision::Forward { route, share, candidates }
    } else if snapshot.pool(pool).local_model {
        Decision::Local { route, share, pool }
    } else {
        Decision::Refuse { chosen: Some((route, share, pool)), reason: Reason::NoEndpoint }
    }
}

impl Snapshot {
    pub(super) fn find_virtual_host(&self, head: &Head<'_>) -> Option<&VirtualHost> {
        self.entries.find(head).map(|id| &self.virtual_hosts[id.0 as usize])
    }

    fn find_route(&self, head: &Head<'_>) -> Option<RouteId> {
        let host = self.find_virtual_host(head)?;
        let Some(paths) = &host.paths else {
            return host.routes.clone().map(RouteId).find(|id| self.route(*id).matches(head));
        };
        let route = |place: Place| RouteId(host.routes.start + place.rule);
        let place = paths.first(head.path, |place| self.route(route(place)).holds(place.alternative, head))?;
        Some(route(place))
    }
}

impl super::Route {
    fn matches(&self, head: &Head<'_>) -> bool {
        self.matchers.is_empty() || self.matchers.iter().any(|matcher| matcher.check(head).is_ok())
    }

    /// Whether one of its alternatives lets `head` through; a route without any lets everything.
    fn holds(&self, alternative: u32, head: &Head<'_>) -> bool {
        self.matchers.get(alternative as usize).is_none_or(|matcher| matcher.check(head).is_ok())
    }
}

//! Why a request goes where it goes, for `explain`.

use super::{RouteId, Snapshot};
use crate::routing::{Condition, Head};

/// The rules that a request was held against, in order, up to the one that matched.
#[derive(Debug)]
pub struct Trace<'s> {
    /// Whether any virtual host serves the request's host.
    pub host_known: bool,
    /// Each rule that was tried.
    pub considered: Vec<Considered<'s>>,
}

/// One rule that was tried.
#[derive(Debug)]
pub struct Considered<'s> {
    /// The rule.
    pub route: RouteId,
    /// For each alternative up to the one that matched: the condition that failed, or `None` where all held. Empty for a
    /// rule that matches everything.
    pub alternatives: Vec<Option<&'s Condition>>,
}

impl Considered<'_> {
    /// Whether the rule matched.
    pub fn matched(&self) -> bool {
        self.alternatives.is_empty() || self.alternatives.iter().any(Option::is_none)
    }
}

impl Trace<'_> {
    /// The rule that matched.
    pub fn matched(&self) -> Option<RouteId> {
        self.considered.last().filter(|last| last.matched()).map(|last| last.route)
    }
}

/// Holds `head` against the rules of its host as [`super::choose`] does, and keeps what was found.
pub fn trace<'s>(snapshot: &'s Snapshot, head: &Head<'_>) -> Trace<'s> {
    let Some(host) = snapshot.find_virtual_host(head) else {
        return Trace { host_known: false, considered: Vec::new() };
    };
    let mut considered = Vec::new();
    for route in host.routes.clone().map(RouteId) {
        let matchers = &snapshot.route(route).matchers;
        let mut alternatives = Vec::with_capacity(matchers.len());
        for matcher in matchers {
            alternatives.push(matcher.check(head).err());
            if alternatives.last().is_some_and(Option::is_none) {
                break;
            }
        }
        considered.push(Considered { route, alternatives });
        if considered.last().is_some_and(Considered::matched) {
            break;
        }
    }
    Trace { host_known: true, considered }
}

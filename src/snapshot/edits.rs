//! What a rule changes of a request on its way out and of the answer on its way back.

use http::{HeaderMap, HeaderValue, Method};

use super::Route;
use crate::config;
use crate::domain::{Headers, Redirect, Rewrite};
use crate::routing::{Cors, Head, apply_headers, cors, location, permit, rewrite_path, with_query};

/// The changes of one rule; [`Route::edits`] is `None` where there are none.
#[derive(Clone, Debug)]
pub struct Edits {
    /// The rule's own operations, and with them those of a lone destination, which Istio puts behind them in one list.
    headers: Headers,
    /// Where there are several destinations, each one's own, in the order of the split's places. Envoy carries them out
    /// before the rule's (`WeightedClusterEntry`).
    shares: Box<[Headers]>,
    rewrite: Rewrite,
}

impl Edits {
    pub(super) fn compile(route: &config::Route) -> Option<Box<Self>> {
        let (headers, shares) = match &*route.split {
            [lone] => (route.headers.clone().joined(&lone.headers), Box::default()),
            several => {
                let chosen = several.iter().filter(|share| share.weight > 0);
                (route.headers.clone(), chosen.map(|share| share.headers.clone()).collect())
            }
        };
        let edits = Self { headers, shares, rewrite: route.rewrite.clone() };
        (!edits.is_empty()).then(|| Box::new(edits))
    }

    fn is_empty(&self) -> bool {
        self.headers.is_empty() && self.rewrite.is_empty() && self.shares.iter().all(Headers::is_empty)
    }

    /// The authority that an endpoint is sent: the rewrite's before the rule's header before the destination's, as in
    /// Istio. `None` leaves the request's own.
    pub fn authority(&self, share: usize) -> Option<&str> {
        let own = self.rewrite.authority.as_deref().or(self.headers.authority.as_deref());
        own.or_else(|| self.shares.get(share)?.authority.as_deref())
    }

    /// Carries out the destination's operations on the headers of a request, then the rule's.
    pub fn edit_request(&self, share: usize, headers: &mut HeaderMap) {
        if let Some(own) = self.shares.get(share) {
            apply_headers(&own.request, headers);
        }
        apply_headers(&self.headers.request, headers);
    }

    /// Carries out the operations of the destination, if there is one, on the headers of an answer, then the rule's.
    fn edit_response(&self, share: Option<usize>, headers: &mut HeaderMap) {
        let own = share.and_then(|share| self.shares.get(share));
        if let Some(own) = own {
            apply_headers(&own.response, headers);
        }
        apply_headers(&self.headers.response, headers);
    }
}

impl Route {
    /// What the rule's CORS policy makes of a request; a rule without one passes all.
    pub fn judge_origin(&self, method: &Method, headers: &HeaderMap) -> Cors {
        self.cors.as_ref().map_or(Cors::Pass, |policy| cors(policy, method, headers))
    }

    /// Carries out on an answer's headers what the rule says, and the destination `share` if there is one; then permits
    /// what the policy does to an origin that [`Route::judge_origin`] has found to be `permitted`.
    pub fn edit_answer(&self, share: Option<usize>, permitted: Option<&HeaderValue>, headers: &mut HeaderMap) {
        if let Some(edits) = &self.edits {
            edits.edit_response(share, headers);
        }
        if let Some((policy, origin)) = self.cors.as_ref().zip(permitted) {
            permit(policy, origin, headers);
        }
    }

    /// The path with its query that an endpoint is sent; `None` where the rule leaves it as it is.
    pub fn rewritten_path(&self, head: &Head<'_>) -> Option<String> {
        let rewrite = self.edits.as_ref()?.rewrite.path.as_ref()?;
        Some(with_query(rewrite_path(rewrite, head.path, self.rest(head)), head.query))
    }

    /// The `Location` of an answer by `redirect`, which is this rule's.
    pub fn location(&self, redirect: &Redirect, head: &Head<'_>) -> String {
        location(redirect, head, self.rest(head))
    }

    /// What stands behind the part of the path that this rule matched. Looked for again, since only rules that rewrite ask.
    fn rest<'h>(&self, head: &Head<'h>) -> &'h str {
        let matched = self.matchers.iter().find(|matcher| matcher.check(head).is_ok());
        matched.map_or_else(|| head.path.get(1..).unwrap_or_default(), |matcher| matcher.rest(head.path))
    }
}

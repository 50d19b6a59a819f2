//! Rate limits on the request path: what the rule's policy says of a request, and how that is told.

use http::header::RETRY_AFTER;
use http::request::Parts;
use http::{HeaderMap, HeaderName};

use super::exchange::Exchange;
use crate::domain::Reason;
use crate::live::Judged;
use crate::snapshot::RouteId;

const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const STANDING: HeaderName = HeaderName::from_static("ratelimit");

/// Holds the request against the rate limits of `route`. What they say goes with its answer.
///
/// # Errors
/// [`Reason::RateLimited`].
pub(super) fn admit(exchange: &mut Exchange, route: RouteId, parts: &Parts) -> Result<(), Reason> {
    let Some(limits) = exchange.live().rate_limits.of_route(route) else { return Ok(()) };
    let judged = limits.judge(&parts.headers, exchange.client().address.ip());
    let admitted = if judged.retry_after.is_none() { Ok(()) } else { Err(Reason::RateLimited) };
    exchange.judged(judged);
    admitted
}

/// Tells in an answer's head how its rate limits stand. An endpoint's own fields stay beside these: both are lists.
pub(super) fn tell(judged: &Judged, headers: &mut HeaderMap) {
    headers.append(POLICY, judged.policy.clone());
    headers.append(STANDING, judged.standing.clone());
    if let Some(seconds) = &judged.retry_after {
        headers.insert(RETRY_AFTER, seconds.clone());
    }
}

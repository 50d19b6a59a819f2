//! What a `RoutePolicy` says of the rules that it is for, as data.

use std::num::NonZeroU32;
use std::time::Duration;

use http::HeaderName;

use super::Priority;

/// What holds for the requests of some rules beside where they go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoutePolicy {
    /// The document, as `RoutePolicy namespace/name`.
    pub document: Box<str>,
    /// How often requests are let through; all of these must let one.
    pub rate_limits: Vec<RateLimit>,
    /// How urgent they are where they wait for a slot.
    pub priority: Priority,
    /// The latency that their users expect; `None` leaves it to the pool that is chosen.
    pub latency_objective: Option<Duration>,
}

/// A token bucket: it holds `burst` requests, and gains `requests` over each `window`, evenly.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RateLimit {
    /// Its name, unique in its policy: letters, digits and `-._`, 63 at most.
    pub name: Box<str>,
    /// The requests of each window.
    pub requests: NonZeroU32,
    /// The window; what `burst` requests take to come back is at most [`RateLimit::LONGEST`].
    pub window: Duration,
    /// The requests that a full bucket lets through at once.
    pub burst: NonZeroU32,
    /// What has a bucket of its own; `None` is one bucket for all requests.
    pub key: Option<RateLimitKey>,
}

impl RateLimit {
    /// The longest that a bucket may take to fill: 366 days, which 64 bits of nanoseconds hold many times.
    pub const LONGEST: Duration = Duration::from_hours(366 * 24);

    /// How long one request takes to come back, at least a nanosecond.
    pub fn interval(&self) -> Duration {
        (self.window / self.requests.get()).max(Duration::from_nanos(1))
    }

    /// How long an empty bucket takes to fill.
    pub fn fill_time(&self) -> Duration {
        self.interval().saturating_mul(self.burst.get())
    }
}

/// What a rate limit counts apart.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum RateLimitKey {
    /// Each value of a header; requests without it count together.
    Header(HeaderName),
    /// Each client, by the address that its connection comes from; of IPv6 the network of 64 bits.
    SourceIp,
}

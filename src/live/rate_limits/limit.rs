//! One rate limit: its settings, its buckets and what it has refused.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use governor::clock::{Clock, MonotonicClock};
use governor::middleware::StateInformationMiddleware;
use governor::{Quota, RateLimiter};
use http::{HeaderMap, HeaderName};

use super::bucket::{Ask, Buckets};
use super::table::Table;
use crate::domain::{RateLimit, RateLimitKey};

/// Of an IPv6 address the part that a client cannot choose: a network is assigned 64 bits (RFC 4291, section 2.5.1).
const NETWORK: u128 = !0 << 64;

/// What a bucket says to one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// It may go through.
    Open {
        /// The requests that could come at once now.
        left: u32,
    },
    /// It may not.
    Empty {
        /// Seconds until the next one would, rounded up.
        wait: u64,
    },
}

/// One rate limit. The arithmetic of its token buckets is governor's.
#[derive(Debug)]
pub(super) struct Limit<C: Clock = MonotonicClock> {
    settings: RateLimit,
    limiter: RateLimiter<(u64, Ask), Buckets, C, StateInformationMiddleware>,
    buckets: Buckets,
    clock: C,
    /// Turns what is counted apart into keys, in a way that no client knows.
    hasher: RandomState,
    refused: AtomicU64,
}

impl Limit {
    /// A limit whose buckets are full; `table` has those of keys.
    pub(super) fn new(settings: RateLimit, table: Option<Arc<Table>>) -> Self {
        Self::with_clock(settings, table, MonotonicClock)
    }
}

impl<C: Clock + Clone> Limit<C> {
    pub(super) fn with_clock(settings: RateLimit, table: Option<Arc<Table>>, clock: C) -> Self {
        let interval = settings.interval();
        // The interval is not zero, so that there is a quota.
        let quota = Quota::with_period(interval).unwrap_or(Quota::per_second(settings.burst));
        let buckets = Buckets::new(table, nanoseconds(interval));
        let limiter = RateLimiter::new(quota.allow_burst(settings.burst), buckets.clone(), clock.clone());
        Self { settings, limiter, buckets, clock, hasher: RandomState::new(), refused: AtomicU64::new(0) }
    }

    pub(super) fn settings(&self) -> &RateLimit {
        &self.settings
    }

    /// What the request is counted by.
    pub(super) fn key(&self, headers: &HeaderMap, client: IpAddr) -> u64 {
        match &self.settings.key {
            None => 0,
            Some(RateLimitKey::Header(name)) => self.header_key(headers, name),
            Some(RateLimitKey::SourceIp) => self.hasher.hash_one(match client.to_canonical() {
                IpAddr::V4(address) => IpAddr::V4(address),
                IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & NETWORK)),
            }),
        }
    }

    /// All values of the header, each with its end; those without it are one.
    fn header_key(&self, headers: &HeaderMap, name: &HeaderName) -> u64 {
        let mut hasher = self.hasher.build_hasher();
        for value in headers.get_all(name) {
            hasher.write_usize(value.len());
            hasher.write(value.as_bytes());
        }
        hasher.finish()
    }

    /// Takes a token out of the bucket of `key`.
    pub(super) fn take(&self, key: u64) -> Standing {
        self.ask(key, Ask::Take)
    }

    /// How the bucket of `key` stands, with nothing taken.
    pub(super) fn look(&self, key: u64) -> Standing {
        match self.ask(key, Ask::Look) {
            // What is asked about is still there.
            Standing::Open { left } => Standing::Open { left: left.saturating_add(1) },
            empty @ Standing::Empty { .. } => empty,
        }
    }

    fn ask(&self, key: u64, ask: Ask) -> Standing {
        match self.limiter.check_key(&(key, ask)) {
            Ok(state) => Standing::Open { left: state.remaining_burst_capacity() },
            Err(refused) => {
                let wait = refused.wait_time_from(self.clock.now());
                Standing::Empty { wait: whole_seconds(wait) }
            }
        }
    }

    /// Puts back a token that was taken a moment ago.
    pub(super) fn give_back(&self, key: u64) {
        self.buckets.give_back(key);
    }

    pub(super) fn count_refused(&self) {
        self.refused.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    /// Its item of `RateLimit-Policy`: the quota and, in seconds, its window.
    pub(super) fn policy(&self) -> String {
        let RateLimit { name, requests, window, .. } = &self.settings;
        format!("\"{name}\";q={requests};w={}", whole_seconds(*window))
    }

    /// Its item of `RateLimit`: what is left, and the seconds until the bucket is full again, or for one that is empty until
    /// it has something again, which is what `Retry-After` says too.
    pub(super) fn standing(&self, standing: Standing) -> String {
        let name = &self.settings.name;
        match standing {
            Standing::Open { left } => {
                let missing = self.settings.burst.get().saturating_sub(left);
                let full = self.settings.interval().saturating_mul(missing);
                format!("\"{name}\";r={left};t={}", whole_seconds(full))
            }
            Standing::Empty { wait } => format!("\"{name}\";r=0;t={wait}"),
        }
    }
}

/// Seconds, rounded up, at least one.
fn whole_seconds(duration: Duration) -> u64 {
    (duration.as_secs() + u64::from(duration.subsec_nanos() > 0)).max(1)
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

//! A point in monotonic time that fits an atomic.

use std::time::{Duration, Instant};

/// Nanoseconds since the router's epoch (its start). An [`Instant`] cannot live in an atomic; this can.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(u64);

impl Moment {
    /// The moment `nanos` nanoseconds after the epoch.
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// The moment that `now` is, counted from `epoch`; the epoch itself for anything earlier.
    pub fn between(epoch: Instant, now: Instant) -> Self {
        Self(saturating_nanos(now.saturating_duration_since(epoch)))
    }

    /// Nanoseconds since the epoch.
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// The time from `earlier` to this moment; zero where that is later.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    /// This moment moved later by `by`, at most to the end of time (584 years).
    #[must_use]
    pub fn after(self, by: Duration) -> Self {
        Self(self.0.saturating_add(saturating_nanos(by)))
    }
}

fn saturating_nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_never_wraps() {
        assert_eq!(Moment::from_nanos(u64::MAX).after(Duration::from_secs(1)).as_nanos(), u64::MAX);
        let now = Instant::now();
        assert_eq!(Moment::between(now + Duration::from_secs(5), now), Moment::from_nanos(0));
    }
}

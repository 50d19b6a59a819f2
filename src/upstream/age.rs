//! For how long a connection is used.

use std::time::{Duration, Instant};

use crate::domain::ConnectionSettings;

/// An idle timeout of this or more is kept to the second: what every request would pay for a look at the clock buys nothing.
const CLOSELY: Duration = Duration::from_secs(30);

/// When a connection was opened, and what the settings of the request that opened it allow.
pub(super) struct Age {
    opened: Instant,
    max_duration: Option<Duration>,
    idle_timeout: Option<Duration>,
}

impl Age {
    /// That of a connection which is opened now.
    pub(super) fn new(settings: &ConnectionSettings) -> Self {
        let ConnectionSettings { max_duration, idle_timeout, .. } = *settings;
        Self { opened: Instant::now(), max_duration, idle_timeout }
    }

    /// Whether it is too old for another request.
    pub(super) fn is_over(&self) -> bool {
        self.max_duration.is_some_and(|most| self.opened.elapsed() >= most)
    }

    /// Whether it has had no request since `since` for too long.
    pub(super) fn is_idle(&self, since: Instant) -> bool {
        self.idle_timeout.is_some_and(|most| since.elapsed() >= most)
    }

    /// The same to the second, where that is close enough: `looked` is the last look at the clock.
    pub(super) fn is_idle_by(&self, since: Instant, looked: Instant) -> bool {
        if self.is_timed_closely() {
            return self.is_idle(since);
        }
        self.idle_timeout.is_some_and(|most| looked.saturating_duration_since(since) >= most)
    }

    /// Whether its idle timeout is so short that a second counts, which is how often connections are looked over.
    pub(super) fn is_timed_closely(&self) -> bool {
        self.idle_timeout.is_some_and(|most| most < CLOSELY)
    }
}

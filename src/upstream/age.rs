//! For how long a connection is used.

use std::time::{Duration, Instant};

use crate::domain::ConnectionSettings;

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
}

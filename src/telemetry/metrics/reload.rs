//! What became of the configuration each time it was read.

use std::sync::{Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use prometheus::proto::MetricFamily;

use super::Metrics;
use crate::config::{Problem, Severity};
use crate::telemetry::family::{Counters, gauges};
use crate::telemetry::names;

/// What became of a configuration that was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reload {
    /// It is in force.
    Published,
    /// It says what it said when it was last read, be that in force or rejected.
    Unchanged,
    /// It has errors; what was in force before still is.
    Rejected,
}

impl Reload {
    const ALL: [Self; 3] = [Self::Published, Self::Unchanged, Self::Rejected];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Published => "published",
            Self::Unchanged => "unchanged",
            Self::Rejected => "rejected",
        }
    }
}

/// The last reading of the configuration. Written by the control plane and read by scrapes; traffic never comes here.
#[derive(Clone, Copy, Debug, Default)]
struct Last {
    usable: bool,
    read_at: f64,
    usable_at: f64,
    errors: u32,
    warnings: u32,
}

#[derive(Debug)]
pub(super) struct ReloadMetrics {
    results: Counters<1>,
    last: Mutex<Last>,
}

impl Metrics {
    /// Notes that the configuration was read at `at`, the first time among them, with what became of it and every
    /// problem it has.
    pub fn reloaded(&self, reload: Reload, problems: &[Problem], at: SystemTime) {
        self.reload.note(reload, problems, at);
    }
}

impl ReloadMetrics {
    pub(super) fn new() -> Self {
        let results = Counters::new(&names::RELOADS, ());
        // The first rejection is visible to `rate` only if the series stood at zero before.
        for reload in Reload::ALL {
            results.with([reload.as_str()]);
        }
        Self { results, last: Mutex::default() }
    }

    fn note(&self, reload: Reload, problems: &[Problem], at: SystemTime) {
        self.results.with([reload.as_str()]).inc();
        let count = |severity| {
            let number = problems.iter().filter(|problem| problem.severity == severity).count();
            u32::try_from(number).unwrap_or(u32::MAX)
        };
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.read_at = at.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
        // What is unchanged is as usable as it was, and has the problems that it had.
        if reload != Reload::Unchanged {
            last.usable = reload == Reload::Published;
            (last.errors, last.warnings) = (count(Severity::Error), count(Severity::Warning));
        }
        if last.usable {
            last.usable_at = last.read_at;
        }
    }

    pub(super) fn collect(&self) -> Vec<MetricFamily> {
        let last = *self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let problems = [(Severity::Error, last.errors), (Severity::Warning, last.warnings)];
        vec![
            self.results.collect(),
            gauges(&names::LAST_RELOAD_SUCCESSFUL, [([], f64::from(u8::from(last.usable)))]),
            gauges(&names::LAST_RELOAD, [([], last.read_at)]),
            gauges(&names::LAST_SUCCESS, [([], last.usable_at)]),
            gauges(&names::PROBLEMS, problems.map(|(severity, count)| ([severity.as_str()], f64::from(count)))),
        ]
    }
}

//! The admin API: health, metrics, what is configured and how the endpoints are, on a listener and a thread of its own.
//!
//! Owns readiness and what is said of the last reload. Never serves traffic, and never waits for the threads that do.

mod pages;
mod serve;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

pub use serve::serve;

use crate::config::Problem;

use crate::live::{Local, Publisher};
use crate::scaling::Board;
use crate::snapshot::NameStatus;
use crate::telemetry::Metrics;

/// What the admin API tells of.
pub struct Admin {
    publisher: Arc<Publisher>,
    metrics: Arc<Metrics>,
    local: Local,
    board: Board,
    ready: AtomicBool,
    problems: RwLock<Problems>,
    names: RwLock<Vec<NameStatus>>,
}

/// Where the admin API finds what it tells of.
pub struct Sources {
    /// What is in force.
    pub publisher: Arc<Publisher>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// The local model.
    pub local: Local,
    /// What is known of the demand.
    pub board: Board,
}

/// The outcome of the last reload.
#[derive(Clone, Debug)]
struct Problems {
    refused: bool,
    found: Vec<Problem>,
}

impl Admin {
    /// An admin API over what is in force; `problems` are those of the configuration that the router starts with.
    pub fn new(sources: Sources, problems: Vec<Problem>) -> Arc<Self> {
        let Sources { publisher, metrics, local, board } = sources;
        let problems = RwLock::new(Problems { refused: false, found: problems });
        let names = RwLock::default();
        Arc::new(Self { publisher, metrics, local, board, ready: AtomicBool::new(false), problems, names })
    }

    /// Whether `/healthz/ready` says yes: from the first accepted connection to the beginning of a drain.
    pub fn set_ready(&self, ready: Readiness) {
        self.ready.store(ready == Readiness::Ready, Ordering::Release);
    }

    fn is_ready(&self) -> bool {
        self.ready.load(Ordering::Acquire)
    }

    /// A reload put its documents in force, with these warnings.
    pub fn published(&self, problems: Vec<Problem>) {
        self.set_problems(Problems { refused: false, found: problems });
    }

    /// A reload was refused for these problems; the last good documents stay in force.
    pub fn refused(&self, problems: Vec<Problem>) {
        self.set_problems(Problems { refused: true, found: problems });
    }

    /// What is known of the names of endpoints.
    pub fn resolved(&self, names: Vec<NameStatus>) {
        *self.names.write().unwrap_or_else(PoisonError::into_inner) = names;
    }

    fn names(&self) -> Vec<NameStatus> {
        self.names.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set_problems(&self, problems: Problems) {
        *self.problems.write().unwrap_or_else(PoisonError::into_inner) = problems;
    }

    fn problems(&self) -> Problems {
        self.problems.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Whether load balancers should send requests here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// They should.
    Ready,
    /// They should not.
    Unready,
}

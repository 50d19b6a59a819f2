//! Where the newest figures hang: whoever is asked for them answers from here, and never waits.

use std::sync::Arc;

use tokio::sync::{Notify, watch};

use super::meter::Own;
use super::report::Report;

/// What is known.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// This router's own figures, as its peers are told.
    pub own: Arc<Own>,
    /// This router's own figures, as a report.
    pub alone: Arc<Report>,
    /// All routers' figures.
    pub all: Arc<Report>,
}

/// The newest figures. Clones are the same board.
#[derive(Clone, Debug)]
pub struct Board {
    known: Arc<watch::Sender<Known>>,
    nudge: Arc<Notify>,
}

impl Default for Board {
    fn default() -> Self {
        Self { known: Arc::new(watch::Sender::new(Known::default())), nudge: Arc::default() }
    }
}

impl Board {
    /// Hangs up newer figures.
    pub fn post(&self, known: Known) {
        self.known.send_replace(known);
    }

    /// The newest figures.
    pub fn known(&self) -> Known {
        self.known.borrow().clone()
    }

    /// Tells of every newer one.
    pub fn follow(&self) -> watch::Receiver<Known> {
        self.known.subscribe()
    }

    /// A peer says that it has news.
    pub fn nudge(&self) {
        self.nudge.notify_one();
    }

    /// Completes once a peer has said so.
    pub async fn nudged(&self) {
        self.nudge.notified().await;
    }
}

//! Where the newest figures hang: whoever is asked for them answers from here, and never waits.

use std::sync::Arc;

use tokio::sync::watch;

use super::meter::Loads;
use super::report::Report;

/// What is known.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// This router's own figures, as its peers are told.
    pub own: Arc<Loads>,
    /// This router's own figures, as a report.
    pub alone: Arc<Report>,
    /// All routers' figures.
    pub all: Arc<Report>,
}

/// The newest figures. Clones are the same board.
#[derive(Clone, Debug)]
pub struct Board(Arc<watch::Sender<Known>>);

impl Default for Board {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(Known::default())))
    }
}

impl Board {
    /// Hangs up newer figures.
    pub fn post(&self, known: Known) {
        self.0.send_replace(known);
    }

    /// The newest figures.
    pub fn known(&self) -> Known {
        self.0.borrow().clone()
    }

    /// Tells of every newer one.
    pub fn follow(&self) -> watch::Receiver<Known> {
        self.0.subscribe()
    }
}

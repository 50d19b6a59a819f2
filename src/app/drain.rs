//! How the router ends: asked once it drains, asked twice it stops.

use std::io;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// Asks the router to drain, from any thread.
#[derive(Clone, Debug)]
pub struct Shutdown(watch::Sender<u32>);

impl Default for Shutdown {
    fn default() -> Self {
        Self(watch::Sender::new(0))
    }
}

impl Shutdown {
    /// Asks the router to drain; asked a second time, it stops with requests in flight.
    pub fn drain(&self) {
        self.0.send_modify(|asked| *asked = asked.saturating_add(1));
    }

    /// Completes once it has been asked `times` times.
    pub(super) async fn asked(&self, times: u32) {
        // The sender is `self`, so it cannot be gone.
        self.0.subscribe().wait_for(|asked| *asked >= times).await.ok();
    }

    /// Asks whenever the process is sent SIGTERM or SIGINT.
    ///
    /// # Errors
    /// The system's own, where it does not let the signals be handled.
    pub(super) fn obey_signals(self) -> io::Result<impl Future<Output = ()> + Send> {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        Ok(async move {
            loop {
                tokio::select! {
                    _ = terminate.recv() => {}
                    _ = interrupt.recv() => {}
                }
                self.drain();
            }
        })
    }
}

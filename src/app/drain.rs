//! How the router ends: asked once it drains, asked twice it stops.

use std::io;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// Asks the router to drain, from any thread.
#[derive(Clone, Debug, Default)]
pub struct Shutdown(watch::Sender<Asked>);

/// How often the router has been asked in each way. A hook's request and the signal that Kubernetes sends once the hook has
/// ended are one wish, not two.
#[derive(Clone, Copy, Debug, Default)]
struct Asked {
    calls: u32,
    signals: u32,
}

impl Shutdown {
    /// Asks the router to drain; asked a second time, it stops with requests in flight.
    pub fn drain(&self) {
        self.0.send_modify(|asked| asked.calls = asked.calls.saturating_add(1));
    }

    /// Completes once it has been asked `times` times in one of the ways.
    pub(super) async fn asked(&self, times: u32) {
        // The sender is `self`, so it cannot be gone.
        self.0.subscribe().wait_for(|asked| asked.calls.max(asked.signals) >= times).await.ok();
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
                self.0.send_modify(|asked| asked.signals = asked.signals.saturating_add(1));
            }
        })
    }
}

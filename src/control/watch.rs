//! Noticing that documents may have changed.
//!
//! Folders are watched, never files: a `ConfigMap` volume replaces what its links lead to, and a watch on the old file would
//! die with it. A slow poll catches whatever the watch misses, such as a file system without notifications.

use std::time::Duration;

use notify::{RecursiveMode, Watcher};
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval, sleep};

use super::names::{Until, Waiter};
use super::reconcile::Read;
use super::{Reconciler, Reload};

/// How long the first of several changes waits for the others: an editor or the kubelet makes several at once.
const SETTLE: Duration = Duration::from_millis(20);
/// How often documents that go on changing are read before they are taken as they are.
const MOST_READINGS: usize = 10;
/// How often the documents are read whether or not a change was noticed: a watch does not see a folder that takes another's
/// place, nor the far end of a link, and an edit is to be in force within a second all the same.
const POLL: Duration = Duration::from_millis(500);
/// How long documents wait until the names that they bring have been looked up once.
const NAMES: Duration = Duration::from_secs(5);

/// Asks for a reload.
#[derive(Clone, Debug)]
pub struct Trigger(mpsc::Sender<()>);

impl Trigger {
    /// A trigger and what [`watch`] listens to.
    pub fn new() -> (Self, mpsc::Receiver<()>) {
        // One request that waits stands for any number of them.
        let (sender, receiver) = mpsc::channel(1);
        (Self(sender), receiver)
    }

    /// Asks for a reload; asking again before it begins changes nothing.
    pub fn reload(&self) {
        self.0.try_send(()).ok();
    }
}

/// Reloads whenever `triggered`, a folder changes or the poll comes round, for as long as the trigger lives; `report` is told
/// what came of each.
pub async fn watch(
    mut reconciler: Reconciler,
    (trigger, mut triggered): (Trigger, mpsc::Receiver<()>),
    waiter: Waiter,
    mut report: impl FnMut(&Reload),
) {
    let mut watcher = Watch::new(trigger);
    let mut poll = interval(POLL);
    poll.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        watcher.follow(&reconciler);
        tokio::select! {
            asked = triggered.recv() => if asked.is_none() { return },
            _ = poll.tick() => {}
        }
        sleep(SETTLE).await;
        // What changed while things settled is read with the rest.
        triggered.try_recv().ok();
        let read = settled(&reconciler).await;
        // What has no addresses yet would have no endpoints.
        waiter.wait_for(reconciler.names(&read), Until::Tried, NAMES).await;
        report(&reconciler.reload(read));
    }
}

/// Reads until two readings agree: a file that is written in place is empty or half written for a moment, and may be
/// whole documents all the same.
async fn settled(reconciler: &Reconciler) -> Read {
    let mut read = reconciler.read();
    for _ in 0..MOST_READINGS {
        if !reconciler.is_news(&read) {
            break;
        }
        sleep(SETTLE).await;
        let before = std::mem::replace(&mut read, reconciler.read());
        if read == before {
            break;
        }
    }
    read
}

/// The folders that are watched now.
struct Watch {
    watcher: Option<notify::RecommendedWatcher>,
    folders: Vec<std::path::PathBuf>,
}

impl Watch {
    fn new(trigger: Trigger) -> Self {
        let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            // Reading the files is itself an event; answering it would never end.
            if !event.is_ok_and(|event| event.kind.is_access()) {
                trigger.reload();
            }
        });
        let watcher = watcher
            .inspect_err(|error| tracing::warn!(%error, "cannot watch for changes; documents are read every {POLL:?}"))
            .ok();
        Self { watcher, folders: Vec::new() }
    }

    /// Watches the folders that there are now, and no longer those that are gone.
    fn follow(&mut self, reconciler: &Reconciler) {
        let Some(watcher) = &mut self.watcher else { return };
        let folders = reconciler.folder().folders();
        for gone in self.folders.iter().filter(|folder| !folders.contains(folder)) {
            watcher.unwatch(gone).ok();
        }
        for new in folders.iter().filter(|folder| !self.folders.contains(folder)) {
            if let Err(error) = watcher.watch(new, RecursiveMode::NonRecursive) {
                tracing::warn!(%error, folder = %new.display(), "cannot watch this folder; it is read every {POLL:?}");
            }
        }
        self.folders = folders;
    }
}

//! Following the demand, on the control runtime.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout_at};

use crate::live::Publisher;
use crate::scaling::{Board, Known, Meter, Others};

/// How often the pools are looked at while anything is asked of one.
const BUSY: Duration = Duration::from_millis(250);
/// How often they are looked at otherwise; the first request is told of at once.
const QUIET: Duration = Duration::from_secs(1);
/// First requests for many pools are looked at together, no sooner than this.
const BREATH: Duration = Duration::from_millis(5);

/// Keeps the board up to date for as long as the runtime runs.
pub(super) fn follow(publisher: Arc<Publisher>) -> Board {
    let board = Board::default();
    let (posted, mut meter) = (board.clone(), Meter::default());
    let mut wakes = publisher.wakes();
    let mut look = move || {
        let live = publisher.current();
        meter.read(&live.snapshot, live.now(), &Others::default())
    };
    board.post(look());
    tokio::spawn(async move {
        loop {
            let known = look();
            let next = Instant::now() + if is_busy(&known) { BUSY } else { QUIET };
            posted.post(known);
            sleep(BREATH).await;
            // Whether it was woken or not, it looks again.
            timeout_at(next, wakes.changed()).await.ok();
        }
    });
    board
}

fn is_busy(known: &Known) -> bool {
    known.alone.pools.iter().any(|pool| pool.load.active)
}

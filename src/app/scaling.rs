//! Following the demand, on the control runtime.

use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout_at};

use super::StartError;
use crate::config::Startup;
use crate::control::Peers;
use crate::live::Publisher;
use crate::scaling::{Board, Known, Meter, Others, keda};

/// How often the pools are looked at while anything is asked of one.
const BUSY: Duration = Duration::from_millis(250);
/// How often they are looked at otherwise; the first request is told of at once.
const QUIET: Duration = Duration::from_secs(1);
/// First requests for many pools are looked at together, no sooner than this.
const BREATH: Duration = Duration::from_millis(5);

/// Keeps the board up to date for as long as the runtime runs, with what the peers say, and serves KEDA's external scaler on
/// `scaler`, if there is one.
///
/// # Errors
/// The system's own, where the socket cannot be used.
pub(super) fn follow(
    publisher: Arc<Publisher>,
    startup: &Startup,
    scaler: Option<TcpListener>,
) -> Result<Board, StartError> {
    let board = Board::default();
    let (posted, mut meter) = (board.clone(), Meter::new(fastrand::u64(..)));
    let (tell, others) = watch::channel(Others::default());
    let mut wakes = publisher.wakes();
    let mut look = {
        let others = others.clone();
        move || {
            let live = publisher.current();
            let others = others.borrow().clone();
            meter.read(&live.snapshot, live.now(), &others)
        }
    };
    board.post(look());
    let mut heard = others;
    if !startup.scaling.peers.is_empty() {
        let peers = Peers::new(startup.scaling.clone(), startup.dns.clone(), board.clone());
        tokio::spawn(peers.follow(move |others| drop(tell.send_replace(others))));
    }
    tokio::spawn(async move {
        loop {
            let known = look();
            let next = Instant::now() + if is_busy(&known) { BUSY } else { QUIET };
            posted.post(known);
            sleep(BREATH).await;
            let news = async {
                tokio::select! {
                    Ok(()) = wakes.changed() => {}
                    // Without peers there is nobody to hear of.
                    Ok(()) = heard.changed() => {}
                    else => std::future::pending().await,
                }
            };
            // Whether there was news or not, it looks again.
            timeout_at(next, news).await.ok();
        }
    });
    serve_scaler(scaler, &board)?;
    Ok(board)
}

fn is_busy(known: &Known) -> bool {
    known.all.pools.iter().any(|pool| pool.load.active)
}

fn serve_scaler(listener: Option<TcpListener>, board: &Board) -> Result<(), StartError> {
    if let Some(listener) = listener {
        tracing::info!(address = %listener.local_addr()?, "listening for KEDA as an external scaler");
        tokio::spawn(keda::serve(listener, board.clone())?);
    }
    Ok(())
}

//! Accepting connections, and letting go of them when the router drains.

use std::future::poll_fn;
use std::io;
use std::num::NonZeroU32;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::Poll;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, interval, sleep_until, timeout_at};

use super::Worker;
use super::connection::{self, Accepted};
use super::handover;
use super::http1::Shop;
use super::http2;
use super::request;
use crate::accept::Rest;
use crate::domain::Limit;
use crate::tls::Servers;

/// How often connections to endpoints are looked over: by so much one may close too late.
const SWEEP_INTERVAL: Duration = Duration::from_secs(1);

/// Whether the data plane accepts connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drain {
    /// It serves.
    Serving,
    /// It serves, and asks clients to go elsewhere: answers close their connections, and HTTP/2 is sent GOAWAY.
    Retiring,
    /// It accepts no more connections, and those it has end with the request they carry, at the latest at this moment.
    Until(Instant),
}

/// A socket that takes clients' connections.
#[derive(Debug)]
pub struct Listener {
    /// The socket.
    pub socket: TcpListener,
    /// The port that rules are matched by, which a gateway may have bound to another.
    pub port: u16,
    /// What secures its connections; `None` speaks in clear.
    pub tls: Option<Arc<Servers>>,
    /// Its connections that are open now, those of all workers.
    pub open: Arc<AtomicU32>,
}

/// A connection that is open, counted by its listener until it is dropped.
struct Open(Arc<AtomicU32>);

impl Open {
    /// Counts one more, unless there are `most` already.
    fn count(open: &Arc<AtomicU32>, most: Option<NonZeroU32>) -> Option<Self> {
        let opened = Self(Arc::clone(open));
        let before = open.fetch_add(1, Ordering::Relaxed);
        most.is_none_or(|most| before < most.get()).then_some(opened)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Serves `listeners` until `drain` says otherwise and the last connection has ended.
pub async fn serve(worker: Rc<Worker>, listeners: Vec<Listener>, drain: watch::Receiver<Drain>) {
    let mut keeper = JoinSet::new();
    let kept = Rc::clone(&worker);
    keeper.spawn_local(async move { kept.alarms.keep().await });
    accept_until_drained(worker, listeners, drain).await;
}

async fn accept_until_drained(worker: Rc<Worker>, listeners: Vec<Listener>, mut drain: watch::Receiver<Drain>) {
    let mut connections = JoinSet::new();
    let (shop, streams) = (Rc::new(Shop::default()), Rc::new(Shop::default()));
    let start = |(listener, stream): (&Listener, TcpStream), connections: &mut JoinSet<()>| {
        let Some(open) = Open::count(&listener.open, worker.load().snapshot.limits().max_connections) else {
            worker.limit_counters.count(Limit::Connections);
            return;
        };
        let accepted = Accepted { stream, port: listener.port, tls: listener.tls.clone() };
        let (over_http1, over_http2) = ((Rc::clone(&shop), request::answer), (Rc::clone(&streams), http2::answer));
        let served = connection::serve(Rc::clone(&worker), accepted, over_http1, over_http2);
        connections.spawn_local(async move {
            served.await;
            drop(open);
        });
    };
    let (mut rest, mut sweep) = (Rest::default(), interval(SWEEP_INTERVAL));
    let mut swaps = worker.swaps();
    let mut overdue = pin!(sleep_until(worker.look().into()));
    let mut retired = drain.clone();
    let mut deadline = loop {
        tokio::select! {
            (listener, accepted) = accept(&listeners) => match accepted {
                Ok(stream) => {
                    rest.is_over();
                    start((listener, stream), &mut connections);
                }
                Err(error) => rest.after(&error, &worker.limit_counters).await,
            },
            Some(_) = connections.join_next() => {}
            _ = sweep.tick() => {
                worker.connections.sweep();
                while worker.tunnels.borrow_mut().try_join_next().is_some() {}
            }
            () = &mut overdue => overdue.as_mut().reset(worker.look().into()),
            Ok(()) = swaps.changed() => worker.connections.keep(&worker.load().addresses),
            () = retiring(&mut retired), if !worker.supervisor.is_retiring() => worker.supervisor.retire(),
            deadline = draining(&mut drain) => break deadline,
        }
    };
    worker.supervisor.drain();
    // What the kernel has accepted for us, or is about to, is ours to answer: closing the listener would reset it.
    if listeners.iter().filter(|listener| handover::take_no_new(&listener.socket)).count() > 0 {
        let over = Instant::now() + handover::HANDSHAKES;
        while let Ok((listener, accepted)) = timeout_at(over, accept(&listeners)).await {
            if let Ok(stream) = accepted {
                start((listener, stream), &mut connections);
            }
        }
    }
    while let Some((listener, Ok(stream))) = futures_util::FutureExt::now_or_never(accept(&listeners)) {
        start((listener, stream), &mut connections);
    }
    drop(listeners);
    let mut all_ended = pin!(async {
        while connections.join_next().await.is_some() {}
        let mut tunnels = worker.tunnels.take();
        while tunnels.join_next().await.is_some() {}
    });
    loop {
        tokio::select! {
            () = &mut all_ended => return,
            () = sleep_until(deadline) => break,
            () = &mut overdue => overdue.as_mut().reset(worker.look().into()),
            // The deadline may be brought forward.
            Ok(()) = drain.changed() => deadline = draining(&mut drain).await,
        }
    }
    worker.supervisor.cut();
    tracing::warn!("the drain's time is over; closing connections with requests in flight");
}

/// The next connection, and the listener that it came to. One that is flooded leaves the others their turn: which is asked
/// first is drawn.
async fn accept(listeners: &[Listener]) -> (&Listener, io::Result<TcpStream>) {
    let first = fastrand::usize(..listeners.len());
    poll_fn(|context| {
        let (before, from) = listeners.split_at(first);
        for listener in from.iter().chain(before) {
            if let Poll::Ready(accepted) = listener.socket.poll_accept(context) {
                return Poll::Ready((listener, accepted.map(|(stream, _)| stream)));
            }
        }
        Poll::Pending
    })
    .await
}

/// Completes once clients are to go elsewhere.
async fn retiring(drain: &mut watch::Receiver<Drain>) {
    drain.wait_for(|drain| *drain != Drain::Serving).await.ok();
}

/// Completes once the router drains, or the drain's owner is gone, which ends it at once.
async fn draining(drain: &mut watch::Receiver<Drain>) -> Instant {
    match drain.wait_for(|drain| matches!(drain, Drain::Until(_))).await.map(|drain| *drain) {
        Ok(Drain::Until(deadline)) => deadline,
        Ok(Drain::Serving | Drain::Retiring) | Err(_) => Instant::now(),
    }
}

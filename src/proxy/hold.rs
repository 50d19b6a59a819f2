//! Waiting for the first endpoint of a pool that has none, in a room with bounds.
//!
//! The body stays unread while a request waits. It waits over reloads, since an endpoint comes with a newer snapshot, and goes on
//! by the one that has it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use http_body::Body;
use tokio::time::{sleep_until, timeout_at};

use super::attempt::{Outbound, Served, Unserved};
use super::exchange::Exchange;
use super::request::Deadlines;
use super::retry::{Elsewhere, Tries, Verdict, judge};
use super::send::send;
use crate::domain::{PoolKey, Priority, Reason};
use crate::live::{Held, Wait};
use crate::pool::{Admission, Endpoint, Holding};
use crate::snapshot::PoolId;

/// How often an endpoint that is known and takes no requests is tried again.
const AGAIN: Duration = Duration::from_millis(250);

/// Whether `pool` holds the request, which nothing could serve: because no endpoint of the pool can be reached, or none is warm
/// yet.
pub(super) fn holds(exchange: &Exchange, pool: PoolId) -> bool {
    let left = |reason: &Reason| match reason {
        Reason::NoEndpoint | Reason::NameNotResolved | Reason::ConnectFailed | Reason::ConnectTimeout => true,
        Reason::SlotsTaken | Reason::WaitTooLong => is_cold(exchange, pool),
        _ => false,
    };
    exchange.snapshot().pool(pool).hold.is_some()
        && exchange.spills().iter().any(|(at, reason)| *at == pool && left(reason))
}

/// Whether no endpoint of `pool` takes requests yet.
fn is_cold(exchange: &Exchange, pool: PoolId) -> bool {
    let now = exchange.live().now();
    let is_warm = |endpoint: &Endpoint| endpoint.state.health.admission(now) == Admission::Admitting;
    !exchange.snapshot().pool(pool).endpoints.iter().any(is_warm)
}

/// Sends the request to the first endpoint of `pool` that takes it.
///
/// # Errors
/// [`Reason::QueueFull`] where the room has no place for it, [`Reason::NoEndpoint`] where none came in time, and what comes of
/// a request that was sent and not answered.
pub(super) async fn wait(
    exchange: &mut Exchange,
    pool: PoolId,
    outbound: &mut Outbound,
    deadlines: Deadlines,
) -> Result<Served, Reason> {
    let live = Arc::clone(exchange.live());
    let awaited = live.snapshot.pool(pool);
    let Some(hold) = awaited.hold else { return Err(Reason::NoEndpoint) };
    let mut waiter = Holding::take(&awaited.held, &hold, bytes(exchange, outbound)).ok_or(Reason::QueueFull)?;
    let priority = live.snapshot.priority(exchange.route());
    exchange.waits_at(pool);
    let patience = Instant::now() + hold.timeout;
    let until = deadlines.head.map_or(patience, |deadline| deadline.min(patience));
    loop {
        let begun = Instant::now();
        let found = timeout_at(until.into(), endpoint(exchange, &awaited.key, (priority, until), &mut waiter)).await;
        exchange.queued(begun.elapsed());
        let (pool, place, slot) = found.map_err(|_| Reason::NoEndpoint)?;
        let live = Arc::clone(exchange.live());
        let mut tries = Tries::new(&live, live.snapshot.retries(exchange.route()), pool, Elsewhere::Nothing);
        let ended = send(exchange, (pool, place), slot, outbound).await;
        match judge(exchange, &mut tries, (place, ended), outbound) {
            Verdict::Final(Ok(served)) => {
                exchange.unspilled(pool);
                return Ok(served);
            }
            Verdict::Final(Err(Unserved::Broken(reason))) => return Err(reason),
            // It listens by name alone so far: the next look finds out.
            Verdict::Final(Err(Unserved::Spill(_))) => {
                waiter.comes_back();
                sleep_until((Instant::now() + AGAIN).min(until).into()).await;
            }
            Verdict::Again(after, _) => {
                waiter.comes_back();
                sleep_until((Instant::now() + after).min(until).into()).await;
            }
        }
    }
}

/// A slot of the first endpoint of the pool `key` in what is in force by then, which the exchange goes on by. Where there is one
/// that is full or not warm yet, it waits in the pool's queue, by its priority: requests that come later would go before it.
async fn endpoint(
    exchange: &mut Exchange,
    key: &PoolKey,
    (priority, until): (Priority, Instant),
    held: &mut Holding,
) -> (PoolId, usize, Held) {
    let mut swaps = exchange.worker().swaps();
    loop {
        swaps.borrow_and_update();
        let newest = exchange.worker().load();
        if let Some(pool) = newest.snapshot.pool_of(key) {
            let draw = exchange.worker().draw();
            let mut taken = newest.take(pool, draw, &[]);
            if let Err(Reason::SlotsTaken) = taken {
                held.goes_on();
                let wait = Wait { draw, tried: &[], priority, until };
                tokio::select! {
                    waited = newest.wait(pool, wait) => taken = waited,
                    // Whoever is in a queue sees the pool as it was.
                    Ok(()) = swaps.changed() => {
                        held.comes_back();
                        continue;
                    }
                }
            }
            match taken {
                Ok((place, slot)) => {
                    held.goes_on();
                    exchange.moves_to(newest);
                    return (pool, place, slot);
                }
                Err(_) => held.comes_back(),
            }
        }
        // What is known and takes no requests is tried again, whether anything changes or not; so is a queue without room.
        tokio::time::timeout(AGAIN, swaps.changed()).await.ok();
    }
}

/// The bytes of the request's body; the largest that there may be where it does not say.
fn bytes(exchange: &Exchange, outbound: &Outbound) -> u64 {
    let largest = exchange.limits().max_body_bytes;
    outbound.request.as_ref().map_or(0, |request| request.body().size_hint().upper().unwrap_or(largest).min(largest))
}

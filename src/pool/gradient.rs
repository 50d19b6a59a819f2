//! The limit on requests in flight at one endpoint that follows its latency, in atomics.
//!
//! While latency is near its least the limit grows by its square root; as requests begin to queue inside the endpoint,
//! latency rises and the limit shrinks in proportion (the gradient of Netflix's concurrency-limits and of Envoy's adaptive
//! concurrency filter). The least latency is never an average that could follow a queue upwards: every half a minute the
//! limit is halved for as long as two windows take, so that any queue drains, and what is measured then replaces it.

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use super::balance::mix;
use crate::domain::{AdaptiveSlots, Moment};

/// A window lasts for so long at least, and for as many answers as the limit and [`LEAST_ANSWERS`] say. So one in which the
/// limit is halved sees the last of the requests from before.
const WINDOW: Duration = Duration::from_millis(100);
/// Fewer answers say little of a latency: of ten with the spread of a model server, the mean is off by a tenth.
const LEAST_ANSWERS: u32 = 10;
/// How far latency may rise above its least before the limit shrinks: Envoy's default `buffer`.
const TOLERANCE: f64 = 1.25;
/// The most that one window takes away.
const STEEPEST: f64 = 0.5;
/// How far the limit goes to its new value with each window.
const SMOOTHING: f64 = 0.5;
/// What an answer for want of room (429 or 503) takes from the limit, once a window.
const BACKOFF: f64 = 0.9;
/// The time between two measurements of the least latency; up to a quarter is added, so that routers do not measure in step.
const PROBE_EVERY: Duration = Duration::from_secs(30);

/// The same, after a measurement that found less than this part of what was known.
const PROBE_SOON: Duration = Duration::from_secs(1);
const SETTLED: f64 = 0.9;

const STEADY: u8 = 0;
/// The limit is halved, and requests from before are still among those that are answered.
const DRAINING: u8 = 1;
/// The limit is halved, and those that are answered found no queue.
const MEASURING: u8 = 2;

/// What is known of one endpoint's latency, and the limit that it makes.
#[derive(Debug, Default)]
pub(super) struct Gradient {
    /// The limit, as the bits of a float; all zero before the first window.
    limit: AtomicU64,
    /// The latency without a queue, in nanoseconds; zero while it is unknown.
    least: AtomicU64,
    phase: AtomicU8,
    probe_at: AtomicU64,
    window: Window,
}

/// The answers since the limit was last looked at.
#[derive(Debug, Default)]
struct Window {
    opened: AtomicU64,
    answers: AtomicU32,
    /// The sum of their latencies, in nanoseconds.
    sum: AtomicU64,
    /// The most requests that were in flight.
    busiest: AtomicU32,
    turned_away: AtomicBool,
}

/// The bounds of an endpoint's limit, and where it begins.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    pub(super) initial: NonZeroU32,
    pub(super) range: AdaptiveSlots,
}

impl Bounds {
    fn clamp(self, limit: f64) -> f64 {
        limit.clamp(
            f64::from(self.range.min.get()),
            f64::from(self.range.max.get()).max(f64::from(self.range.min.get())),
        )
    }
}

impl Gradient {
    /// The most requests in flight now.
    pub(super) fn limit(&self, bounds: Bounds) -> NonZeroU32 {
        let limit = self.steady_limit(bounds);
        let limit = if self.phase.load(Ordering::Relaxed) == STEADY { limit } else { bounds.clamp(limit / 2.0) };
        NonZeroU32::new(whole(limit)).unwrap_or(NonZeroU32::MIN)
    }

    /// The limit while the least latency is not being measured.
    fn steady_limit(&self, bounds: Bounds) -> f64 {
        match self.limit.load(Ordering::Relaxed) {
            0 => bounds.clamp(f64::from(bounds.initial.get())),
            bits => bounds.clamp(f64::from_bits(bits)),
        }
    }

    fn set(&self, limit: f64) {
        self.limit.store(limit.to_bits(), Ordering::Relaxed);
    }

    /// Notes an answer that took `latency`, while `in_flight` requests were in flight, itself among them. Whoever completes
    /// a window sets the limit anew.
    pub(super) fn answered(&self, bounds: Bounds, (latency, in_flight): (Duration, u32), now: Moment) {
        let window = &self.window;
        let opened = window.opened.load(Ordering::Acquire);
        if opened == 0 {
            // A lost race opened it a moment ago.
            let _ = window.opened.compare_exchange(0, now.as_nanos().max(1), Ordering::AcqRel, Ordering::Relaxed);
        }
        let answers = window.answers.fetch_add(1, Ordering::AcqRel).saturating_add(1);
        window.sum.fetch_add(u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX), Ordering::AcqRel);
        if window.busiest.load(Ordering::Relaxed) < in_flight {
            window.busiest.fetch_max(in_flight, Ordering::Relaxed);
        }
        let enough = answers >= LEAST_ANSWERS.max(whole(self.steady_limit(bounds)));
        if opened == 0 || !enough || now.since(Moment::from_nanos(opened)) < WINDOW {
            return;
        }
        // One of those that find the window complete closes it.
        if window.opened.compare_exchange(opened, now.as_nanos(), Ordering::AcqRel, Ordering::Relaxed).is_ok() {
            let answers = window.answers.swap(0, Ordering::AcqRel).max(1);
            let mean = float(window.sum.swap(0, Ordering::AcqRel)) / f64::from(answers);
            let busiest = window.busiest.swap(0, Ordering::AcqRel);
            window.turned_away.store(false, Ordering::Release);
            self.close(bounds, (mean.max(1.0), busiest), now);
        }
    }

    /// Notes an answer for want of room.
    pub(super) fn turned_away(&self, bounds: Bounds) {
        if !self.window.turned_away.swap(true, Ordering::AcqRel) {
            self.set(bounds.clamp(self.steady_limit(bounds) * BACKOFF));
        }
    }

    fn close(&self, bounds: Bounds, (mean, busiest): (f64, u32), now: Moment) {
        match self.phase.load(Ordering::Relaxed) {
            DRAINING => return self.phase.store(MEASURING, Ordering::Relaxed),
            MEASURING => {
                let before = self.least.swap(nanoseconds(mean), Ordering::Relaxed);
                // A queue that half the limit has shortened may not have been drained by it.
                let every = if mean < float(before) * SETTLED { PROBE_SOON } else { PROBE_EVERY };
                let every = nanoseconds(every.as_secs_f64() * 1e9);
                let later = every + mix(now.as_nanos()) % (every / 4);
                self.probe_at.store(now.after(Duration::from_nanos(later)).as_nanos(), Ordering::Relaxed);
                return self.phase.store(STEADY, Ordering::Relaxed);
            }
            _ => {}
        }
        let least = match self.least.load(Ordering::Relaxed) {
            0 => mean,
            // Less than the least is noise for the greater part.
            least if mean < float(least) => float(least) + (mean - float(least)) / 4.0,
            least => float(least),
        };
        self.least.store(nanoseconds(least), Ordering::Relaxed);
        let limit = self.steady_limit(bounds);
        let gradient = (least * TOLERANCE / mean).clamp(STEEPEST, 1.0);
        let next = limit + (limit * gradient + limit.sqrt() - limit) * SMOOTHING;
        // What was not half used up says nothing of how much more the endpoint would bear.
        let grows = f64::from(busiest) * 2.0 >= limit;
        self.set(bounds.clamp(if grows { next } else { next.min(limit) }));
        if now.as_nanos() >= self.probe_at.load(Ordering::Relaxed) {
            self.phase.store(DRAINING, Ordering::Relaxed);
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "a nanosecond in 2^53 does not matter")]
fn float(nanos: u64) -> f64 {
    nanos as f64
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the cast saturates, and none is negative")]
fn nanoseconds(value: f64) -> u64 {
    value as u64
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "limits are within 32 bits, and none is negative"
)]
fn whole(limit: f64) -> u32 {
    limit as u32
}

#[cfg(test)]
mod tests;

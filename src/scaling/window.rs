//! The last minute of one pool, in slices of a second.
//!
//! Concurrency is weighted by time: each slice holds the area below it. Never reads a clock.

use std::collections::VecDeque;
use std::time::Duration;

use super::load::{Latencies, Load};
use super::surge::Surge;
use super::trend::growth;
use crate::domain::Moment;
use crate::pool::{Counts, LATENCY_BUCKETS};

/// What the figures are of.
pub const WINDOW: Duration = Duration::from_mins(1);
/// What demand is judged by on its way up: as long as an autoscaler takes to look again.
pub const RECENT: Duration = Duration::from_secs(15);
/// A slice holds at least so much.
const SLICE: Duration = Duration::from_secs(1);

/// What a pool is doing at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    /// Requests that hold a slot.
    pub in_flight: u32,
    /// Requests that wait for one.
    pub queued: u32,
    /// Requests that left for want of room, and are served elsewhere.
    pub elsewhere: u32,
    /// Everything counted since the start.
    pub counts: Counts,
}

impl Reading {
    /// Requests at once that want this pool.
    fn wanted(&self) -> f64 {
        self.served() + f64::from(self.elsewhere)
    }

    /// Those among them that it serves, or is to.
    fn served(&self) -> f64 {
        f64::from(self.in_flight) + f64::from(self.queued)
    }
}

/// What happened within a second.
#[derive(Clone, Debug, Default)]
pub(super) struct Slice {
    pub(super) seconds: f64,
    /// Requests times seconds: those that wanted the pool, and those that it served.
    wanted: f64,
    served: f64,
    counts: Counts,
    latencies: Latencies,
}

impl Slice {
    pub(super) fn served(&self) -> f64 {
        self.served / self.seconds.max(f64::EPSILON)
    }

    pub(super) fn answers(&self) -> u64 {
        self.counts.met + self.counts.missed
    }

    pub(super) fn latencies(&self) -> &Latencies {
        &self.latencies
    }
}

/// The last minute.
#[derive(Debug, Default)]
pub(super) struct Window {
    slices: VecDeque<Slice>,
    open: Slice,
    last: Option<(Moment, Reading)>,
    /// Counts and latencies at the end of the last slice.
    counted: Counts,
    latencies: Option<Box<[u32; LATENCY_BUCKETS]>>,
    surge: Surge,
}

impl Window {
    /// Notes what the pool is doing `now`. Once a second is full, its slice comes back; `latencies` is asked then alone.
    pub(super) fn read(
        &mut self,
        now: Moment,
        reading: Reading,
        latencies: impl FnOnce() -> Option<[u32; LATENCY_BUCKETS]>,
    ) -> Option<&Slice> {
        let Some((before, last)) = self.last.replace((now, reading)) else {
            // What is counted already came since the pool was made, shortly before the first look.
            return None;
        };
        let seconds = now.since(before).as_secs_f64();
        self.open.seconds += seconds;
        self.open.wanted += seconds * f64::midpoint(last.wanted(), reading.wanted());
        self.open.served += seconds * f64::midpoint(last.served(), reading.served());
        if self.open.seconds < SLICE.as_secs_f64() - 1e-3 {
            return None;
        }
        let mut slice = std::mem::take(&mut self.open);
        slice.counts = since(self.counted, reading.counts);
        if slice.answers() > 0 {
            let latencies = latencies().map(Box::new);
            slice.latencies = Latencies::between(self.latencies.as_deref(), latencies.as_deref());
            self.latencies = latencies;
        }
        self.counted = reading.counts;
        self.slices.push_back(slice);
        let mut covered: f64 = self.slices.iter().map(|slice| slice.seconds).sum();
        while covered > WINDOW.as_secs_f64() + 0.5 && self.slices.len() > 1 {
            covered -= self.slices.pop_front().map_or(0.0, |slice| slice.seconds);
        }
        // Before the newest quarter is known, what comes is no rise: it may have come before anybody looked.
        if covered + 0.5 >= RECENT.as_secs_f64() {
            let newest = self.slices.back().map_or(0.0, |slice| slice.seconds);
            self.surge.observe(newest, self.recent().arrived.unwrap_or_default(), WINDOW);
        }
        self.slices.back()
    }

    /// Whether nothing was asked of the pool for the whole of it.
    pub(super) fn is_quiet(&self) -> bool {
        let busy = |slice: &Slice| slice.wanted > 0.0 || slice.counts != Counts::default();
        let now = self.last.is_some_and(|(_, reading)| reading.wanted() > 0.0 || reading.counts != self.counted);
        !now && self.slices.iter().chain([&self.open]).all(|slice| !busy(slice))
    }

    /// The figures of the last minute.
    pub(super) fn load(&self) -> Load {
        let reading = self.last.map(|(_, reading)| reading).unwrap_or_default();
        let all = || self.slices.iter().chain([&self.open]);
        let seconds: f64 = all().map(|slice| slice.seconds).sum();
        let recent = self.recent();
        let counts =
            self.slices.iter().fold(since(self.counted, reading.counts), |sum, slice| added(sum, slice.counts));
        let mut latencies = Latencies::default();
        self.slices.iter().for_each(|slice| latencies.add(&slice.latencies));
        let over = |area: f64| if seconds > 0.0 { area / seconds } else { 0.0 };
        Load {
            active: !self.is_quiet(),
            seconds,
            in_flight: reading.in_flight,
            queued: reading.queued,
            spilled: reading.elsewhere,
            concurrency: over(all().map(|slice| slice.wanted).sum()),
            recent_concurrency: recent.wanted.unwrap_or_else(|| reading.wanted()),
            served_concurrency: recent.served.unwrap_or_else(|| reading.served()),
            growth: self.growth(recent.wanted.unwrap_or_default(), recent.arrived.unwrap_or_default()),
            surge: self.surge.most(),
            rise: self.surge.rise(),
            recent_arrivals_per_second: recent.arrived.unwrap_or_default(),
            arrivals_per_second: over(number(counts.arrived)),
            refusals_per_second: over(number(counts.refused)),
            met: counts.met,
            missed: counts.missed,
            latencies,
        }
    }

    /// By how much the concurrency grows in a second, by the arrivals: what waits longer and longer is no growth of demand.
    fn growth(&self, concurrency: f64, arrivals: f64) -> f64 {
        let rate = |slice: &Slice| (slice.seconds, number(slice.counts.arrived) / slice.seconds.max(f64::EPSILON));
        let growth = growth(self.slices.iter().map(rate));
        if arrivals > 0.0 { growth / arrivals * concurrency } else { 0.0 }
    }

    /// The means over the newest slices.
    fn recent(&self) -> Recent {
        let (mut seconds, mut wanted, mut served, mut arrived) = (0.0, 0.0, 0.0, 0);
        let open = self.last.map_or(0, |(_, reading)| since(self.counted, reading.counts).arrived);
        let slices = self.slices.iter().rev().map(|slice| (slice, slice.counts.arrived));
        for (slice, arrivals) in std::iter::once((&self.open, open)).chain(slices) {
            if seconds >= RECENT.as_secs_f64() {
                break;
            }
            seconds += slice.seconds;
            wanted += slice.wanted;
            served += slice.served;
            arrived += arrivals;
        }
        let over = |area: f64| (seconds > 0.0).then(|| area / seconds);
        Recent { wanted: over(wanted), served: over(served), arrived: over(number(arrived)) }
    }
}

/// Means over the newest slices; `None` before there is one.
struct Recent {
    wanted: Option<f64>,
    served: Option<f64>,
    arrived: Option<f64>,
}

fn since(before: Counts, now: Counts) -> Counts {
    Counts {
        arrived: now.arrived.saturating_sub(before.arrived),
        refused: now.refused.saturating_sub(before.refused),
        met: now.met.saturating_sub(before.met),
        missed: now.missed.saturating_sub(before.missed),
    }
}

fn added(one: Counts, other: Counts) -> Counts {
    Counts {
        arrived: one.arrived + other.arrived,
        refused: one.refused + other.refused,
        met: one.met + other.met,
        missed: one.missed + other.missed,
    }
}

#[expect(clippy::cast_precision_loss, reason = "a minute's count is far below 2^53")]
pub(super) fn number(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Moment {
        Moment::from_nanos(millis * 1_000_000)
    }

    fn reading(in_flight: u32, arrived: u64) -> Reading {
        Reading { in_flight, counts: Counts { arrived, met: arrived, ..Counts::default() }, ..Reading::default() }
    }

    #[test]
    fn concurrency_is_weighted_by_time() {
        let mut window = Window::default();
        for quarter in 0..=40 {
            // Eight requests for 2.5 of 10 seconds.
            let in_flight = if quarter < 10 { 8 } else { 0 };
            window.read(at(250 * quarter), reading(in_flight, 0), || None);
        }
        let load = window.load();
        assert!((load.seconds - 10.0).abs() < 0.01, "{load:?}");
        assert!((load.concurrency - 2.0).abs() < 0.15, "{load:?}");
    }

    #[test]
    fn what_is_older_than_the_window_is_forgotten() {
        let mut window = Window::default();
        for second in 0..=200 {
            let busy = second < 100;
            window.read(at(1000 * second), reading(if busy { 5 } else { 0 }, second.min(100) * 7), || None);
            assert_eq!(window.is_quiet(), second >= 160, "after {second} s");
        }
        let load = window.load();
        assert!(load.concurrency.abs() < 1e-9 && load.arrivals_per_second.abs() < 1e-9, "{load:?}");
    }

    #[test]
    fn a_beginning_is_no_surge_and_a_step_is_one() {
        let mut window = Window::default();
        let mut arrived = 0;
        for second in 0..=300 {
            arrived += if second < 200 { 40 } else { 90 };
            window.read(at(1000 * second), reading(1, arrived), || None);
            let expected = if second < 215 { 0.0 } else { 50.0 };
            let known = window.load().surge;
            assert!((200..215).contains(&second) || (known - expected).abs() < 0.5, "{known} after {second} s");
        }
        assert!(window.load().rise.abs() < 0.5);
    }

    #[test]
    fn arrivals_are_counted_by_the_second() {
        let mut window = Window::default();
        for second in 0..=120 {
            window.read(at(1000 * second), reading(1, second * 30), || None);
        }
        assert!((window.load().arrivals_per_second - 30.0).abs() < 0.01);
    }
}

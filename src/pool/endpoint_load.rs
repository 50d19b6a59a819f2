//! How loaded an endpoint is: the latency of its answers of late, and what it reports itself.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use crate::domain::{LoadReport, Moment};

/// What an answer that is an error, or none, counts as at least, so that an endpoint which fails quickly does not attract
/// requests.
const FAILURE: Duration = Duration::from_secs(1);

/// The latency, in seconds, of an endpoint that has answered nothing yet and is busy: it gets one request, and others only
/// where none can be sent elsewhere.
const UNKNOWN: f64 = 3600.0;

/// Utilization beyond this counts no more, so that a full endpoint keeps a twentieth of its share and can say when it is not
/// full any more.
const MOST_UTILIZED: f64 = 0.95;

/// What is known of an endpoint's load beside the requests in flight. Written by whoever hears of it; read at each choice.
#[derive(Debug, Default)]
pub struct Load {
    latency: Latency,
    /// What its answers report.
    answered: Figures,
    /// What its page of metrics says.
    scraped: Figures,
}

impl Load {
    /// Notes that an answer began after `took`, in memory that fades with `decay`.
    pub(super) fn answered(&self, took: Duration, now: Moment, decay: Duration) {
        self.latency.observe(took, now, decay);
    }

    /// Notes that there was none, or an error.
    pub(super) fn failed(&self, took: Duration, now: Moment, decay: Duration) {
        self.latency.observe(took.max(FAILURE), now, decay);
    }

    /// Notes what an answer reports; it counts until `until`.
    pub fn note_answer(&self, report: LoadReport, until: Moment) {
        self.answered.set(report, until);
    }

    /// Notes what the page of metrics says; it counts until `until`.
    pub fn note_page(&self, report: LoadReport, until: Moment) {
        self.scraped.set(report, until);
    }

    /// The latency of late in seconds, zero where there is none.
    pub fn latency(&self, now: Moment, decay: Duration) -> f64 {
        self.latency.at(now, decay)
    }

    /// What the endpoint says of itself and counts at `now`: requests there, and utilization from 0 to 1.
    pub fn reported(&self, now: Moment) -> (f64, f64) {
        let (one, other) = (self.answered.at(now), self.scraped.at(now));
        (one.0.max(other.0), one.1.max(other.1))
    }

    /// How long a further request is to take where `in_flight` are under way from here, in seconds; without `decay` the
    /// number of requests before it, times what utilization makes of that.
    pub(super) fn score(&self, in_flight: u32, now: Moment, decay: Option<Duration>) -> f64 {
        let (reported, utilization) = self.reported(now);
        // The endpoint counts this router's requests too.
        let outstanding = f64::from(in_flight).max(reported);
        let latency = match decay.map(|decay| self.latency(now, decay)) {
            None => 1.0,
            Some(latency) if latency > 0.0 => latency,
            Some(_) if outstanding > 0.0 => UNKNOWN,
            Some(_) => 0.0,
        };
        latency * (outstanding + 1.0) / (1.0 - utilization.min(MOST_UTILIZED))
    }
}

/// An exponentially weighted mean that jumps to every peak (Finagle's `PeakEwma`): its seconds as an `f32`, and the millisecond
/// that they are of, in one atomic.
#[derive(Debug, Default)]
struct Latency(AtomicU64);

impl Latency {
    fn observe(&self, took: Duration, now: Moment, decay: Duration) {
        let took = took.as_secs_f64();
        let next = |packed: u64| {
            let (seconds, stamp) = unpack(packed);
            let kept = fade(stamp, now, decay);
            let mean = seconds * kept + took * (1.0 - kept);
            // A duration of nothing would pass for none at all.
            Some(pack(if took > seconds * kept { took } else { mean }.max(1e-9), now))
        };
        // It never says no.
        self.0.fetch_update(Ordering::AcqRel, Ordering::Relaxed, next).ok();
    }

    fn at(&self, now: Moment, decay: Duration) -> f64 {
        let (seconds, stamp) = unpack(self.0.load(Ordering::Acquire));
        seconds * fade(stamp, now, decay)
    }
}

/// The part that is left at `now` of what was noted at `stamp`.
fn fade(stamp: u32, now: Moment, decay: Duration) -> f64 {
    // What another thread has noted a moment later than `now` was read is not faded.
    let elapsed = millisecond(now).wrapping_sub(stamp);
    let elapsed = if elapsed > u32::MAX / 2 { 0 } else { elapsed };
    (-f64::from(elapsed) / 1000.0 / decay.as_secs_f64().max(1e-3)).exp()
}

/// Wraps after 49 days, which makes what is older seem young once and do no harm.
#[expect(clippy::cast_possible_truncation, reason = "it wraps on purpose")]
fn millisecond(now: Moment) -> u32 {
    (now.as_nanos() / 1_000_000) as u32
}

#[expect(clippy::cast_possible_truncation, reason = "a latency needs no more than seven digits")]
fn pack(seconds: f64, now: Moment) -> u64 {
    u64::from((seconds as f32).to_bits()) << 32 | u64::from(millisecond(now))
}

#[expect(clippy::cast_possible_truncation, reason = "the two halves")]
fn unpack(packed: u64) -> (f64, u32) {
    (f64::from(f32::from_bits((packed >> 32) as u32)), packed as u32)
}

/// A report, and how long it counts.
#[derive(Debug, Default)]
struct Figures {
    outstanding: AtomicU32,
    utilization: AtomicU32,
    until: AtomicU64,
}

impl Figures {
    /// Two writers at once may mix their figures, which both are of this moment.
    fn set(&self, report: LoadReport, until: Moment) {
        #[expect(clippy::cast_possible_truncation, reason = "a load needs no more than seven digits")]
        let bits = |value: Option<f64>| (value.unwrap_or(0.0) as f32).to_bits();
        let outstanding = report.waiting.unwrap_or(0.0) + report.running.unwrap_or(0.0);
        self.outstanding.store(bits(Some(outstanding)), Ordering::Relaxed);
        self.utilization.store(bits(report.utilization), Ordering::Relaxed);
        self.until.store(until.as_nanos(), Ordering::Release);
    }

    fn at(&self, now: Moment) -> (f64, f64) {
        if self.until.load(Ordering::Acquire) <= now.as_nanos() {
            return (0.0, 0.0);
        }
        let value = |bits: &AtomicU32| f64::from(f32::from_bits(bits.load(Ordering::Relaxed)));
        (value(&self.outstanding), value(&self.utilization))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DECAY: Duration = Duration::from_secs(10);

    fn at(millis: u64) -> Moment {
        Moment::from_nanos(millis * 1_000_000)
    }

    fn close(found: f64, expected: f64) {
        assert!((found - expected).abs() <= expected.abs() * 1e-6, "{found}, not {expected}");
    }

    #[test]
    fn latency_jumps_to_peaks_and_fades() {
        let load = Load::default();
        let seconds = |millis| load.latency(at(millis), DECAY);
        assert!(seconds(0) == 0.0);
        load.answered(Duration::from_millis(100), at(1_000), DECAY);
        close(seconds(1_000), 0.1);
        load.answered(Duration::from_millis(500), at(1_000), DECAY);
        close(seconds(1_000), 0.5);
        close(seconds(11_000), 0.5 * (-1.0_f64).exp());
        // What is shorter draws the mean down by as much time as has passed.
        load.answered(Duration::from_millis(100), at(6_000), DECAY);
        let kept = (-0.5_f64).exp();
        close(seconds(6_000), 0.5 * kept + 0.1 * (1.0 - kept));
        load.failed(Duration::from_millis(1), at(6_000), DECAY);
        close(seconds(6_000), 1.0);
        close(seconds(5_000), 1.0);
    }

    #[test]
    fn a_score_is_latency_times_what_is_before_it() {
        let load = Load::default();
        assert!(load.score(0, at(1), Some(DECAY)) == 0.0, "one request finds out");
        close(load.score(1, at(1), Some(DECAY)), 2.0 * UNKNOWN);
        load.answered(Duration::from_millis(200), at(1), DECAY);
        close(load.score(0, at(1), Some(DECAY)), 0.2);
        close(load.score(4, at(1), Some(DECAY)), 1.0);
        close(load.score(4, at(1), None), 5.0);
    }

    #[test]
    fn reports_count_until_they_are_stale() {
        let load = Load::default();
        load.note_page(LoadReport { waiting: Some(5.0), running: Some(4.0), utilization: Some(0.5) }, at(3_000));
        close(load.score(2, at(2_999), None), 20.0);
        close(load.score(19, at(2_999), None), 40.0);
        close(load.score(2, at(3_000), None), 3.0);
        load.note_answer(LoadReport { waiting: None, running: None, utilization: Some(1.0) }, at(5_000));
        close(load.score(2, at(4_000), None), 60.0);
    }
}

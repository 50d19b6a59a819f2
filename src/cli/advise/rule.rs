//! What the runbook says of one pool: pure, over readings of the past.
//!
//! Up by half where p99 stays over the objective for 10 minutes or use over 80 % for 15; down by 30 % where the pool is idle;
//! a change is watched for 30 minutes, and undone where latency or errors are worse for 5.

use std::time::Duration;

/// A pool that is used less than this is idle: what is left after the step down is used less than 72 %.
const IDLE: f64 = 0.5;
/// A pool that is used more than this is short.
pub(super) const BUSY: f64 = 0.8;
/// Errors of an idle pool, as a share of its answers: over it nothing is taken away.
const FAULTY: f64 = 0.01;
/// How much worse is worse: measured values scatter.
const WORSE: f64 = 1.1;
/// Errors that are worse by less than this share of the answers are not worse.
const LEAST_WORSE: f64 = 0.002;
/// Readings further apart than this do not continue each other.
const LARGEST_GAP: Duration = Duration::from_secs(150);

/// How long each thing must last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Windows {
    /// p99 over the objective, before the pool is scaled up.
    pub(super) latency: Duration,
    /// Use over 80 %, before the pool is scaled up.
    pub(super) busy: Duration,
    /// Use under 50 %, before the pool is scaled down.
    pub(super) idle: Duration,
    /// After a change, worse latency or errors, before it is undone.
    pub(super) worse: Duration,
    /// For how long a change is watched.
    pub(super) watch: Duration,
}

/// What one moment told of a pool.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Reading {
    /// When, since any fixed moment.
    pub(super) at: Duration,
    /// In seconds; `None` without answers.
    pub(super) p99: Option<f64>,
    /// The share of answers that were errors; `None` without answers.
    pub(super) errors: Option<f64>,
    /// Requests at once, as a share of what the replicas carry; `None` where nothing is known of that.
    pub(super) used: Option<f64>,
    /// Endpoints that take requests.
    pub(super) replicas: u32,
}

/// What is scaled for a pool.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Target {
    /// The API group and version.
    pub(super) api_version: String,
    pub(super) kind: String,
    pub(super) namespace: String,
    pub(super) name: String,
}

/// The series that tells of it, as `overspill_pool_scale_target_info`.
pub(super) const TARGET: &str = "overspill_pool_scale_target_info";

impl Target {
    /// Read from the labels of [`TARGET`].
    pub(super) fn read<'l>(label: impl Fn(&str) -> &'l str) -> Self {
        let [api_version, kind, namespace, name] =
            ["target_api_version", "target_kind", "target_namespace", "target_name"].map(|name| label(name).to_owned());
        Self { api_version, kind, namespace, name }
    }
}

/// What is known of a pool.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct History {
    /// In seconds.
    pub(super) objective: f64,
    /// The fewest and the most replicas, where they are known.
    pub(super) bounds: (Option<u32>, Option<u32>),
    /// What is scaled, where the pool's document says how it scales.
    pub(super) target: Option<Target>,
    /// In the order of time.
    pub(super) readings: Vec<Reading>,
}

/// What to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// By half.
    Up,
    /// By 30 %.
    Down,
    /// Back to what was before.
    Undo,
    /// Nothing.
    Keep,
}

/// Why.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Because {
    /// p99 has been over the objective for so long.
    Latency(Duration),
    /// Use has been over 80 % for so long.
    Busy(Duration),
    /// Use has been under 50 % for so long.
    Idle(Duration),
    /// Latency has been worse than before the change for so long.
    WorseLatency(Duration),
    /// Errors have been worse than before the change for so long.
    WorseErrors(Duration),
    /// Nothing has lasted.
    Nothing,
    /// It should grow, and is at its most.
    AtMaximum,
    /// It could shrink, and is at its fewest.
    AtMinimum,
    /// There are no readings.
    Unknown,
}

/// The advice for one pool.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Advice {
    pub(super) step: Step,
    /// The replicas that there are.
    pub(super) from: u32,
    /// Those that there should be.
    pub(super) to: u32,
    pub(super) because: Because,
}

/// What the runbook says.
pub(super) fn advise(history: &History, windows: &Windows) -> Advice {
    let Some(last) = history.readings.last() else {
        return Advice { step: Step::Keep, from: 0, to: 0, because: Because::Unknown };
    };
    let from = last.replicas;
    let keep = |because| Advice { step: Step::Keep, from, to: from, because };
    if let Some((to, because)) = undo(history, windows) {
        return Advice { step: Step::Undo, from, to, because };
    }
    if let Some(because) = short(history, windows) {
        let to = from.saturating_mul(3).div_ceil(2).max(from.saturating_add(1));
        let to = history.bounds.1.map_or(to, |most| to.min(most));
        return if to > from { Advice { step: Step::Up, from, to, because } } else { keep(Because::AtMaximum) };
    }
    if let Some(because) = idle(history, windows) {
        // A change that is still watched is not followed by another.
        if changed(history, windows).is_some() {
            return keep(Because::Nothing);
        }
        let fewest = history.bounds.0.unwrap_or(1).max(1);
        let to = fewer(from).max(borne(history, from)).max(fewest);
        let kept = if from <= fewest { Because::AtMinimum } else { Because::Nothing };
        return if to < from { Advice { step: Step::Down, from, to, because } } else { keep(kept) };
    }
    keep(Because::Nothing)
}

/// By 30 %, to the nearest whole replica.
fn fewer(from: u32) -> u32 {
    u32::try_from((u64::from(from) * 7 + 5) / 10).unwrap_or(from)
}

/// The fewest replicas that what is asked for now does not make short.
fn borne(history: &History, from: u32) -> u32 {
    let used = history.readings.last().and_then(|last| last.used).unwrap_or_default();
    whole((used * f64::from(from) / BUSY).ceil())
}

/// A count from a figure.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "counts are whole, and none is below zero")]
pub(super) fn whole(value: f64) -> u32 {
    value.round() as u32
}

/// For how long `holds` has been true of every reading up to the last.
fn lasted(readings: &[Reading], holds: impl Fn(&Reading) -> bool) -> Duration {
    let Some(last) = readings.last() else { return Duration::ZERO };
    let mut since = last.at;
    for reading in readings.iter().rev() {
        if !holds(reading) || since.saturating_sub(reading.at) > LARGEST_GAP {
            break;
        }
        since = reading.at;
    }
    if holds(last) { last.at.saturating_sub(since) } else { Duration::ZERO }
}

fn short(history: &History, windows: &Windows) -> Option<Because> {
    let late = lasted(&history.readings, |one| one.p99.is_some_and(|p99| p99 > history.objective));
    let busy = lasted(&history.readings, |one| one.used.is_some_and(|used| used > BUSY));
    let late = (late >= windows.latency).then_some(Because::Latency(late));
    late.or_else(|| (busy >= windows.busy).then_some(Because::Busy(busy)))
}

fn idle(history: &History, windows: &Windows) -> Option<Because> {
    let quick = |one: &Reading| one.p99.is_none_or(|p99| p99 <= history.objective);
    let sound = |one: &Reading| one.errors.is_none_or(|errors| errors <= FAULTY);
    let idle = lasted(&history.readings, |one| one.used.is_some_and(|used| used < IDLE) && quick(one) && sound(one));
    (idle >= windows.idle).then_some(Because::Idle(idle))
}

/// The last change of the replicas, by the readings before it and since, where it is still watched.
fn changed<'h>(history: &'h History, windows: &Windows) -> Option<(&'h [Reading], &'h [Reading])> {
    let readings = &history.readings;
    let last = readings.last()?;
    let at = (1..readings.len()).rev().find(|at| readings[*at].replicas != readings[*at - 1].replicas)?;
    let watched = last.at.saturating_sub(readings[at].at) <= windows.watch;
    watched.then(|| readings.split_at(at))
}

/// Whether the last change has made things worse, and what was before it. More of what is asked for is nobody's fault: where
/// replicas were added, worse latency counts only while no more is carried by each.
fn undo(history: &History, windows: &Windows) -> Option<(u32, Because)> {
    let (before, since) = changed(history, windows)?;
    let earlier = before.last()?.replicas;
    let added = since.first()?.replicas > earlier;
    let start = before.last()?.at.saturating_sub(windows.worse);
    let recent: Vec<&Reading> = before.iter().filter(|one| one.at >= start && one.replicas == earlier).collect();
    let mean = |of: fn(&Reading) -> Option<f64>| {
        let values: Vec<f64> = recent.iter().filter_map(|one| of(one)).collect();
        #[expect(clippy::cast_precision_loss, reason = "a few hundred readings at most")]
        let count = values.len() as f64;
        (!values.is_empty()).then(|| values.iter().sum::<f64>() / count)
    };
    let (p99, errors, used) = (mean(|one| one.p99), mean(|one| one.errors), mean(|one| one.used));
    let asked_more = |one: &Reading| one.used.zip(used).is_some_and(|(now, then)| now > then * WORSE);
    let late = lasted(since, |one| {
        let worse = one.p99.zip(p99).is_some_and(|(now, then)| now > then * WORSE);
        worse && !(added && asked_more(one))
    });
    let faulty = lasted(since, |one| {
        one.errors.zip(errors).is_some_and(|(now, then)| now > then * WORSE && now - then > LEAST_WORSE)
    });
    let faulty = (faulty >= windows.worse).then_some(Because::WorseErrors(faulty));
    let because = faulty.or_else(|| (late >= windows.worse).then_some(Because::WorseLatency(late)));
    because.map(|because| (earlier, because))
}

#[cfg(test)]
mod tests;

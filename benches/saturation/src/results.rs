//! The figures, and what is promised of them.

use std::time::Duration;

use serde::Serialize;

use crate::documents::OBJECTIVE_MS;
use crate::load::{Answer, Class, Outcome, Tier};

/// Goodput at any load beyond saturation is at least this part of the most that any load had: two windows of a few thousand
/// requests differ by two percent.
const KEPT: f64 = 0.95;

/// A whole run.
#[derive(Serialize)]
pub(crate) struct Results {
    pub(crate) circumstances: Circumstances,
    pub(crate) steps: Vec<Step>,
}

/// When, where, and what the pools bear.
#[derive(Serialize)]
pub(crate) struct Circumstances {
    pub(crate) date: String,
    /// Processors that were there for the load, the pools and the router together.
    pub(crate) processors: usize,
    /// Requests a second that the pools bear.
    pub(crate) capacity: f64,
    pub(crate) seconds_each: u64,
    pub(crate) objective_ms: u64,
    /// Which part of each instance the pools are.
    pub(crate) share: f64,
}

impl Circumstances {
    pub(crate) fn now(capacity: f64, seconds_each: u64, share: f64) -> Self {
        Self {
            date: jiff::Timestamp::now().strftime("%Y-%m-%d").to_string(),
            processors: std::thread::available_parallelism().map_or(1, usize::from),
            capacity,
            seconds_each,
            objective_ms: OBJECTIVE_MS,
            share,
        }
    }
}

/// One load.
#[derive(Serialize)]
pub(crate) struct Step {
    /// In times of what the pools bear.
    pub(crate) offered: f64,
    /// Requests a second that were really sent.
    pub(crate) sent: f64,
    /// Requests a second that were served.
    pub(crate) goodput: f64,
    pub(crate) sensitive: ClassFigures,
    pub(crate) standard: ClassFigures,
    /// The parts of what was sent that each tier served, and that was refused.
    pub(crate) gpu_share: f64,
    pub(crate) cpu_share: f64,
    pub(crate) refused_share: f64,
    /// Requests without an answer, or with another status than 200 and 429.
    pub(crate) failed: usize,
}

/// One class under one load.
#[derive(Serialize)]
pub(crate) struct ClassFigures {
    pub(crate) sent: usize,
    /// The part that was served.
    pub(crate) served_share: f64,
    /// Milliseconds, of those that were served.
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
    /// Milliseconds until a refusal.
    pub(crate) refused_p50_ms: f64,
}

impl Step {
    pub(crate) fn of(offered: f64, outcome: &Outcome) -> Self {
        let answers = &outcome.answers;
        let seconds = outcome.window.as_secs_f64();
        let part =
            |fits: &dyn Fn(&Answer) -> bool| ratio(answers.iter().filter(|one| fits(one)).count(), answers.len());
        Self {
            offered,
            sent: count(answers.len()) / seconds,
            goodput: count(answers.iter().filter(|one| one.status == 200).count()) / seconds,
            sensitive: ClassFigures::of(answers, Class::Sensitive),
            standard: ClassFigures::of(answers, Class::Standard),
            gpu_share: part(&|one| one.tier == Some(Tier::Gpu)),
            cpu_share: part(&|one| one.tier == Some(Tier::Cpu)),
            refused_share: part(&|one| one.status == 429),
            failed: answers.iter().filter(|one| !matches!(one.status, 200 | 429)).count(),
        }
    }
}

impl ClassFigures {
    fn of(answers: &[Answer], class: Class) -> Self {
        let of_class = || answers.iter().filter(|one| one.class == class);
        let times = |status: u16| {
            let mut times: Vec<_> = of_class().filter(|one| one.status == status).map(|one| one.latency).collect();
            times.sort_unstable();
            times
        };
        let (served, refused) = (times(200), times(429));
        Self {
            sent: of_class().count(),
            served_share: ratio(served.len(), of_class().count()),
            p50_ms: quantile(&served, 50),
            p99_ms: quantile(&served, 99),
            refused_p50_ms: quantile(&refused, 50),
        }
    }
}

impl Results {
    /// What is promised and does not hold.
    pub(crate) fn broken_promises(&self) -> Vec<String> {
        let mut broken = Vec::new();
        let mut most = 0_f64;
        for step in &self.steps {
            let (offered, goodput) = (step.offered, step.goodput);
            most = most.max(goodput);
            if goodput >= most * KEPT {
                continue;
            }
            broken.push(format!("goodput falls beyond saturation: {goodput:.0}/s at {offered} x, of {most:.0}/s"));
        }
        let objective = count(usize::try_from(self.circumstances.objective_ms).unwrap_or(usize::MAX));
        for step in self.steps.iter().filter(|step| step.sensitive.p99_ms > objective) {
            let (offered, p99) = (step.offered, step.sensitive.p99_ms);
            broken.push(format!(
                "the latency-sensitive wait longer than {objective} ms at {offered} x: p99 is {p99:.0} ms"
            ));
        }
        for step in self.steps.iter().filter(|step| step.failed > 0) {
            broken.push(format!("{} requests failed at {} x", step.failed, step.offered));
        }
        broken
    }
}

/// The nearest rank, in milliseconds; zero of nothing.
fn quantile(sorted: &[Duration], percent: usize) -> f64 {
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).map_or(0.0, |time| time.as_secs_f64() * 1e3)
}

fn ratio(part: usize, whole: usize) -> f64 {
    if whole == 0 { 0.0 } else { count(part) / count(whole) }
}

#[expect(clippy::cast_precision_loss, reason = "counts of requests in a minute")]
fn count(number: usize) -> f64 {
    number as f64
}

//! What autoscalers make of a day: requests late or refused, and replica-hours, of CPU, of pending requests and of the rule.
//!
//! `HOURS=24`, `SEED=1` and `SEEDS=1` are the defaults: that many days by the seeds from `SEED` on, added up; `TRACE=FILE` plays
//! a recorded day beside the synthetic ones, a line a minute that ends in requests a second. Writes `results.md` and
//! `plot.svg`, the latter of the first seed, to `target/bench-scaling`.

// The unit tests of the models run in `tests/scaling`; here, without a harness, they are compiled and not run.
#![cfg_attr(test, allow(dead_code, unused_imports))]
#![allow(clippy::print_stdout, clippy::expect_used, missing_docs, reason = "a tool's output is what it prints")]

#[path = "scaling/plot.rs"]
mod plot;
#[path = "scaling/simulation.rs"]
mod simulation;

use std::fmt::Write as _;
use std::path::Path;

use simulation::{Day, Kind, Outcome, play};

fn main() {
    let number = |name: &str, default: u32| {
        let read = |text: String| text.parse().expect("HOURS, SEED and SEEDS are whole numbers");
        std::env::var(name).map_or(default, read)
    };
    let (hours, first, seeds) = (number("HOURS", 24), number("SEED", 1), number("SEEDS", 1).max(1));
    let mut days = Day::synthetic();
    if let Ok(path) = std::env::var("TRACE") {
        let text = std::fs::read_to_string(&path).expect("TRACE names a file that can be read");
        days.push(Day::recorded(&path, &text).expect("a line of TRACE ends in a number"));
    }
    let seeds = first..first.saturating_add(seeds);
    let played: Vec<(Day, Vec<Outcome>)> = days.into_iter().map(|day| each(day, hours * 3600, &seeds)).collect();
    let text = table(&played);
    println!("{text}");
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/bench-scaling");
    std::fs::create_dir_all(&folder).expect("a folder below target");
    std::fs::write(folder.join("results.md"), text).expect("a writable folder");
    std::fs::write(folder.join("plot.svg"), plot::draw(&played)).expect("a writable folder");
    println!("results.md and plot.svg: {}", folder.display());
}

/// What each autoscaler makes of a day, all seeds together.
fn each(day: Day, seconds: u32, seeds: &std::ops::Range<u32>) -> (Day, Vec<Outcome>) {
    let all = |kind: Kind| {
        let mut sum = Outcome::default();
        seeds.clone().for_each(|seed| sum.add(&play(&day, kind, seconds, u64::from(seed))));
        sum
    };
    let outcomes = std::thread::scope(|scope| {
        let threads = Kind::ALL.map(|kind| scope.spawn(move || all(kind)));
        threads.map(|thread| thread.join().expect("a day is played to its end")).into()
    });
    (day, outcomes)
}

/// A line for each day and autoscaler, and what all days come to.
fn table(played: &[(Day, Vec<Outcome>)]) -> String {
    let head = "| day | autoscaler | requests | late | refused | late or refused | replica-hours |";
    let mut text = format!("{head}\n|---|---|---:|---:|---:|---:|---:|\n");
    let mut line = |day: &str, kind: Kind, outcome: &Outcome| {
        let Outcome { requests, late, refused, replica_hours, .. } = outcome;
        let (name, failed) = (kind.name(), 100.0 * outcome.failed());
        // Writing to memory cannot fail.
        let _ =
            writeln!(text, "| {day} | {name} | {requests} | {late} | {refused} | {failed:.4} % | {replica_hours:.1} |");
    };
    let mut sums = Kind::ALL.map(|_| Outcome::default());
    for (day, outcomes) in played {
        for ((kind, outcome), sum) in Kind::ALL.into_iter().zip(outcomes).zip(&mut sums) {
            line(&day.name, kind, outcome);
            sum.add(outcome);
        }
    }
    Kind::ALL.into_iter().zip(&sums).for_each(|(kind, sum)| line("all", kind, sum));
    text
}

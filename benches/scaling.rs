//! What autoscalers make of a day: requests late or refused, and replica-hours, of CPU, of pending requests and of the rule.
//!
//! `HOURS=24` and `SEED=1` are the defaults; `TRACE=FILE` plays a recorded day beside the synthetic ones, a line a minute that
//! ends in requests a second. Writes `target/bench-scaling/plot.svg`.

#![allow(clippy::print_stdout, clippy::expect_used, missing_docs, reason = "a tool's output is what it prints")]

#[path = "scaling/plot.rs"]
mod plot;
#[path = "scaling/simulation.rs"]
mod simulation;

use std::path::Path;

use simulation::{Day, Kind, Outcome, play};

fn main() {
    let number = |name: &str, default: u32| {
        std::env::var(name).ok().map_or(default, |text| text.parse().expect("HOURS and SEED are whole numbers"))
    };
    let (hours, seed) = (number("HOURS", 24), number("SEED", 1));
    let mut days = Day::synthetic();
    if let Ok(path) = std::env::var("TRACE") {
        let text = std::fs::read_to_string(&path).expect("TRACE names a file that can be read");
        days.push(Day::recorded(&path, &text).expect("a line of TRACE ends in a number"));
    }
    let mut played: Vec<(Day, Vec<Outcome>)> = Vec::new();
    println!("| day | autoscaler | late | refused | late or refused | replica-hours |\n|---|---|---:|---:|---:|---:|");
    for day in days {
        let outcomes = Kind::ALL.map(|kind| play(&day, kind, hours * 3600, u64::from(seed)));
        for (kind, outcome) in Kind::ALL.iter().zip(&outcomes) {
            let Outcome { late, refused, replica_hours, .. } = outcome;
            let failed = 100.0 * outcome.failed();
            println!("| {} | {} | {late} | {refused} | {failed:.3} % | {replica_hours:.1} |", day.name, kind.name());
        }
        played.push((day, outcomes.into()));
    }
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/bench-scaling");
    std::fs::create_dir_all(&folder).expect("a folder below target");
    let file = folder.join("plot.svg");
    std::fs::write(&file, plot::draw(&played)).expect("a writable folder");
    println!("\nplot: {}", file.display());
}

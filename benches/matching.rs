//! What a decision costs: time, and allocations, of which there are none.
//!
//! `make bench-matching` prints the table. That no decision allocates is asserted; times are compared with their goals
//! and printed, since they depend on the machine.

#![allow(clippy::expect_used, reason = "a bench that cannot go on ends, and says why")]

#[path = "matching/documents.rs"]
mod documents;
#[path = "matching/requests.rs"]
mod requests;

use std::hint::black_box;
use std::io::{self, Write};
use std::time::{Duration, Instant};

use documents::{HOSTS, RULES, compiled, crowd, estate, expressions, read};
use overspill::snapshot::{Snapshot, choose};
use requests::{Case, of_crowd, of_estate, of_expressions};

/// Decisions measured for each case.
const DECISIONS: usize = 100_000;
/// Times that documents are read and compiled.
const BUILDS: usize = 5;
/// The goal for compiling 10,000 routes.
const COMPILE_GOAL: Duration = Duration::from_millis(250);

fn main() -> io::Result<()> {
    let mut out = io::stdout().lock();
    let sets = [
        ("1,000 hosts, 10,000 routes", estate(HOSTS), of_estate(HOSTS)),
        ("1 host, 20 regex routes", expressions(), of_expressions()),
        ("1 host, 10,000 routes", crowd(HOSTS * RULES), of_crowd(HOSTS * RULES)),
    ];
    for (name, documents, cases) in sets {
        let snapshot = build(name, &documents, &mut out)?;
        writeln!(out, "  {:<40} {:>10} {:>10} {:>12}   goal", "decision", "median", "p99", "allocations")?;
        for case in cases {
            measure(&case, &snapshot, &mut out)?;
        }
        writeln!(out)?;
    }
    Ok(())
}

/// Reads and compiles the documents, and prints what that costs.
fn build(name: &str, documents: &str, out: &mut impl Write) -> io::Result<Snapshot> {
    let (mut reads, mut compiles, mut last) = (Vec::new(), Vec::new(), None);
    for _ in 0..BUILDS {
        let start = Instant::now();
        let loaded = read(documents);
        reads.push(start.elapsed());
        let start = Instant::now();
        let snapshot = compiled(&loaded);
        compiles.push(start.elapsed());
        last = Some(snapshot);
    }
    let (read, compile) = (quantile(&mut reads, 50), quantile(&mut compiles, 50));
    let verdict = verdict(compile <= COMPILE_GOAL);
    writeln!(out, "{name}: {} KiB of documents", documents.len() / 1024)?;
    writeln!(out, "  read in {read:.1?}, compiled in {compile:.1?} (goal {COMPILE_GOAL:?}: {verdict})")?;
    Ok(last.expect("documents are built at least once"))
}

/// Decides each request many times, and prints what one decision costs.
fn measure(case: &Case, snapshot: &Snapshot, out: &mut impl Write) -> io::Result<()> {
    let heads = case.warm_up(snapshot);
    let mut times = Vec::with_capacity(DECISIONS);
    let mut random = fastrand::Rng::with_seed(1);
    let allocated = allocation_counter::measure(|| {
        for _ in 0..DECISIONS {
            let head = &heads[random.usize(..heads.len())];
            let start = Instant::now();
            black_box(choose(black_box(snapshot), black_box(head), 0));
            times.push(start.elapsed());
        }
    });
    assert_eq!(allocated.count_total, 0, "{}: {DECISIONS} decisions allocated", case.name);
    let (median, p99) = (quantile(&mut times, 50), quantile(&mut times, 99));
    let goal = Duration::from_nanos(case.goal);
    let verdict = verdict(median <= goal);
    let (median, p99) = (median.as_nanos(), p99.as_nanos());
    writeln!(out, "  {:<40} {median:>7} ns {p99:>7} ns {:>12}   {goal:?}: {verdict}", case.name, 0)
}

/// The value below which `percent` of `times` lie.
fn quantile(times: &mut [Duration], percent: usize) -> Duration {
    times.sort_unstable();
    times[(times.len() - 1) * percent / 100]
}

fn verdict(holds: bool) -> &'static str {
    if holds { "met" } else { "MISSED" }
}

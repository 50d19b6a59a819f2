//! The tables, ready for a README.

use std::fmt::Write;

use super::number;
use crate::results::{Added, Figures, Found, Results, Verdict, WorkloadResult};
use crate::statistics::Summary;

const MEBIBYTE: f64 = 1024.0 * 1024.0;

/// All tables. Writing to memory cannot fail, so results of `write!` are passed over.
pub(super) fn write(results: &Results) -> String {
    let mut out = preamble(results);
    cpu(results, &mut out);
    rate(results, &mut out);
    latency(results, &mut out);
    memory(results, &mut out);
    notes(results, &mut out);
    out
}

fn preamble(results: &Results) -> String {
    let machine = &results.machine;
    let mut out = format!(
        "Measured {date} with `{command}`: {cores} cores of {processor}, Linux {kernel}, load average {load} at the \
         start; {rounds} interleaved rounds of {window} s. Origin and load on one core, the proxy on another, one worker \
         each.\n\n",
        date = results.date,
        command = results.command,
        cores = machine.cores,
        processor = machine.processor,
        kernel = machine.kernel,
        load = machine.load_average,
        rounds = results.rounds,
        window = results.window_seconds,
    );
    for program in &results.programs {
        let _ = match &program.found {
            Found::Present { version, sha256, bytes } => {
                let (short, size) = (sha256.get(..12).unwrap_or(sha256), number_of(*bytes));
                writeln!(out, "- {}: {version} (sha256 {short}, {size} MiB)", program.name)
            }
            Found::Absent(why) => writeln!(out, "- {}: absent, {why}", program.name),
        };
    }
    out
}

#[expect(clippy::cast_precision_loss, reason = "bytes of a file or a process")]
fn number_of(bytes: u64) -> String {
    number(bytes as f64 / MEBIBYTE)
}

fn names(results: &Results) -> Vec<&str> {
    results.programs.iter().map(|program| program.name.as_str()).collect()
}

/// A heading and a table with a row a workload and a column a proxy.
fn table(results: &Results, title: &str, cell: impl Fn(&WorkloadResult, &Figures) -> Option<String>, out: &mut String) {
    let names = names(results);
    let _ = writeln!(out, "\n### {title}\n\n| workload | {} |", names.join(" | "));
    let _ = writeln!(out, "|---|{}", "---:|".repeat(names.len()));
    for workload in &results.workloads {
        let cells = names.iter().map(|name| {
            let figures = workload.figures(name);
            figures.and_then(|figures| cell(workload, figures)).unwrap_or_else(|| "-".to_owned())
        });
        let _ = writeln!(out, "| {} | {} |", workload.title, cells.collect::<Vec<_>>().join(" | "));
    }
}

fn with_spread(summary: &Summary) -> String {
    format!("{} ±{}", number(summary.median), number(summary.spread()))
}

/// The first proxy of the list is the one that ratios are of.
fn own<'w>(results: &Results, workload: &'w WorkloadResult) -> Option<&'w Figures> {
    workload.figures(&results.programs.first()?.name)
}

fn cpu(results: &Results, out: &mut String) {
    let title =
        "CPU microseconds a request: user and system time, median of the rounds ± half their interquartile range";
    table(results, title, |_, figures| Some(with_spread(&figures.cpu_us)), out);
    let Some(first) = results.programs.first() else { return };
    let title = format!("{}'s CPU a request as a share of each one's: under 1 is less", first.name);
    table(
        results,
        &title,
        |workload, figures| {
            let ratio = own(results, workload)?.cpu_us.ratio(&figures.cpu_us)?;
            Some(format!("{ratio:.2}"))
        },
        out,
    );
}

fn rate(results: &Results, out: &mut String) {
    table(
        results,
        "Requests a second, as many as one core takes",
        |_, figures| Some(with_spread(&figures.per_second)),
        out,
    );
}

fn latency(results: &Results, out: &mut String) {
    let cell =
        |added: &Added| [&added.p50, &added.p99, &added.p999].map(|quantile| number(quantile.median)).join(" / ");
    let title = "Added latency p50 / p99 / p99.9 in microseconds, at 30 % of the slowest one's maximum";
    table(results, title, |_, figures| figures.added_us.as_ref().map(cell), out);
    let _ = writeln!(out, "\nThe rates, and the latency without a proxy, in clear, which is subtracted:\n");
    for workload in &results.workloads {
        if let (Some(rate), Some(direct)) = (workload.paced_per_second, &workload.direct_us) {
            let _ = writeln!(out, "- {}: {} a second, {} µs", workload.title, number(rate), cell(direct));
        }
    }
}

fn memory(results: &Results, out: &mut String) {
    table(
        results,
        "Resident MiB at rest / under load",
        |_, figures| Some(format!("{} / {}", number_of(figures.resident_at_rest), number_of(figures.resident_loaded))),
        out,
    );
    for workload in &results.workloads {
        let mut costs = names(results).into_iter().filter_map(|name| {
            let idle = workload.figures(name)?.idle.as_ref()?;
            Some(format!("{name} {}", number(idle.bytes_per_connection)))
        });
        if let Some(first) = costs.next() {
            let all = std::iter::once(first).chain(costs).collect::<Vec<_>>().join(", ");
            let _ = writeln!(out, "\nBytes a connection, of {}: {all}.", workload.title);
        }
    }
}

/// What is absent, and what went wrong.
fn notes(results: &Results, out: &mut String) {
    let mut notes = String::new();
    for workload in &results.workloads {
        for target in &workload.targets {
            let _ = match &target.verdict {
                Verdict::Absent(why) => writeln!(notes, "- {}, {}: absent, {why}", workload.title, target.name),
                Verdict::Measured(figures) if figures.faults.count > 0 => {
                    let faults = &figures.faults;
                    let first = faults.first.as_deref().unwrap_or("unknown");
                    writeln!(notes, "- {}, {}: {} faults, first: {first}", workload.title, target.name, faults.count)
                }
                Verdict::Measured(_) => Ok(()),
            };
        }
    }
    let verdict = if notes.is_empty() { "None: every answer had the right status and length.\n" } else { &notes };
    let _ = write!(out, "\n### Absent, and wrong answers\n\n{verdict}");
}

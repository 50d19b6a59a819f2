//! The tables of a comparison, ready for a README. Writing to memory cannot fail.

use std::fmt::Write;

use super::{circumstances, mebibytes, number, with_spread};
use crate::results::{Added, Figures, Found, Results, Verdict, WorkloadResult};

pub(super) fn write(results: &Results) -> String {
    let mut out = circumstances::write(&results.circumstances);
    cpu(results, &mut out);
    rate(results, &mut out);
    latency(results, &mut out);
    memory(results, &mut out);
    notes(results, &mut out);
    out
}

/// The proxies that there are programs of.
fn names(results: &Results) -> Vec<&str> {
    let programs = results.circumstances.programs.iter();
    programs.filter(|program| matches!(program.found, Found::Present { .. })).map(|program| &*program.name).collect()
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

fn cpu(results: &Results, out: &mut String) {
    table(results, "CPU microseconds a request", |_, figures| Some(with_spread(&figures.cpu_us)), out);
    for own in results.circumstances.programs.iter().filter(|program| program.is_own) {
        let title = format!("{}'s CPU a request as a share of each one's (under 1 is less)", own.name);
        table(
            results,
            &title,
            |workload, figures| {
                let ratio = workload.figures(&own.name)?.cpu_us.ratio(&figures.cpu_us)?;
                Some(format!("{ratio:.2}"))
            },
            out,
        );
    }
}

fn rate(results: &Results, out: &mut String) {
    let title = "Requests a second, as many as one core takes (and how much of that core was busy)";
    let cell = |figures: &Figures| {
        format!("{} ({:.0} %)", with_spread(&figures.per_second), figures.cores_busy.median * 100.0)
    };
    table(results, title, |_, figures| Some(cell(figures)), out);
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
    let cell = |figures: &Figures| {
        [figures.resident_at_rest, figures.resident_loaded, figures.resident_after].map(mebibytes).join(" / ")
    };
    table(results, "Resident MiB at rest / under load / after it", |_, figures| Some(cell(figures)), out);
    for workload in results.workloads.iter().filter(|workload| workload.is_idle) {
        let costs = names(results).into_iter().filter_map(|name| {
            let figures = workload.figures(name)?;
            Some(format!("{name} {}", number(figures.bytes_per_connection)))
        });
        let costs = costs.collect::<Vec<_>>().join(", ");
        let _ = writeln!(out, "\nBytes a connection, of {}: {costs}.", workload.title);
    }
}

/// What is absent in some workload, and what went wrong.
fn notes(results: &Results, out: &mut String) {
    let names = names(results);
    let mut notes = String::new();
    for workload in &results.workloads {
        for target in workload.targets.iter().filter(|target| names.contains(&&*target.name)) {
            let place = format!("{}, {}", workload.title, target.name);
            let _ = match &target.verdict {
                Verdict::Absent(why) => writeln!(notes, "- {place}: absent, {why}"),
                Verdict::Measured(figures) if figures.faults.count > 0 => {
                    let first = figures.faults.first.as_deref().unwrap_or("unknown");
                    writeln!(notes, "- {place}: {} wrong answers, first: {first}", figures.faults.count)
                }
                Verdict::Measured(_) => Ok(()),
            };
        }
    }
    let notes = if notes.is_empty() { "None: every answer had the right status and length.\n" } else { &notes };
    let _ = write!(out, "\n### Absent, and wrong answers\n\n{notes}");
}

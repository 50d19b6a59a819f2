//! The figures for people: a line while it runs, a table, a plot.

mod plot;

use std::fmt::Write;

pub(crate) use plot::plot;

use crate::results::{Results, Step};

/// One step in one line.
pub(crate) fn line(step: &Step) -> String {
    format!(
        "{:>4} x: {:>5.0}/s sent, {:>5.0}/s served, sensitive p99 {:>5.1} ms, standard p99 {:>5.1} ms, gpu {:>4.1} %, \
         cpu {:>4.1} %, refused {:>4.1} %, failed {}",
        step.offered,
        step.sent,
        step.goodput,
        step.sensitive.p99_ms,
        step.standard.p99_ms,
        step.gpu_share * 100.0,
        step.cpu_share * 100.0,
        step.refused_share * 100.0,
        step.failed,
    )
}

/// The table, in Markdown.
pub(crate) fn table(results: &Results) -> String {
    let about = &results.circumstances;
    let mut table = format!(
        "Measured on {} with {} processors, {} s each. The pools, {:.0} % of each instance, bear {:.0} requests/s; a tenth of the load is \
         latency-sensitive, with an objective of {} ms.\n\n\
         | offered | sent/s | served/s | sensitive served | p50 | p99 | standard served | p50 | p99 | refused after | gpu | cpu | refused |\n\
         |---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n",
        about.date,
        about.processors,
        about.seconds_each,
        about.share * 100.0,
        about.capacity,
        about.objective_ms
    );
    for step in &results.steps {
        // Writing to memory cannot fail.
        let _ = writeln!(
            table,
            "| {} x | {:.0} | {:.0} | {:.1} % | {:.1} ms | {:.1} ms | {:.1} % | {:.1} ms | {:.1} ms | {:.1} ms | {:.1} % | {:.1} % | {:.1} % |",
            step.offered,
            step.sent,
            step.goodput,
            step.sensitive.served_share * 100.0,
            step.sensitive.p50_ms,
            step.sensitive.p99_ms,
            step.standard.served_share * 100.0,
            step.standard.p50_ms,
            step.standard.p99_ms,
            step.standard.refused_p50_ms,
            step.gpu_share * 100.0,
            step.cpu_share * 100.0,
            step.refused_share * 100.0,
        );
    }
    table
}

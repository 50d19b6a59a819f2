//! Tables of one proxy in several cases. Writing to memory cannot fail.

use std::fmt::Write;

use super::{circumstances, mebibytes, number, with_spread};
use crate::results::{Figures, Series, SeriesResults, Verdict};

pub(super) fn write(results: &SeriesResults) -> String {
    let mut out = circumstances::write(&results.circumstances);
    for series in &results.series {
        table(series, &mut out);
    }
    out
}

fn table(series: &Series, out: &mut String) {
    let _ = write!(
        out,
        "\n### {}\n\n| case | CPU µs a request | of the first | requests a second | of the first | cores busy | \
         resident MiB at rest / under load / after |\n|---|---:|---:|---:|---:|---:|---:|\n",
        series.title
    );
    let first = series.targets.first().and_then(|target| target.verdict.figures());
    for target in &series.targets {
        let _ = match &target.verdict {
            Verdict::Measured(figures) => writeln!(out, "| {} | {} |", target.name, row(figures, first)),
            Verdict::Absent(why) => writeln!(out, "| {} | absent: {why} | | | | | |", target.name),
        };
    }
    for target in &series.targets {
        if let Some(figures) = target.verdict.figures()
            && figures.faults.count > 0
        {
            let first = figures.faults.first.as_deref().unwrap_or("unknown");
            let _ = writeln!(out, "\nWrong in {}: {} answers, first: {first}", target.name, figures.faults.count);
        }
    }
}

fn row(figures: &Figures, first: Option<&Figures>) -> String {
    let ratio = |ratio: Option<f64>| ratio.map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.2}"));
    let cpu = first.and_then(|first| figures.cpu_us.ratio(&first.cpu_us));
    let rate = first.and_then(|first| figures.per_second.ratio(&first.per_second));
    [
        with_spread(&figures.cpu_us),
        ratio(cpu),
        with_spread(&figures.per_second),
        ratio(rate),
        number(figures.cores_busy.median),
        memory(figures),
    ]
    .join(" | ")
}

fn memory(figures: &Figures) -> String {
    [figures.resident_at_rest, figures.resident_loaded, figures.resident_after].map(mebibytes).join(" / ")
}

//! A plot over offered load, in three panels: goodput, p99 by class, share by tier.

use std::fmt::Write;

use crate::results::{Results, Step};

const WIDTH: f64 = 300.0;
const HEIGHT: f64 = 200.0;
/// Room for the figures beside an axis, and for a title above it.
const MARGIN: f64 = 48.0;
/// Legible on white and on black.
const COLOURS: [&str; 3] = ["#d9480f", "#1c7ed6", "#868e96"];

/// One line of a panel: what it is called, and its value at a step.
type Series<'s> = (&'s str, &'s dyn Fn(&Step) -> f64);

/// The plot as SVG. Writing to memory cannot fail, so results of `write!` are passed over.
pub(crate) fn plot(results: &Results) -> String {
    let panel_width = WIDTH + 2.0 * MARGIN;
    let (width, height) = (3.0 * panel_width, HEIGHT + 2.0 * MARGIN);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" font-family=\"sans-serif\" \
         font-size=\"11\" fill=\"#868e96\" stroke-linejoin=\"round\">\n"
    );
    panel(results, (0.0, "requests/s over offered load"), &[("served", &|step| step.goodput), ("sent", &|step| step.sent)], &mut svg);
    panel(
        results,
        (panel_width, "p99 in ms, of those served"),
        &[("latency-sensitive", &|step| step.sensitive.p99_ms), ("standard", &|step| step.standard.p99_ms)],
        &mut svg,
    );
    panel(
        results,
        (2.0 * panel_width, "share in percent"),
        &[
            ("gpu", &|step| step.gpu_share * 100.0),
            ("cpu", &|step| step.cpu_share * 100.0),
            ("refused", &|step| step.refused_share * 100.0),
        ],
        &mut svg,
    );
    svg + "</svg>\n"
}

fn panel(results: &Results, (left, title): (f64, &str), series: &[Series<'_>], svg: &mut String) {
    let steps = &results.steps;
    let most_offered = steps.iter().map(|step| step.offered).fold(1.0, f64::max);
    let largest = steps.iter().flat_map(|step| series.iter().map(|(_, value)| value(step))).fold(1.0, f64::max);
    let x = |step: &Step| left + MARGIN + WIDTH * step.offered / most_offered;
    let y = |value: f64| MARGIN + HEIGHT * (1.0 - value / largest);
    let (from, to, foot) = (left + MARGIN, left + MARGIN + WIDTH, MARGIN + HEIGHT);
    let _ = writeln!(svg, "<text x=\"{from}\" y=\"18\" font-weight=\"bold\">{title}</text>");
    let _ = writeln!(svg, "<path d=\"M{from} {MARGIN}V{foot}H{to}\" fill=\"none\" stroke=\"#868e96\"/>");
    let _ = writeln!(svg, "<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{largest:.0}</text>", from - 4.0, MARGIN + 4.0);
    let _ = writeln!(svg, "<text x=\"{}\" y=\"{foot}\" text-anchor=\"end\">0</text>", from - 4.0);
    for step in steps {
        let _ = writeln!(svg, "<text x=\"{:.1}\" y=\"{}\" text-anchor=\"middle\">{}x</text>", x(step), foot + 14.0, step.offered);
    }
    let mut label = from;
    for ((name, value), colour) in series.iter().zip(COLOURS) {
        let points: Vec<String> = steps.iter().map(|step| format!("{:.1},{:.1}", x(step), y(value(step)))).collect();
        let _ = writeln!(
            svg,
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>\n\
             <text x=\"{label}\" y=\"34\" fill=\"{colour}\">{name}</text>",
            points.join(" ")
        );
        label += 110.0;
    }
}

//! A plot: CPU a request, a panel a workload, a bar a proxy.

use std::fmt::Write;

use super::number;
use crate::results::{Results, WorkloadResult};

const COLUMNS: usize = 2;
const PANEL_WIDTH: f64 = 430.0;
const BAR_HEIGHT: f64 = 18.0;
const BAR_GAP: f64 = 6.0;
const NAME_WIDTH: f64 = 110.0;
/// Room for the figure behind the longest bar.
const FIGURE_WIDTH: f64 = 60.0;
const TITLE_HEIGHT: f64 = 30.0;
const MARGIN: f64 = 16.0;
/// Overspill, and everyone else; both legible on white and on black.
const COLOURS: [&str; 2] = ["#d9480f", "#868e96"];

/// The plot as SVG. Writing to memory cannot fail, so results of `write!` are passed over.
#[expect(clippy::cast_precision_loss, reason = "panels and bars of one plot")]
pub(super) fn draw(results: &Results) -> String {
    let bars = results.circumstances.programs.len() as f64;
    let panel_height = TITLE_HEIGHT + bars * (BAR_HEIGHT + BAR_GAP) + MARGIN;
    let rows = results.workloads.len().div_ceil(COLUMNS) as f64;
    let (width, height) = (COLUMNS as f64 * PANEL_WIDTH, TITLE_HEIGHT + rows * panel_height);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" font-family=\"sans-serif\" \
         font-size=\"12\" fill=\"#868e96\">\n\
         <text x=\"{MARGIN}\" y=\"20\" font-size=\"14\">CPU microseconds a request (less is better), {}</text>\n",
        results.circumstances.date
    );
    for (place, workload) in results.workloads.iter().enumerate() {
        let (column, row) = ((place % COLUMNS) as f64, (place / COLUMNS) as f64);
        let (x, y) = (column * PANEL_WIDTH + MARGIN, TITLE_HEIGHT + row * panel_height);
        panel(results, workload, (x, y), &mut svg);
    }
    svg + "</svg>\n"
}

#[expect(clippy::cast_precision_loss, reason = "bars of one panel")]
fn panel(results: &Results, workload: &WorkloadResult, (x, y): (f64, f64), svg: &mut String) {
    let _ = writeln!(svg, "<text x=\"{x}\" y=\"{}\" font-weight=\"bold\">{}</text>", y + 18.0, escape(&workload.title));
    let figure = |name: &str| workload.figures(name).map(|figures| figures.cpu_us.median);
    let largest = results.circumstances.programs.iter().filter_map(|program| figure(&program.name)).fold(0.0, f64::max);
    let room = PANEL_WIDTH - NAME_WIDTH - FIGURE_WIDTH - 2.0 * MARGIN;
    for (place, program) in results.circumstances.programs.iter().enumerate() {
        let top = y + TITLE_HEIGHT + place as f64 * (BAR_HEIGHT + BAR_GAP);
        let line = top + BAR_HEIGHT - 5.0;
        let _ = writeln!(svg, "<text x=\"{x}\" y=\"{line}\">{}</text>", escape(&program.name));
        let bar = x + NAME_WIDTH;
        let Some(figure) = figure(&program.name) else {
            let _ = writeln!(svg, "<text x=\"{bar}\" y=\"{line}\" font-style=\"italic\">absent</text>");
            continue;
        };
        let length = if largest > 0.0 { room * figure / largest } else { 0.0 };
        let colour = COLOURS[usize::from(!program.is_own)];
        let _ = writeln!(
            svg,
            "<rect x=\"{bar}\" y=\"{top}\" width=\"{length:.1}\" height=\"{BAR_HEIGHT}\" fill=\"{colour}\"/>\n\
             <text x=\"{:.1}\" y=\"{line}\">{}</text>",
            bar + length + 6.0,
            number(figure)
        );
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

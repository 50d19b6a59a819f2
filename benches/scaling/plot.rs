//! A plot: for each day, the replicas of each autoscaler over the requests.

use std::fmt::Write as _;

use super::simulation::{Day, Kind, Outcome};

const WIDTH: f64 = 860.0;
const HEIGHT: f64 = 130.0;
const TITLE: f64 = 34.0;
const MARGIN: f64 = 16.0;
/// One for each kind; legible on white and on black.
const COLOURS: [&str; 3] = ["#868e96", "#1c7ed6", "#d9480f"];

/// The plot as SVG. Writing to memory cannot fail, so results of `write!` are passed over.
#[allow(clippy::cast_precision_loss, reason = "a day has 1,440 minutes")]
pub(crate) fn draw(played: &[(Day, Vec<Outcome>)]) -> String {
    let height = TITLE + played.len() as f64 * (HEIGHT + TITLE);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" font-family=\"sans-serif\" \
         font-size=\"12\" fill=\"#868e96\">\n<text x=\"{MARGIN}\" y=\"20\" font-size=\"14\">Replicas over a day, above the \
         requests a second (grey area)</text>\n"
    );
    for (place, (day, outcomes)) in played.iter().enumerate() {
        let top = TITLE + place as f64 * (HEIGHT + TITLE);
        panel(day, outcomes, top, &mut svg);
    }
    svg + "</svg>\n"
}

#[allow(clippy::cast_precision_loss, reason = "a day has 1,440 minutes")]
fn panel(day: &Day, outcomes: &[Outcome], top: f64, svg: &mut String) {
    let _ = writeln!(svg, "<text x=\"{MARGIN}\" y=\"{}\" font-weight=\"bold\">{}</text>", top + 14.0, day.name);
    for (place, (kind, outcome)) in Kind::ALL.iter().zip(outcomes).enumerate() {
        let (x, y, colour) = (130.0 + 240.0 * place as f64, top + 14.0, COLOURS[place]);
        let (name, failed, hours) = (kind.name(), 100.0 * outcome.failed(), outcome.replica_hours);
        let _ = writeln!(svg, "<text x=\"{x}\" y=\"{y}\" fill=\"{colour}\">{name}: {failed:.2} %, {hours:.0} h</text>");
    }
    let floor = top + TITLE / 2.0 + HEIGHT;
    let most = |of: fn(&(f64, f64, f64)) -> f64| {
        outcomes.iter().flat_map(|outcome| outcome.course.iter().map(of)).fold(1.0, f64::max)
    };
    let line = |course: &[(f64, f64, f64)], of: fn(&(f64, f64, f64)) -> f64, highest: f64| {
        let step = (WIDTH - 2.0 * MARGIN) / (course.len().max(2) - 1) as f64;
        let point = |(at, minute): (usize, &(f64, f64, f64))| {
            format!("{:.1},{:.1} ", MARGIN + step * at as f64, floor - HEIGHT * 0.85 * of(minute) / highest)
        };
        course.iter().enumerate().map(point).collect::<String>()
    };
    if let Some(outcome) = outcomes.first() {
        let rates = line(&outcome.course, |minute| minute.0, most(|minute| minute.0));
        let _ = writeln!(
            svg,
            "<polygon points=\"{MARGIN},{floor} {rates}{},{floor}\" fill=\"#868e96\" fill-opacity=\"0.2\"/>",
            WIDTH - MARGIN
        );
    }
    let highest = most(|minute| minute.1);
    for (outcome, colour) in outcomes.iter().zip(COLOURS) {
        let replicas = line(&outcome.course, |minute| minute.1, highest);
        let _ =
            writeln!(svg, "<polyline points=\"{replicas}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.5\"/>");
    }
}

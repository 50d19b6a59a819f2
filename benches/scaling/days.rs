//! The course of a day: requests a second by the time.

use std::f64::consts::TAU;

/// A day.
#[derive(Clone, Debug)]
pub(crate) struct Day {
    /// What it is called.
    pub name: String,
    course: Course,
}

#[derive(Clone, Debug)]
enum Course {
    /// A function of the seconds since it began and of its length.
    Synthetic(fn(f64, f64) -> f64),
    /// Requests a second, minute by minute.
    Recorded(Vec<f64>),
}

impl Day {
    /// The synthetic days.
    pub(crate) fn synthetic() -> Vec<Self> {
        let day = |name: &str, course| Self { name: name.to_owned(), course: Course::Synthetic(course) };
        vec![
            day("steady", |_, _| 200.0),
            // Up within ten minutes, down within ten, twice an hour.
            day("ramp", |second, _| {
                let place = (second % 1800.0) / 1800.0;
                60.0 + 340.0 * (1.0 - (3.0 * place - 1.0).abs()).clamp(0.0, 1.0)
            }),
            // Three times as much within a minute, for five, each hour.
            day("spike", |second, _| {
                let place = second % 3600.0;
                let rise = (place - 1800.0) / 60.0;
                let fall = (2160.0 - place) / 60.0;
                100.0 + 200.0 * rise.min(fall).clamp(0.0, 1.0)
            }),
            // One wave from night to night.
            day("night", |second, length| 10.0 + 390.0 * (0.5 - 0.5 * (TAU * second / length).cos()).powi(2)),
            // Twice as much every ten minutes, for five.
            day("flapping", |second, _| if second % 600.0 < 300.0 { 100.0 } else { 200.0 }),
        ]
    }

    /// A day that was recorded: a line a minute, of which the last number is the requests a second.
    ///
    /// # Errors
    /// The line that has none.
    pub(crate) fn recorded(name: &str, text: &str) -> Result<Self, String> {
        let rate = |line: &str| -> Result<f64, String> {
            let last = line.rsplit([',', ' ', '\t']).next().unwrap_or_default();
            last.parse().map_err(|_| format!("{name}: no number at the end of `{line}`"))
        };
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        let rates = lines.map(rate).collect::<Result<Vec<f64>, String>>()?;
        if rates.is_empty() {
            Err(format!("{name} holds no minute"))
        } else {
            Ok(Self { name: name.to_owned(), course: Course::Recorded(rates) })
        }
    }

    /// Requests a second at a second of a day of `length` seconds.
    #[allow(clippy::cast_precision_loss, reason = "a day has 86,400 seconds")]
    pub(crate) fn rate(&self, second: u32, length: u32) -> f64 {
        match &self.course {
            Course::Synthetic(course) => course(f64::from(second), f64::from(length)),
            Course::Recorded(rates) => {
                let at = second as usize / 60;
                let (one, next) = (rates[at % rates.len()], rates[(at + 1) % rates.len()]);
                one + (next - one) * f64::from(second % 60) / 60.0
            }
        }
    }
}

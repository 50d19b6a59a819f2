//! What was measured where, kept in files.

use std::error::Error;
use std::fs;
use std::path::Path;

use serde::Serialize;

/// When and where a bench ran.
#[derive(Clone, Debug, Serialize)]
pub struct Circumstances {
    date: String,
    processors: usize,
    processor: String,
    /// Of the minute before: what else the machine did.
    load_average: f64,
    seconds_each: f64,
    rounds: usize,
}

impl Circumstances {
    /// Those of now, with measurements of `seconds_each` in so many rounds.
    pub fn now(seconds_each: f64, rounds: usize) -> Self {
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let processors = read("/proc/cpuinfo");
        let processor = processors.lines().find_map(|line| line.strip_prefix("model name")?.split(": ").nth(1));
        let load = read("/proc/loadavg").split(' ').next().and_then(|number| number.parse().ok());
        Self {
            date: jiff::Timestamp::now().strftime("%Y-%m-%d").to_string(),
            processors: std::thread::available_parallelism().map_or(1, usize::from),
            processor: processor.unwrap_or("unknown").to_owned(),
            load_average: load.unwrap_or(0.0),
            seconds_each,
            rounds,
        }
    }

    /// A sentence for the head of a table.
    pub fn sentence(&self) -> String {
        let Self { date, processors, processor, load_average, seconds_each, rounds } = self;
        format!(
            "Measured on {date}: {processors} cores of {processor}, load average {load_average:.2} at the start, {rounds} rounds \
             of {seconds_each} s each."
        )
    }
}

/// Writes `results.md` and `results.json` into `folder`.
///
/// # Errors
/// If it cannot be written to.
pub fn record(folder: &Path, table: &str, figures: &impl Serialize) -> Result<(), Box<dyn Error>> {
    fs::create_dir_all(folder)?;
    fs::write(folder.join("results.md"), table)?;
    fs::write(folder.join("results.json"), format!("{}\n", serde_json::to_string_pretty(figures)?))?;
    println!("written to {}", folder.display());
    Ok(())
}

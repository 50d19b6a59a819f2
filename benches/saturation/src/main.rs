//! `bench-saturation`: what the router makes of more load than its pools bear.
//!
//! The real program stands between an open load and emulated pools, whose endpoints take as long, and compute as many
//! requests at once, as measured GPU and CPU instances. From half to four times what the pools bear is offered, and written
//! down is what was served in time, how long it took by class, and by which tier. Two promises are held: goodput does not
//! fall beyond saturation, and at the highest load the latency-sensitive class keeps its objective.

mod documents;
mod load;
mod pools;
mod program;
mod report;
mod results;

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;

use self::pools::Pools;
use self::program::Program;
use self::results::{Circumstances, Results};

/// Drives Overspill from half of what its pools bear to four times as much
#[derive(Parser)]
#[command(name = "bench-saturation")]
struct Options {
    /// The program
    #[arg(long, env = "OVERSPILL", default_value = "target/release/overspill")]
    overspill: PathBuf,
    /// How long each load counts, in seconds
    #[arg(long, env = "SECONDS_EACH", default_value_t = 15)]
    seconds: u64,
    /// Offered loads, in times of what the pools bear
    #[arg(long, env = "LOADS", value_delimiter = ',', default_value = "0.5,0.75,1,1.25,1.5,2,3,4")]
    loads: Vec<f64>,
    /// The part of an instance that each pool emulates; less than one where this machine cannot bear four times a whole one
    #[arg(long, env = "SHARE", default_value_t = 1.0)]
    share: f64,
    /// Where the table, the figures and the plot go
    #[arg(long, env = "RESULTS", default_value = "benches/saturation/results")]
    results: PathBuf,
}

fn main() -> ExitCode {
    match run(&Options::parse()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("bench-saturation: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<ExitCode, Box<dyn Error>> {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    let repository = own.ancestors().nth(2).filter(|folder| folder.is_dir()).unwrap_or(Path::new("."));
    let path = repository.join(&options.overspill);
    if !path.is_file() {
        return Err(format!("there is no {}; `make build` makes it", path.display()).into());
    }
    let pools = Pools::start(options.share)?;
    let program = Program::start(&path, &pools)?;
    let capacity = pools.rate();
    let mut steps = Vec::new();
    for times in &options.loads {
        let step = load::run(program.address, *times * capacity, Duration::from_secs(options.seconds))?;
        let step = results::Step::of(*times, &step);
        println!("{}", report::line(&step));
        steps.push(step);
    }
    let results = Results { circumstances: Circumstances::now(capacity, options.seconds, options.share), steps };
    let folder = repository.join(&options.results);
    fs::create_dir_all(&folder)?;
    fs::write(folder.join("table.md"), report::table(&results))?;
    fs::write(folder.join("results.json"), format!("{}\n", serde_json::to_string_pretty(&results)?))?;
    fs::write(folder.join("plot.svg"), report::plot(&results))?;
    let broken = results.broken_promises();
    for promise in &broken {
        println!("NOT KEPT: {promise}");
    }
    println!("written to {}", folder.display());
    Ok(if broken.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

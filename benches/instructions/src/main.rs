//! `bench-instructions`: how many instructions the traffic thread spends on a request, by callgrind, over a fixed script.
//!
//! Unlike a time, the count does not depend on what else the machine does, so a change of a few percent is one of the
//! program. The counts are kept in `counts.json`; more than [`counts::TOLERANCE`] above them is a failure. They are of
//! one toolchain and one kind of processor: another one may need them counted anew.

mod callgrind;
mod counts;
mod script;
mod trained;

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;

use self::counts::Counts;

/// Counts the instructions that Overspill spends on a request, and compares them with those that are kept
#[derive(Parser)]
#[command(name = "bench-instructions")]
struct Options {
    /// The program, in its release build
    #[arg(long, env = "OVERSPILL", default_value = "target/release/overspill")]
    overspill: PathBuf,
    /// Where it is 1: keeps the counts as they are now
    #[arg(long, env = "UPDATE", default_value = "")]
    update: String,
    /// Counts nothing: has the program, built to write a profile, serve the script's requests (benches/release.sh)
    #[arg(long)]
    train: bool,
}

/// Requests of each case in training: enough that what runs once for a connection weighs little.
const TRAINING: usize = 20_000;

fn main() -> ExitCode {
    match run(&Options::parse()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("bench-instructions: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<ExitCode, Box<dyn Error>> {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    let repository = own.ancestors().nth(2).ok_or("this tool lies in benches/instructions")?;
    let program = repository.join(&options.overspill);
    if !program.is_file() {
        return Err(format!("there is no {}; `cargo build --release` makes it", program.display()).into());
    }
    if options.train {
        script::train(&program, TRAINING)?;
        return Ok(ExitCode::SUCCESS);
    }
    let Some(valgrind) = callgrind::find() else {
        println!("skipped: valgrind is not installed, so no instructions are counted");
        return Ok(ExitCode::SUCCESS);
    };
    let now = script::count(&valgrind, &program)?;
    let file = own.join("counts.json");
    if options.update == "1" {
        now.write(&file)?;
        println!("{now}\nkept in {}", file.display());
        return Ok(ExitCode::SUCCESS);
    }
    let kept = Counts::read(&file)?;
    let (report, within) = counts::compare(&kept, &now);
    println!("{report}");
    Ok(if within { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

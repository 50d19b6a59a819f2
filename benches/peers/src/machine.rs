//! What is said of the machine, the programs and the sources that were measured.

use std::fmt::Write;
use std::fs;
use std::io;
use std::path::Path;
use std::process::Command;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use sha2::{Digest, Sha256};

use crate::install;
use crate::peers::Program;
use crate::results::{Found, Machine};

/// Sockets of the largest workload on one side of a proxy, and what else it opens.
const OPEN_FILES: u64 = 65_536;

/// Describes the machine.
pub(crate) fn describe(cores: usize) -> Machine {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let processors = read("/proc/cpuinfo");
    let model = processors.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let load = read("/proc/loadavg");
    Machine {
        processor: model.map_or_else(|| "an unnamed processor".to_owned(), |(_, name)| name.to_owned()),
        cores,
        kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
        load_average: load.split_whitespace().next().unwrap_or("unknown").to_owned(),
    }
}

/// The commit of the sources, and whether they differ from it.
pub(crate) fn commit() -> Option<String> {
    let git = |arguments: &[&str]| install::run(Command::new("git").args(arguments)).ok();
    let short = git(&["rev-parse", "--short", "HEAD"])?;
    let changed = git(&["status", "--porcelain", "--untracked-files=no"]).is_none_or(|list| !list.trim().is_empty());
    Some(format!("{}{}", short.trim(), if changed { " with changes" } else { "" }))
}

/// A program, by its version and its bytes.
pub(crate) fn identify(program: &Result<Program, String>) -> io::Result<Found> {
    let program = match program {
        Ok(program) => program,
        Err(why) => return Ok(Found::Absent(why.clone())),
    };
    let bytes = fs::read(&program.path)?;
    let sha256 = Sha256::digest(&bytes).iter().fold(String::new(), |mut all, byte| {
        // Writing to memory cannot fail.
        let _ = write!(all, "{byte:02x}");
        all
    });
    Ok(Found::Present { version: program.version.clone(), sha256, bytes: bytes.len() as u64 })
}

/// Lets this process and the proxies that it starts open as many sockets as the largest workload needs.
pub(crate) fn raise_open_files() -> io::Result<()> {
    let limit = getrlimit(Resource::Nofile);
    let hard = limit.maximum.unwrap_or(OPEN_FILES);
    let ask = |most: u64| {
        let limit = Rlimit { current: Some(most.min(OPEN_FILES)), maximum: Some(most.max(hard)) };
        setrlimit(Resource::Nofile, limit)
    };
    // Only root may raise the hard limit.
    Ok(ask(OPEN_FILES).or_else(|_| ask(hard))?)
}

/// The folder of the repository: where this workspace's parent is.
pub(crate) fn repository() -> io::Result<std::path::PathBuf> {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR"));
    let top = workspace.ancestors().nth(2).ok_or_else(|| io::Error::other("this tool lies in benches/peers"))?;
    top.canonicalize()
}

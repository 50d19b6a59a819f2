//! When, how, where and with what: the beginning of every report. Writing to memory cannot fail.

use std::fmt::Write;

use super::mebibytes;
use crate::results::{Circumstances, Found};

pub(super) fn write(of: &Circumstances) -> String {
    let machine = &of.machine;
    let commit = of.commit.as_ref().map(|commit| format!(" at {commit}")).unwrap_or_default();
    let mut out = format!(
        "Measured {date}{commit} with `{command}`: {cores} cores of {processor}, Linux {kernel}, load average {load} at \
         the start; {rounds} interleaved rounds of {window} s. Figures are medians of the rounds, ± half their \
         interquartile range.\n\n",
        date = of.date,
        command = of.command,
        cores = machine.cores,
        processor = machine.processor,
        kernel = machine.kernel,
        load = machine.load_average,
        rounds = of.rounds,
        window = of.window_seconds,
    );
    for program in &of.programs {
        let _ = match &program.found {
            Found::Present { version, sha256, bytes } => {
                let short = sha256.get(..12).unwrap_or(sha256);
                writeln!(out, "- {}: {version} (sha256 {short}, {} MiB)", program.name, mebibytes(*bytes))
            }
            Found::Absent(why) => writeln!(out, "- {}: absent, {why}", program.name),
        };
    }
    out
}

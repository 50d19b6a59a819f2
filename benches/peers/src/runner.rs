//! A proxy in one place of a measurement, and what has been measured of it.

use std::io;
use std::time::Duration;

use hdrhistogram::Histogram;
use rig::{Faults, Outcome, Pace, Times};

use crate::peers::{Contender, Plan};
use crate::results::{Added, Figures, Target, Verdict};
use crate::running::{Reading, Running, Stage};
use crate::statistics::Summary;

/// p50, p99 and p99.9.
pub(crate) const QUANTILES: [f64; 3] = [0.5, 0.99, 0.999];

/// A proxy, absent or running. One that fails is absent from then on.
pub(crate) struct Runner {
    name: String,
    running: Result<Running, String>,
    connections: usize,
    cpu_us: Vec<f64>,
    per_second: Vec<f64>,
    busy: Vec<f64>,
    added: [Vec<f64>; QUANTILES.len()],
    loaded: Option<u64>,
    faults: Faults,
}

impl Runner {
    /// Starts a proxy by its plan, under a name of this measurement.
    pub(crate) fn start(name: &str, contender: &Contender, plan: &Plan, stage: &Stage<'_>) -> Self {
        let running = match &contender.program {
            Err(why) => Err(why.clone()),
            Ok(program) => Running::start(contender.peer.as_ref(), program, plan, stage).map_err(|why| why.to_string()),
        };
        if let Err(why) = &running {
            eprintln!("   {name} is absent: {why}");
        }
        Self {
            name: name.to_owned(),
            running,
            connections: stage.workload.connections,
            cpu_us: Vec::new(),
            per_second: Vec::new(),
            busy: Vec::new(),
            added: Default::default(),
            loaded: None,
            faults: Faults::default(),
        }
    }

    fn run(&mut self, pace: Pace, times: Times) -> Option<Outcome<Reading>> {
        let outcome = self.running.as_ref().ok()?.run(pace, times);
        match outcome {
            Ok(outcome) => {
                self.faults.add(&outcome.faults);
                Some(outcome)
            }
            Err(error) => {
                let ended = self.running.as_mut().ok().and_then(Running::ended);
                let why = ended.map_or_else(|| error.to_string(), |ended| format!("{error}; {ended}"));
                eprintln!("   {} fails: {why}", self.name);
                self.running = Err(why);
                None
            }
        }
    }

    /// One round of as much as it takes.
    #[expect(clippy::cast_precision_loss, reason = "counts of some seconds")]
    pub(crate) fn saturate(&mut self, times: Times) {
        let Some(outcome) = self.run(Pace::Closed, times) else { return };
        let cpu: Duration = outcome.after.cpu.saturating_sub(outcome.before.cpu);
        self.loaded = Some(outcome.after.resident);
        if outcome.answered > 0 {
            self.cpu_us.push(cpu.as_secs_f64() * 1e6 / outcome.answered as f64);
            self.per_second.push(outcome.answered as f64 / outcome.window.as_secs_f64());
            self.busy.push(cpu.as_secs_f64() / outcome.window.as_secs_f64());
        }
    }

    /// One round at a fixed rate. `straight` is what the origin alone took, in microseconds.
    pub(crate) fn pace(&mut self, rate: f64, straight: [f64; QUANTILES.len()], times: Times) {
        let Some(outcome) = self.run(Pace::Paced(rate), times) else { return };
        let through = quantiles(&outcome.latencies);
        for (added, (through, straight)) in self.added.iter_mut().zip(through.into_iter().zip(straight)) {
            added.push(through - straight);
        }
    }

    /// Requests a second in the median round so far.
    pub(crate) fn rate(&self) -> Option<f64> {
        Summary::of(self.per_second.clone()).map(|rate| rate.median)
    }

    /// Ends the proxy, and says what was measured.
    #[expect(clippy::cast_precision_loss, reason = "bytes of a process")]
    pub(crate) fn finish(self) -> Target {
        let measured = self.running.and_then(|running| {
            let none = || "no round gave a figure".to_owned();
            let loaded = self.loaded.ok_or_else(none)?;
            let after = running.resident().map_err(|error| error.to_string())?;
            let grown = loaded.saturating_sub(running.at_rest) as f64;
            Ok(Box::new(Figures {
                cpu_us: Summary::of(self.cpu_us).ok_or_else(none)?,
                per_second: Summary::of(self.per_second).ok_or_else(none)?,
                cores_busy: Summary::of(self.busy).ok_or_else(none)?,
                added_us: Added::of(self.added),
                resident_at_rest: running.at_rest,
                resident_loaded: loaded,
                resident_after: after,
                bytes_per_connection: grown / self.connections as f64,
                faults: self.faults,
            }))
        });
        Target { name: self.name, verdict: measured.map_or_else(Verdict::Absent, Verdict::Measured) }
    }
}

/// The quantiles of a window's latencies, in microseconds.
#[expect(clippy::cast_precision_loss, reason = "nanoseconds of at most a minute")]
pub(crate) fn quantiles(latencies: &Histogram<u64>) -> [f64; QUANTILES.len()] {
    QUANTILES.map(|share| latencies.value_at_quantile(share) as f64 / 1000.0)
}

/// A plan for the first pools of an origin, in a folder of its own; callers change what is to be different.
pub(crate) fn plan(name: &str, stage: &Stage<'_>) -> io::Result<Plan> {
    let workload = stage.workload;
    Ok(Plan {
        listen: rig::free_address()?,
        front: workload.front,
        upstream: workload.upstream,
        pools: stage.origin.endpoints().clone(),
        workers: 1,
        certificate: stage.ground.certificate.clone(),
        folder: stage.ground.folder(workload.name, name)?,
    })
}

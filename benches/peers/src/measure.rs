//! The rounds of one workload: every proxy in turn, round by round, so that what slows the machine down meets them all.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use hdrhistogram::Histogram;
use rustls::ClientConfig;

use crate::certificate::Certificate;
use crate::load::{self, Faults, LoadError, Outcome, Pace, Times};
use crate::origin::Origin;
use crate::peers::{Peer, Plan, Program};
use crate::results::{Added, Figures, Idle, Target, Verdict, WorkloadResult};
use crate::running::{NotRunning, Reading, Running, Stage, folder, free_address};
use crate::statistics::Summary;
use crate::workload::Workload;

/// The share of the slowest proxy's maximum at which latency is measured.
const PACED_SHARE: f64 = 0.3;

/// How often and for how long.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rounds {
    pub(crate) count: usize,
    pub(crate) times: Times,
}

/// What all workloads share.
pub(crate) struct Ground<'g> {
    pub(crate) load_core: usize,
    pub(crate) proxy_core: usize,
    pub(crate) certificate: Certificate,
    pub(crate) client: Arc<ClientConfig>,
    pub(crate) rounds: Rounds,
    /// Where proxies have their folders.
    pub(crate) work: &'g Path,
}

/// A proxy and its program, or why it has none.
pub(crate) type Contender = (Box<dyn Peer>, Result<Program, String>);

/// A proxy in one workload, and what has been measured of it.
struct Runner {
    name: String,
    running: Result<Running, String>,
    cpu_us: Vec<f64>,
    per_second: Vec<f64>,
    added: [Vec<f64>; 3],
    loaded: Option<u64>,
    faults: Faults,
}

/// Measures one workload.
pub(crate) fn workload(
    workload: &Workload,
    contenders: &[Contender],
    ground: &Ground<'_>,
) -> Result<WorkloadResult, LoadError> {
    let origin = Origin::start(ground.load_core, [1, 1])?;
    let stage = Stage { workload, origin: &origin, cores: &[ground.proxy_core], client: &ground.client };
    let mut runners = Vec::new();
    for contender in contenders {
        runners.push(Runner::start(contender, &stage, ground)?);
    }
    for round in 0..ground.rounds.count {
        eprintln!("   round {} of {}, as much as they can take", round + 1, ground.rounds.count);
        for runner in &mut runners {
            runner.saturate(ground.rounds.times);
        }
    }
    let slowest = runners.iter().filter_map(|runner| Summary::of(runner.per_second.clone())).map(|rate| rate.median);
    let rate = slowest.min_by(f64::total_cmp).map(|slowest| slowest * PACED_SHARE);
    let mut direct = [Vec::new(), Vec::new(), Vec::new()];
    if let Some(rate) = rate {
        for round in 0..ground.rounds.count {
            eprintln!("   round {} of {}, paced at {rate:.0} a second", round + 1, ground.rounds.count);
            let straight = quantiles(&straight(workload, &origin, rate, ground.rounds.times)?.latencies);
            direct.iter_mut().zip(straight).for_each(|(all, one)| all.push(one));
            for runner in &mut runners {
                runner.pace(rate, straight, ground.rounds.times);
            }
        }
    }
    Ok(WorkloadResult {
        name: workload.name.to_owned(),
        title: workload.title.to_owned(),
        paced_per_second: rate,
        direct_us: Added::of(direct),
        targets: runners.into_iter().map(|runner| runner.into_target(workload)).collect(),
    })
}

/// The same load on the origin without a proxy, in clear.
fn straight(workload: &Workload, origin: &Origin, rate: f64, times: Times) -> Result<Outcome<()>, LoadError> {
    let target = origin.endpoints()[0].first().copied();
    let target = target.ok_or_else(|| io::Error::other("pool A has an endpoint"))?;
    load::run(&workload.load(target), Pace::Paced(rate), times, || Ok(()))
}

/// p50, p99 and p99.9 in microseconds.
#[expect(clippy::cast_precision_loss, reason = "nanoseconds of at most a minute")]
fn quantiles(latencies: &Histogram<u64>) -> [f64; 3] {
    [0.5, 0.99, 0.999].map(|share| latencies.value_at_quantile(share) as f64 / 1000.0)
}

impl Runner {
    fn start((peer, program): &Contender, stage: &Stage<'_>, ground: &Ground<'_>) -> io::Result<Self> {
        let workload = stage.workload;
        let plan = Plan {
            listen: free_address()?,
            front: workload.front,
            upstream: workload.upstream,
            pools: stage.origin.endpoints().clone(),
            workers: 1,
            certificate: ground.certificate.clone(),
            folder: folder(ground.work, workload.name, peer.name())?,
        };
        let running = match (program, peer.lacks(&plan)) {
            (Err(why), _) => Err(why.clone()),
            (_, Some(why)) => Err(why),
            (Ok(program), None) => {
                let started = Running::start(peer.as_ref(), program, &plan, stage);
                started.map_err(|why: NotRunning| why.to_string())
            }
        };
        if let Err(why) = &running {
            eprintln!("   {} is absent: {why}", peer.name());
        }
        Ok(Self {
            name: peer.name().to_owned(),
            running,
            cpu_us: Vec::new(),
            per_second: Vec::new(),
            added: [Vec::new(), Vec::new(), Vec::new()],
            loaded: None,
            faults: Faults::default(),
        })
    }

    /// Runs it, unless it is absent; one that fails is absent from then on.
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

    #[expect(clippy::cast_precision_loss, reason = "counts of some seconds")]
    fn saturate(&mut self, times: Times) {
        let Some(outcome) = self.run(Pace::Closed, times) else { return };
        let cpu: Duration = outcome.after.cpu.saturating_sub(outcome.before.cpu);
        self.loaded = Some(outcome.after.resident);
        if outcome.answered > 0 {
            self.cpu_us.push(cpu.as_secs_f64() * 1e6 / outcome.answered as f64);
            self.per_second.push(outcome.answered as f64 / outcome.window.as_secs_f64());
        }
    }

    fn pace(&mut self, rate: f64, straight: [f64; 3], times: Times) {
        let Some(outcome) = self.run(Pace::Paced(rate), times) else { return };
        let through = quantiles(&outcome.latencies);
        for (added, (through, straight)) in self.added.iter_mut().zip(through.into_iter().zip(straight)) {
            added.push(through - straight);
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "bytes of a process")]
    fn into_target(self, workload: &Workload) -> Target {
        let measured = self.running.and_then(|running| {
            let none = || "no round gave a figure".to_owned();
            let loaded = self.loaded.ok_or_else(none)?;
            let grown = loaded.saturating_sub(running.at_rest) as f64;
            Ok(Figures {
                cpu_us: Summary::of(self.cpu_us).ok_or_else(none)?,
                per_second: Summary::of(self.per_second).ok_or_else(none)?,
                added_us: Added::of(self.added),
                resident_at_rest: running.at_rest,
                resident_loaded: loaded,
                idle: workload.is_idle().then(|| Idle { bytes_per_connection: grown / workload.connections as f64 }),
                faults: self.faults,
            })
        });
        let verdict = match measured {
            Ok(figures) => Verdict::Measured(Box::new(figures)),
            Err(why) => Verdict::Absent(why),
        };
        Target { name: self.name, verdict }
    }
}

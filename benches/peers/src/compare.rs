//! Every proxy in every workload: in turn, round by round, so that what slows the machine down meets them all.

use std::io;

use rig::{Load, LoadError, Origin, Pace};

use crate::ground::Ground;
use crate::peers::Contender;
use crate::results::{Added, WorkloadResult};
use crate::runner::{self, QUANTILES, Runner, quantiles};
use crate::running::Stage;
use crate::workload::Workload;

/// The share of the slowest proxy's maximum at which latency is measured.
const PACED_SHARE: f64 = 0.3;

/// Measures one workload.
pub(crate) fn workload(
    workload: &Workload,
    contenders: &[Contender],
    ground: &Ground,
) -> Result<WorkloadResult, LoadError> {
    let origin = Origin::start(ground.load_core(), [1, 1])?;
    let stage = Stage { workload, origin: &origin, cores: ground.proxy_core(), ground };
    let mut runners = Vec::new();
    for contender in contenders {
        let name = contender.peer.name();
        runners.push(Runner::start(name, contender, &runner::plan(name, &stage)?, &stage));
    }
    let rounds = ground.rounds;
    for round in 1..=rounds.count {
        eprintln!("   round {round} of {}, as much as they can take", rounds.count);
        for runner in &mut runners {
            runner.saturate(rounds.times);
        }
    }
    let slowest = runners.iter().filter_map(Runner::rate).min_by(f64::total_cmp);
    let rate = slowest.map(|slowest| slowest * PACED_SHARE);
    let mut direct: [Vec<f64>; QUANTILES.len()] = Default::default();
    if let Some(rate) = rate {
        for round in 1..=rounds.count {
            eprintln!("   round {round} of {}, paced at {rate:.0} a second", rounds.count);
            let straight = straight(&stage, rate)?;
            for (all, one) in direct.iter_mut().zip(straight) {
                all.push(one);
            }
            for runner in &mut runners {
                runner.pace(rate, straight, rounds.times);
            }
        }
    }
    Ok(WorkloadResult {
        name: workload.name.to_owned(),
        title: workload.title.to_owned(),
        is_idle: workload.is_idle(),
        paced_per_second: rate,
        direct_us: Added::of(direct),
        targets: runners.into_iter().map(Runner::finish).collect(),
    })
}

/// The latency of the origin without a proxy, in clear. Over no more connections than are in use: both ends of idle ones
/// would be this process's, which may not open as many files.
fn straight(stage: &Stage<'_>, rate: f64) -> Result<[f64; QUANTILES.len()], LoadError> {
    let target = stage.origin.endpoints()[0].first().copied();
    let load = stage.workload.load(target.ok_or_else(|| io::Error::other("pool A has no endpoint"))?);
    let load = Load { connections: load.connections.min(load.in_flight), ..load };
    let outcome = rig::run(&load, Pace::Paced(rate), stage.ground.rounds.times, || Ok(()))?;
    Ok(quantiles(&outcome.latencies))
}

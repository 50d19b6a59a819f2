//! What a second worker adds: one worker on one core, two workers on two, load and origin each on a core of its own.

use std::io;
use std::path::Path;

use rig::Origin;
use rig::documents::Table;

use crate::ground::Ground;
use crate::peers::{Contender, Overspill, Peer};
use crate::results::Series;
use crate::runner::{self, Runner};
use crate::running::Stage;
use crate::workload::Workload;

/// Two for the proxy, one for the load, one for the origin: on one core those two would be the limit.
const CORES: usize = 4;
const WORKERS: [usize; 2] = [1, 2];

/// Measures it with the program at `path`.
pub(crate) fn measure(path: &Path, ground: &Ground) -> io::Result<Vec<Series>> {
    let cores = &ground.cores;
    let (Some(origin_core), Some(proxy_cores)) = (cores.get(1), cores.get(2..CORES)) else {
        let has = cores.len();
        return Err(io::Error::other(format!("this takes {CORES} cores to measure, and there are {has}")));
    };
    let mut all = Vec::new();
    for workload in [Workload::get(), Workload::spread()] {
        eprintln!("== {}", workload.title);
        let origin = Origin::start(*origin_core, [1, 1])?;
        let mut runners = Vec::new();
        for workers in WORKERS {
            let name = format!("{workers} workers");
            let peer = Overspill { name: name.clone(), path: path.to_owned(), table: Table::SHIPPED };
            let program = peer.obtain(path);
            let contender = Contender { peer: Box::new(peer), program };
            let stage = Stage { workload: &workload, origin: &origin, cores: &proxy_cores[..workers], ground };
            let mut plan = runner::plan(&format!("scale {name}"), &stage)?;
            plan.workers = workers;
            runners.push(Runner::start(&name, &contender, &plan, &stage));
        }
        for round in 1..=ground.rounds.count {
            eprintln!("   round {round} of {}", ground.rounds.count);
            for runner in &mut runners {
                runner.saturate(ground.rounds.times);
            }
        }
        let targets = runners.into_iter().map(Runner::finish).collect();
        all.push(Series { title: workload.title.to_owned(), targets });
    }
    Ok(all)
}

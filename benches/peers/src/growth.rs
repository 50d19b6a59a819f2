//! How Overspill's own cost grows: with routes, endpoints, connections and bodies.

use std::io;
use std::path::Path;

use rig::documents::Table;
use rig::exchange::Exchange;
use rig::{Origin, POOLS};

use crate::ground::Ground;
use crate::peers::{Contender, Overspill, Peer};
use crate::results::Series;
use crate::runner::{self, Runner};
use crate::running::Stage;
use crate::workload::Workload;

const ROUTES: [usize; 3] = [1, 100, 10_000];
const ENDPOINTS: [usize; 4] = [1, 10, 100, 1000];
const CONNECTIONS: [usize; 6] = [1, 4, 16, 64, 256, 1024];
/// The largest is the largest body that the router takes unless told otherwise.
const BODIES: [usize; 5] = [1 << 10, 10 << 10, 100 << 10, 1 << 20, 10 << 20];
/// Connections that carry large bodies at a time.
const BODY_CONNECTIONS: usize = 8;

/// What one case of a series differs in from the comparison's first workload.
struct Case {
    label: String,
    workload: Workload,
    table: Table,
    /// Endpoints of each pool.
    endpoints: usize,
}

impl Case {
    fn new(label: String) -> Self {
        Self { label, workload: Workload::get(), table: Table::SHIPPED, endpoints: 1 }
    }
}

/// Measures every series with the program at `path`.
pub(crate) fn measure(path: &Path, ground: &Ground) -> io::Result<Vec<Series>> {
    all().into_iter().map(|(title, cases)| series(title, &cases, path, ground)).collect()
}

fn all() -> Vec<(&'static str, Vec<Case>)> {
    let cases = |sizes: &[usize], case: fn(usize) -> Case| sizes.iter().map(|size| case(*size)).collect::<Vec<_>>();
    vec![
        (
            "Routes, one for each host",
            cases(&ROUTES, |routes| Case {
                table: Table { hosts: routes, rules: 1 },
                ..Case::new(format!("{routes} routes"))
            }),
        ),
        (
            "Routes of one host, of which the last is asked for",
            cases(&ROUTES, |routes| Case {
                table: Table { hosts: 1, rules: routes },
                ..Case::new(format!("{routes} routes"))
            }),
        ),
        (
            "Endpoints of each pool",
            cases(&ENDPOINTS, |endpoints| Case { endpoints, ..Case::new(format!("{endpoints} endpoints")) }),
        ),
        (
            "Client connections, all in use",
            cases(&CONNECTIONS, |connections| {
                let workload = Workload { connections, in_flight: connections, ..Workload::get() };
                Case { workload, ..Case::new(format!("{connections} connections")) }
            }),
        ),
        (
            "Bodies, of the request and as large of the answer, over 8 connections",
            cases(&BODIES, |bytes| {
                let exchange = Exchange { body: bytes, answer: bytes, ..Workload::get().exchange };
                let (connections, in_flight) = (BODY_CONNECTIONS, BODY_CONNECTIONS);
                let workload = Workload { exchange, connections, in_flight, ..Workload::get() };
                Case { workload, ..Case::new(format!("{} KiB", bytes >> 10)) }
            }),
        ),
    ]
}

fn series(title: &str, cases: &[Case], path: &Path, ground: &Ground) -> io::Result<Series> {
    eprintln!("== {title}");
    let mut origins = Vec::new();
    for case in cases {
        origins.push(Origin::start(ground.load_core(), [case.endpoints; POOLS])?);
    }
    let mut runners = Vec::new();
    for (case, origin) in cases.iter().zip(&origins) {
        let peer = Overspill { name: case.label.clone(), path: path.to_owned(), table: case.table };
        let program = peer.obtain(path);
        let contender = Contender { peer: Box::new(peer), program };
        let stage = Stage { workload: &case.workload, origin, cores: ground.proxy_core(), ground };
        let plan = runner::plan(&format!("{title} {}", case.label), &stage)?;
        runners.push(Runner::start(&case.label, &contender, &plan, &stage));
    }
    for round in 1..=ground.rounds.count {
        eprintln!("   round {round} of {}", ground.rounds.count);
        for runner in &mut runners {
            runner.saturate(ground.rounds.times);
        }
    }
    Ok(Series { title: title.to_owned(), targets: runners.into_iter().map(Runner::finish).collect() })
}

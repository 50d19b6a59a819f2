//! The requests that are counted: one at a time over one connection, so that every run does the same.

use std::fs;
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::time::{Duration, Instant};

use rig::documents::{self, Router, Table};
use rig::exchange::{Exchange, Front, RULE_EACH, Wire};
use rig::{Certificate, Keep, Load, LoadError, Origin, cores};

use crate::callgrind::{ByThread, Counted};
use crate::counts::Counts;
use crate::trained::Trained;

/// Requests of two runs: what the second spends more than the first is what so many more requests cost, without start,
/// warm-up and end.
const FEW: usize = 200;
const MANY: usize = 1200;
/// How long the program may take to listen: callgrind slows it down some fifty times.
const START: Duration = Duration::from_mins(1);
/// The thread that starts the others, which serves no traffic.
const MAIN: u32 = 1;
const KIB: usize = 1024;

struct Case {
    name: &'static str,
    front: Front,
    upstream: Wire,
    exchange: Exchange,
}

fn cases() -> [Case; 6] {
    let get = |wire| Exchange { wire, body: 0, answer: KIB };
    let case = |name, (front, upstream), exchange| Case { name, front, upstream, exchange };
    let post = Exchange { wire: Wire::H1, body: KIB, answer: 8 * KIB };
    [
        case("h1 GET 1 KiB", (Front::Clear(Wire::H1), Wire::H1), get(Wire::H1)),
        case("h1 POST 1 KiB -> 8 KiB", (Front::Clear(Wire::H1), Wire::H1), post),
        case("h2 -> h1 GET 1 KiB", (Front::Clear(Wire::H2), Wire::H1), get(Wire::H2)),
        case("h2 -> h2 unary call 1 KiB", (Front::Clear(Wire::H2), Wire::H2), Exchange::unary(KIB)),
        case("TLS, h1 GET 1 KiB", (Front::Tls, Wire::H1), get(Wire::H1)),
        case("TLS, h2 -> h1 GET 1 KiB", (Front::Tls, Wire::H1), get(Wire::H2)),
    ]
}

/// Why nothing could be counted.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CountError {
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error("{0}")]
    Load(#[from] LoadError),
    #[error("{case}: {count} wrong answers, the first one: {first}")]
    Wrong { case: &'static str, count: u64, first: String },
    #[error("{0}: no thread spent more on more requests")]
    NoThread(&'static str),
}

/// Counts every case.
pub(crate) fn count(valgrind: &Path, program: &Path) -> Result<Counts, CountError> {
    let mut counts = Counts::new();
    for case in cases() {
        eprintln!("== {}", case.name);
        let few = run(&case, FEW, valgrind, program)?;
        let many = run(&case, MANY, valgrind, program)?;
        let per_request = traffic(&few, &many).ok_or(CountError::NoThread(case.name))? / (MANY - FEW) as u64;
        counts.insert(case.name, per_request);
    }
    Ok(counts)
}

/// What the traffic thread spent more in the second run. It is the one that requests cost the most.
fn traffic(few: &ByThread, many: &ByThread) -> Option<u64> {
    let others = many.iter().filter(|(thread, _)| **thread != MAIN);
    others.filter_map(|(thread, spent)| spent.checked_sub(*few.get(thread)?)).max().filter(|more| *more > 0)
}

fn run(case: &Case, requests: usize, valgrind: &Path, program: &Path) -> Result<ByThread, CountError> {
    let folder = tempfile::tempdir()?;
    let stand = Stand::prepare(case, folder.path())?;
    let mut counted = Counted::start(valgrind, program, &["run", "--config", &stand.config], folder.path())?;
    wait(stand.load.target, || counted.check())?;
    stand.ask(case.name, requests)?;
    Ok(counted.finish()?)
}

/// Has `program`, which must write its profile as it ends, serve so many requests of every case.
pub(crate) fn train(program: &Path, requests: usize) -> Result<(), CountError> {
    for case in cases() {
        eprintln!("== {}", case.name);
        let folder = tempfile::tempdir()?;
        let mut stand = Stand::prepare(&case, folder.path())?;
        stand.load.connections = 16;
        stand.load.streams = if case.exchange.wire == Wire::H2 { 8 } else { 1 };
        stand.load.in_flight = stand.load.connections * stand.load.streams;
        let mut trained = Trained::start(program, &stand.config)?;
        wait(stand.load.target, || trained.check())?;
        stand.ask(case.name, requests)?;
        trained.finish()?;
    }
    Ok(())
}

/// What stands around the program.
struct Stand {
    /// Held, since it answers for as long as it lives.
    _origin: Origin,
    config: String,
    load: Load,
}

impl Stand {
    fn prepare(case: &Case, folder: &Path) -> Result<Self, CountError> {
        let core = cores::available()?.first().copied().unwrap_or(0);
        let origin = Origin::start(core, [1, 1])?;
        let listen = rig::free_address()?;
        let certificate = Certificate::make(folder)?;
        let secure = (case.front == Front::Tls)
            .then(|| certificate.client(case.exchange.wire))
            .transpose()
            .map_err(LoadError::from)?;
        let router = Router {
            listen,
            workers: 1,
            upstream: case.upstream,
            pools: origin.endpoints(),
            table: Table::SHIPPED,
            certificate: secure.is_some().then_some(&certificate),
        };
        let config = folder.join("config");
        fs::create_dir(&config)?;
        fs::write(config.join("all.yaml"), documents::write(&router))?;
        let load = Load {
            target: listen,
            exchange: case.exchange,
            rule_each: RULE_EACH,
            connections: 1,
            streams: 1,
            in_flight: 1,
            keep: Keep::Alive,
            secure,
        };
        Ok(Self { _origin: origin, config: config.display().to_string(), load })
    }

    fn ask(&self, case: &'static str, requests: usize) -> Result<(), CountError> {
        let faults = rig::ask(&self.load, requests)?;
        if faults.count > 0 {
            let first = faults.first.unwrap_or_default();
            return Err(CountError::Wrong { case, count: faults.count, first });
        }
        Ok(())
    }
}

/// Waits until the program listens: a single connection is made, as in every run.
fn wait(listen: SocketAddr, mut check: impl FnMut() -> io::Result<()>) -> io::Result<()> {
    let give_up = Instant::now() + START;
    while let Err(error) = TcpStream::connect(listen) {
        check()?;
        if Instant::now() > give_up {
            return Err(error);
        }
        std::thread::park_timeout(Duration::from_millis(20));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_traffic_thread_is_the_one_that_requests_cost_the_most() {
        let few = ByThread::from([(MAIN, 1000), (2, 50), (3, 500)]);
        let many = ByThread::from([(MAIN, 9000), (2, 60), (3, 2500)]);
        assert_eq!(traffic(&few, &many), Some(2000));
        assert_eq!(traffic(&many, &many), None);
    }
}

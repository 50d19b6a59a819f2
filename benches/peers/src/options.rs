//! What the command line asks for, and the run that answers it.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Parser, ValueEnum};
use rig::Times;
use rig::documents::Table;

use crate::ground::{Ground, Rounds};
use crate::machine;
use crate::peers::{Contender, Envoy, Haproxy, Nginx, Overspill, Peer, Pingora};
use crate::results::{Circumstances, ProgramResult, Results, SeriesResults};
use crate::workload::Workload;
use crate::{compare, growth, report, scale};

/// Measures Overspill beside nginx, haproxy, Envoy and Pingora
#[derive(Parser)]
#[command(name = "bench-peers")]
pub(crate) struct Options {
    /// What is measured
    #[arg(value_enum, env = "MEASURE", default_value_t = Measure::Peers)]
    measure: Measure,
    /// Rounds of each proxy in each workload
    #[arg(long, env = "ROUNDS", default_value_t = 7)]
    rounds: usize,
    /// Seconds of each round
    #[arg(long, env = "SECONDS_EACH", default_value_t = 3.0)]
    seconds: f64,
    /// Where it is 1: two rounds of half a second, to see that everything works; the figures are worth nothing
    #[arg(long, env = "QUICK", default_value = "")]
    quick: String,
    /// Workloads by name, separated by commas; all of them unless told
    #[arg(long, env = "ONLY", value_delimiter = ',')]
    only: Vec<String>,
    /// Peers by name, separated by commas; all of them unless told
    #[arg(long, env = "PEERS", value_delimiter = ',')]
    peers: Vec<String>,
    /// Builds of Overspill, as NAME=PATH separated by commas; series are measured of the first one
    #[arg(
        long,
        env = "OVERSPILL",
        value_delimiter = ',',
        default_value = "Overspill=target/release/overspill,Overspill untrained=target/release/overspill-untrained"
    )]
    overspill: Vec<String>,
}

/// What can be measured.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Measure {
    /// Overspill beside its peers
    Peers,
    /// How Overspill's cost grows with routes, endpoints, connections and bodies
    Growth,
    /// What a second worker adds; takes four cores
    Scale,
}

/// A build of Overspill, by the name that it has in what is written.
struct Build {
    name: String,
    path: PathBuf,
}

/// Measures what the options ask for, and writes it.
pub(crate) fn run(options: &Options) -> Result<(), Box<dyn Error>> {
    let repository = machine::repository()?;
    machine::raise_open_files()?;
    let builds = options.builds(&repository)?;
    let peers = if options.measure == Measure::Peers { options.chosen_peers(&repository) } else { Vec::new() };
    let own = builds.iter().map(|build| {
        let (name, path) = (build.name.clone(), build.path.clone());
        Box::new(Overspill { name, path, table: Table::SHIPPED }) as Box<dyn Peer>
    });
    let contenders = obtain(own.chain(peers).collect(), &repository.join("target/bench-peers/cache"));
    let ground = Ground::prepare(&repository, options.rounds())?;
    let circumstances = options.circumstances(&contenders, &ground)?;
    let first = builds.first().ok_or("no build of Overspill is named")?;
    let written = match options.measure {
        Measure::Peers => compare(options.workloads()?, &contenders, circumstances, &ground)?,
        Measure::Growth => {
            let series = growth::measure(&first.path, &ground)?;
            report::series(&SeriesResults { circumstances, series }, "growth", &ground.out)?
        }
        Measure::Scale => {
            let series = scale::measure(&first.path, &ground)?;
            report::series(&SeriesResults { circumstances, series }, "scale", &ground.out)?
        }
    };
    println!("{written}");
    eprintln!("== written to {}", ground.out.display());
    Ok(())
}

fn compare(
    workloads: Vec<Workload>,
    contenders: &[Contender],
    circumstances: Circumstances,
    ground: &Ground,
) -> Result<String, Box<dyn Error>> {
    let mut results = Results { circumstances, workloads: Vec::new() };
    let mut written = String::new();
    for workload in workloads {
        eprintln!("== {}", workload.title);
        results.workloads.push(compare::workload(&workload, contenders, ground)?);
        // A run takes its time: what there is so far can be read after each workload.
        written = report::comparison(&results, &ground.out)?;
    }
    Ok(written)
}

fn obtain(peers: Vec<Box<dyn Peer>>, cache: &Path) -> Vec<Contender> {
    let with_program = |peer: Box<dyn Peer>| {
        let program = peer.obtain(cache);
        if let Err(why) = &program {
            eprintln!("== {} is absent: {why}", peer.name());
        }
        Contender { peer, program }
    };
    peers.into_iter().map(with_program).collect()
}

impl Options {
    fn is_quick(&self) -> bool {
        self.quick == "1"
    }

    fn rounds(&self) -> Rounds {
        let (count, seconds) =
            if self.is_quick() { (2, 0.5) } else { (self.rounds.max(1), self.seconds.clamp(0.1, 600.0)) };
        let window = Duration::from_secs_f64(seconds);
        Rounds { count, times: Times { warm_up: window / 4, window } }
    }

    /// The command that repeats this run.
    fn command(&self) -> String {
        let mut parts = vec!["make bench-peers".to_owned()];
        let mut set = |name: &str, value: String| parts.push(format!("{name}={value}"));
        match self.measure {
            Measure::Peers => {}
            Measure::Growth => set("MEASURE", "growth".to_owned()),
            Measure::Scale => set("MEASURE", "scale".to_owned()),
        }
        if self.is_quick() {
            set("QUICK", "1".to_owned());
        } else {
            set("ROUNDS", self.rounds.to_string());
            set("SECONDS_EACH", self.seconds.to_string());
        }
        for (name, list) in [("ONLY", &self.only), ("PEERS", &self.peers)] {
            if !list.is_empty() {
                set(name, list.join(","));
            }
        }
        parts.join(" ")
    }

    fn circumstances(&self, contenders: &[Contender], ground: &Ground) -> std::io::Result<Circumstances> {
        let describe = |contender: &Contender| {
            let found = machine::identify(&contender.program)?;
            let (name, is_own) = (contender.peer.name().to_owned(), contender.peer.is_own());
            Ok(ProgramResult { name, is_own, found })
        };
        Ok(Circumstances {
            date: jiff::Zoned::now().date().to_string(),
            command: self.command(),
            commit: machine::commit(),
            machine: machine::describe(ground.cores.len()),
            rounds: ground.rounds.count,
            window_seconds: ground.rounds.times.window.as_secs_f64(),
            programs: contenders.iter().map(describe).collect::<std::io::Result<_>>()?,
        })
    }

    fn workloads(&self) -> Result<Vec<Workload>, String> {
        let all = Workload::all();
        if let Some(unknown) = self.only.iter().find(|name| all.iter().all(|workload| workload.name != **name)) {
            let names: Vec<_> = all.iter().map(|workload| workload.name).collect();
            return Err(format!("there is no workload `{unknown}`; there are {}", names.join(", ")));
        }
        let asked = |workload: &Workload| self.only.is_empty() || self.only.iter().any(|name| name == workload.name);
        Ok(all.into_iter().filter(asked).collect())
    }

    fn builds(&self, repository: &Path) -> Result<Vec<Build>, String> {
        let build = |written: &String| {
            let (name, path) = written.split_once('=').ok_or_else(|| format!("`{written}` is not NAME=PATH"))?;
            Ok(Build { name: name.to_owned(), path: repository.join(path) })
        };
        self.overspill.iter().map(build).collect()
    }

    fn chosen_peers(&self, repository: &Path) -> Vec<Box<dyn Peer>> {
        let all: [Box<dyn Peer>; 4] = [
            Box::new(Nginx),
            Box::new(Haproxy),
            Box::new(Envoy),
            Box::new(Pingora { repository: repository.to_owned() }),
        ];
        let asked = |name: &str| self.peers.is_empty() || self.peers.iter().any(|one| one.eq_ignore_ascii_case(name));
        all.into_iter().filter(|peer| asked(peer.name())).collect()
    }
}

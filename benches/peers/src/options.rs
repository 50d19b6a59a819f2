//! What the command line asks for, and the run that answers it.

use std::error::Error;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;

use crate::certificate::Certificate;
use crate::cores;
use crate::load::Times;
use crate::machine;
use crate::measure::{self, Contender, Ground, Rounds};
use crate::peers::{Envoy, Haproxy, Nginx, Overspill, Peer, Pingora, Table};
use crate::report;
use crate::results::{ProgramResult, Results};
use crate::workload::Workload;

/// Measures Overspill beside nginx, haproxy, Envoy and Pingora.
#[derive(Parser)]
#[command(name = "bench-peers")]
pub(crate) struct Options {
    /// Rounds of each proxy in each workload
    #[arg(long, env = "ROUNDS", default_value_t = 7)]
    rounds: usize,
    /// Seconds of each round
    #[arg(long, env = "SECONDS_EACH", default_value_t = 3.0)]
    seconds: f64,
    /// Set to anything, two rounds of half a second, to see that everything works; the figures are worth nothing
    #[arg(long, env = "QUICK")]
    quick: Option<String>,
    /// Workloads by name, separated by commas; all of them unless told
    #[arg(long, env = "ONLY", value_delimiter = ',')]
    only: Vec<String>,
    /// Peers by name, separated by commas; all of them unless told
    #[arg(long, env = "PEERS", value_delimiter = ',')]
    peers: Vec<String>,
    /// A build of Overspill, as NAME=PATH; ratios are of the first one
    #[arg(long, env = "OVERSPILL", value_delimiter = ',', default_value = "Overspill=target/release/overspill")]
    overspill: Vec<String>,
}

/// What one run is made of, from the options.
pub(crate) fn run(options: &Options) -> Result<(), Box<dyn Error>> {
    let repository = machine::repository()?;
    let out = repository.join("target/bench-peers");
    let work = out.join("work");
    fs::create_dir_all(&work)?;
    machine::raise_open_files()?;
    let available = cores::available()?;
    let [load_core, proxy_core, ..] = available[..] else {
        return Err("two cores are needed: one for origin and load, one for the proxy".into());
    };
    let contenders = contenders(options, &repository)?;
    let machine = machine::describe(available.len());
    let rounds = rounds(options);
    let certificate = Certificate::make(&work)?;
    let client = certificate.client()?;
    cores::pin(&[load_core])?;
    let ground = Ground { load_core, proxy_core, certificate, client, rounds, work: &work };
    let mut results = Results {
        date: jiff::Zoned::now().date().to_string(),
        command: command(options),
        commit: machine::commit(),
        machine,
        rounds: rounds.count,
        window_seconds: rounds.times.window.as_secs_f64(),
        programs: programs(&contenders)?,
        workloads: Vec::new(),
    };
    for workload in workloads(options)? {
        eprintln!("== {}", workload.title);
        results.workloads.push(measure::workload(&workload, &contenders, &ground)?);
        // What there is so far is written after each workload: a run takes its time.
        report::write(&results, &out)?;
    }
    println!("{}", report::write(&results, &out)?);
    eprintln!("== written to {}: results.json, results.md, plot.svg", out.display());
    Ok(())
}

fn rounds(options: &Options) -> Rounds {
    let (count, seconds) = match &options.quick {
        Some(quick) if !quick.is_empty() => (2, 0.5),
        _ => (options.rounds.max(1), options.seconds.clamp(0.1, 600.0)),
    };
    let window = Duration::from_secs_f64(seconds);
    Rounds { count, times: Times { warm_up: window / 4, window } }
}

/// The command that repeats this run.
fn command(options: &Options) -> String {
    let mut parts = vec!["make bench-peers".to_owned()];
    let mut set = |name: &str, value: String| parts.push(format!("{name}={value}"));
    match &options.quick {
        Some(quick) if !quick.is_empty() => set("QUICK", "1".to_owned()),
        _ => {
            set("ROUNDS", options.rounds.to_string());
            set("SECONDS_EACH", options.seconds.to_string());
        }
    }
    if !options.only.is_empty() {
        set("ONLY", options.only.join(","));
    }
    if !options.peers.is_empty() {
        set("PEERS", options.peers.join(","));
    }
    parts.join(" ")
}

fn workloads(options: &Options) -> Result<Vec<Workload>, String> {
    let all = Workload::all();
    let known = |name: &String| all.iter().any(|workload| workload.name == name);
    if let Some(unknown) = options.only.iter().find(|name| !known(name)) {
        let names: Vec<_> = all.iter().map(|workload| workload.name).collect();
        return Err(format!("there is no workload `{unknown}`; there are {}", names.join(", ")));
    }
    let asked = |workload: &Workload| options.only.is_empty() || options.only.iter().any(|name| name == workload.name);
    Ok(all.into_iter().filter(asked).collect())
}

/// Overspill's builds, then its peers, each with its program or the reason why there is none.
fn contenders(options: &Options, repository: &std::path::Path) -> Result<Vec<Contender>, String> {
    let mut all: Vec<Box<dyn Peer>> = Vec::new();
    for build in &options.overspill {
        let (name, path) = build.split_once('=').ok_or_else(|| format!("`{build}` is not NAME=PATH"))?;
        let path = repository.join(PathBuf::from(path));
        all.push(Box::new(Overspill { name: name.to_owned(), path, table: Table::SHIPPED }));
    }
    let peers: [Box<dyn Peer>; 4] = [
        Box::new(Nginx),
        Box::new(Haproxy),
        Box::new(Envoy),
        Box::new(Pingora { workspace: repository.join("benches") }),
    ];
    let asked = |name: &str| options.peers.is_empty() || options.peers.iter().any(|one| one.eq_ignore_ascii_case(name));
    all.extend(peers.into_iter().filter(|peer| asked(peer.name())));
    let cache = repository.join("target/bench-peers/cache");
    let with_program = |peer: Box<dyn Peer>| {
        let program = peer.obtain(&cache);
        if let Err(why) = &program {
            eprintln!("== {} is absent: {why}", peer.name());
        }
        (peer, program)
    };
    Ok(all.into_iter().map(with_program).collect())
}

fn programs(contenders: &[Contender]) -> std::io::Result<Vec<ProgramResult>> {
    let describe = |(peer, program): &Contender| {
        let found = machine::identify(program)?;
        Ok(ProgramResult { name: peer.name().to_owned(), is_own: peer.is_own(), found })
    };
    contenders.iter().map(describe).collect()
}

//! `bench-interference`: what a saturated local model does to requests that are forwarded.
//!
//! The same paced load goes through one router with the model idle and with it saturated, in turns, twice: with a core of the
//! model's own (`localModel.cores`), and with the one core that forwarding has. Origin and load stand on the first core. What is
//! printed, and written to `results`, are the latencies of forwarded requests and the shares of the core that the model and
//! everything else have.

use std::error::Error;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use local_model::{Circumstances, Placement, Router, Saturation, record, texts};
use rig::exchange::{Exchange, Wire};
use rig::{Keep, Load, Origin, Outcome, Pace, Times, cores};
use serde::Serialize;

/// Measures what a saturated local model does to forwarded requests
#[derive(Parser)]
#[command(name = "bench-interference")]
struct Options {
    /// The program, in its release build
    #[arg(long, env = "OVERSPILL", default_value = "target/release/overspill")]
    overspill: PathBuf,
    /// The model's folder
    #[arg(long, default_value = ".local-model")]
    folder: PathBuf,
    /// Forwarded requests a second
    #[arg(long, env = "RATE", default_value_t = 1000.0)]
    rate: f64,
    /// Seconds of each measurement
    #[arg(long, env = "SECONDS_EACH", default_value_t = 10.0)]
    seconds: f64,
    /// Rounds, over which latencies are gathered
    #[arg(long, env = "ROUNDS", default_value_t = 3)]
    rounds: usize,
    /// Where the figures are written
    #[arg(long, env = "RESULTS", default_value = "benches/interference/results")]
    results: PathBuf,
}

/// Where the model has a core that nothing else has.
const APART: &str = "a core of its own";

fn main() -> ExitCode {
    match run(&Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench-interference: {error}");
            ExitCode::FAILURE
        }
    }
}

/// What the rounds with the model idle, or saturated, have come to.
#[derive(Serialize)]
struct Gathered {
    /// Of each round, in nanoseconds: 50th, 99th and 99.9th percentile.
    latencies: Vec<[u64; 3]>,
    /// The share of a core that the model had, and that the router's other threads had.
    shares: [f64; 2],
}

/// The model on one of the places that it may be given.
#[derive(Serialize)]
struct Placed {
    place: &'static str,
    idle: Gathered,
    saturated: Gathered,
    /// By how much the 99th percentile is longer, as a part of what it was.
    p99_moves: f64,
}

#[derive(Serialize)]
struct Results {
    circumstances: Circumstances,
    /// Forwarded requests a second.
    rate: f64,
    places: Vec<Placed>,
}

fn run(options: &Options) -> Result<(), Box<dyn Error>> {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    let repository = own.ancestors().nth(2).ok_or("this tool lies in benches/interference")?;
    let (program, folder) = (repository.join(&options.overspill), repository.join(&options.folder));
    let cores = cores::available()?;
    let (&first, &last) = (cores.first().ok_or("there is no core")?, cores.last().ok_or("there is no core")?);
    cores::pin(&[first])?;
    let origin = Origin::start(first, [1, 1])?;
    let circumstances = Circumstances::now(options.seconds, options.rounds);
    let mut results = Results { circumstances, rate: options.rate, places: Vec::new() };
    // With two cores forwarding shares the first with the load, both times.
    let apart = (cores.get(1).filter(|_| cores.len() > 2).copied().unwrap_or(first), last);
    for (place, (forwarding, computing)) in [(APART, apart), ("the core of forwarding", (last, last))] {
        println!("measuring with the model on {place}");
        let documents = documents((&folder, computing), &origin);
        let router = Router::start(Placement { program: &program, cores: &[forwarding] }, &documents)?;
        let (mut idle, mut busy) = (Vec::new(), Vec::new());
        for _ in 0..options.rounds {
            idle.push(forward(options, &router)?);
            let load = Saturation::begin(router.traffic, &texts(256), (2, 16));
            load.answering()?;
            busy.push(forward(options, &router)?);
        }
        let (idle, saturated) = (gather(&idle), gather(&busy));
        let p99_moves = middle(&saturated)[1] / middle(&idle)[1] - 1.0;
        results.places.push(Placed { place, idle, saturated, p99_moves });
    }
    let table = table(&results);
    println!("\n{table}");
    record(&repository.join(&options.results), &table, &results)
}

/// What a window saw, with the CPU time of the model's threads and of all.
type Window = Outcome<(Duration, Duration)>;

/// One window of load.
fn forward(options: &Options, router: &Router) -> Result<Window, Box<dyn Error>> {
    let load = Load {
        target: router.traffic,
        exchange: Exchange { wire: Wire::H1, body: 0, answer: 1024 },
        rule_each: usize::MAX,
        connections: 16,
        streams: 1,
        in_flight: 16,
        keep: Keep::Alive,
        secure: None,
    };
    let times = Times { warm_up: Duration::from_secs(1), window: Duration::from_secs_f64(options.seconds) };
    let outcome = rig::run(&load, Pace::Paced(options.rate), times, || router.cpu())?;
    if outcome.faults.count > 0 {
        return Err(format!("{} requests failed: {:?}", outcome.faults.count, outcome.faults.first).into());
    }
    Ok(outcome)
}

fn gather(rounds: &[Window]) -> Gathered {
    let latencies = rounds
        .iter()
        .map(|outcome| [50.0, 99.0, 99.9].map(|percent| outcome.latencies.value_at_percentile(percent)))
        .collect();
    let share = |of: fn(&(Duration, Duration)) -> Duration| {
        let spent = |outcome: &Window| of(&outcome.after).saturating_sub(of(&outcome.before));
        let (all, time) = rounds.iter().fold((Duration::ZERO, Duration::ZERO), |(all, time), outcome| {
            (all + spent(outcome), time + outcome.window)
        });
        all.as_secs_f64() / time.as_secs_f64()
    };
    Gathered { latencies, shares: [share(|cpu| cpu.0), share(|cpu| cpu.1.saturating_sub(cpu.0))] }
}

/// The middle of the rounds at each percentile.
fn middle(gathered: &Gathered) -> [f64; 3] {
    [0, 1, 2].map(|at| {
        let mut each: Vec<u64> = gathered.latencies.iter().map(|round| round[at]).collect();
        each.sort_unstable();
        let nanoseconds = each.get(each.len() / 2).copied().unwrap_or(0);
        Duration::from_nanos(nanoseconds).as_secs_f64() * 1e6
    })
}

fn table(results: &Results) -> String {
    let mut table = format!(
        "{}\nLatency of {} forwarded requests a second, in microseconds, the middle of the rounds.\n\n\
         | the model on | it is | p50 | p99 | p99.9 | its share of a core | the rest's | p99 moves | promised |\n\
         |---|---|---:|---:|---:|---:|---:|---:|---:|\n",
        results.circumstances.sentence(),
        results.rate
    );
    for Placed { place, idle, saturated, p99_moves } in &results.places {
        let promised = if *place == APART { "5 %".to_owned() } else { format!("{:.0} %", saturated.shares[0] * 100.0) };
        let moves = [String::new(), format!("{:+.1} %", p99_moves * 100.0)];
        let promised = [String::new(), promised];
        for (at, (name, gathered)) in [("idle", idle), ("saturated", saturated)].into_iter().enumerate() {
            let [p50, p99, p999] = middle(gathered);
            let [model, rest] = gathered.shares.map(|share| share * 100.0);
            let row = [
                place.to_string(),
                name.to_owned(),
                format!("{p50:.0}"),
                format!("{p99:.0}"),
                format!("{p999:.0}"),
                format!("{model:.0} %"),
                format!("{rest:.0} %"),
                moves[at].clone(),
                promised[at].clone(),
            ];
            table.extend(["| ", &row.join(" | "), " |\n"]);
        }
    }
    table
}

fn documents((folder, core): (&Path, usize), origin: &Origin) -> String {
    let endpoints: Vec<String> = origin.endpoints().iter().flatten().map(endpoint).collect();
    let host = rig::exchange::HOST;
    format!(
        "apiVersion: overspill.dev/v1\nkind: Settings\nmetadata: {{name: bench}}\n\
         spec: {{accessLog: false, workers: 1, localModel: {{folder: {:?}, threads: 1, cores: [{core}], tokenizerCache: 0}}}}\n\
         ---\napiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {{name: pools}}\n\
         spec: {{hosts: [pools.example], resolution: STATIC, ports: [{{number: 80, name: http, protocol: HTTP}}], \
         endpoints: [{}]}}\n\
         ---\napiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {{name: none}}\n\
         spec: {{hosts: [none.example], resolution: STATIC, ports: [{{number: 80, name: http, protocol: HTTP}}], endpoints: []}}\n\
         ---\napiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {{name: forwarded}}\n\
         spec: {{hosts: [{host}], http: [{{route: [{{destination: {{host: pools.example}}}}]}}]}}\n\
         ---\napiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {{name: embed}}\n\
         spec: {{hosts: [embed.example], http: [{{route: [{{destination: {{host: none.example}}}}]}}]}}\n\
         ---\napiVersion: overspill.dev/v1\nkind: PoolPolicy\nmetadata: {{name: none}}\n\
         spec: {{host: none.example, localModel: Allow}}\n",
        folder.display().to_string(),
        endpoints.join(", ")
    )
}

fn endpoint(address: &SocketAddr) -> String {
    format!("{{address: {}, ports: {{http: {}}}}}", address.ip(), address.port())
}

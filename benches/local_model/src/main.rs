//! `bench-local-model`: the local model beside bare runs of Python's onnxruntime, in one run, with the same model, library, threads
//! and texts.
//!
//! At saturation the measure is time on a core for each text, which other work on the machine hardly moves: the best that bare
//! runs give over texts that are tokenised already and packed by length, over what the router's inference threads take for
//! the same texts as they come in requests, tokenising included. For one text it is the client's wait over a bare run.

mod bare;

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Parser;
use local_model::{Circumstances, Placement, Router, Saturation, embed, record, texts};
use rig::cores;
use serde::Serialize;

use self::bare::Bare;

/// Batches that bare runs are tried with; the best of them counts.
const BATCHES: [usize; 5] = [1, 4, 8, 16, 32];
/// What is asked for at saturation: connections, and texts of each request.
const ASKED: (usize, usize) = (4, 64);
const CORPUS: usize = 256;
/// A text of 16 tokens, special ones included.
const SINGLE: &str = "a router sends each request to the pool that has room for it";

/// Measures the local model beside Python's onnxruntime
#[derive(Parser)]
#[command(name = "bench-local-model")]
struct Options {
    /// The program, in its release build
    #[arg(long, env = "OVERSPILL", default_value = "target/release/overspill")]
    overspill: PathBuf,
    /// The model's folder
    #[arg(long, default_value = ".local-model")]
    folder: PathBuf,
    /// The ONNX files to measure
    #[arg(long, value_delimiter = ',', default_value = "model.onnx,model-int8.onnx")]
    files: Vec<String>,
    /// Seconds of each measurement
    #[arg(long, env = "SECONDS_EACH", default_value_t = 8.0)]
    seconds: f64,
    /// Rounds, of which each figure's best is taken
    #[arg(long, env = "ROUNDS", default_value_t = 3)]
    rounds: usize,
    /// Where the figures are written
    #[arg(long, env = "RESULTS", default_value = "benches/local_model/results")]
    results: PathBuf,
}

/// What one file has come to.
#[derive(Clone, Serialize)]
struct Figures {
    file: String,
    /// Milliseconds on a core for each text, at saturation: bare, and the router's inference threads, and all its threads.
    saturated_ms: [f64; 3],
    /// The batch that bare runs were best with.
    batch: usize,
    /// The share of padding among the tokens that the router computed at saturation.
    padding: f64,
    /// Milliseconds until one text is answered: bare, and the router's.
    single_ms: [f64; 2],
    /// Milliseconds on a core for one text: bare, and the router's inference threads.
    single_cpu_ms: [f64; 2],
}

#[derive(Serialize)]
struct Results {
    circumstances: Circumstances,
    models: Vec<Figures>,
}

fn main() -> ExitCode {
    match run(&Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench-local-model: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<(), Box<dyn Error>> {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    let repository = own.ancestors().nth(2).ok_or("this tool lies in benches/local_model")?;
    let (program, folder) = (repository.join(&options.overspill), repository.join(&options.folder));
    let python = bare::environment(&repository.join("target/benches/onnxruntime"))?;
    let mut results =
        Results { circumstances: Circumstances::now(options.seconds, options.rounds), models: Vec::new() };
    for file in &options.files {
        println!("measuring {file}");
        results.models.push(measure(options, (&program, &folder, file), &python)?);
    }
    let table = table(&results);
    println!("\n{table}");
    record(&repository.join(&options.results), &table, &results)
}

fn measure(
    options: &Options,
    (program, folder, file): (&Path, &Path, &str),
    python: &Path,
) -> Result<Figures, Box<dyn Error>> {
    let corpus = texts(CORPUS);
    let cores = cores::available()?;
    let router = Router::start(Placement { program, cores: &cores }, &documents(folder, file))?;
    let mut bare = Bare::start(python, folder, file)?;
    let least = |figures: &mut [f64], new: &[f64]| {
        figures.iter_mut().zip(new).for_each(|(figure, new)| *figure = figure.min(*new));
    };
    let unknown = f64::INFINITY;
    let mut figures = Figures {
        file: file.to_owned(),
        saturated_ms: [unknown; 3],
        batch: 0,
        padding: 0.0,
        single_ms: [unknown; 2],
        single_cpu_ms: [unknown; 2],
    };
    for _ in 0..options.rounds {
        // One after the other in each round, so that what else the machine does falls on both.
        for batch in BATCHES {
            let each = bare.packed(&corpus, batch)?;
            if each < figures.saturated_ms[0] {
                (figures.saturated_ms[0], figures.batch) = (each, batch);
            }
        }
        let (each, padding) = saturated(&router, &corpus, options.seconds)?;
        least(&mut figures.saturated_ms[1..], &each);
        figures.padding = padding;
        let (wall, cpu) = bare.single(SINGLE, options.seconds)?;
        let (own_wall, own_cpu) = single(&router, options.seconds)?;
        least(&mut figures.single_ms, &[wall, own_wall]);
        least(&mut figures.single_cpu_ms, &[cpu, own_cpu]);
    }
    Ok(figures)
}

/// Milliseconds on a core for each text, of the inference threads and of all threads, and the share of padding.
fn saturated(router: &Router, corpus: &[String], seconds: f64) -> Result<([f64; 2], f64), Box<dyn Error>> {
    let load = Saturation::begin(router.traffic, corpus, ASKED);
    load.answering()?;
    wait(Duration::from_secs(2));
    let ((inference, all), [texts, tokens]) = (router.cpu()?, router.computed()?);
    wait(Duration::from_secs_f64(seconds));
    let ((inference_after, all_after), [texts_after, tokens_after]) = (router.cpu()?, router.computed()?);
    let (answered, failed) = load.texts();
    let computed = texts_after - texts;
    if failed > 0 || computed <= 0.0 {
        return Err(format!("{failed} texts were not answered, and {computed} were computed").into());
    }
    // Counted as they are computed: answers come in whole requests, too few of them for a short window.
    let each_has = float(load.tokens()) / float(answered.max(1));
    let padding = 1.0 - computed * each_has / (tokens_after - tokens);
    let each = |spent: Duration| milliseconds(spent) / computed;
    let spent = [inference_after.saturating_sub(inference), all_after.saturating_sub(all)];
    Ok((spent.map(each), padding))
}

/// Milliseconds until one text is answered, in the middle of all, and on a core of the inference threads. The text is known,
/// so that it is computed and not tokenised, as in bare runs.
fn single(router: &Router, seconds: f64) -> Result<(f64, f64), Box<dyn Error>> {
    embed(router.traffic, &[SINGLE])?;
    let (before, begun) = (router.cpu()?.0, Instant::now());
    let mut waits = Vec::new();
    while begun.elapsed().as_secs_f64() < seconds {
        let asked = Instant::now();
        embed(router.traffic, &[SINGLE])?;
        waits.push(asked.elapsed());
    }
    let spent = milliseconds(router.cpu()?.0.saturating_sub(before)) / float(waits.len());
    waits.sort_unstable();
    Ok((waits.get(waits.len() / 2).copied().map_or(0.0, milliseconds), spent))
}

fn table(results: &Results) -> String {
    let mut table = format!(
        "{}\nMilliseconds a text, one thread, the least of the rounds; a ratio above 1 is the router's favour. Bare runs compute texts \
         that are tokenised already and packed by length; the router takes them as requests.\n\n\
         | model | measured | bare | router | ratio | promised |\n|---|---|---:|---:|---:|---:|\n",
        results.circumstances.sentence()
    );
    for Figures { file, saturated_ms: [bare, own, all], batch, padding, single_ms, single_cpu_ms } in &results.models {
        let batches = format!("bare in batches of {batch}, padding of the router {:.1} %", padding * 100.0);
        let rows = [
            (format!("saturated, on a core ({batches})"), *bare, *own, "0.95"),
            ("saturated, the whole process on a core".to_owned(), *bare, *all, ""),
            ("one text, until its answer".to_owned(), single_ms[0], single_ms[1], "0.91"),
            ("one text, on a core".to_owned(), single_cpu_ms[0], single_cpu_ms[1], ""),
        ];
        for (what, bare, own, promised) in rows {
            let figures = [bare, own].map(|figure| format!("{figure:.2}"));
            let ratio = format!("{:.3}", bare / own);
            let row = [file, &what, &figures[0], &figures[1], &ratio, promised];
            table.extend(["| ", &row.join(" | "), " |\n"]);
        }
    }
    table
}

/// A host that the local model answers for, on one thread, with room for what is asked and without remembering texts beyond one.
fn documents(folder: &Path, file: &str) -> String {
    format!(
        "apiVersion: overspill.dev/v1\nkind: Settings\nmetadata: {{name: bench}}\n\
         spec:\n  accessLog: false\n  workers: 1\n  localModel:\n    folder: {:?}\n    file: {file}\n    threads: 1\n    queue: 4096\n\
         \x20   queueTokens: 1000000\n    tokenizerCache: 1\n\
         ---\napiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {{name: pool}}\n\
         spec: {{hosts: [pool.example], resolution: STATIC, ports: [{{number: 80, name: http, protocol: HTTP}}], endpoints: []}}\n\
         ---\napiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {{name: embed}}\n\
         spec: {{hosts: [embed.example], http: [{{route: [{{destination: {{host: pool.example}}}}]}}]}}\n\
         ---\napiVersion: overspill.dev/v1\nkind: PoolPolicy\nmetadata: {{name: pool}}\n\
         spec: {{host: pool.example, localModel: Allow}}\n",
        folder.display().to_string()
    )
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

#[expect(clippy::cast_precision_loss, reason = "no count here comes near 2^52")]
fn float(count: usize) -> f64 {
    count as f64
}

#[expect(clippy::disallowed_methods, reason = "no runtime's thread: a measurement lasts for as long as it is asked to")]
fn wait(time: Duration) {
    std::thread::sleep(time);
}

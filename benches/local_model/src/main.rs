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
use local_model::{Placement, Router, Saturation, embed, texts};
use rig::cores;

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
}

/// What one file has come to.
#[derive(Clone, Copy)]
struct Figures {
    /// Milliseconds on a core for each text, at saturation: bare, and the router's inference threads, and all its threads.
    saturated: [f64; 3],
    /// The batch that bare runs were best with.
    batch: usize,
    /// Milliseconds until one text is answered: bare, and the router's.
    single: [f64; 2],
    /// Milliseconds on a core for one text: bare, and the router's inference threads.
    single_cpu: [f64; 2],
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
    println!("milliseconds a text; a ratio above 1 is the router's favour");
    for file in &options.files {
        let figures = measure(options, (&program, &folder, file), &python)?;
        print(file, &figures);
    }
    Ok(())
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
    let mut figures =
        Figures { saturated: [unknown; 3], batch: 0, single: [unknown; 2], single_cpu: [unknown; 2] };
    for _ in 0..options.rounds {
        // One after the other in each round, so that what else the machine does falls on both.
        for batch in BATCHES {
            let each = bare.packed(&corpus, batch)?;
            if each < figures.saturated[0] {
                (figures.saturated[0], figures.batch) = (each, batch);
            }
        }
        least(&mut figures.saturated[1..], &saturated(&router, &corpus, options.seconds)?);
        let (wall, cpu) = bare.single(SINGLE, options.seconds)?;
        let (own_wall, own_cpu) = single(&router, options.seconds)?;
        least(&mut figures.single, &[wall, own_wall]);
        least(&mut figures.single_cpu, &[cpu, own_cpu]);
    }
    Ok(figures)
}

/// Milliseconds on a core for each text: of the inference threads, and of all threads.
fn saturated(router: &Router, corpus: &[String], seconds: f64) -> Result<[f64; 2], Box<dyn Error>> {
    let load = Saturation::begin(router.traffic, corpus, ASKED);
    wait(Duration::from_secs(2));
    let ((inference, all), (texts, _)) = (router.cpu()?, load.texts());
    wait(Duration::from_secs_f64(seconds));
    let ((inference_after, all_after), (texts_after, failed)) = (router.cpu()?, load.texts());
    if failed > 0 || texts_after == texts {
        return Err(format!("{failed} texts were not answered, and {} were", texts_after - texts).into());
    }
    let each = |spent: Duration| milliseconds(spent) / float(texts_after - texts);
    Ok([each(inference_after - inference), each(all_after - all)])
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
    let spent = milliseconds(router.cpu()?.0 - before) / float(waits.len());
    waits.sort_unstable();
    Ok((waits.get(waits.len() / 2).copied().map_or(0.0, milliseconds), spent))
}

fn print(file: &str, figures: &Figures) {
    let Figures { saturated: [bare, own, all], batch, single, single_cpu } = figures;
    println!("{file}");
    println!("  saturated, on a core: bare {bare:.2} (batches of {batch}), router {own:.2}, ratio {:.3}", bare / own);
    println!("  saturated, of the whole process: {all:.2}, ratio {:.3}; {:.0} texts/s a core", bare / all, 1000.0 / all);
    println!("  one text, until its answer: bare {:.2}, router {:.2}, ratio {:.3}", single[0], single[1], single[0] / single[1]);
    println!(
        "  one text, on a core: bare {:.2}, router {:.2}, ratio {:.3}",
        single_cpu[0],
        single_cpu[1],
        single_cpu[0] / single_cpu[1]
    );
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

//! `overspill demo`: the router in front of emulated pools, under a load that rises and falls.
//!
//! Owns everything around the router: the pools that stand in for GPU and CPU instances, the load, and the table. The
//! router is the real one, with the documents of a folder, and is looked at from outside only, by its admin API.
//! Nothing of it is simulated; what is emulated is named so wherever it shows.

mod client;
mod curve;
mod demonstration;
mod embedder;
mod error;
mod events;
mod flows;
mod hints;
mod load;
mod observation;
mod plan;
mod pools;
mod router;
mod screen;
mod sentences;
mod service;
mod summary;
mod table;

use std::io::{self, Write};
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use tokio::runtime;

pub(super) use error::DemoError;

use super::{Failure, RouterArgs};
use crate::app::{Configuration, Options};
use crate::config::Overrides;
use crate::domain::parse_duration;
use crate::telemetry;
use demonstration::Demonstration;
use screen::{Display, Screen};

/// The documents where none are named: the ones that this repository comes with.
const DOCUMENTS: &str = "config";

/// The log goes where the table is drawn, so that by default it says only what matters more.
const LOG: &str = "error";

/// How long the router accepts connections after an interrupt, which reaches it and the load at once: long enough for the
/// load to end first, as a load balancer would.
const DRAIN_DELAY: Duration = Duration::from_secs(1);

const INTRODUCTION: [&str; 3] = [
    "The router, run with real documents, stands in front of emulated pools: listeners on this machine that answer with",
    "real embeddings, at the service times and the concurrency measured of GPU (T4) and CPU instances. A load rises and",
    "falls; what the pools have no slot for is computed here, by the local model, and what nobody can serve is refused.",
];

#[derive(Debug, Args)]
pub(super) struct DemoArgs {
    #[command(flatten)]
    router: RouterArgs,
    /// Stop by itself after this long, as in `30s` or `2m`.
    #[arg(long = "for", value_name = "DURATION", value_parser = parse_duration)]
    length: Option<Duration>,
}

/// Runs until the time is over or the process is interrupted.
pub(super) fn run(args: DemoArgs, out: &mut impl Write) -> Result<(), Failure> {
    let options = Options::from(args.router);
    let path = options.config.clone().unwrap_or_else(|| PathBuf::from(DOCUMENTS));
    telemetry::init(options.overrides.log.as_deref().unwrap_or(LOG))?;
    let overrides = Overrides { access_log: Some(false), drain_delay: Some(DRAIN_DELAY), ..options.overrides };
    let configuration = Configuration::read(Options { config: Some(path.clone()), overrides })
        .map_err(|problems| DemoError::Documents { path: path.clone(), problems })?;
    let mut screen = Screen::new(out, Display::of(&io::stdout()));
    let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
    Ok(runtime.block_on(show(configuration, path, args.length, &mut screen))?)
}

async fn show<W: Write>(
    configuration: Configuration,
    path: PathBuf,
    length: Option<Duration>,
    screen: &mut Screen<W>,
) -> Result<(), DemoError> {
    screen.say(&INTRODUCTION.map(str::to_owned))?;
    let mut demonstration = Demonstration::start(configuration, path).await?;
    screen.say(demonstration.description())?;
    demonstration.watch(length, screen).await?;
    let summary = demonstration.finish().await?;
    screen.say(&summary.lines())?;
    summary.verdict()
}

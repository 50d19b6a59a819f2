//! `overspill advise`: what the runbook would do to each pool now.
//!
//! Owns where readings come from and how advice is printed; the runbook itself is the pure [`rule`]. Changes nothing.

mod print;
mod prometheus;
mod routers;
mod rule;

use std::collections::BTreeMap;
use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use http::Uri;
use tokio::time::Instant;

use super::fetch::{FetchError, parse_duration, parse_url, runtime};
use super::{Failure, Output};
use routers::Routers;
use rule::{History, Windows, advise};

/// How long a source may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);

#[derive(Debug, Args)]
pub(super) struct AdviseArgs {
    /// A router's metrics, as `http://overspill-admin:15000/metrics`; may be given several times.
    #[arg(long = "router", value_name = "URL", value_parser = parse_url, required_unless_present = "prometheus")]
    routers: Vec<Uri>,
    /// A Prometheus that scrapes the routers, as `http://prometheus:9090`: it knows the past, so that the answer comes at once.
    #[arg(long, value_name = "URL", value_parser = parse_url, conflicts_with = "routers")]
    prometheus: Option<Uri>,
    /// How long routers are read before the answer [default: as long as the runbook needs to see].
    #[arg(long = "for", value_name = "DURATION", value_parser = parse_duration)]
    length: Option<Duration>,
    /// How often they are read, and the step of a Prometheus' answers.
    #[arg(long, value_name = "DURATION", value_parser = parse_duration, default_value = "15s")]
    every: Duration,
    /// Answer again and again, whenever the advice for a pool has changed.
    #[arg(long)]
    watch: bool,
    /// The objective of pools whose document names none.
    #[arg(long, value_name = "DURATION", value_parser = parse_duration, default_value = "500ms")]
    objective: Duration,
    /// Up by half once p99 has been over the objective for so long.
    #[arg(long, value_name = "DURATION", value_parser = parse_duration, default_value = "10m")]
    late_for: Duration,
    /// Up by half once use has been over 80 % for so long.
    #[arg(long, value_name = "DURATION", value_parser = parse_duration, default_value = "15m")]
    busy_for: Duration,
    /// Down by 30 % once use has been under 50 % for so long.
    #[arg(long, value_name = "DURATION", value_parser = parse_duration, default_value = "30m")]
    idle_for: Duration,
    /// Undo a change once latency or errors have been worse for so long.
    #[arg(long, value_name = "DURATION", value_parser = parse_duration, default_value = "5m")]
    worse_for: Duration,
    /// For how long a change is watched.
    #[arg(long, value_name = "DURATION", value_parser = parse_duration, default_value = "30m")]
    watch_for: Duration,
    /// How the advice is printed.
    #[arg(long, value_enum, default_value_t = Output::Text)]
    output: Output,
}

/// What is known of every pool, and which sources did not answer.
#[derive(Debug, Default)]
struct Known {
    pools: BTreeMap<String, History>,
    faults: Vec<String>,
}

impl AdviseArgs {
    fn windows(&self) -> Windows {
        Windows {
            latency: self.late_for,
            busy: self.busy_for,
            idle: self.idle_for,
            worse: self.worse_for,
            watch: self.watch_for,
        }
    }

    /// How much of the past the runbook looks at: a change, and what was before it.
    fn span(&self) -> Duration {
        let longest = [self.late_for, self.busy_for, self.idle_for, self.watch_for].into_iter().max();
        longest.unwrap_or_default() + self.worse_for
    }
}

/// Reads, and prints the advice; with `--watch` until it is stopped.
pub(super) fn run(args: &AdviseArgs, out: &mut impl Write) -> Result<ExitCode, Failure> {
    let runtime = runtime()?;
    let windows = args.windows();
    let mut said = print::Said::default();
    let mut source = Source::new(args);
    loop {
        let known = runtime.block_on(source.read(args))?;
        let advice = known.pools.iter().map(|(pool, history)| (pool.as_str(), history, advise(history, &windows)));
        print::print(&advice.collect::<Vec<_>>(), &known.faults, (args, &mut said), out)?;
        if !args.watch {
            return Ok(ExitCode::SUCCESS);
        }
        out.flush()?;
        runtime.block_on(tokio::time::sleep(args.every));
    }
}

/// Where readings come from.
enum Source {
    Prometheus(Uri),
    Routers(Routers),
}

impl Source {
    fn new(args: &AdviseArgs) -> Self {
        match &args.prometheus {
            Some(url) => Self::Prometheus(url.clone()),
            None => Self::Routers(Routers::new(args.routers.clone(), args.objective)),
        }
    }

    /// What is known now. Routers are first read for as long as was asked for.
    ///
    /// # Errors
    /// [`FetchError`] where no source answers.
    async fn read(&mut self, args: &AdviseArgs) -> Result<Known, FetchError> {
        match self {
            Self::Prometheus(url) => prometheus::read(url, args).await,
            Self::Routers(routers) => {
                if routers.is_new() {
                    let end = Instant::now() + args.length.unwrap_or(args.idle_for.max(args.busy_for));
                    routers.read().await?;
                    while Instant::now() < end {
                        tokio::time::sleep(args.every).await;
                        routers.read().await?;
                    }
                } else {
                    routers.read().await?;
                }
                routers.forget(args.span());
                Ok(routers.known())
            }
        }
    }
}

//! The command line: one file a command.
//!
//! Owns flags, environment variables and what is printed. Never decides anything that the running program decides
//! elsewhere.

mod advise;
mod call;
mod check;
mod demo;
mod explain;
mod exposition;
mod fetch;
mod manifests;
mod quantile;
mod run;

use std::ffi::OsString;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::app::{Options, StartError};
use crate::config::{self, Overrides, Problem};
use crate::telemetry::LogError;

/// An Istio-aware traffic router for inference pools, which answers from a local ONNX model when they are full.
#[derive(Debug, Parser)]
#[command(name = "overspill", version, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Route traffic.
    Run(run::RunArgs),
    /// Show the router in front of emulated GPU and CPU pools, under a load that rises and falls.
    Demo(demo::DemoArgs),
    /// Judge documents: exit 0 without errors, 1 with errors, 2 on wrong usage.
    Check(check::CheckArgs),
    /// Say where one request would go, and why.
    Explain(explain::ExplainArgs),
    /// Say what the runbook would do to each pool, by the metrics of routers or of a Prometheus.
    Advise(advise::AdviseArgs),
    /// Print what Kubernetes needs to scale and watch the pools of a configuration, as YAML.
    Manifests(manifests::ManifestsArgs),
    /// Send one HTTP request, for probes and hooks of containers without a shell: exit 0 where the answer is 2xx.
    Call(call::CallArgs),
}

/// Flags that the router and the demo share. Each wins over its environment variable, which wins over the Settings
/// document.
#[derive(Debug, Args)]
struct RouterArgs {
    /// Folder or file of YAML documents.
    #[arg(long, value_name = "PATH", env = "OVERSPILL_CONFIG")]
    config: Option<OsString>,
    /// Where traffic is accepted [default: 0.0.0.0:8080].
    #[arg(long, value_name = "ADDRESS:PORT", env = "OVERSPILL_LISTEN", value_parser = address)]
    listen: Option<Given>,
    /// Where the admin API is served [default: 0.0.0.0:15000].
    #[arg(long, value_name = "ADDRESS:PORT", env = "OVERSPILL_ADMIN", value_parser = address)]
    admin: Option<Given>,
    /// Folder of the local model; turns the local tier on.
    #[arg(long, value_name = "FOLDER", env = "OVERSPILL_MODEL")]
    model: Option<OsString>,
    /// The ONNX Runtime library, where it is not in the model's folder.
    #[arg(long, value_name = "FILE", env = "OVERSPILL_MODEL_LIBRARY")]
    model_library: Option<OsString>,
    /// Filter of the program's own log, as `info` or `warn,overspill::proxy=debug`.
    #[arg(long, value_name = "FILTER", env = "OVERSPILL_LOG")]
    log: Option<String>,
    /// Base URL of the collector that traces go to by OTLP; turns tracing on.
    #[arg(long, value_name = "URL", env = "OTEL_EXPORTER_OTLP_ENDPOINT", value_parser = collector)]
    otlp_endpoint: Option<String>,
    /// The router's name in traces [default: the workload's].
    #[arg(long, value_name = "NAME", env = "OTEL_SERVICE_NAME")]
    service_name: Option<String>,
}

impl From<RouterArgs> for Options {
    fn from(args: RouterArgs) -> Self {
        let named = |path: OsString| (!path.is_empty()).then(|| PathBuf::from(path));
        let overrides = Overrides {
            listen: args.listen.and_then(|Given(address)| address),
            admin: args.admin.and_then(|Given(address)| address),
            model: args.model.and_then(named),
            library: args.model_library.and_then(named),
            log: args.log.filter(|filter| !filter.is_empty()),
            otlp_endpoint: args.otlp_endpoint.filter(|url| !url.is_empty()),
            service_name: args.service_name.filter(|name| !name.is_empty()),
            ..Overrides::default()
        };
        Self { config: args.config.and_then(named), overrides }
    }
}

/// An address, or nothing where the text is empty: manifests leave variables that they do not need empty.
#[derive(Clone, Copy, Debug)]
struct Given(Option<SocketAddr>);

fn address(text: &str) -> Result<Given, String> {
    if text.is_empty() {
        return Ok(Given(None));
    }
    text.parse().map(|address| Given(Some(address))).map_err(|_| "write ADDRESS:PORT, as in 0.0.0.0:8080".to_owned())
}

fn collector(text: &str) -> Result<String, &'static str> {
    if !text.is_empty() {
        config::collector_url(text)?;
    }
    Ok(text.to_owned())
}

/// How a command prints what it found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Output {
    /// Lines for people.
    Text,
    /// JSON for programs.
    Json,
}

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The arguments are wrong, or ask for help.
    #[error(transparent)]
    Usage(#[from] clap::Error),
    /// The documents have errors.
    #[error("the configuration has errors")]
    Config(Vec<Problem>),
    /// The router does not start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The log cannot be set up.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The demonstration failed.
    #[error(transparent)]
    Demo(#[from] demo::DemoError),
    /// A request has no answer, or one that is no success.
    #[error(transparent)]
    Fetch(#[from] fetch::FetchError),
    /// Nothing can be printed.
    #[error("cannot print: {0}")]
    Print(#[from] io::Error),
}

/// Runs the command that `arguments` name, the program's own name first.
///
/// # Errors
/// [`Failure`]; its usage errors carry their own exit code.
pub fn run(arguments: impl IntoIterator<Item = OsString>, out: &mut impl Write) -> Result<ExitCode, Failure> {
    match Cli::try_parse_from(arguments)?.command {
        Command::Run(args) => run::run(args).map(|()| ExitCode::SUCCESS),
        Command::Demo(args) => demo::run(args, out).map(|()| ExitCode::SUCCESS),
        Command::Check(args) => check::run(&args, out),
        Command::Explain(args) => explain::run(args, out),
        Command::Manifests(args) => manifests::run(&args, out),
        Command::Advise(args) => advise::run(&args, out),
        Command::Call(args) => call::run(&args, out).map(|()| ExitCode::SUCCESS),
    }
}

/// Prints why a command failed: a problem a line, or the error.
pub fn report(failure: &Failure, err: &mut impl Write) {
    // Where standard error is closed there is nobody to tell.
    match failure {
        Failure::Config(problems) => problems.iter().for_each(|problem| drop(writeln!(err, "{problem}"))),
        other => drop(writeln!(err, "overspill: {other}")),
    }
}

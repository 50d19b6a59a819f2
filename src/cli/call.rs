//! `overspill call`: one HTTP request. The router's image has no shell and no curl, and Kubernetes' own probes and hooks send
//! GET alone: with it a `preStop` hook waits and asks for a drain, and a probe asks a model for a real answer.

use std::io::Write;
use std::time::Duration;

use clap::Args;
use http::{Method, Uri};

use super::Failure;
use super::fetch::{Asking, parse_duration, parse_url, runtime};

#[derive(Debug, Args)]
pub(super) struct CallArgs {
    /// The method, as POST.
    #[arg(value_name = "METHOD")]
    method: Method,
    /// What is asked, as `http://127.0.0.1:15000/shutdown`.
    #[arg(value_name = "URL", value_parser = parse_url)]
    url: Uri,
    /// A body, sent as JSON.
    #[arg(long, value_name = "TEXT")]
    data: Option<String>,
    /// Wait so long before.
    #[arg(long, value_name = "DURATION", value_parser = parse_duration, default_value = "0s")]
    after: Duration,
    /// How long the exchange may take.
    #[arg(long, value_name = "DURATION", value_parser = parse_duration, default_value = "5s")]
    timeout: Duration,
}

/// Sends the request, and prints the answer's body.
pub(super) fn run(args: &CallArgs, out: &mut impl Write) -> Result<(), Failure> {
    let asking =
        Asking { method: args.method.clone(), url: args.url.clone(), body: args.data.clone(), patience: args.timeout };
    let answer = runtime()?.block_on(async {
        tokio::time::sleep(args.after).await;
        asking.send().await
    })?;
    Ok(out.write_all(&answer)?)
}

//! `overspill explain`: where requests would go, and why.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use http::{HeaderName, HeaderValue, Method, Uri};

mod answer;
mod outcome;
mod policy;
mod question;
mod views;

use super::{Failure, Output};
use crate::config::Problem;
use crate::control::Folder;
use crate::domain::Tier;
use crate::routing::{Head, normal_uri};
use crate::snapshot::{Snapshot, Trace, trace};
use answer::{Answer, drawn, overflow, unasked, weights};
use outcome::Outcome;
use question::Question;
use views::Views;

#[derive(Debug, Args)]
pub(super) struct ExplainArgs {
    /// Folder or file of YAML documents.
    #[arg(long, value_name = "PATH", env = "OVERSPILL_CONFIG")]
    config: PathBuf,
    /// How the answer is printed.
    #[arg(long, value_enum, default_value_t = Output::Text)]
    output: Output,
    /// File of requests, `-` for the standard input: one JSON object a line; answers are one JSON object a line.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["method", "url", "headers"])]
    requests: Option<PathBuf>,
    /// Answer as a gateway whose workload has these labels, as `istio=ingressgateway`.
    #[arg(long, value_name = "KEY=VALUE", value_delimiter = ',', value_parser = parse_label)]
    gateway: Option<Vec<(String, String)>>,
    /// The namespace of the workload that asks; a request of a file may name its own.
    #[arg(long, value_name = "NAMESPACE")]
    namespace: Option<String>,
    /// Draw the weighted choice so many times, and count.
    #[arg(long, value_name = "N")]
    draw: Option<u32>,
    /// The method, as GET.
    #[arg(value_name = "METHOD", required_unless_present = "requests")]
    method: Option<Method>,
    /// The URL with its host, as `http://embeddings.example/v1/embeddings`.
    #[arg(value_name = "URL", value_parser = parse_url, required_unless_present = "requests")]
    url: Option<Uri>,
    /// A header, as 'name: value'; may be given several times.
    #[arg(short = 'H', long = "header", value_name = "NAME: VALUE", value_parser = parse_header)]
    headers: Vec<(HeaderName, HeaderValue)>,
}

fn parse_url(text: &str) -> Result<Uri, String> {
    let uri: Uri = text.parse().map_err(|error| format!("{error}"))?;
    if uri.scheme().is_none() || uri.authority().is_none() {
        return Err("the URL needs a scheme and a host, as in http://embeddings.example/v1/embeddings".to_owned());
    }
    let normal = normal_uri(&uri).map_err(|error| format!("the request is refused: {error}"))?;
    Ok(normal.unwrap_or(uri))
}

fn parse_header(text: &str) -> Result<(HeaderName, HeaderValue), String> {
    let (name, value) = text.split_once(':').ok_or("a header is written 'name: value'")?;
    let name = name.trim().parse().map_err(|_| format!("{:?} is no header name", name.trim()))?;
    let value = value.trim().parse().map_err(|_| format!("{:?} is no header value", value.trim()))?;
    Ok((name, value))
}

fn parse_label(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("a label is written KEY=VALUE")?;
    Ok((key.trim().to_owned(), value.trim().to_owned()))
}

pub(super) fn run(args: ExplainArgs, out: &mut impl Write) -> Result<ExitCode, Failure> {
    let files = Folder::new(&args.config).read().map_err(|error| Failure::Config(vec![error.problem()]))?;
    let gateway = args.gateway.map(|labels| labels.into_iter().collect::<BTreeMap<_, _>>());
    let mut views = Views::new(files, gateway, args.namespace);
    match (args.requests, args.method, args.url) {
        (Some(requests), _, _) => {
            let text = read(&requests).map_err(|error| Failure::Config(vec![unreadable(&requests, &error)]))?;
            explain_all(&text, &mut views, args.draw, out)
        }
        (None, Some(method), Some(url)) => {
            let question = Question::of(method, &url, args.headers);
            explain_one(&question, &mut views, args.output, args.draw, out)
        }
        (None, ..) => Ok(ExitCode::FAILURE),
    }
}

/// The text of the file `path`, or of the standard input.
fn read(path: &Path) -> io::Result<String> {
    if path == Path::new("-") { io::read_to_string(io::stdin()) } else { std::fs::read_to_string(path) }
}

fn unreadable(path: &Path, error: &io::Error) -> Problem {
    crate::config::unreadable(path.display().to_string(), format!("The requests cannot be read: {error}."))
}

/// Answers each line of `text`. A line that is no request is answered with its error, and the exit code is 1.
fn explain_all(text: &str, views: &mut Views, draw: Option<u32>, out: &mut impl Write) -> Result<ExitCode, Failure> {
    let mut exit = ExitCode::SUCCESS;
    for (at, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let answer = match Question::parse(line) {
            Ok(question) => {
                let view = views.of(&question).map_err(Failure::Config)?;
                Answer { view, head: &question.head(view), draw }.as_json()
            }
            Err(error) => {
                exit = ExitCode::FAILURE;
                unasked(&format!("line {}: {error}", at + 1))
            }
        };
        writeln!(out, "{answer}")?;
    }
    Ok(exit)
}

fn explain_one(
    question: &Question,
    views: &mut Views,
    output: Output,
    draw: Option<u32>,
    out: &mut impl Write,
) -> Result<ExitCode, Failure> {
    let view = views.of(question).map_err(Failure::Config)?;
    let head = question.head(view);
    match output {
        Output::Json => writeln!(out, "{:#}", Answer { view, head: &head, draw }.as_json())?,
        Output::Text => {
            let (snapshot, trace) = (&view.snapshot, trace(&view.snapshot, &head));
            print_text(snapshot, &trace, &head, out)?;
            if let Some((route, times)) = trace.matched().zip(draw) {
                for (pool, count) in drawn(snapshot.route(route), times) {
                    writeln!(out, "  drawn {count} of {times} times: {}", snapshot.pool(pool).name)?;
                }
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn print_text(snapshot: &Snapshot, trace: &Trace<'_>, head: &Head<'_>, out: &mut impl Write) -> io::Result<()> {
    if !trace.host_known {
        return writeln!(out, "no route: no VirtualService or service has this host (404 route_not_found)");
    }
    for considered in &trace.considered {
        let route = snapshot.route(considered.route);
        writeln!(out, "{} {} ({})", if considered.matched() { "+" } else { "-" }, route.name, route.origin)?;
        for condition in considered.alternatives.iter().flatten() {
            writeln!(out, "    does not hold: {condition}")?;
        }
    }
    let Some(matched) = trace.matched() else {
        return writeln!(out, "no route: no rule of this host matches (404 route_not_found)");
    };
    if let Some(policy) = &snapshot.route(matched).policy {
        policy::print(policy, out)?;
    }
    let weights = weights(snapshot, trace);
    let total: u64 = weights.iter().map(|(_, weight)| weight).sum();
    for (share, (pool, weight)) in weights.into_iter().enumerate() {
        let tier = snapshot.pool(pool).tier.map_or("no tier", Tier::as_str);
        let order = overflow(snapshot, pool).join(", then ");
        writeln!(out, "  weight {weight}/{total} ({tier}): {order}")?;
        policy::print_wait(snapshot, (matched, pool), out)?;
        Outcome::of(snapshot.route(matched), head, Some(share)).print(out)?;
    }
    if total == 0 { Outcome::of(snapshot.route(matched), head, None).print(out) } else { Ok(()) }
}

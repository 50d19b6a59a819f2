//! `overspill explain`: where one request would go, and why.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};
use serde_json::{Value, json};

mod outcome;

use super::{Failure, Output};
use crate::app::{Configuration, Options};
use crate::config::Overrides;
use crate::domain::{Reason, Tier};
use crate::routing::Head;
use crate::snapshot::{PoolId, Snapshot, Trace, compile, trace};
use outcome::Outcome;

#[derive(Debug, Args)]
pub(super) struct ExplainArgs {
    /// Folder or file of YAML documents.
    #[arg(long, value_name = "PATH", env = "OVERSPILL_CONFIG")]
    config: PathBuf,
    /// How the answer is printed.
    #[arg(long, value_enum, default_value_t = Output::Text)]
    output: Output,
    /// The method, as GET.
    #[arg(value_name = "METHOD")]
    method: Method,
    /// The URL with its host, as `http://embeddings.example/v1/embeddings`.
    #[arg(value_name = "URL", value_parser = parse_url)]
    url: Uri,
    /// A header, as 'name: value'; may be given several times.
    #[arg(short = 'H', long = "header", value_name = "NAME: VALUE", value_parser = parse_header)]
    headers: Vec<(HeaderName, HeaderValue)>,
}

fn parse_url(text: &str) -> Result<Uri, String> {
    let uri: Uri = text.parse().map_err(|error| format!("{error}"))?;
    if uri.scheme().is_some() && uri.authority().is_some() {
        Ok(uri)
    } else {
        Err("the URL needs a scheme and a host, as in http://embeddings.example/v1/embeddings".to_owned())
    }
}

fn parse_header(text: &str) -> Result<(HeaderName, HeaderValue), String> {
    let (name, value) = text.split_once(':').ok_or("a header is written 'name: value'")?;
    let name = name.trim().parse().map_err(|_| format!("{:?} is no header name", name.trim()))?;
    let value = value.trim().parse().map_err(|_| format!("{:?} is no header value", value.trim()))?;
    Ok((name, value))
}

pub(super) fn run(args: ExplainArgs, out: &mut impl Write) -> Result<ExitCode, Failure> {
    let ExplainArgs { config, output, method, url, headers } = args;
    let options = Options { config: Some(config), overrides: Overrides::default() };
    let configuration = Configuration::read(options).map_err(Failure::Config)?;
    let snapshot = compile(configuration.checked(), None);
    let headers: HeaderMap = headers.into_iter().collect();
    let scheme = url.scheme_str().unwrap_or("http");
    let default_port = if scheme == "https" { 443 } else { 80 };
    let host_header = headers.get("host").and_then(|host| host.to_str().ok());
    let head = Head {
        method: &method,
        scheme,
        authority: host_header.or(url.authority().map(http::uri::Authority::as_str)).unwrap_or_default(),
        path: url.path(),
        query: url.query(),
        headers: &headers,
        port: url.port_u16().unwrap_or(default_port),
        server_name: None,
    };
    let trace = trace(&snapshot, &head);
    match output {
        Output::Json => writeln!(out, "{:#}", as_json(&snapshot, &trace, &head))?,
        Output::Text => print_text(&snapshot, &trace, &head, out)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Each pool that the rule's split may choose, with its weight; the heaviest first, in the order of the documents.
fn weights(snapshot: &Snapshot, trace: &Trace<'_>) -> Vec<(PoolId, u64)> {
    let Some(route) = trace.matched() else { return Vec::new() };
    snapshot.route(route).weights().map(|(weight, pool)| (pool, weight)).collect()
}

fn destination(snapshot: &Snapshot, pool: PoolId) -> Value {
    let key = &snapshot.pool(pool).key;
    json!({ "host": key.host.as_str(), "subset": key.subset, "port": key.port })
}

fn as_json(snapshot: &Snapshot, trace: &Trace<'_>, head: &Head<'_>) -> Value {
    let weights = weights(snapshot, trace);
    let places = weights.iter().enumerate().rev();
    let heaviest = places.max_by_key(|(_, (_, weight))| *weight).map(|(share, (pool, _))| (share, *pool));
    let weights = weights.iter().map(|(pool, weight)| {
        let mut entry = destination(snapshot, *pool);
        entry["weight"] = json!(weight);
        entry["tier"] = json!(snapshot.pool(*pool).tier.map(Tier::as_str));
        entry["overflow"] = json!(overflow(snapshot, *pool));
        entry
    });
    let considered = trace.considered.iter().map(|considered| {
        let route = snapshot.route(considered.route);
        let failed = considered.alternatives.iter().flatten().map(ToString::to_string);
        json!({
            "route": &*route.name,
            "origin": route.origin,
            "matched": considered.matched(),
            "failed": failed.collect::<Vec<_>>(),
        })
    });
    let matched = trace.matched();
    let outcome = matched.map(|route| Outcome::of(snapshot.route(route), head, heaviest.map(|(share, _)| share)));
    let outcome = outcome.unwrap_or_default();
    let unmatched = matched.is_none().then(|| Reason::RouteNotFound.status());
    json!({
        "matched": matched.is_some(),
        "host_known": trace.host_known,
        "route": matched.map(|route| &*snapshot.route(route).name),
        "destination": heaviest.map(|(_, pool)| destination(snapshot, pool)),
        "weights": weights.collect::<Vec<_>>(),
        "considered": considered.collect::<Vec<_>>(),
        "reason": matched.is_none().then(|| Reason::RouteNotFound.code()),
        "status": outcome.status.or(unmatched),
        "location": outcome.location,
        "body": outcome.body,
        "response_headers": outcome.response_headers,
        "upstream": outcome.upstream,
        "fault": outcome.fault,
    })
}

/// Where a request for `pool` may be served, in order.
fn overflow(snapshot: &Snapshot, pool: PoolId) -> Vec<&str> {
    let pools = snapshot.overflow(pool).iter().map(|next| &*snapshot.pool(*next).name);
    pools.chain(snapshot.pool(pool).local_model.then_some("local")).collect()
}

fn print_text(snapshot: &Snapshot, trace: &Trace<'_>, head: &Head<'_>, out: &mut impl Write) -> std::io::Result<()> {
    if !trace.host_known {
        return writeln!(out, "no route: no VirtualService or ServiceEntry has this host (404 route_not_found)");
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
    let weights = weights(snapshot, trace);
    let total: u64 = weights.iter().map(|(_, weight)| weight).sum();
    for (share, (pool, weight)) in weights.into_iter().enumerate() {
        let tier = snapshot.pool(pool).tier.map_or("no tier", Tier::as_str);
        let order = overflow(snapshot, pool).join(", then ");
        writeln!(out, "  weight {weight}/{total} ({tier}): {order}")?;
        Outcome::of(snapshot.route(matched), head, Some(share)).print(out)?;
    }
    if total == 0 { Outcome::of(snapshot.route(matched), head, None).print(out) } else { Ok(()) }
}

//! What passes through the router unchanged, what it changes, and what breaks: bodies, fields, upgrades, disconnects.

#![allow(clippy::expect_used, clippy::panic, reason = "a step that cannot go on fails its test, and says why")]

#[path = "../harness/harness.rs"]
mod harness;

mod answers;
mod bodies;
mod breaks;
mod early;
mod fields;
mod limits;
mod messages;
mod refused;
mod streams;
mod upgrade;

use std::net::SocketAddr;

use harness::{Answer, Router, Service, Upstream, Wire, virtual_service};

/// A router that sends `app.example` to one endpoint; `more` is further documents.
fn router_to(endpoint: SocketAddr, wire: Wire, more: &str) -> Router {
    let service = Service { host: "up.example", wire, endpoints: &[endpoint] }.document();
    let rule = "  - {name: all, route: [{destination: {host: up.example}}]}";
    Router::start(&(virtual_service("app.example", rule) + &service + more))
}

/// A router and the upstream behind it.
fn through(wire: Wire, answer: Answer) -> (Router, Upstream) {
    let upstream = Upstream::start(wire, answer);
    (router_to(upstream.address, wire, ""), upstream)
}

fn echo() -> Answer {
    Answer::Echo("up".to_owned())
}

/// A `Settings` document with `fields`, in flow style.
fn settings(fields: &str) -> String {
    format!("---\napiVersion: overspill.dev/v1\nkind: Settings\nmetadata: {{name: settings}}\nspec: {{{fields}}}\n")
}

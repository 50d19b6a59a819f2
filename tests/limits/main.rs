//! What clients may ask for: how often, and how much of a router's memory and time.

#![allow(clippy::expect_used, clippy::panic, reason = "a step that cannot go on fails its test, and says why")]

#[path = "../harness/harness.rs"]
mod harness;

mod connections;
mod floods;
mod frames;
mod rate_limits;

use harness::{Answer, Service, Upstream, Wire, virtual_service};

/// Times that a client came to a limit, by `limit`.
const EXCEEDED: &str = "overspill_limits_exceeded_total";

/// A `Settings` document with `fields`, in flow style.
fn settings(fields: &str) -> String {
    format!("---\napiVersion: overspill.dev/v1\nkind: Settings\nmetadata: {{name: settings}}\nspec: {{{fields}}}\n")
}

/// An upstream that answers, and the documents that send `app.example` to it.
fn application() -> (Upstream, String) {
    let upstream = Upstream::start(Wire::H1, Answer::Fixed(200, "answered".to_owned()));
    let service = Service { host: "up.example", wire: Wire::H1, endpoints: &[upstream.address] };
    let rules = "  - {name: own, match: [{uri: {exact: /own}}], directResponse: {status: 204}}\n  \
                 - {name: all, route: [{destination: {host: up.example}}], corsPolicy: {allowOrigins: [{exact: 'http://a'}]}}";
    let documents = virtual_service("app.example", rules) + &service.document();
    (upstream, documents)
}

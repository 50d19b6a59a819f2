//! What is sent again, and what is sent twice on purpose: retries, their limits, and mirrors, through the program.

#![allow(clippy::expect_used, clippy::panic, reason = "a step that cannot go on fails its test, and says why")]

#[path = "../harness/harness.rs"]
mod harness;

mod answers;
mod bodies;
mod endpoints;
mod failures;
mod hedges;
mod limits;
mod mirrors;

use std::net::SocketAddr;

use harness::{Answer, Call, Client, Router, Service, Upstream, Wire, virtual_service};

/// The retries that most tests ask for; their waits are short.
const ON_5XX: &str = "retries: {attempts: 2, retryOn: 5xx, backoff: 1ms}";

/// A router that sends `app.example` to `pool.example` by a rule with `fields`, in flow style, and further documents.
fn router(endpoints: &[SocketAddr], wire: Wire, fields: &str, more: &str) -> Router {
    let service = Service { host: "pool.example", wire, endpoints };
    let rule = format!("  - {{name: all, {fields}, route: [{{destination: {{host: pool.example}}}}]}}");
    Router::start(&(virtual_service("app.example", &rule) + &service.document() + more))
}

/// A router before one upstream that hands its requests to the test.
fn held(wire: Wire, fields: &str) -> (Router, Upstream) {
    let upstream = Upstream::start(wire, Answer::Held);
    (router(&[upstream.address], wire, fields, ""), upstream)
}

/// A `DestinationRule` for `pool.example` with `policy` as its `trafficPolicy`, in flow style.
fn destination_rule(policy: &str) -> String {
    format!(
        "---\napiVersion: networking.istio.io/v1\nkind: DestinationRule\n\
         metadata: {{name: pool, namespace: default}}\nspec: {{host: pool.example, trafficPolicy: {policy}}}\n"
    )
}

/// A request without a body, under way, whose access line has the id `id`.
fn begin(router: &Router, method: &str, id: &str) -> Call {
    Client::connect(router.traffic, Wire::H1).start_empty(method, "/", &[("x-request-id", id)])
}

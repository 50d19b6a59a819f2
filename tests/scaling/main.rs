//! What autoscalers are told: demand, desired replicas, and the ways out.

#![allow(clippy::expect_used, clippy::panic, reason = "a step that cannot go on fails its test, and says why")]

#[path = "../harness/harness.rs"]
mod harness;

#[path = "../tls/authority.rs"]
#[allow(dead_code, reason = "the tests of TLS use the rest")]
mod authority;
mod figures;
mod hold;
mod keda;
mod metrics_api;
mod peers;
#[path = "../../benches/scaling/simulation.rs"]
#[allow(dead_code, reason = "the bench uses the rest")]
mod simulation;
mod simulation_check;

use std::net::SocketAddr;

use harness::{Connection, Service, Wire, policy, virtual_service};

/// The pool of [`documents`], and what it is called where a path must not hold a dot.
const POOL: &str = "gpu.example:80";
const KEY: &str = "gpu_example_80";

/// A route to one pool, with these Settings and these fields of its policy.
fn documents(settings: &str, endpoints: &[SocketAddr], fields: &str) -> String {
    format!("---\napiVersion: overspill.dev/v1\nkind: Settings\nmetadata: {{name: overspill}}\nspec: {{{settings}}}\n")
        + &virtual_service("app.example", "  - {name: all, route: [{destination: {host: gpu.example}}]}")
        + &Service { host: "gpu.example", wire: Wire::H1, endpoints }.document()
        + &policy("gpu.example", fields)
}

/// A request whose answer is read later.
fn begin(address: SocketAddr) -> Connection {
    let mut connection = Connection::open(address);
    connection.send("GET / HTTP/1.1\r\nhost: app.example\r\n\r\n");
    connection
}

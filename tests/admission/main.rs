//! Slots and queues through the real program: limits that follow latency, priorities, refusals in time, and the choice between
//! waiting and spilling.

#![allow(clippy::expect_used, clippy::panic, reason = "a step that cannot go on fails its test, and says why")]

#[path = "../harness/harness.rs"]
mod harness;

mod objective;
mod priority;
mod slots;

use std::net::SocketAddr;

use harness::{Connection, Service, Wire, policy, virtual_service};

/// Documents for a GPU and a CPU pool with these policies. The rule `sensitive`, of requests that say so in a header, has
/// the priority; `objective` is what else its policy says.
fn documents(gpu: (&[SocketAddr], &str), cpu: (&[SocketAddr], &str), objective: &str) -> String {
    let service = |host, endpoints| Service { host, wire: Wire::H1, endpoints }.document();
    let rules = "  - {name: sensitive, match: [{headers: {x-latency-sensitive: {exact: \"true\"}}}], \
                 route: [{destination: {host: gpu.example}}]}\n  \
                 - {name: all, route: [{destination: {host: gpu.example}}]}";
    virtual_service("app.example", rules)
        + &service("gpu.example", gpu.0)
        + &service("cpu.example", cpu.0)
        + &policy("gpu.example", &format!("tier: gpu, {}", gpu.1))
        + &policy("cpu.example", &format!("tier: cpu, {}", cpu.1))
        + "---\napiVersion: overspill.dev/v1\nkind: RoutePolicy\nmetadata: {name: sensitive, namespace: default}\n"
        + &format!("spec: {{virtualService: app-example, route: sensitive, priority: LatencySensitive{objective}}}\n")
}

/// A request whose answer is read later.
fn begin(address: SocketAddr, path: &str) -> Connection {
    let mut connection = Connection::open(address);
    connection.send(&format!("GET {path} HTTP/1.1\r\nhost: app.example\r\n\r\n"));
    connection
}

/// The same of a request that is latency-sensitive.
fn begin_sensitive(address: SocketAddr, path: &str) -> Connection {
    let mut connection = Connection::open(address);
    connection.send(&format!("GET {path} HTTP/1.1\r\nhost: app.example\r\nx-latency-sensitive: true\r\n\r\n"));
    connection
}

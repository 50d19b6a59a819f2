//! New documents under a running router, and its end: what is published, what goes on, what is lost (nothing).

#![allow(clippy::expect_used, clippy::panic, reason = "a step that cannot go on fails its test, and says why")]

#[path = "../harness/harness.rs"]
mod harness;

mod drain;
mod edits;
mod faults;
mod restarts;
mod steady;

use std::net::SocketAddr;

use harness::{Connection, Router, Service, Wire, virtual_service};

/// Documents that send `app.example` to the one host named, of two with these endpoints.
fn sending_to(host: &str, [a, b]: [SocketAddr; 2]) -> String {
    let service = |host, endpoint| Service { host, wire: Wire::H1, endpoints: &[endpoint] }.document();
    virtual_service("app.example", &format!("  - {{name: to-{host}, route: [{{destination: {{host: {host}}}}}]}}"))
        + &service("a.example", a)
        + &service("b.example", b)
}

fn begin(address: SocketAddr) -> Connection {
    let mut connection = Connection::open(address);
    connection.send("GET / HTTP/1.1\r\nhost: app.example\r\n\r\n");
    connection
}

/// The body of one answer.
fn ask(address: SocketAddr) -> String {
    begin(address).read_reply().text()
}

/// Waits until a configuration newer than `generation` is in force.
fn wait_for_newer(router: &Router, generation: u64) {
    router.wait_for("the edit is published", |metrics| metrics.count(harness::series::GENERATION, &[]) > generation);
}

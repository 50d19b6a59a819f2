//! Traces of requests, as a collector gets them by OTLP from the real program.

#![allow(clippy::expect_used, clippy::panic, reason = "a step that cannot go on fails its test, and says why")]

#[path = "../harness/harness.rs"]
mod harness;

mod collector;
mod delivery;
mod local;
mod parents;
mod reasons;
mod requests;

use std::net::SocketAddr;

use harness::{Client, Connection, Reply, Service, Wire, virtual_service};

/// Documents that send `app.example` to `endpoint`, by a rule with `fields` in flow style.
fn application(endpoint: SocketAddr, wire: Wire, fields: &str) -> String {
    let rule = format!("  - {{name: all, {fields}route: [{{destination: {{host: up.example}}}}]}}");
    virtual_service("app.example", &rule) + &Service { host: "up.example", wire, endpoints: &[endpoint] }.document()
}

/// One request over HTTP/1.1 with these fields, each of which ends its line.
fn get(address: SocketAddr, path: &str, fields: &str) -> Reply {
    Connection::open(address).ask(&format!("GET {path} HTTP/1.1\r\nhost: app.example\r\n{fields}\r\n"))
}

/// A client of `app.example`.
fn client(address: SocketAddr) -> Client {
    Client::connect(address, Wire::H1)
}

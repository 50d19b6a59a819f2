//! Where a request goes when its first choice cannot take it, and what it is told when nothing can.

#![allow(clippy::expect_used, clippy::panic, reason = "a step that cannot go on fails its test, and says why")]

#[path = "../harness/harness.rs"]
mod harness;

mod local;
mod overflow;
mod refusals;

use std::net::SocketAddr;

use harness::{Connection, Reply, Service, Wire, policy, virtual_service};

/// What a test says of its two pools; `gpu` is asked first.
struct Tiers<'a> {
    gpu: &'a [SocketAddr],
    cpu: &'a [SocketAddr],
    /// Fields of the GPU pool's policy beside its tier.
    gpu_policy: &'a str,
    /// Fields of the CPU pool's policy beside its tier.
    cpu_policy: &'a str,
}

/// One slot, and no queue.
const ONE_SLOT: &str = "slotsPerEndpoint: 1, queue: {maxPending: 0}";
const ONE_SLOT_THEN_CPU: &str = "slotsPerEndpoint: 1, queue: {maxPending: 0}, spillTo: [{host: cpu.example}]";

impl Tiers<'_> {
    fn documents(&self) -> String {
        let service = |host, endpoints| Service { host, wire: Wire::H1, endpoints }.document();
        virtual_service("app.example", "  - {name: all, route: [{destination: {host: gpu.example}}]}")
            + &service("gpu.example", self.gpu)
            + &service("cpu.example", self.cpu)
            + &policy("gpu.example", &format!("tier: gpu, {}", self.gpu_policy))
            + &policy("cpu.example", &format!("tier: cpu, {}", self.cpu_policy))
    }
}

/// A request whose answer is read later.
fn begin(address: SocketAddr) -> Connection {
    let mut connection = Connection::open(address);
    connection.send("GET / HTTP/1.1\r\nhost: app.example\r\n\r\n");
    connection
}

fn ask(address: SocketAddr) -> Reply {
    begin(address).read_reply()
}

/// The tier that answered, or the empty text.
fn served_by(reply: &Reply) -> String {
    reply.head.value("x-served-by")
}

//! The workloads that every proxy is measured with.

use rig::exchange::{Exchange, Front, RULE_EACH, Wire};
use rig::{Keep, Load};

/// Connections of the workloads over HTTP/1.1, unless they say otherwise.
const CONNECTIONS: usize = 64;
/// Connections that are open while most of them are idle.
const IDLE_CONNECTIONS: usize = 10_000;
const H2_CONNECTIONS: usize = 10;
const H2_STREAMS: usize = 32;
const SPREAD_STREAMS: usize = 8;
const KIB: usize = 1024;

/// One way to load a proxy.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Workload {
    /// What `ONLY` names it by.
    pub(crate) name: &'static str,
    /// What it is called in what is written.
    pub(crate) title: &'static str,
    pub(crate) front: Front,
    pub(crate) upstream: Wire,
    pub(crate) exchange: Exchange,
    pub(crate) connections: usize,
    pub(crate) streams: usize,
    pub(crate) in_flight: usize,
    pub(crate) keep: Keep,
}

impl Workload {
    /// The first of them.
    pub(crate) fn get() -> Self {
        Self {
            name: "h1-get",
            title: "h1 GET 1 KiB",
            front: Front::Clear(Wire::H1),
            upstream: Wire::H1,
            exchange: Exchange { wire: Wire::H1, body: 0, answer: KIB },
            connections: CONNECTIONS,
            streams: 1,
            in_flight: CONNECTIONS,
            keep: Keep::Alive,
        }
    }

    /// Requests over HTTP/2 to endpoints that speak HTTP/1.1.
    pub(crate) fn multiplexed() -> Self {
        Self {
            name: "h2-h1",
            title: "h2 -> h1, GET 1 KiB, 10 x 32 streams",
            front: Front::Clear(Wire::H2),
            exchange: Exchange { wire: Wire::H2, ..Self::get().exchange },
            connections: H2_CONNECTIONS,
            streams: H2_STREAMS,
            in_flight: H2_CONNECTIONS * H2_STREAMS,
            ..Self::get()
        }
    }

    /// The same over more connections with fewer streams each, which spread more evenly over workers.
    pub(crate) fn spread() -> Self {
        Self {
            title: "h2 -> h1, GET 1 KiB, 64 x 8 streams",
            connections: CONNECTIONS,
            streams: SPREAD_STREAMS,
            in_flight: CONNECTIONS * SPREAD_STREAMS,
            ..Self::multiplexed()
        }
    }

    /// All of them, in the order of the tables.
    pub(crate) fn all() -> Vec<Self> {
        let (get, multiplexed) = (Self::get(), Self::multiplexed());
        vec![
            get,
            Self {
                name: "h1-post",
                title: "h1 POST 1 KiB -> 8 KiB",
                exchange: Exchange { wire: Wire::H1, body: KIB, answer: 8 * KIB },
                ..get
            },
            Self {
                name: "h1-64k",
                title: "h1 GET 64 KiB",
                exchange: Exchange { answer: 64 * KIB, ..get.exchange },
                ..get
            },
            multiplexed,
            Self {
                name: "h2-h2",
                title: "h2 -> h2, unary call 1 KiB, 10 x 32 streams",
                upstream: Wire::H2,
                exchange: Exchange::unary(KIB),
                ..multiplexed
            },
            Self { name: "tls-get", title: "TLS (P-256) kept alive, GET 1 KiB", front: Front::Tls, ..get },
            Self {
                name: "tls-handshake",
                title: "TLS (P-256), full handshake a request",
                front: Front::Tls,
                keep: Keep::OneRequest,
                ..get
            },
            Self { name: "idle", title: "h1 GET 1 KiB, 10,000 connections", connections: IDLE_CONNECTIONS, ..get },
        ]
    }

    /// The load of this workload on `target`, in clear.
    pub(crate) fn load(&self, target: std::net::SocketAddr) -> Load {
        Load {
            target,
            exchange: self.exchange,
            rule_each: RULE_EACH,
            connections: self.connections,
            streams: self.streams,
            in_flight: self.in_flight,
            keep: self.keep,
            secure: None,
        }
    }

    /// Whether it tells what an idle connection costs.
    pub(crate) fn is_idle(&self) -> bool {
        self.connections > self.in_flight
    }
}

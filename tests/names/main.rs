//! Services whose endpoints are names, or nothing but what a request says, through the program.

#![allow(clippy::expect_used, clippy::panic, reason = "a step that cannot go on fails its test, and says why")]

#[path = "../harness/harness.rs"]
mod harness;

mod changes;
mod failures;
mod original;
mod start;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use harness::{Answer, Connection, DnsServer, Folder, Router, Setup, Upstream, Wire, virtual_service};

/// The name behind the one pool.
const NAME: &str = "pool.example";

/// The address that the upstream at this place listens on.
fn ip(place: u8) -> IpAddr {
    Ipv4Addr::new(127, 0, 0, place + 1).into()
}

/// Upstreams on one port of as many addresses. Each answers with its place, from 0, or as `answer` says.
fn upstreams(count: u8, answer: impl Fn(u8) -> Answer) -> Vec<Upstream> {
    loop {
        let first = Upstream::start(Wire::H1, answer(0));
        let port = first.address.port();
        let others = (1..count).map(|place| Upstream::bind(SocketAddr::new(ip(place), port), Wire::H1, answer(place)));
        // The port may be taken at another address; another one is drawn then.
        if let Some(others) = others.collect::<Option<Vec<_>>>() {
            return [first].into_iter().chain(others).collect();
        }
    }
}

fn by_place(place: u8) -> Answer {
    Answer::Fixed(200, place.to_string())
}

/// What a router is started with.
struct Setting<'a> {
    dns: &'a DnsServer,
    /// The port of the service's endpoints.
    port: u16,
    resolution: &'a str,
    /// Further documents.
    more: &'a str,
    /// The rest of `Settings.dns`.
    settings: &'a str,
}

impl Setting<'_> {
    /// One service whose endpoints are those of [`NAME`], and `app.example` that leads to it.
    fn documents(&self) -> String {
        let Self { dns, port, resolution, more, settings } = self;
        virtual_service("app.example", &format!("  - {{name: all, route: [{{destination: {{host: {NAME}}}}}]}}"))
            + &service(NAME, *port, resolution)
            + &format!(
                "---\napiVersion: overspill.dev/v1\nkind: Settings\nmetadata: {{name: overspill}}\n\
                 spec: {{dns: {{servers: [\"{}\"]{settings}}}}}\n",
                dns.address
            )
            + more
    }

    /// A router that is ready.
    fn router(&self) -> Router {
        Router::start(&self.documents())
    }

    /// A router that listens.
    fn begin(&self) -> (Router, Folder) {
        let folder = Folder::with(&self.documents());
        (Router::begin(&Setup { config: folder.path(), variables: &[] }), folder)
    }
}

/// A `ServiceEntry` without endpoints: the host is the name that is resolved.
fn service(host: &str, port: u16, resolution: &str) -> String {
    format!(
        "---\napiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {{name: {}, namespace: default}}\n\
         spec:\n  hosts: [\"{host}\"]\n  resolution: {resolution}\n  \
         ports: [{{number: 80, name: http, protocol: HTTP, targetPort: {port}}}]\n",
        host.replace('.', "-").replace('*', "any"),
    )
}

/// A `DestinationRule` for [`NAME`] that asks its endpoints one after the other.
fn in_turns() -> String {
    format!(
        "---\napiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {{name: pool, namespace: default}}\n\
         spec: {{host: {NAME}, trafficPolicy: {{loadBalancer: {{simple: ROUND_ROBIN}}}}}}\n"
    )
}

/// The bodies of as many answers, each to a request of its own.
fn bodies(router: &Router, count: usize) -> Vec<String> {
    (0..count).map(|_| get(router, "app.example").1).collect()
}

/// The status and body of the answer to a request for `host`.
fn get(router: &Router, host: &str) -> (u16, String) {
    let reply = Connection::open(router.traffic).ask(&format!("GET / HTTP/1.1\r\nhost: {host}\r\n\r\n"));
    (reply.head.status, reply.text())
}

/// The addresses of the endpoints of `pool.example`, as `/clusters` lists them.
fn endpoints(router: &Router) -> Vec<String> {
    let clusters = router.admin_get("/clusters?format=json").json();
    let pools = clusters["pools"].as_array().expect("a list");
    let pool = pools.iter().find(|pool| pool["pool"].as_str().is_some_and(|name| name.starts_with(NAME)));
    let endpoints = pool.expect("the pool is there")["endpoints"].as_array().expect("a list").iter();
    endpoints.map(|endpoint| endpoint["address"].as_str().expect("text").to_owned()).collect()
}

//! The documents that Overspill is given.

use std::fmt::Write;
use std::net::SocketAddr;

use crate::certificate::Certificate;
use crate::exchange::{HOST, RULE, SPLIT, Wire};
use crate::origin::POOLS;

/// The port of the gateway's documents, which the settings bind elsewhere.
const HTTPS: u16 = 443;

/// A router that does what every proxy is told to do, with every setting but these at its default.
#[derive(Clone, Copy)]
pub struct Router<'r> {
    /// Where it listens.
    pub listen: SocketAddr,
    /// Its traffic threads.
    pub workers: usize,
    /// What its endpoints speak.
    pub upstream: Wire,
    /// Its endpoints.
    pub pools: &'r [Vec<SocketAddr>; POOLS],
    /// Its routes.
    pub table: Table,
    /// The certificate that it serves as a gateway; without one it serves the mesh in clear.
    pub certificate: Option<&'r Certificate>,
}

/// How many routes the table has, and where. The host that is asked for stands in the middle of the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Table {
    /// Hosts.
    pub hosts: usize,
    /// Rules of each host. The host that is asked for has two at least, the header's and the split, behind all others.
    pub rules: usize,
}

impl Table {
    /// What is measured beside the peers: 1,000 routes, as ten for each of a hundred hosts.
    pub const SHIPPED: Self = Self { hosts: 100, rules: 10 };
}

/// All documents, as one file.
pub fn write(router: &Router<'_>) -> String {
    let table = router.table;
    let (mut all, gateways) = match router.certificate {
        None => (settings(router, &format!("listen: \"{}\"", router.listen)), "[mesh]"),
        Some(certificate) => {
            let (address, port) = (router.listen.ip(), router.listen.port());
            let gateway = format!(
                "gateway: {{address: {address}, ports: {{\"{HTTPS}\": {port}}}}}, workload: {{labels: {{bench: front}}}}"
            );
            (settings(router, &gateway) + &front(certificate), "[front]")
        }
    };
    for (name, endpoints) in ["pool-a", "pool-b"].into_iter().zip(router.pools) {
        all += &service(name, router.upstream, endpoints);
    }
    let asked = table.hosts / 2;
    for host in 0..table.hosts {
        if host == asked {
            all += &virtual_service(HOST, gateways, &asked_rules(table.rules));
        } else {
            let rules: String = (0..table.rules).map(other_rule).collect();
            all += &virtual_service(&format!("host-{host}.example"), gateways, &rules);
        }
    }
    all
}

/// Every setting but these has its default.
fn settings(router: &Router<'_>, addresses: &str) -> String {
    format!(
        "apiVersion: overspill.dev/v1\nkind: Settings\nmetadata: {{name: bench}}\n\
         spec: {{{addresses}, admin: \"127.0.0.1:0\", workers: {}, accessLog: false}}\n",
        router.workers
    )
}

fn front(certificate: &Certificate) -> String {
    let (chain, key) = (certificate.chain.display(), certificate.key.display());
    format!(
        "---\napiVersion: networking.istio.io/v1\nkind: Gateway\nmetadata: {{name: front}}\n\
         spec:\n  selector: {{bench: front}}\n  servers:\n\
         \x20   - port: {{number: {HTTPS}, name: https, protocol: HTTPS}}\n      hosts: [\"*\"]\n\
         \x20     tls: {{mode: SIMPLE, serverCertificate: {chain}, privateKey: {key}}}\n"
    )
}

fn service(name: &str, wire: Wire, endpoints: &[SocketAddr]) -> String {
    let protocol = match wire {
        Wire::H1 => "HTTP",
        Wire::H2 => "HTTP2",
    };
    let mut document = format!(
        "---\napiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {{name: {name}}}\n\
         spec:\n  hosts: [{name}.example]\n  resolution: STATIC\n\
         \x20 ports: [{{number: 80, name: http, protocol: {protocol}}}]\n  endpoints:\n"
    );
    for endpoint in endpoints {
        // Writing to memory cannot fail.
        let _ = writeln!(document, "    - {{address: {}, ports: {{http: {}}}}}", endpoint.ip(), endpoint.port());
    }
    document
}

fn virtual_service(host: &str, gateways: &str, rules: &str) -> String {
    let name = host.split('.').next().unwrap_or(host);
    format!(
        "---\napiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {{name: {name}}}\n\
         spec:\n  hosts: [{host}]\n  gateways: {gateways}\n  http:\n{rules}"
    )
}

/// The rules of the host that is asked for: the header's and the split, after others that do not match.
fn asked_rules(rules: usize) -> String {
    let (header, value) = RULE;
    let mut all: String = (2..rules).map(other_rule).collect();
    // Writing to memory cannot fail.
    let _ = write!(
        all,
        "    - match: [{{headers: {{{header}: {{exact: \"{value}\"}}}}}}]\n\
         \x20     route: [{{destination: {{host: pool-a.example}}}}]\n"
    );
    let (a, b) = SPLIT;
    all + &format!(
        "    - route:\n\
         \x20       - {{destination: {{host: pool-a.example}}, weight: {a}}}\n\
         \x20       - {{destination: {{host: pool-b.example}}, weight: {b}}}\n"
    )
}

fn other_rule(number: usize) -> String {
    format!(
        "    - match: [{{uri: {{prefix: /service-{number}/}}}}]\n\
         \x20     route: [{{destination: {{host: pool-b.example}}}}]\n"
    )
}

//! What a `DestinationRule` asks of a pool, through the program: which endpoint a request reaches, and which it avoids.

#![allow(clippy::expect_used, clippy::panic, reason = "a step that cannot go on fails its test, and says why")]

#[path = "../harness/harness.rs"]
mod harness;

mod grpc_health;
mod hash;
mod health_checks;
mod limits;
mod load;
mod locality;
mod outlier;
mod simple;
mod warmups;

use std::net::SocketAddr;

use harness::{Answer, Connection, Reply, Router, Service, Upstream, Wire, virtual_service};

/// Upstreams that answer with their own place, from 0.
fn upstreams(count: usize) -> Vec<Upstream> {
    (0..count).map(|place| Upstream::start(Wire::H1, Answer::Fixed(200, place.to_string()))).collect()
}

/// A router before `upstreams`, the endpoints of the one pool of `pool.example`, with this `trafficPolicy`.
fn router(upstreams: &[Upstream], policy: &str) -> Router {
    let endpoints: Vec<_> = upstreams.iter().map(|upstream| upstream.address).collect();
    router_before(&endpoints, policy, "")
}

/// `fields` are further ones of the rule, in flow style.
fn router_before(endpoints: &[SocketAddr], policy: &str, fields: &str) -> Router {
    let service = Service { host: "pool.example", wire: Wire::H1, endpoints };
    let fields = if fields.is_empty() { String::new() } else { format!("{fields}, ") };
    let rule_of_all = format!("  - {{name: all, {fields}route: [{{destination: {{host: pool.example}}}}]}}");
    let documents =
        virtual_service("app.example", &rule_of_all) + &service.document() + &rule(&format!("trafficPolicy: {policy}"));
    Router::start(&documents)
}

/// A `DestinationRule` for `pool.example`; `fields` is the rest of its spec, in flow style.
fn rule(fields: &str) -> String {
    format!(
        "---\napiVersion: networking.istio.io/v1\nkind: DestinationRule\n\
         metadata: {{name: pool, namespace: default}}\nspec: {{host: pool.example, {fields}}}\n"
    )
}

/// `count` requests on one connection, with `field` in each head.
fn replies(router: &Router, count: usize, field: &str) -> Vec<Reply> {
    let mut connection = Connection::open(router.traffic);
    let field = if field.is_empty() { String::new() } else { format!("{field}\r\n") };
    let request = format!("GET /path?user=joe HTTP/1.1\r\nhost: app.example\r\n{field}\r\n");
    (0..count).map(|_| connection.ask(&request)).collect()
}

/// The bodies of as many answers: the places of the upstreams that gave them.
fn bodies(router: &Router, count: usize, field: &str) -> Vec<String> {
    replies(router, count, field).iter().map(Reply::text).collect()
}

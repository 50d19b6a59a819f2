//! The documents that the router is given.

use std::net::SocketAddr;

use crate::pools::{CPU, GPU, Profile};

/// The latency objective of the sensitive class, in milliseconds.
pub(crate) const OBJECTIVE_MS: u64 = 200;

/// All documents, as one file: a split of 70 to 30, and a rule for the latency-sensitive.
pub(crate) fn write(listen: SocketAddr, gpu: SocketAddr, cpu: SocketAddr) -> String {
    format!(
        "apiVersion: overspill.dev/v1\nkind: Settings\nmetadata: {{name: bench}}\n\
         spec: {{listen: \"{listen}\", admin: \"127.0.0.1:0\", accessLog: false}}\n\
         ---\napiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {{name: bench}}\nspec:\n  \
         hosts: [\"*\"]\n  http:\n  \
         - name: sensitive\n    match: [{{headers: {{x-latency-sensitive: {{exact: \"true\"}}}}}}]\n    \
         route: [{{destination: {{host: gpu.example}}}}]\n  \
         - name: standard\n    route:\n    - {{destination: {{host: gpu.example}}, weight: 70}}\n    \
         - {{destination: {{host: cpu.example}}, weight: 30}}\n\
         ---\napiVersion: overspill.dev/v1\nkind: RoutePolicy\nmetadata: {{name: sensitive}}\n\
         spec: {{virtualService: bench, route: sensitive, priority: LatencySensitive, latencyObjective: {OBJECTIVE_MS}ms}}\n"
    ) + &pool("gpu", gpu, &GPU, "cpu")
        + &pool("cpu", cpu, &CPU, "gpu")
}

fn pool(tier: &str, endpoint: SocketAddr, profile: &Profile, next: &str) -> String {
    let (address, port, slots) = (endpoint.ip(), endpoint.port(), profile.places);
    format!(
        "---\napiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {{name: {tier}}}\nspec:\n  \
         hosts: [{tier}.example]\n  resolution: STATIC\n  ports: [{{number: 80, name: http, protocol: HTTP}}]\n  \
         endpoints: [{{address: {address}, ports: {{http: {port}}}}}]\n\
         ---\napiVersion: overspill.dev/v1\nkind: PoolPolicy\nmetadata: {{name: {tier}}}\n\
         spec:\n  host: {tier}.example\n  tier: {tier}\n  slotsPerEndpoint: {slots}\n  \
         queue: {{maxPending: 128, timeout: 250ms}}\n  spillTo: [{{host: {next}.example}}]\n"
    )
}

//! The documents of the tests: short ways to write the kinds that every test needs.

use std::fmt::Write as _;
use std::net::SocketAddr;

use super::Wire;

/// A service with its endpoints: one `ServiceEntry`.
pub struct Service<'a> {
    /// Its host.
    pub host: &'a str,
    /// What its endpoints speak.
    pub wire: Wire,
    /// Where they are.
    pub endpoints: &'a [SocketAddr],
}

impl Service<'_> {
    /// The document, on port 80.
    pub fn document(&self) -> String {
        let (name, protocol) = match self.wire {
            Wire::H1 => ("http", "HTTP"),
            Wire::H2 => ("http2", "HTTP2"),
        };
        let mut text = format!(
            "---\napiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {{name: {}, namespace: default}}\n\
             spec:\n  hosts: [{}]\n  location: MESH_INTERNAL\n  resolution: STATIC\n  ports:\n  \
             - {{number: 80, name: {name}, protocol: {protocol}}}\n  endpoints:",
            self.host.replace('.', "-"),
            self.host,
        );
        for endpoint in self.endpoints {
            write!(text, "\n  - {{address: {}, ports: {{{name}: {}}}}}", endpoint.ip(), endpoint.port())
                .expect("a string takes all text");
        }
        text.push_str(if self.endpoints.is_empty() { " []\n" } else { "\n" });
        text
    }
}

/// A `PoolPolicy` for `host`; `fields` is the rest of its spec, in flow style: `tier: gpu, slotsPerEndpoint: 1`.
pub fn policy(host: &str, fields: &str) -> String {
    format!(
        "---\napiVersion: overspill.dev/v1\nkind: PoolPolicy\nmetadata: {{name: {}, namespace: default}}\n\
         spec: {{host: {host}, {fields}}}\n",
        host.replace('.', "-"),
    )
}

/// A `VirtualService` for `host`; `rules` is its `http`, a block list indented by two.
pub fn virtual_service(host: &str, rules: &str) -> String {
    format!(
        "---\napiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {{name: {}, namespace: default}}\n\
         spec:\n  hosts: [\"{host}\"]\n  http:\n{}\n",
        host.replace('.', "-").replace('*', "any"),
        rules.trim_matches('\n'),
    )
}

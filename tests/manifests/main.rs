//! What is in `manifests/` builds, is what the program prints, is valid by Kubernetes' schemas, and asks for nothing that the
//! program does not emit.

#![allow(clippy::expect_used, clippy::panic, reason = "a step that cannot go on fails its test, and says why")]

#[path = "../harness/harness.rs"]
mod harness;

mod alerts;
mod answers;
#[path = "../tls/authority.rs"]
#[allow(dead_code, reason = "the tests of TLS use the rest")]
mod authority;
mod contents;
mod definitions;
mod deploy;
mod documents;
mod files;
mod generated;
mod helm;
mod image;
mod kustomize;
mod printed;
#[path = "../prometheus/server.rs"]
mod prometheus;
mod promql;
mod scenario;
mod series;
mod tools;

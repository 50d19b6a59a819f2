//! The local models over HTTP: the APIs that they answer, models of other kinds than the one that `make` fetches, and whatever
//! clients may send.

#![allow(clippy::expect_used, clippy::panic, reason = "a step that cannot go on fails its test, and says why")]

#[path = "../harness/harness.rs"]
mod harness;

mod bad_requests;
mod beside;
mod bodies;
mod clients;
mod encoders;
mod numbers;
mod protocols;
mod shapes;
mod stage;
mod versions;

//! Which pool a request reaches: conditions, hosts and weights, through the program.

#![allow(clippy::expect_used, clippy::panic, reason = "a step that cannot go on fails its test, and says why")]

#[path = "../harness/harness.rs"]
mod harness;

mod conditions;
mod gateways;
mod hosts;
mod weights;

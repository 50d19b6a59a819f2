//! What a rule does beside choosing a pool: header operations, rewrites, redirects, answers of its own, CORS and injected faults,
//! through the program.

#![allow(clippy::expect_used, clippy::panic, reason = "a step that cannot go on fails its test, and says why")]

#[path = "../harness/harness.rs"]
mod harness;

mod answers;
mod cors;
mod edits;
mod faults;
mod refusals;

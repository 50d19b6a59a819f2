//! `bench-peers`: measures Overspill beside nginx, haproxy, Envoy and Pingora.
//!
//! Reads from the top: what is measured ([`workload`], [`growth`], [`scale`]) and how ([`compare`], [`runner`]); the proxies ([`peers`], [`running`],
//! [`process`]), what is written ([`results`], [`report`]). What stands around the proxies is the crate `rig`. Never prints a figure that it did not measure: what could not be had is absent, by name and reason.

mod compare;
mod ground;
mod growth;
mod install;
mod machine;
mod options;
mod peers;
mod process;
mod report;
mod results;
mod runner;
mod running;
mod scale;
mod statistics;
mod workload;

use std::process::ExitCode;

use clap::Parser;

use self::options::Options;

fn main() -> ExitCode {
    match options::run(&Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench-peers: {error}");
            ExitCode::FAILURE
        }
    }
}

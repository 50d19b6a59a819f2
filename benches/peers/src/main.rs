//! `bench-peers`: measures Overspill beside nginx, haproxy, Envoy and Pingora.
//!
//! Reads from the top: what is measured ([`workload`]) and how ([`measure`]); the proxies ([`peers`], [`running`],
//! [`process`]); what stands behind them ([`origin`]) and before them ([`load`]); what is written ([`results`],
//! [`report`]). Never prints a figure that it did not measure: what could not be had is absent, by name and reason.

mod certificate;
mod cores;
mod exchange;
mod frames;
mod install;
mod load;
mod machine;
mod measure;
mod options;
mod origin;
mod outbox;
mod peers;
mod poll;
mod process;
mod report;
mod results;
mod running;
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

//! haproxy.

use std::fmt::Write;
use std::fs;
use std::io;
use std::path::Path;
use std::process::Command;

use rig::exchange::{Front, RULE, Wire};

use super::{Peer, Plan, Program, version, weights};
use crate::install;

pub(crate) struct Haproxy;

impl Peer for Haproxy {
    fn name(&self) -> &'static str {
        "haproxy"
    }

    fn obtain(&self, _cache: &Path) -> Result<Program, String> {
        let path = install::from_system("haproxy", "haproxy")?;
        let line = version(&path, "-v")?;
        let version = line.split_whitespace().nth(2).unwrap_or(&line);
        Ok(Program { version: format!("haproxy {version}"), path })
    }

    fn command(&self, program: &Program, plan: &Plan) -> io::Result<Command> {
        let file = plan.folder.join("haproxy.cfg");
        fs::write(&file, configuration(plan))?;
        let mut command = Command::new(&program.path);
        command.arg("-db").arg("-f").arg(&file);
        Ok(command)
    }
}

fn configuration(plan: &Plan) -> String {
    let (rule, value) = RULE;
    let bind = match plan.front {
        Front::Clear(Wire::H1) => String::new(),
        Front::Clear(Wire::H2) => "proto h2".to_owned(),
        Front::Tls => format!("ssl crt {} alpn http/1.1", plan.certificate.both.display()),
    };
    let upstream = match plan.upstream {
        Wire::H1 => "",
        Wire::H2 => "proto h2",
    };
    let [weight_a, weight_b] = weights(plan);
    let servers = |at: usize, weight: usize| {
        plan.pools[at].iter().enumerate().fold(String::new(), |mut all, (number, address)| {
            // Writing to memory cannot fail.
            let _ = writeln!(all, "  server s{at}-{number} {address} weight {weight} {upstream}");
            all
        })
    };
    let (only_a, a, b) = (servers(0, 1), servers(0, weight_a), servers(1, weight_b));
    format!(
        "global\n  nbthread {workers}\n  maxconn 16384\n  no strict-limits\n\
         defaults\n  mode http\n  http-reuse always\n  timeout connect 5s\n  timeout client 300s\n  timeout server 60s\n\
         frontend front\n  bind {listen} backlog 1024 {bind}\n\
         \x20 use_backend a if {{ req.hdr({rule}) -m str {value} }}\n  default_backend both\n\
         backend a\n  balance roundrobin\n{only_a}\
         backend both\n  balance roundrobin\n{a}{b}",
        workers = plan.workers,
        listen = plan.listen,
    )
}

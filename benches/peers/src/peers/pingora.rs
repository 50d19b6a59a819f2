//! Pingora: a library, so a small proxy is built of it, which lies beside this tool.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use rig::exchange::{Front, Wire};

use super::{Peer, Plan, Program, version};
use crate::install;

/// Where the repository is, whose benches have the proxy.
pub(crate) struct Pingora {
    pub(crate) repository: PathBuf,
}

impl Peer for Pingora {
    fn name(&self) -> &'static str {
        "Pingora"
    }

    fn obtain(&self, _cache: &Path) -> Result<Program, String> {
        // A part of Pingora's compression is C that builds with it.
        install::from_system("cmake", "cmake")?;
        eprintln!("== building the proxy on Pingora (minutes the first time)");
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        install::run(
            Command::new(cargo)
                .args(["build", "--release", "--locked", "--package", "pingora-proxy-bench"])
                .current_dir(self.repository.join("benches")),
        )?;
        let path = self.repository.join("target/benches/release/pingora-proxy-bench");
        Ok(Program { version: version(&path, "--version")?, path })
    }

    fn command(&self, program: &Program, plan: &Plan) -> io::Result<Command> {
        let mut command = Command::new(&program.path);
        command.args(["--listen", &plan.listen.to_string(), "--workers", &plan.workers.to_string()]);
        match plan.front {
            Front::Clear(_) => {}
            Front::Tls => {
                command.arg("--certificate").arg(&plan.certificate.chain).arg("--key").arg(&plan.certificate.key);
            }
        }
        if plan.upstream == Wire::H2 {
            command.arg("--upstream-h2");
        }
        for (flag, pool) in ["--a", "--b"].into_iter().zip(&plan.pools) {
            for endpoint in pool {
                command.args([flag, &endpoint.to_string()]);
            }
        }
        Ok(command)
    }
}

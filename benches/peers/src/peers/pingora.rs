//! Pingora: a library, so a small proxy is built of it, which lies beside this tool.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Front, Peer, Plan, Program, version};
use crate::exchange::Wire;
use crate::install;

/// Where the workspace is that has the proxy.
pub(crate) struct Pingora {
    pub(crate) workspace: PathBuf,
}

impl Peer for Pingora {
    fn name(&self) -> &'static str {
        "Pingora"
    }

    fn obtain(&self, cache: &Path) -> Result<Program, String> {
        // A part of Pingora's compression is C that builds with it.
        install::from_system("cmake", "cmake")?;
        eprintln!("== building the proxy on Pingora (minutes the first time)");
        let target = cache.join("pingora");
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        install::run(
            Command::new(cargo)
                .args(["build", "--release", "--locked", "--package", "pingora-proxy-bench", "--target-dir"])
                .arg(&target)
                .current_dir(&self.workspace),
        )?;
        let path = target.join("release/pingora-proxy-bench");
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

//! Overspill, as it is shipped: every setting is its default but the addresses, the workers and the access log.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use rig::documents::{self, Router, Table};
use rig::exchange::Front;

use super::{Peer, Plan, Program, version};

/// One build of it.
pub(crate) struct Overspill {
    pub(crate) name: String,
    pub(crate) path: PathBuf,
    pub(crate) table: Table,
}

impl Peer for Overspill {
    fn name(&self) -> &str {
        &self.name
    }

    fn is_own(&self) -> bool {
        true
    }

    fn obtain(&self, _cache: &Path) -> Result<Program, String> {
        if !self.path.is_file() {
            return Err(format!("there is no {}; `make release` builds it", self.path.display()));
        }
        Ok(Program { path: self.path.clone(), version: version(&self.path, "--version")? })
    }

    fn command(&self, program: &Program, plan: &Plan) -> io::Result<Command> {
        let folder = plan.folder.join("documents");
        fs::create_dir_all(&folder)?;
        let router = Router {
            listen: plan.listen,
            workers: plan.workers,
            upstream: plan.upstream,
            pools: &plan.pools,
            table: self.table,
            certificate: (plan.front == Front::Tls).then_some(&plan.certificate),
        };
        fs::write(folder.join("all.yaml"), documents::write(&router))?;
        let mut command = Command::new(&program.path);
        command.args(["run", "--config"]).arg(&folder);
        Ok(command)
    }
}

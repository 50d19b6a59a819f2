//! The router as a process: started, waited for, ended.

use std::error::Error;
use std::fs;
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::documents;
use crate::pools::Pools;

/// How long it may take to listen.
const PATIENCE: Duration = Duration::from_secs(20);

/// A running router. Ended, and its documents removed, when it goes out of scope.
pub(crate) struct Program {
    /// Where it takes requests.
    pub(crate) address: SocketAddr,
    child: Child,
    folder: PathBuf,
}

impl Program {
    /// Starts it in front of `pools`.
    pub(crate) fn start(path: &Path, pools: &Pools) -> Result<Self, Box<dyn Error>> {
        let address = rig::free_address()?;
        let folder = std::env::temp_dir().join(format!("bench-saturation-{}", std::process::id()));
        fs::create_dir_all(&folder)?;
        fs::write(folder.join("bench.yaml"), documents::write(address, pools.gpu, pools.cpu))?;
        let child = Command::new(path).arg("run").arg("--config").arg(&folder).stdout(Stdio::null()).spawn()?;
        let mut program = Self { address, child, folder };
        program.wait_until_it_listens()?;
        Ok(program)
    }

    fn wait_until_it_listens(&mut self) -> io::Result<()> {
        let give_up = Instant::now() + PATIENCE;
        while TcpStream::connect(self.address).is_err() {
            if let Some(status) = self.child.try_wait()? {
                return Err(io::Error::other(format!("the router ended with {status}")));
            }
            if Instant::now() > give_up {
                return Err(io::Error::other("the router does not listen"));
            }
            pause();
        }
        Ok(())
    }
}

/// Lets some time pass where there is nothing to wait on: another program's start.
#[expect(clippy::disallowed_methods, reason = "no runtime's thread, and no test")]
fn pause() {
    std::thread::sleep(Duration::from_millis(10));
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

//! A program that is built to note which of its code a load runs: it writes its profile as it ends.

use std::io;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

/// A program in training. Killed where it goes out of scope before its end.
pub(crate) struct Trained(Child);

impl Trained {
    /// Starts `program` with the documents in `config`.
    pub(crate) fn start(program: &Path, config: &str) -> io::Result<Self> {
        let mut command = Command::new(program);
        command.args(["run", "--config", config]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.spawn().map(Self)
    }

    /// Fails once the program has ended.
    pub(crate) fn check(&mut self) -> io::Result<()> {
        let ended = self.0.try_wait()?;
        ended.map_or(Ok(()), |status| Err(io::Error::other(format!("the program ended with {status}"))))
    }

    /// Asks the program to end, and waits until it has.
    pub(crate) fn finish(mut self) -> io::Result<()> {
        let id = i32::try_from(self.0.id()).ok().and_then(Pid::from_raw);
        kill_process(id.ok_or_else(|| io::Error::other("the program has no id"))?, Signal::TERM)?;
        let status = self.0.wait()?;
        if status.success() { Ok(()) } else { Err(io::Error::other(format!("the program ended with {status}"))) }
    }
}

impl Drop for Trained {
    fn drop(&mut self) {
        // It has ended already wherever nothing went wrong.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

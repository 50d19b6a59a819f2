//! A program under callgrind: what each of its threads has spent by its end.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

/// The prefix of the files that callgrind writes; the number of a thread follows it.
const FILES: &str = "callgrind";

/// Instructions by thread, numbered as they were started.
pub(crate) type ByThread = BTreeMap<u32, u64>;

/// valgrind, where it is installed.
pub(crate) fn find() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join("valgrind")).find(|file| file.is_file())
}

/// A program that runs under callgrind. Killed where it goes out of scope before its end.
pub(crate) struct Counted<'f> {
    child: Child,
    folder: &'f Path,
}

impl<'f> Counted<'f> {
    /// Starts `program`; what callgrind and the program write goes into `folder`.
    pub(crate) fn start(valgrind: &Path, program: &Path, arguments: &[&str], folder: &'f Path) -> io::Result<Self> {
        let log = File::create(folder.join("log"))?;
        let mut out = std::ffi::OsString::from("--callgrind-out-file=");
        out.push(folder.join(FILES));
        let child = Command::new(valgrind)
            .args(["--tool=callgrind", "--separate-threads=yes"])
            .arg(out)
            .arg(program)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()?;
        Ok(Self { child, folder })
    }

    /// Fails once the program has ended, with what it said last.
    pub(crate) fn check(&mut self) -> io::Result<()> {
        let Some(status) = self.child.try_wait()? else { return Ok(()) };
        let log = fs::read_to_string(self.folder.join("log"))?;
        let last = log.lines().last().unwrap_or_default();
        Err(io::Error::other(format!("the program ended with {status}: {last}")))
    }

    /// Asks the program to end, waits until it has, and reads what its threads have spent.
    pub(crate) fn finish(mut self) -> io::Result<ByThread> {
        let id = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        kill_process(id.ok_or_else(|| io::Error::other("the program has no id"))?, Signal::TERM)?;
        let status = self.child.wait()?;
        if !status.success() {
            return Err(io::Error::other(format!("the program ended with {status}")));
        }
        let mut threads = ByThread::new();
        for entry in fs::read_dir(self.folder)? {
            let path = entry?.path();
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            let thread = name.strip_prefix(FILES).and_then(|rest| rest.strip_prefix('-')?.parse().ok());
            if let Some(thread) = thread {
                let text = fs::read_to_string(&path)?;
                let total = totals(&text).ok_or_else(|| io::Error::other(format!("{name} has no `totals:`")))?;
                threads.insert(thread, total);
            }
        }
        Ok(threads)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        // It has ended already wherever nothing went wrong.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The sum at the end of a file of callgrind's.
fn totals(text: &str) -> Option<u64> {
    text.lines().rev().find_map(|line| line.strip_prefix("totals:"))?.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::totals;

    #[test]
    fn the_totals_of_a_file() {
        assert_eq!(totals("events: Ir\nfn=(1) main\n5 12\n\ntotals: 36030\n"), Some(36_030));
        assert_eq!(totals("events: Ir\n"), None);
    }
}

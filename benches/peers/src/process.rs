//! A proxy as a process: started on its cores, read from `/proc`, ended.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rig::cores;
use rustix::process::{Pid, Signal, kill_process};

/// How long a proxy may take to end by itself.
const GRACE: Duration = Duration::from_secs(5);

/// A running proxy with its children. Ended when it goes out of scope.
pub(crate) struct Process {
    child: Child,
    log: PathBuf,
    /// The process and the children that it had when it was ready.
    tree: Vec<u32>,
}

impl Process {
    /// Starts `command` on `on_cores`, its output in `log`.
    pub(crate) fn start(command: &mut Command, on_cores: &[usize], log: &Path) -> io::Result<Self> {
        let output = File::create(log)?;
        command.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output);
        let child = cores::on(on_cores, || command.spawn())?;
        Ok(Self { tree: vec![child.id()], child, log: log.to_owned() })
    }

    /// User and system time of the process and its children so far, in the kernel's ticks of 10 ms.
    pub(crate) fn cpu(&self) -> io::Result<Duration> {
        let ticks_per_second = rustix::param::clock_ticks_per_second();
        let ticks: u64 = self.stats()?.iter().map(|stat| stat.ticks).sum();
        Ok(Duration::from_millis(ticks * 1000 / ticks_per_second))
    }

    /// Resident bytes of the process and its children (`VmRSS`); a page that two of them share counts twice.
    pub(crate) fn resident(&self) -> io::Result<u64> {
        let page = rustix::param::page_size() as u64;
        let pages: u64 = self.stats()?.iter().map(|stat| stat.resident_pages).sum();
        Ok(pages * page)
    }

    /// Why it has ended, if it has.
    pub(crate) fn ended(&mut self) -> Option<String> {
        let status = self.child.try_wait().ok().flatten()?;
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        let mut last: Vec<_> = log.lines().rev().take(5).collect();
        last.reverse();
        Some(format!("it ended with {status}: {}", last.join(" / ")))
    }

    fn stats(&self) -> io::Result<Vec<Stat>> {
        self.tree.iter().map(|id| Stat::read(*id)).collect()
    }

    /// Looks which children it has: called once it serves, since a master starts its workers before that.
    pub(crate) fn settle(&mut self) -> io::Result<()> {
        let mut all = Vec::new();
        for entry in fs::read_dir("/proc")? {
            let id = entry?.file_name().to_str().and_then(|name| name.parse().ok());
            // A process may end while it is looked at.
            all.extend(id.and_then(|id| Stat::read(id).ok()));
        }
        self.tree = vec![self.child.id()];
        let mut at = 0;
        while let Some(parent) = self.tree.get(at).copied() {
            self.tree.extend(all.iter().filter(|stat| stat.parent == parent).map(|stat| stat.id));
            at += 1;
        }
        Ok(())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let id = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        if let Some(id) = id {
            // It may have ended by itself.
            let _ = kill_process(id, Signal::TERM);
        }
        let give_up = Instant::now() + GRACE;
        while matches!(self.child.try_wait(), Ok(None)) {
            if Instant::now() > give_up {
                let _ = self.child.kill();
                let _ = self.child.wait();
                return;
            }
            pause();
        }
    }
}

/// Lets some time pass where there is nothing to wait on: another program's start or end.
#[expect(clippy::disallowed_methods, reason = "no runtime's thread, and no test")]
pub(crate) fn pause() {
    std::thread::sleep(Duration::from_millis(10));
}

/// What is used of `/proc/ID/stat` (proc(5)).
#[derive(Clone, Copy)]
struct Stat {
    id: u32,
    parent: u32,
    ticks: u64,
    resident_pages: u64,
}

impl Stat {
    fn read(id: u32) -> io::Result<Self> {
        let text = fs::read_to_string(format!("/proc/{id}/stat"))?;
        Self::parse(id, &text).ok_or_else(|| io::Error::other(format!("/proc/{id}/stat is not as proc(5) says")))
    }

    fn parse(id: u32, text: &str) -> Option<Self> {
        // The name in parentheses may hold anything, and the state follows it.
        let fields: Vec<_> = text.rsplit_once(')')?.1.split_whitespace().collect();
        let number = |field: usize| fields.get(field - 3)?.parse::<u64>().ok();
        let parent = u32::try_from(number(4)?).ok()?;
        Some(Self { id, parent, ticks: number(14)? + number(15)?, resident_pages: number(24)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stat_is_read_by_the_places_of_proc5_whatever_the_name_holds() {
        let text = "7 (a) b) S 3 7 7 0 -1 4194560 1 2 3 4 50 60 7 8 20 0 1 0 99 1000 250 184";
        let stat = Stat::parse(7, text).expect("a stat");
        assert_eq!((stat.parent, stat.ticks, stat.resident_pages), (3, 110, 250));
    }
}

//! Overspill as a process, with its local model, and what its threads have cost.

use std::error::Error;
use std::fs::{self, File};
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rig::cores;
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// How long the router may take to be ready, its model loaded.
const START: Duration = Duration::from_mins(2);
/// The sum of the tokens of all batches, padding included.
const TEXTS: &str = "overspill_local_model_batch_size_sum ";
const TOKENS: &str = "overspill_local_model_batch_tokens_sum ";
/// The names of the threads that compute begin so.
const INFERENCE: &str = "local-model-";

/// Where the router runs.
#[derive(Clone, Copy)]
pub struct Placement<'p> {
    /// The program, in its release build.
    pub program: &'p Path,
    /// The cores of all its threads, unless the documents say something else of the local model's.
    pub cores: &'p [usize],
}

/// A router that serves. Ended when it goes out of scope.
pub struct Router {
    child: Child,
    folder: TempDir,
    /// Where it takes traffic.
    pub traffic: SocketAddr,
    admin: SocketAddr,
}

impl Router {
    /// Starts it with `documents`, which say nothing of where it listens, and waits until it is ready.
    ///
    /// # Errors
    /// If it does not start, with the end of its log.
    pub fn start(placement: Placement<'_>, documents: &str) -> Result<Self, Box<dyn Error>> {
        let folder = TempDir::new()?;
        fs::write(folder.path().join("documents.yaml"), documents)?;
        let log = File::create(folder.path().join("log"))?;
        let (traffic, admin) = (rig::free_address()?, rig::free_address()?);
        let mut command = Command::new(placement.program);
        command
            .args(["run", "--config"])
            .arg(folder.path().join("documents.yaml"))
            .args(["--listen", &traffic.to_string(), "--admin", &admin.to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log);
        let child = cores::on(placement.cores, || command.spawn())?;
        let mut router = Self { child, folder, traffic, admin };
        router.wait_until_ready()?;
        Ok(router)
    }

    fn wait_until_ready(&mut self) -> Result<(), Box<dyn Error>> {
        let give_up = Instant::now() + START;
        loop {
            if let Some(status) = self.child.try_wait()? {
                let log = fs::read_to_string(self.folder.path().join("log"))?;
                return Err(
                    format!("the router ended with {status}: {}", log.lines().last().unwrap_or_default()).into()
                );
            }
            if super::saturation::get(self.admin, "/healthz/ready")
                .is_ok_and(|answer| answer.starts_with("HTTP/1.1 200"))
            {
                return Ok(());
            }
            if Instant::now() > give_up {
                return Err("the router is not ready after two minutes".into());
            }
            pause();
        }
    }

    /// Texts and tokens that were computed until now, padding included.
    ///
    /// # Errors
    /// If it does not tell.
    pub fn computed(&self) -> Result<[f64; 2], Box<dyn Error>> {
        let metrics = super::saturation::get(self.admin, "/metrics")?;
        let sum = |name: &str| metrics.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok());
        let [texts, tokens] = [TEXTS, TOKENS].map(|name| sum(name).ok_or_else(|| format!("it has no metric {name}")));
        Ok([texts?, tokens?])
    }

    /// The time on a core of the threads that compute, and of all threads, until now (`schedstat`, in nanoseconds).
    ///
    /// # Errors
    /// If the kernel does not tell.
    pub fn cpu(&self) -> io::Result<(Duration, Duration)> {
        let (mut inference, mut all) = (0, 0);
        for entry in fs::read_dir(format!("/proc/{}/task", self.child.id()))? {
            let task = entry?.path();
            // A thread may end while it is looked at.
            let (Ok(name), Ok(stat)) =
                (fs::read_to_string(task.join("comm")), fs::read_to_string(task.join("schedstat")))
            else {
                continue;
            };
            let spent: u64 = stat.split_whitespace().next().and_then(|number| number.parse().ok()).unwrap_or(0);
            all += spent;
            if name.starts_with(INFERENCE) {
                inference += spent;
            }
        }
        Ok((Duration::from_nanos(inference), Duration::from_nanos(all)))
    }
}

impl Drop for Router {
    fn drop(&mut self) {
        if let Some(id) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            // It may have ended by itself; asked twice, it does not wait for what is in flight.
            let _ = kill_process(id, Signal::TERM);
            let _ = kill_process(id, Signal::TERM);
        }
        let give_up = Instant::now() + Duration::from_secs(5);
        while matches!(self.child.try_wait(), Ok(None)) && Instant::now() < give_up {
            pause();
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "no runtime's thread: another program's start or end has nothing to wait on"
)]
pub(crate) fn pause() {
    std::thread::sleep(Duration::from_millis(10));
}

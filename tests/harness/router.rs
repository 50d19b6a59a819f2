//! The real program, as a child process.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::lines::Lines;
use super::raw_client::{Reply, get};
use super::{AccessLine, DEADLINE, Folder, Metrics};

/// How the program is started.
pub struct Setup<'a> {
    /// What `--config` names.
    pub config: &'a Path,
    /// Variables beside the harness's own.
    pub variables: &'a [(&'a str, OsString)],
}

/// A running router. Killed where a test ends without stopping it.
pub struct Router {
    child: Child,
    /// Where it takes traffic.
    pub traffic: SocketAddr,
    /// Where its admin API is.
    pub admin: SocketAddr,
    log: Lines,
    access: Lines,
    folder: Option<Folder>,
}

/// What is left of a router that has ended.
pub struct Exit {
    /// How it ended.
    pub status: ExitStatus,
    /// Its whole log.
    pub log: Vec<Value>,
    /// Its whole access log.
    pub access: Vec<AccessLine>,
}

impl Router {
    /// Starts it with a folder of its own that holds `documents`, and returns once it is ready.
    pub fn start(documents: &str) -> Self {
        let folder = Folder::with(documents);
        let mut router = Self::with(&Setup { config: folder.path(), variables: &[] });
        router.folder = Some(folder);
        router
    }

    /// Starts it as `setup` says, and returns once it is ready.
    pub fn with(setup: &Setup<'_>) -> Self {
        let router = Self::begin(setup);
        router.wait_until("it is ready", Self::is_ready);
        router
    }

    /// Whether it says that it is ready.
    pub fn is_ready(&self) -> bool {
        self.admin_get("/healthz/ready").head.status == 200
    }

    /// Starts it as `setup` says, and returns once it listens.
    pub fn begin(setup: &Setup<'_>) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_overspill"))
            .args(["run", "--config"])
            .arg(setup.config)
            .envs([("OVERSPILL_LISTEN", "127.0.0.1:0"), ("OVERSPILL_ADMIN", "127.0.0.1:0"), ("OVERSPILL_LOG", "info")])
            .envs(setup.variables.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let log = Lines::of(child.stderr.take().expect("stderr is piped"));
        let access = Lines::of(child.stdout.take().expect("stdout is piped"));
        let Some((traffic, admin)) = log.find(0, listening) else {
            let status = child.wait().expect("the child has not been waited for");
            panic!("the router ended before it listened: {status}\n{}", log.all().join("\n"));
        };
        Self { child, traffic, admin, log, access, folder: None }
    }

    /// The folder that [`Router::start`] made.
    pub fn folder(&self) -> &Folder {
        self.folder.as_ref().expect("the test started the router with documents")
    }

    /// Where the port of a gateway is bound.
    pub fn gateway(&self, port: u16) -> SocketAddr {
        let address = |line: &str| {
            let line: Value = serde_json::from_str(line).ok()?;
            (log_field(&line, "message") == "listening as a gateway" && log_field(&line, "port") == port)
                .then_some(())?;
            log_field(&line, "address").as_str()?.parse().ok()
        };
        self.log.find(0, address).expect("the gateway's port is bound before the router is ready")
    }

    /// One request to the admin API.
    pub fn admin_get(&self, path: &str) -> Reply {
        get(self.admin, path)
    }

    /// A scrape.
    pub fn metrics(&self) -> Metrics {
        let reply = self.admin_get("/metrics");
        assert_eq!(reply.head.status, 200, "{reply:?}");
        Metrics::parse(&reply.text())
    }

    /// The configuration generation in force.
    pub fn generation(&self) -> u64 {
        self.metrics().count(super::series::GENERATION, &[])
    }

    /// Returns the first scrape that `holds`.
    #[track_caller]
    pub fn wait_for(&self, what: &str, mut holds: impl FnMut(&Metrics) -> bool) -> Metrics {
        let mut last = Metrics::default();
        self.wait_until(what, |router| {
            last = router.metrics();
            holds(&last)
        });
        last
    }

    /// Returns once `holds`. Looked at again at each line of the log, which all that happens writes, and in between.
    #[track_caller]
    pub fn wait_until(&self, what: &str, mut holds: impl FnMut(&Self) -> bool) {
        let give_up = Instant::now() + DEADLINE;
        loop {
            let seen = self.log.count();
            if holds(self) {
                return;
            }
            assert!(Instant::now() < give_up, "still not so: {what}");
            self.log.wait_for_more(seen, Duration::from_millis(5));
        }
    }

    /// The place in the log to look from for what comes later.
    pub fn log_mark(&self) -> usize {
        self.log.count()
    }

    /// The first line of the log from `mark` on that `holds`.
    #[track_caller]
    pub fn wait_for_log(&self, mark: usize, holds: impl Fn(&Value) -> bool) -> Value {
        let found = self.log.find(mark, |line| serde_json::from_str(line).ok().filter(&holds));
        found.expect("the router ended without such a line")
    }

    /// The first line of the access log that `holds`.
    #[track_caller]
    pub fn wait_for_access(&self, holds: impl Fn(&AccessLine) -> bool) -> AccessLine {
        let found = self.access.find(0, |line| AccessLine::parse(line).filter(&holds));
        found.expect("the router ended without such a line")
    }

    /// The access line of the request whose `x-request-id` is `id`.
    #[track_caller]
    pub fn access_of(&self, id: &str) -> AccessLine {
        self.wait_for_access(|line| line.field("request_id") == id)
    }

    /// Sends `signal`, by its name without `SIG`.
    pub fn signal(&self, signal: &str) {
        // The shell's own `kill` is there on every Unix, and it spares the tests a dependency on libc.
        let status = Command::new("sh").args(["-c", &format!("kill -{signal} {}", self.child.id())]).status();
        assert!(status.expect("sh starts").success(), "kill -{signal}");
    }

    /// The most memory that it ever held, in bytes (proc(5), `VmHWM`).
    pub fn peak_memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("it runs");
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("Linux tells it");
        peak.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") * 1024
    }

    /// Lets it have `more` files open than it has now, and no more (setrlimit(2), `RLIMIT_NOFILE`).
    pub fn allow_files(&self, more: usize) {
        let process = self.child.id();
        let open = std::fs::read_dir(format!("/proc/{process}/fd")).expect("it runs").count();
        let (process, limit) = (process.to_string(), format!("--nofile={0}:{0}", open + more));
        let status = Command::new("prlimit").args(["--pid", &process, &limit]).status();
        assert!(status.expect("util-linux has it").success(), "prlimit {limit}");
    }

    /// Whether it has ended.
    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().expect("the child can be waited for").is_some()
    }

    /// Waits for its end. Its pipes close with it, so reading them out is the wait.
    pub fn wait_for_end(mut self) -> Exit {
        let read = |lines: Vec<String>| lines.iter().filter_map(|line| serde_json::from_str(line).ok()).collect();
        let log = read(self.log.read_out());
        let access = self.access.read_out().iter().filter_map(|line| AccessLine::parse(line)).collect();
        Exit { status: self.child.wait().expect("the child can be waited for"), log, access }
    }

    /// Stops it with SIGTERM and waits for its end.
    pub fn stop(self) -> Exit {
        self.signal("TERM");
        self.wait_for_end()
    }
}

impl Drop for Router {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let lines = self.log.all();
            let last = lines.len().saturating_sub(40);
            #[allow(clippy::print_stderr, reason = "shown by the test runner beside the failure that it explains")]
            {
                eprintln!("the router's log ended with:\n{}", lines[last..].join("\n"));
            }
        }
        // Both fail where it has already ended, which is as good.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// The field `name` of a line of the log, whether nested under `fields` or not.
pub fn log_field<'l>(line: &'l Value, name: &str) -> &'l Value {
    if line["fields"][name].is_null() { &line[name] } else { &line["fields"][name] }
}

fn listening(line: &str) -> Option<(SocketAddr, SocketAddr)> {
    let line: Value = serde_json::from_str(line).ok()?;
    let address = |name| log_field(&line, name).as_str()?.parse().ok();
    (log_field(&line, "message") == "listening").then_some(())?;
    Some((address("traffic")?, address("admin")?))
}

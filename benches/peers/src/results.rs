//! What has been measured, as data: the shape of `results.json`.

use rig::Faults;
use serde::Serialize;

use crate::statistics::Summary;

/// When, how, where and with what something was measured.
#[derive(Debug, Serialize)]
pub(crate) struct Circumstances {
    pub(crate) date: String,
    /// What repeats it.
    pub(crate) command: String,
    pub(crate) commit: Option<String>,
    pub(crate) machine: Machine,
    pub(crate) rounds: usize,
    pub(crate) window_seconds: f64,
    /// Builds of Overspill first.
    pub(crate) programs: Vec<ProgramResult>,
}

/// Overspill in several series of cases.
#[derive(Debug, Serialize)]
pub(crate) struct SeriesResults {
    #[serde(flatten)]
    pub(crate) circumstances: Circumstances,
    pub(crate) series: Vec<Series>,
}

/// Overspill beside its peers.
#[derive(Debug, Serialize)]
pub(crate) struct Results {
    #[serde(flatten)]
    pub(crate) circumstances: Circumstances,
    pub(crate) workloads: Vec<WorkloadResult>,
}

/// Where it was measured.
#[derive(Debug, Serialize)]
pub(crate) struct Machine {
    pub(crate) processor: String,
    pub(crate) cores: usize,
    pub(crate) kernel: String,
    /// The load average when the run began: what else was going on.
    pub(crate) load_average: String,
}

/// A proxy's program, or why it is absent.
#[derive(Debug, Serialize)]
pub(crate) struct ProgramResult {
    pub(crate) name: String,
    /// Whether it is a build of Overspill.
    pub(crate) is_own: bool,
    #[serde(flatten)]
    pub(crate) found: Found,
}

/// Whether there is a program.
#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Found {
    Present { version: String, sha256: String, bytes: u64 },
    Absent(String),
}

/// One workload's figures.
#[derive(Debug, Serialize)]
pub(crate) struct WorkloadResult {
    pub(crate) name: String,
    pub(crate) title: String,
    /// Whether most of the connections were idle.
    pub(crate) is_idle: bool,
    /// The rate at which latency was measured: 30 % of the slowest proxy's maximum.
    pub(crate) paced_per_second: Option<f64>,
    /// Latency without a proxy, which was subtracted.
    pub(crate) direct_us: Option<Added>,
    pub(crate) targets: Vec<Target>,
}

impl WorkloadResult {
    /// The figures of a proxy, where it has any.
    pub(crate) fn figures(&self, name: &str) -> Option<&Figures> {
        self.targets.iter().find(|target| target.name == name).and_then(|target| target.verdict.figures())
    }
}

/// The same proxy in several cases.
#[derive(Debug, Serialize)]
pub(crate) struct Series {
    pub(crate) title: String,
    /// The cases, by their names.
    pub(crate) targets: Vec<Target>,
}

/// A proxy in one workload, or one case of a series.
#[derive(Debug, Serialize)]
pub(crate) struct Target {
    pub(crate) name: String,
    #[serde(flatten)]
    pub(crate) verdict: Verdict,
}

/// Its figures, or why there are none.
#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Verdict {
    Measured(Box<Figures>),
    Absent(String),
}

impl Verdict {
    pub(crate) fn figures(&self) -> Option<&Figures> {
        match self {
            Self::Measured(figures) => Some(figures),
            Self::Absent(_) => None,
        }
    }
}

/// What was measured of a proxy in one workload.
#[derive(Debug, Serialize)]
pub(crate) struct Figures {
    /// User and system time of the proxy, microseconds a request.
    pub(crate) cpu_us: Summary,
    /// Requests answered a second, as many as it takes.
    pub(crate) per_second: Summary,
    /// Cores that the proxy kept busy in those rounds: as many as it has, or load and origin were the limit.
    pub(crate) cores_busy: Summary,
    /// Latency beyond that of the origin alone, microseconds, paced.
    pub(crate) added_us: Option<Added>,
    /// Bytes.
    pub(crate) resident_at_rest: u64,
    /// Bytes, at the end of the last round while its connections were open.
    pub(crate) resident_loaded: u64,
    /// Bytes, once all connections had been closed.
    pub(crate) resident_after: u64,
    /// What it has grown by under load, over its connections: what one costs where most of them are idle.
    pub(crate) bytes_per_connection: f64,
    pub(crate) faults: Faults,
}

/// Latency at three quantiles.
#[derive(Debug, Serialize)]
pub(crate) struct Added {
    pub(crate) p50: Summary,
    pub(crate) p99: Summary,
    pub(crate) p999: Summary,
}

impl Added {
    /// `None` without a round.
    pub(crate) fn of([p50, p99, p999]: [Vec<f64>; 3]) -> Option<Self> {
        Some(Self { p50: Summary::of(p50)?, p99: Summary::of(p99)?, p999: Summary::of(p999)? })
    }
}

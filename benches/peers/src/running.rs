//! A proxy that serves, seen to do what its plan says.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rig::exchange::{Front, RULE_EACH, SPLIT};
use rig::{Load, LoadError, Origin, Outcome, POOLS, Pace, Times};

use crate::ground::Ground;
use crate::peers::{Peer, Plan, Program};
use crate::process::{Process, pause};
use crate::workload::Workload;

/// How long a proxy may take until it answers rightly.
const START: Duration = Duration::from_secs(20);
/// How long requests are counted for the split.
const SPLIT_WINDOW: Duration = Duration::from_millis(300);
/// How far a pool's share of some thousand requests may be from what was asked for.
const SPLIT_TOLERANCE: f64 = 0.05;
/// The same of fewer requests, as large bodies allow, in standard deviations.
const SPLIT_DEVIATIONS: f64 = 4.0;

/// Why a proxy is not measured.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotRunning {
    #[error("it did not answer within {START:?}: {0}")]
    Silent(LoadError),
    #[error("{0}")]
    Ended(String),
    #[error("requests with the rule's header: {0} to pool A and {1} to pool B, which must get none")]
    RuleIgnored(u64, u64),
    #[error("pool A got {0:.2} of the requests, instead of {1:.2}")]
    WrongSplit(f64, f64),
    #[error("{0}")]
    Load(#[from] LoadError),
    #[error("{0}")]
    Io(#[from] io::Error),
}

/// What is read of a proxy at the edges of a window.
#[derive(Clone, Copy)]
pub(crate) struct Reading {
    pub(crate) cpu: Duration,
    pub(crate) resident: u64,
}

/// A running proxy.
pub(crate) struct Running {
    process: Process,
    load: Load,
    /// Resident bytes before any load.
    pub(crate) at_rest: u64,
}

/// What every proxy of a workload shares.
pub(crate) struct Stage<'s> {
    pub(crate) workload: &'s Workload,
    pub(crate) origin: &'s Origin,
    /// The cores of the proxy.
    pub(crate) cores: &'s [usize],
    pub(crate) ground: &'s Ground,
}

impl Running {
    /// Starts a proxy and waits until it answers; then sees that it routes as it was told.
    pub(crate) fn start(
        peer: &dyn Peer,
        program: &Program,
        plan: &Plan,
        stage: &Stage<'_>,
    ) -> Result<Self, NotRunning> {
        let mut command = peer.command(program, plan)?;
        let process = Process::start(&mut command, stage.cores, &plan.folder.join("log"))?;
        let mut load = stage.workload.load(plan.listen);
        if plan.front == Front::Tls {
            load.secure = Some(Arc::clone(&stage.ground.client));
        }
        let mut running = Self { process, load, at_rest: 0 };
        running.wait()?;
        running.process.settle()?;
        running.at_rest = running.process.resident()?;
        running.check_rule(stage.origin)?;
        running.check_split(stage.origin)?;
        Ok(running)
    }

    /// Loads it.
    pub(crate) fn run(&self, pace: Pace, times: Times) -> Result<Outcome<Reading>, LoadError> {
        rig::run(&self.load, pace, times, || {
            Ok(Reading { cpu: self.process.cpu()?, resident: self.process.resident()? })
        })
    }

    /// Resident bytes now.
    pub(crate) fn resident(&self) -> io::Result<u64> {
        self.process.resident()
    }

    /// Why it has ended, if it has.
    pub(crate) fn ended(&mut self) -> Option<String> {
        self.process.ended()
    }

    fn wait(&mut self) -> Result<(), NotRunning> {
        let give_up = Instant::now() + START;
        // All with the rule's header: one that is still on its way when the rule is checked must not be for pool B.
        let one = Load { connections: 1, streams: 1, in_flight: 1, rule_each: 1, ..self.load.clone() };
        let times = Times { warm_up: Duration::ZERO, window: Duration::from_millis(20) };
        loop {
            let error = match rig::run(&one, Pace::Closed, times, || Ok(())) {
                Ok(outcome) if outcome.faults.count == 0 && outcome.answered > 0 => return Ok(()),
                Ok(outcome) => LoadError::TooManyFaults(outcome.faults),
                Err(error) => error,
            };
            if let Some(why) = self.process.ended() {
                return Err(NotRunning::Ended(why));
            }
            if Instant::now() > give_up {
                return Err(NotRunning::Silent(error));
            }
            pause();
        }
    }

    /// How many requests each pool answers while `load` runs.
    fn shares(&self, rule_each: usize, origin: &Origin) -> Result<[u64; POOLS], NotRunning> {
        let connections = self.load.connections.min(self.load.in_flight);
        let load = Load { rule_each, connections, ..self.load.clone() };
        let before = origin.served();
        let times = Times { warm_up: Duration::ZERO, window: SPLIT_WINDOW };
        let outcome = rig::run(&load, Pace::Closed, times, || Ok(()))?;
        if outcome.faults.count > 0 {
            return Err(LoadError::TooManyFaults(outcome.faults).into());
        }
        let after = origin.served();
        Ok([after[0] - before[0], after[1] - before[1]])
    }

    fn check_rule(&self, origin: &Origin) -> Result<(), NotRunning> {
        let [a, b] = self.shares(1, origin)?;
        if a > 0 && b == 0 { Ok(()) } else { Err(NotRunning::RuleIgnored(a, b)) }
    }

    #[expect(clippy::cast_precision_loss, reason = "counts of a fraction of a second")]
    fn check_split(&self, origin: &Origin) -> Result<(), NotRunning> {
        let [a, b] = self.shares(RULE_EACH, origin)?;
        let ruled = 1.0 / RULE_EACH as f64;
        let expected = ruled + (1.0 - ruled) * f64::from(SPLIT.0) / f64::from(SPLIT.0 + SPLIT.1);
        let requests = (a + b).max(1) as f64;
        let share = a as f64 / requests;
        let chance = SPLIT_DEVIATIONS * (expected * (1.0 - expected) / requests).sqrt();
        let near = (share - expected).abs() <= chance.max(SPLIT_TOLERANCE);
        if near { Ok(()) } else { Err(NotRunning::WrongSplit(share, expected)) }
    }
}

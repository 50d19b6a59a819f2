//! Replicas that start cold and slow down as they get more to do, behind one queue.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::time::Duration;

use overspill::pool::DemandState;

use super::{Outcome, TICKS};

/// What the users expect.
pub(super) const OBJECTIVE: Duration = Duration::from_millis(500);
/// The time of one request on a replica that is batching at its best, in seconds.
const SERVICE: f64 = 0.2;
/// Requests at once up to which a replica is at its best; from there on the time grows with them.
const BATCH: f64 = 8.0;
/// How much single requests differ: the deviation of the logarithm of their time.
const SPREAD: f64 = 0.25;
/// Requests that the router gives one replica at once.
pub(super) const SLOTS: u32 = 32;
/// Requests at once that take all the CPU of a replica.
const ALL_CPU: f64 = 12.0;
/// Requests that wait, and for how long in milliseconds.
const QUEUE: usize = 1024;
const PATIENCE: u64 = 1000;
/// A model takes so long to load, in seconds.
const COLD: (f64, f64) = (30.0, 60.0);

struct Replica {
    in_flight: u32,
    /// When it takes requests, in milliseconds.
    ready: u64,
    /// It takes no more, and ends with what it has.
    ending: bool,
}

/// The replicas of a pool, and the requests on their way.
pub(super) struct Fleet {
    replicas: Vec<Replica>,
    /// When each request is over, its replica, and when it arrived.
    under_way: BinaryHeap<Reverse<(u64, usize, u64)>>,
    waiting: VecDeque<u64>,
    pub(super) demand: DemandState,
    random: fastrand::Rng,
    /// Milliseconds since the start.
    pub(super) now: u64,
    /// Use of the CPU of each ready replica, added up over the ticks since it was last looked at.
    cpu: (f64, u32),
}

impl Fleet {
    pub(super) fn new(replicas: usize, seed: u64) -> Self {
        let warm = || Replica { in_flight: 0, ready: 0, ending: false };
        Self {
            replicas: (0..replicas).map(|_| warm()).collect(),
            under_way: BinaryHeap::new(),
            waiting: VecDeque::new(),
            demand: DemandState::default(),
            random: fastrand::Rng::with_seed(seed),
            now: 0,
            cpu: (0.0, 0),
        }
    }

    /// Plays one tick in which `mean` requests are to be expected.
    pub(super) fn tick(&mut self, mean: f64, outcome: &mut Outcome) {
        self.now += u64::from(1000 / TICKS);
        while let Some(Reverse((end, replica, arrived))) =
            self.under_way.peek().copied().filter(|Reverse(next)| next.0 <= self.now)
        {
            self.under_way.pop();
            self.replicas[replica].in_flight -= 1;
            let took = Duration::from_millis(end - arrived);
            self.demand.answered(took, OBJECTIVE);
            outcome.late += u64::from(took > OBJECTIVE);
        }
        for _ in 0..self.poisson(mean) {
            outcome.requests += 1;
            self.demand.arrived();
            if self.waiting.len() < QUEUE {
                self.waiting.push_back(self.now);
            } else {
                outcome.refused += 1;
                self.demand.refused();
            }
        }
        while let Some(arrived) = self.waiting.front().copied() {
            if self.now - arrived > PATIENCE {
                outcome.refused += 1;
                self.demand.refused();
            } else if let Some(replica) = self.free() {
                self.begin(replica, arrived);
            } else {
                break;
            }
            self.waiting.pop_front();
        }
        let ready = self.takers().map(|(_, replica)| (f64::from(replica.in_flight) / ALL_CPU).min(1.0));
        let (sum, count) = ready.fold((0.0, 0_u32), |(sum, count), used| (sum + used, count + 1));
        self.cpu = (self.cpu.0 + sum / f64::from(count.max(1)), self.cpu.1 + 1);
    }

    fn takers(&self) -> impl Iterator<Item = (usize, &Replica)> {
        self.replicas.iter().enumerate().filter(|(_, replica)| replica.ready <= self.now && !replica.ending)
    }

    /// The replica with the fewest requests, if any has a slot.
    fn free(&self) -> Option<usize> {
        let least = self.takers().min_by_key(|(_, replica)| replica.in_flight)?;
        (least.1.in_flight < SLOTS).then_some(least.0)
    }

    fn begin(&mut self, replica: usize, arrived: u64) {
        self.replicas[replica].in_flight += 1;
        let load = f64::from(self.replicas[replica].in_flight) / BATCH;
        let normal = (0..12).map(|_| self.random.f64()).sum::<f64>() - 6.0;
        let seconds = SERVICE * (0.4 + 0.6 * load.max(1.0)) * (SPREAD * normal).exp();
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "seconds above zero")]
        let end = self.now + (seconds * 1000.0) as u64;
        self.under_way.push(Reverse((end, replica, arrived)));
    }

    fn poisson(&mut self, mean: f64) -> u32 {
        let (mut count, mut product, least) = (0, self.random.f64(), (-mean).exp());
        while product > least {
            product *= self.random.f64();
            count += 1;
        }
        count
    }

    /// Requests in flight and waiting.
    pub(super) fn pending(&self) -> (u32, u32) {
        let in_flight = self.replicas.iter().map(|replica| replica.in_flight).sum();
        (in_flight, u32::try_from(self.waiting.len()).unwrap_or(u32::MAX))
    }

    /// Replicas, cold ones among them.
    pub(super) fn replicas(&self) -> u32 {
        u32::try_from(self.replicas.iter().filter(|replica| !replica.ending).count()).unwrap_or(u32::MAX)
    }

    pub(super) fn ready(&self) -> u32 {
        u32::try_from(self.takers().count()).unwrap_or(u32::MAX)
    }

    /// The mean use of the CPU of the replicas that take requests, since this was last asked for.
    pub(super) fn cpu(&mut self) -> f64 {
        let (sum, ticks) = std::mem::take(&mut self.cpu);
        sum / f64::from(ticks.max(1))
    }

    /// Starts replicas, or ends the newest.
    pub(super) fn scale(&mut self, wanted: u32) {
        while self.replicas() < wanted {
            let seconds = COLD.0 + (COLD.1 - COLD.0) * self.random.f64();
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "seconds above zero")]
            let ready = self.now + (seconds * 1000.0) as u64;
            self.replicas.push(Replica { in_flight: 0, ready, ending: false });
        }
        while self.replicas() > wanted {
            let newest = self.replicas.iter_mut().filter(|replica| !replica.ending).max_by_key(|replica| replica.ready);
            if let Some(replica) = newest {
                replica.ending = true;
            }
        }
    }
}

//! The loop that drives all connections.

use std::collections::VecDeque;
use std::num::NonZeroU64;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use super::connection::{Connection, Requests};
use super::{Answer, Broken, Faults, Keep, Load, LoadError, Outcome, Pace, Times};
use crate::poll::{Interest, Poll};

const READ_BYTES: usize = 256 * 1024;
/// Faults after which a run is given up.
const MAX_FAULTS: u64 = 1000;
/// How long a run waits, once its window is over, for what is still due in it.
const DRAIN: Duration = Duration::from_secs(2);
/// How long until every connection has been used, or every counted request has been answered; then a run is given up.
const MAX_WARM_UP: Duration = Duration::from_mins(1);
/// The latencies that are told apart: up to a minute, to three digits.
const HIGHEST_LATENCY: u64 = 60_000_000_000;
const DIGITS: u8 = 3;

/// Loads `load.target` from the calling thread. `read` is called at both edges of the window.
///
/// # Errors
/// If the target cannot be reached, or so much goes wrong that a figure would mean nothing.
pub fn run<R>(
    load: &Load,
    pace: Pace,
    times: Times,
    mut read: impl FnMut() -> std::io::Result<R>,
) -> Result<Outcome<R>, LoadError> {
    // Pacing is no better than the timer that wakes it: the kernel may be late by 50 microseconds by default.
    rustix::thread::set_current_timer_slack(NonZeroU64::new(1)).map_err(std::io::Error::from)?;
    let clock = match pace {
        Pace::Closed => Clock::Closed,
        Pace::Paced(rate) => {
            Clock::Paced { next: Instant::now(), interval: Duration::from_secs_f64(1.0 / rate.max(1.0)) }
        }
    };
    let mut engine = Engine::new(load, clock)?;
    let begin = Instant::now();
    while begin.elapsed() < times.warm_up || engine.unused > 0 {
        if begin.elapsed() > MAX_WARM_UP {
            return Err(LoadError::TooManyFaults(engine.faults));
        }
        engine.turn(Instant::now() + times.warm_up)?;
    }
    let before = read()?;
    let from = Instant::now();
    let until = from + times.window;
    engine.begin_window(from, until);
    while Instant::now() < until {
        engine.turn(until)?;
    }
    let window = from.elapsed();
    let after = read()?;
    let answered = engine.answered;
    engine.drain(Instant::now() + DRAIN)?;
    Ok(Outcome { before, after, window, answered, faults: engine.faults, latencies: engine.latencies })
}

/// Sends so many requests from the calling thread, as soon as there is room in flight, and waits for every answer.
///
/// # Errors
/// As [`run`].
pub fn ask(load: &Load, count: usize) -> Result<Faults, LoadError> {
    let mut engine = Engine::new(load, Clock::Counted { left: count })?;
    let give_up = Instant::now() + MAX_WARM_UP;
    while !matches!(engine.clock, Clock::Counted { left: 0 }) || engine.in_flight > 0 {
        if Instant::now() > give_up {
            engine.faults.note(engine.in_flight as u64, || format!("no answer within {MAX_WARM_UP:?}"));
            break;
        }
        engine.turn(give_up)?;
    }
    Ok(engine.faults)
}

/// When the next request is due.
#[derive(Clone, Copy)]
enum Clock {
    /// At once.
    Closed,
    /// At once, as long as any are left.
    Counted { left: usize },
    /// At fixed moments.
    Paced { next: Instant, interval: Duration },
}

struct Engine<'l> {
    load: &'l Load,
    requests: Requests,
    poll: Poll,
    connections: Vec<Option<Connection>>,
    /// Places in `connections`, each as often as a request may be sent there now.
    free: VecDeque<usize>,
    dirty: Vec<usize>,
    in_flight: usize,
    asked: usize,
    /// Connections that have never been opened; each is first used before any is used twice.
    unused: usize,
    clock: Clock,
    window: Option<(Instant, Instant)>,
    answered: u64,
    faults: Faults,
    latencies: Histogram<u64>,
    input: Vec<u8>,
    ready: Vec<u64>,
    answers: Vec<Answer>,
}

impl<'l> Engine<'l> {
    fn new(load: &'l Load, clock: Clock) -> Result<Self, LoadError> {
        let latencies = Histogram::new_with_max(HIGHEST_LATENCY, DIGITS)
            .map_err(|error| std::io::Error::other(error.to_string()))?;
        Ok(Self {
            load,
            requests: Requests::new(load),
            poll: Poll::new()?,
            connections: (0..load.connections).map(|_| None).collect(),
            // Round by round, so that the connections take turns.
            free: (0..load.streams).flat_map(|_| 0..load.connections).collect(),
            dirty: Vec::new(),
            in_flight: 0,
            asked: 0,
            unused: load.connections,
            clock,
            window: None,
            answered: 0,
            faults: Faults::default(),
            latencies,
            input: vec![0; READ_BYTES],
            ready: Vec::new(),
            answers: Vec::new(),
        })
    }

    fn begin_window(&mut self, from: Instant, until: Instant) {
        self.window = Some((from, until));
        self.answered = 0;
    }

    /// Sends what is due, waits until something happens or `until`, and takes what has come.
    fn turn(&mut self, until: Instant) -> Result<(), LoadError> {
        self.issue()?;
        self.flush()?;
        let now = Instant::now();
        let wake = match self.clock {
            Clock::Paced { next, .. } if self.has_room() && !self.is_over(next) => next.min(until),
            _ => until,
        };
        let mut ready = std::mem::take(&mut self.ready);
        self.poll.wait(wake.saturating_duration_since(now), &mut ready)?;
        for key in &ready {
            self.receive(usize::try_from(*key).unwrap_or(usize::MAX))?;
        }
        self.ready = ready;
        if self.faults.count > MAX_FAULTS {
            return Err(LoadError::TooManyFaults(std::mem::take(&mut self.faults)));
        }
        Ok(())
    }

    /// Whether the window is over by the time that a request is `due`.
    fn is_over(&self, due: Instant) -> bool {
        self.window.is_some_and(|(_, until)| due >= until)
    }

    fn has_room(&self) -> bool {
        self.in_flight < self.load.in_flight && !self.free.is_empty()
    }

    /// Sends every request that is due and has room. A paced one that finds no room stays due.
    fn issue(&mut self) -> Result<(), LoadError> {
        while self.has_room() {
            let now = Instant::now();
            let due = match self.clock {
                Clock::Closed => now,
                Clock::Counted { left: 0 } => return Ok(()),
                Clock::Counted { left } => {
                    self.clock = Clock::Counted { left: left - 1 };
                    now
                }
                Clock::Paced { next, .. } if next > now || self.is_over(next) => return Ok(()),
                Clock::Paced { next, interval } => {
                    self.clock = Clock::Paced { next: next + interval, interval };
                    next
                }
            };
            self.ask(due)?;
        }
        Ok(())
    }

    fn ask(&mut self, due: Instant) -> Result<(), LoadError> {
        let Some(at) = self.free.pop_front() else { return Ok(()) };
        if self.connections[at].is_none() {
            let connection = Connection::open(self.load)?;
            self.poll.add(&connection, at as u64, Interest::Read)?;
            self.connections[at] = Some(connection);
        }
        let Some(connection) = &mut self.connections[at] else { return Ok(()) };
        connection.ask(&self.requests, self.asked.is_multiple_of(self.load.rule_each), due);
        self.asked += 1;
        // Connections take turns from the first on.
        self.unused = self.unused.min(self.load.connections.saturating_sub(self.asked));
        self.in_flight += 1;
        if !connection.is_dirty {
            connection.is_dirty = true;
            self.dirty.push(at);
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), LoadError> {
        while let Some(at) = self.dirty.pop() {
            self.flush_one(at)?;
        }
        Ok(())
    }

    fn flush_one(&mut self, at: usize) -> Result<(), LoadError> {
        let Some(connection) = &mut self.connections[at] else { return Ok(()) };
        connection.is_dirty = false;
        match connection.flush() {
            Ok(interest) if interest == connection.interest => Ok(()),
            Ok(interest) => {
                connection.interest = interest;
                Ok(self.poll.change(connection, at as u64, interest)?)
            }
            Err(broken) => {
                self.lose(at, &broken);
                Ok(())
            }
        }
    }

    fn receive(&mut self, at: usize) -> Result<(), LoadError> {
        let Some(Some(connection)) = self.connections.get_mut(at) else { return Ok(()) };
        let read = connection.read(&self.requests, &mut self.input, &mut self.answers);
        let answers = std::mem::take(&mut self.answers);
        for answer in &answers {
            self.note(answer);
            self.in_flight -= 1;
            self.free.push_back(at);
        }
        match read {
            Err(broken) => self.lose(at, &broken),
            Ok(()) if self.load.keep == Keep::OneRequest && !answers.is_empty() => {
                if let Some(connection) = self.connections[at].take() {
                    connection.close();
                }
            }
            // What came may ask for an answer of the connection itself, and there may be room again to write.
            Ok(()) => self.flush_one(at)?,
        }
        self.answers = answers;
        self.answers.clear();
        Ok(())
    }

    fn note(&mut self, answer: &Answer) {
        let now = Instant::now();
        if let Some(fault) = &answer.fault {
            self.faults.note(1, || fault.clone());
        }
        let Some((from, until)) = self.window else { return };
        self.answered += 1;
        if answer.due >= from && answer.due < until {
            self.latencies.saturating_record(nanoseconds(now - answer.due));
        }
    }

    /// A connection is gone, and what was in flight on it is lost. One that nothing was in flight on is opened again
    /// when it is next needed.
    fn lose(&mut self, at: usize, why: &Broken) {
        let Some(connection) = self.connections[at].take() else { return };
        let lost = connection.in_flight();
        self.in_flight -= lost;
        self.free.extend(std::iter::repeat_n(at, lost));
        self.faults.note(lost as u64, || format!("no answer: {why}"));
    }

    /// Lets what was due in the window come to its end, until `give_up`; what has not been sent by then counts for as
    /// long as it has waited, and what has not been answered is lost.
    fn drain(&mut self, give_up: Instant) -> Result<(), LoadError> {
        while let Clock::Paced { next, .. } = self.clock {
            if (self.in_flight == 0 && self.is_over(next)) || Instant::now() >= give_up {
                break;
            }
            self.turn(give_up)?;
        }
        let now = Instant::now();
        while let Clock::Paced { next, interval } = self.clock {
            if self.is_over(next) {
                self.faults.note(self.in_flight as u64, || format!("no answer within {DRAIN:?} of the load's end"));
                break;
            }
            self.latencies.saturating_record(nanoseconds(now.saturating_duration_since(next)));
            self.clock = Clock::Paced { next: next + interval, interval };
        }
        Ok(())
    }
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(HIGHEST_LATENCY)
}

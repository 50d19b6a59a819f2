//! A router between a load and its pools, as its pure parts make it: what `proxy` and `live` do with them, on a clock that
//! the simulation moves.

mod waiting;

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap, HashMap};
use std::rc::Rc;
use std::time::Duration;

use fastrand::Rng;
use http::{HeaderMap, HeaderValue, Method};
use overspill::domain::{Moment, Priority, Reason};
use overspill::pool::{Line, Slot, Ticket};
use overspill::routing::Head;
use overspill::snapshot::{Decision, Full, PoolId, Snapshot, Urgency, choose};

/// How the endpoints of the pools serve.
#[derive(Clone, Copy)]
pub(crate) struct Service {
    /// The mean time of one request.
    pub(crate) mean: Duration,
    /// Requests that one endpoint computes at once; more wait inside it.
    pub(crate) places: usize,
}

/// What is offered.
#[derive(Clone, Copy)]
pub(crate) struct Load {
    /// Requests a second.
    pub(crate) rate: f64,
    /// The part of them that is latency-sensitive.
    pub(crate) sensitive: f64,
    /// The part that goes away while it waits, and the part that has tried an endpoint before.
    pub(crate) odd: f64,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Arrival,
    /// A request that was called looks for its slot.
    Turn(usize),
    Answered(usize),
    /// A request has waited for as long as it may.
    Timeout(usize, u32),
    /// Its client goes away.
    Gone(usize),
}

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// By this pool.
    Served(PoolId),
    Refused(Reason),
    Left,
}

enum State {
    Deciding,
    Waits { at: usize, ticket: Ticket, called: bool, preferred: bool },
    Flies { pool: PoolId, place: usize, slot: Slot },
    Over,
}

pub(crate) struct Request {
    pub(crate) snapshot: Rc<Snapshot>,
    pub(crate) priority: Priority,
    pub(crate) begun: Moment,
    /// The pool that the split chose.
    pub(crate) chosen: Option<PoolId>,
    /// How long it waited in queues.
    pub(crate) waited: Duration,
    pub(crate) ended: Option<(End, Moment)>,
    tried: Vec<usize>,
    waits: u32,
    since: Moment,
    state: State,
}

pub(crate) struct Station {
    pub(crate) now: Moment,
    pub(crate) snapshot: Rc<Snapshot>,
    pub(crate) requests: Vec<Request>,
    pub(crate) random: Rng,
    /// By the name of a pool.
    lines: HashMap<String, Line<usize>>,
    services: HashMap<String, Service>,
    /// When each place of an endpoint is free again.
    busy: HashMap<(String, usize), Vec<Moment>>,
    events: BinaryHeap<Reverse<(Moment, u64, Event)>>,
    sequence: u64,
    load: Load,
    sensitive: HeaderMap,
    standard: HeaderMap,
    /// The requests that wait.
    waiting: BTreeSet<usize>,
    /// In a row, by priority, those called of the other while it waited.
    passed_over: [u32; 2],
}

impl Station {
    pub(crate) fn new(seed: u64, snapshot: Snapshot, services: &[(&str, Service)], load: Load) -> Self {
        let mut sensitive = HeaderMap::new();
        sensitive.insert("x-latency-sensitive", HeaderValue::from_static("true"));
        let mut station = Self {
            now: Moment::from_nanos(1),
            snapshot: Rc::new(snapshot),
            requests: Vec::new(),
            random: Rng::with_seed(seed),
            lines: HashMap::new(),
            services: services.iter().map(|(tier, service)| (format!("{tier}.example:80"), *service)).collect(),
            busy: HashMap::new(),
            events: BinaryHeap::new(),
            sequence: 0,
            load,
            sensitive,
            standard: HeaderMap::new(),
            waiting: BTreeSet::new(),
            passed_over: [0; 2],
        };
        station.offer(load);
        station
    }

    /// Offers `load` from now on.
    pub(crate) fn offer(&mut self, load: Load) {
        let idle = self.load.rate <= 0.0 || self.events.is_empty();
        self.load = load;
        if idle && load.rate > 0.0 {
            self.at(self.now, Event::Arrival);
        }
    }

    /// Puts another generation in force.
    pub(crate) fn publish(&mut self, text: String) {
        self.snapshot = Rc::new(super::documents::snapshot(text, Some(&self.snapshot)));
        let generation = self.snapshot.generation();
        self.lines.values_mut().for_each(|line| line.renew(generation));
    }

    /// Serves in `mean` from now on.
    pub(crate) fn slow(&mut self, tier: &str, mean: Duration) {
        self.services.get_mut(&format!("{tier}.example:80")).expect("a tier").mean = mean;
    }

    /// Lets time pass, and sweeps `invariants` after each event.
    pub(crate) fn run(&mut self, span: Duration, invariants: impl Fn(&Self)) {
        let end = self.now.after(span);
        while self.events.peek().is_some_and(|Reverse((at, ..))| *at <= end) {
            let Some(Reverse((at, _, event))) = self.events.pop() else { break };
            self.now = at;
            self.happen(event);
            invariants(self);
        }
        self.now = end;
    }

    fn at(&mut self, moment: Moment, event: Event) {
        self.sequence += 1;
        self.events.push(Reverse((moment, self.sequence, event)));
    }

    /// A time of an exponential distribution.
    fn exponential(&mut self, mean: Duration) -> Duration {
        mean.mul_f64(-(1.0 - self.random.f64()).ln())
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Arrival => self.arrive(),
            Event::Turn(request) => self.turn(request),
            Event::Answered(request) => self.answered(request),
            Event::Timeout(request, wait) => {
                if self.requests[request].waits == wait {
                    self.give_up(request, Some(Reason::QueueTimeout));
                }
            }
            Event::Gone(request) => self.give_up(request, None),
        }
    }

    fn arrive(&mut self) {
        if self.load.rate > 0.0 {
            let gap = self.exponential(Duration::from_secs_f64(1.0 / self.load.rate));
            self.at(self.now.after(gap), Event::Arrival);
        } else {
            return;
        }
        let urgent = self.random.f64() < self.load.sensitive;
        let odd = self.random.f64() < self.load.odd;
        let (snapshot, draw) = (Rc::clone(&self.snapshot), self.random.u64(..));
        let headers = if urgent { &self.sensitive } else { &self.standard };
        let head = Head {
            method: &Method::GET,
            scheme: "http",
            authority: "app.example",
            path: "/",
            query: None,
            headers,
            port: 80,
            server_name: None,
        };
        let Decision::Forward { route, candidates, .. } = choose(&snapshot, &head, draw) else {
            panic!("every request has a route")
        };
        let (priority, chosen) = (snapshot.priority(Some(route)), candidates[0]);
        let objective = snapshot.objective(Some(route), chosen);
        let request = self.requests.len();
        self.requests.push(Request {
            snapshot: Rc::clone(&snapshot),
            priority,
            begun: self.now,
            chosen: Some(chosen),
            waited: Duration::ZERO,
            ended: None,
            tried: if odd && self.random.bool() { vec![0] } else { Vec::new() },
            waits: 0,
            since: self.now,
            state: State::Deciding,
        });
        if odd {
            let later = self.exponential(Duration::from_millis(100));
            self.at(self.now.after(later), Event::Gone(request));
        }
        self.search(request, 0, objective);
    }

    /// Tries the pools from the `first` on; see `proxy::attempt`.
    fn search(&mut self, request: usize, first: usize, objective: Option<Duration>) {
        let (snapshot, chosen) = (Rc::clone(&self.requests[request].snapshot), self.requests[request].chosen);
        let candidates = snapshot.overflow(chosen.expect("a pool was chosen"));
        let demand = objective.map(|objective| Urgency {
            priority: self.requests[request].priority,
            left: objective.saturating_sub(self.now.since(self.requests[request].begun)),
            now: self.now,
        });
        for (at, id) in candidates.iter().enumerate().skip(first) {
            let pool = snapshot.pool(*id);
            let draw = self.random.u64(..);
            let free = pool.queue.pending() == 0;
            let taken =
                if free { pool.take(self.now, draw, &self.requests[request].tried) } else { Err(Reason::SlotsTaken) };
            match (taken, demand) {
                (Ok((place, slot)), _) => return self.fly(request, (*id, place), slot),
                (Err(Reason::SlotsTaken), Some(demand))
                    if snapshot.weigh(*id, &candidates[at + 1..], demand) == Full::Waits =>
                {
                    let until = pool.queue_timeout.min(demand.left);
                    if self.join(request, at, until, true).is_ok() {
                        return;
                    }
                }
                (Err(_), _) => {}
            }
        }
        let patient = Urgency { priority: self.requests[request].priority, left: Duration::ZERO, now: self.now };
        let waits = snapshot.place_to_wait(candidates, demand.unwrap_or(patient));
        let at = waits.and_then(|id| candidates.iter().position(|one| *one == id));
        let at = at.expect("a pool to wait for");
        let until = snapshot.pool(candidates[at]).queue_timeout;
        if let Err(reason) = self.join(request, at, until, false) {
            self.end(request, End::Refused(reason));
        }
    }

    fn fly(&mut self, request: usize, (pool, place): (PoolId, usize), slot: Slot) {
        self.waiting.remove(&request);
        let name = self.requests[request].snapshot.pool(pool).name.to_string();
        let Service { mean, places } = self.services[&name];
        let time = self.exponential(mean / 2) + mean / 2;
        let now = self.now;
        let places = self.busy.entry((name, place)).or_insert_with(|| vec![now; places]);
        let free = places.iter_mut().min().expect("an endpoint computes something");
        *free = (*free).max(now).after(time);
        let done = *free;
        self.requests[request].state = State::Flies { pool, place, slot };
        self.at(done, Event::Answered(request));
    }

    fn answered(&mut self, request: usize) {
        let state = std::mem::replace(&mut self.requests[request].state, State::Deciding);
        let State::Flies { pool, place, mut slot } = state else { panic!("an answer to who is in flight") };
        let snapshot = Rc::clone(&self.requests[request].snapshot);
        assert!(snapshot.pool(pool).endpoints[place].state.in_flight() > 0);
        slot.complete(self.now);
        drop(slot);
        self.end(request, End::Served(pool));
        let pool = snapshot.pool(pool);
        if pool.queue.pending() > 0 {
            let now = self.now;
            let line = self.lines.get_mut(&*pool.name).expect("a queue where somebody waits");
            line.give_back(now);
            let told = line.told();
            self.tell(told);
        }
    }

    fn end(&mut self, request: usize, end: End) {
        self.waiting.remove(&request);
        let this = &mut self.requests[request];
        assert!(this.ended.is_none(), "a request ends once");
        this.ended = Some((end, self.now));
        this.state = State::Over;
    }

    /// Whether all who wait at the pool called `name` began in `generation`.
    pub(crate) fn waits_in_generation(&self, name: &str, generation: u64) -> bool {
        let waiting = self.waiting.iter().map(|request| &self.requests[*request]);
        let here = |request: &&Request| {
            let State::Waits { at, .. } = request.state else { return false };
            let id = request.snapshot.overflow(request.chosen.expect("a pool was chosen"))[at];
            *request.snapshot.pool(id).name == *name
        };
        waiting.filter(here).all(|request| request.snapshot.generation() == generation)
    }

    /// Requests that wait and have tried nothing, and whether any that waits is called, at the pool called `name`.
    pub(crate) fn waiting_at(&self, name: &str) -> (usize, usize) {
        let mut found = (0, 0);
        for request in self.waiting.iter().map(|request| &self.requests[*request]) {
            let State::Waits { at, called, .. } = &request.state else { continue };
            let id = request.snapshot.overflow(request.chosen.expect("a pool was chosen"))[*at];
            if *request.snapshot.pool(id).name == *name {
                found.0 += usize::from(!called && request.tried.is_empty());
                found.1 += usize::from(*called);
            }
        }
        found
    }
}

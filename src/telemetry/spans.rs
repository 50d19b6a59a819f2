//! A sampled request's trace: what is noted of it while it is under way, beside its record.
//!
//! A request that is not sampled has none of this. Ids come from whoever has chance; times are taken as things happen.

mod attributes;
mod build;

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use http::header::USER_AGENT;
use http::{HeaderMap, HeaderValue, Version};

use super::trace::{Context, Incoming, TraceId, forget_state};
use crate::domain::{HedgeEnd, Reason, Tier};

pub(super) use build::spans;

/// The trace of one request: its own span, and one for each time that it was sent on or computed here.
#[derive(Debug)]
pub struct Trace {
    context: Context,
    /// The client's `tracestate`, which goes on as it came.
    state: Option<HeaderValue>,
    begun: Instant,
    /// What the clock on the wall said then; every other time is counted from it, so that no step of that clock shows.
    wall: SystemTime,
    scheme: &'static str,
    user_agent: Option<HeaderValue>,
    tries: RefCell<Vec<Try>>,
    /// The try whose answer counts, unless a hedge's is better.
    current: Cell<Option<usize>>,
    hedge: Cell<Option<usize>>,
}

/// One time that the request was sent on, or computed.
#[derive(Debug)]
struct Try {
    id: [u8; 8],
    begun: Instant,
    /// `None` while it is under way.
    ended: Option<Instant>,
    to: To,
    status: Option<u16>,
    reason: Option<Reason>,
    hedge: Option<HedgeEnd>,
}

#[derive(Debug)]
enum To {
    Endpoint { sent: Sent, version: Option<Version> },
    LocalModel(String),
}

/// Where a try goes.
#[derive(Debug)]
pub struct Sent {
    /// The pool's name.
    pub pool: Arc<str>,
    /// Its tier.
    pub tier: Option<Tier>,
    /// The endpoint; `None` where it has no address.
    pub peer: Option<SocketAddr>,
    /// `http` or `https`.
    pub scheme: &'static str,
    /// The host that it is asked for.
    pub authority: String,
    /// The path and query that it is sent.
    pub path: String,
    /// How many tries came before it.
    pub resends: u32,
}

/// A try under way, by which its end is told.
#[derive(Clone, Copy, Debug)]
pub struct Attempt(usize);

impl Trace {
    /// The trace of a request that began at these times, by what it came with and by ids drawn for it.
    pub(super) fn new(incoming: Incoming, (trace, span): (u128, u64), (begun, wall): (Instant, SystemTime)) -> Self {
        let (trace, parent) = match incoming.parent {
            Some((trace, parent)) => (trace, Some(parent)),
            // An id of zeros alone is none.
            None => (trace.max(1).to_be_bytes(), None),
        };
        Self {
            context: Context { trace, span: id(span), parent },
            state: incoming.state,
            begun,
            wall,
            scheme: "http",
            user_agent: None,
            tries: RefCell::default(),
            current: Cell::new(None),
            hedge: Cell::new(None),
        }
    }

    /// Notes what no record says: the client's scheme, and what it calls itself.
    #[must_use]
    pub fn of_client(self, scheme: &'static str, headers: &HeaderMap) -> Self {
        Self { scheme, user_agent: headers.get(USER_AGENT).cloned(), ..self }
    }

    /// The trace's id.
    pub fn id(&self) -> TraceId {
        TraceId::of_bytes(self.context.trace)
    }

    /// Names the request's own span in `headers`, which nobody is sent before [`Trace::name_try_in`] but mirrors.
    pub fn name_in(&self, headers: &mut HeaderMap) {
        if self.state.is_none() {
            forget_state(headers);
        }
        self.context.name_in(headers);
    }

    /// Names in `headers` the try that was begun last.
    pub fn name_try_in(&self, headers: &mut HeaderMap) {
        if let Some(one) = self.tries.borrow().last() {
            Context { span: one.id, parent: Some(self.context.span), ..self.context }.name_in(headers);
        }
    }

    /// Begins the span of a try at an endpoint; `draw` becomes its id.
    pub fn sends(&self, sent: Sent, draw: u64) {
        let attempt = self.begin(To::Endpoint { sent, version: None }, draw);
        self.current.set(Some(attempt.0));
    }

    /// Begins the span of a second try beside the first.
    pub fn hedges(&self, sent: Sent, draw: u64) -> Attempt {
        let attempt = self.begin(To::Endpoint { sent, version: None }, draw);
        self.hedge.set(Some(attempt.0));
        attempt
    }

    /// Begins the span of a run of the local model of this name.
    pub fn computes(&self, model: &str, draw: u64) {
        let attempt = self.begin(To::LocalModel(model.to_owned()), draw);
        self.current.set(Some(attempt.0));
    }

    /// The current try.
    pub fn current(&self) -> Option<Attempt> {
        self.current.get().map(Attempt)
    }

    /// The head of an answer to a try has come. Its span goes on to the end of what is read of the answer.
    pub fn answered(&self, attempt: Attempt, status: u16, version: Version) {
        if let Some(one) = self.tries.borrow_mut().get_mut(attempt.0) {
            one.status = Some(status);
            if let To::Endpoint { version: spoken, .. } = &mut one.to {
                *spoken = Some(version);
            }
        }
    }

    /// A try is over, for `reason` where it failed.
    pub fn ended(&self, attempt: Attempt, reason: Option<Reason>) {
        if let Some(one) = self.tries.borrow_mut().get_mut(attempt.0) {
            one.end(Instant::now(), reason);
        }
    }

    /// Every try that is still under way is over.
    pub fn all_ended(&self, reason: Option<Reason>) {
        let now = Instant::now();
        self.tries.borrow_mut().iter_mut().for_each(|one| one.end(now, reason));
    }

    /// A hedge is decided: the try that came too late is given up.
    pub fn decided(&self, end: HedgeEnd) {
        let (Some(first), Some(second)) = (self.current.get(), self.hedge.take()) else { return };
        let (winner, loser) = if end == HedgeEnd::Won { (second, first) } else { (first, second) };
        self.ended(Attempt(loser), None);
        self.current.set(Some(winner));
        if let Some(one) = self.tries.borrow_mut().get_mut(second) {
            one.hedge = Some(end);
        }
    }

    fn begin(&self, to: To, draw: u64) -> Attempt {
        let mut tries = self.tries.borrow_mut();
        let begun = Instant::now();
        tries.push(Try { id: id(draw), begun, ended: None, to, status: None, reason: None, hedge: None });
        Attempt(tries.len() - 1)
    }
}

impl Try {
    /// The first end counts.
    fn end(&mut self, now: Instant, reason: Option<Reason>) {
        if self.ended.is_none() {
            self.ended = Some(now);
            self.reason = self.reason.or(reason);
        }
    }
}

/// A span's id; one of zeros alone is none.
fn id(draw: u64) -> [u8; 8] {
    draw.max(1).to_be_bytes()
}

#[cfg(test)]
mod tests;

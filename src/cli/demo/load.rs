//! The load: requests that arrive at a rate, whether or not earlier ones have been answered.
//!
//! Owns a thread, its kept-alive connections to the router, and the tally of what came back. Judges every answer as a
//! client can: by its status, its headers and its vector. Never looks into the router.

mod tally;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Method, Request, header};
use http_body_util::Full;
use tokio::runtime;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

pub(super) use tally::{Tally, Totals};

use super::client::{ClientError, Connection};
use super::curve::Curve;
use super::error::DemoError;
use tally::judge;

/// The share of requests that are marked latency-sensitive.
pub(super) const LATENCY_SENSITIVE: f64 = 0.2;

/// The header that marks them.
pub(super) const MARK: &str = "x-latency-sensitive";

/// Where the requests go.
pub(super) const PATH: &str = "/api/v1/embed";

/// The most requests under way: far more than the router's slots and queues hold, far less than the system's ports.
const MOST_UNDER_WAY: usize = 2048;

/// A sentence, its request's body, and the vector that it must be answered with.
#[derive(Clone, Debug)]
pub(super) struct Question {
    body: Bytes,
    vector: Vec<f32>,
}

impl Question {
    /// The question for a sentence whose vector is `vector`.
    pub(super) fn new(sentence: &str, vector: Vec<f32>) -> Self {
        Self { body: serde_json::json!({ "text": sentence }).to_string().into(), vector }
    }
}

/// A running load.
#[derive(Debug)]
pub(super) struct Load {
    stop: watch::Sender<bool>,
    tally: Arc<Tally>,
    started: std::time::Instant,
    curve: Curve,
    thread: JoinHandle<()>,
}

impl Load {
    /// Begins to send `questions` to `target`, at the rate of `curve`.
    ///
    /// # Errors
    /// [`DemoError::Io`] where the system gives no thread.
    pub(super) fn start(target: SocketAddr, curve: Curve, questions: Vec<Question>) -> Result<Self, DemoError> {
        let (stop, stopped) = watch::channel(false);
        let tally = Arc::new(Tally::default());
        let shared = Arc::new(Shared { target, questions, tally: Arc::clone(&tally), idle: Mutex::default() });
        let runtime = runtime::Builder::new_current_thread().enable_all().build().map_err(DemoError::Io)?;
        let send = move || runtime.block_on(offer(&shared, curve, stopped));
        let thread = thread::Builder::new().name("load".to_owned()).spawn(send).map_err(DemoError::Io)?;
        Ok(Self { stop, tally, started: std::time::Instant::now(), curve, thread })
    }

    /// Requests a second that are offered now.
    pub(super) fn rate(&self) -> f64 {
        self.curve.rate_at(self.started.elapsed())
    }

    /// How long it has been running.
    pub(super) fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// What came back so far.
    pub(super) fn totals(&self) -> Totals {
        self.tally.totals()
    }

    /// Offers no more, waits for the answers that are outstanding, and gives the totals.
    pub(super) fn finish(self) -> Totals {
        self.stop.send_replace(true);
        // A thread that panicked leaves requests without an answer, which the totals show as outstanding.
        let _panicked = self.thread.join();
        self.tally.totals()
    }
}

struct Shared {
    target: SocketAddr,
    questions: Vec<Question>,
    tally: Arc<Tally>,
    idle: Mutex<Vec<Connection>>,
}

/// Sends each request when its time has come. A late wake-up sends all that are due, so the rate holds.
async fn offer(shared: &Arc<Shared>, curve: Curve, mut stopped: watch::Receiver<bool>) {
    let start = Instant::now();
    let mut due = Duration::ZERO;
    let mut under_way = JoinSet::new();
    loop {
        tokio::select! {
            () = sleep_until(start + due) => {}
            _ = stopped.wait_for(|stop| *stop) => break,
        }
        while due <= start.elapsed() {
            due = curve.next_arrival(due, fastrand::f64());
            if under_way.len() < MOST_UNDER_WAY {
                under_way.spawn(ask(Arc::clone(shared)));
            } else {
                shared.tally.held_back();
            }
        }
        while under_way.try_join_next().is_some() {}
    }
    while under_way.join_next().await.is_some() {}
}

/// One request and the verdict on its answer.
async fn ask(shared: Arc<Shared>) {
    let Some(question) = fastrand::choice(&shared.questions) else { return };
    shared.tally.sent();
    let exchange = async {
        let mut connection = shared.connection().await?;
        let answer = connection.send(request(question)).await?;
        shared.put_back(connection);
        Ok::<_, ClientError>(answer)
    };
    match exchange.await {
        Ok(answer) => shared.tally.add(judge(&answer, &question.vector)),
        Err(error) => shared.tally.lost(&error),
    }
}

fn request(question: &Question) -> Request<Full<Bytes>> {
    let mut request = Request::new(Full::new(question.body.clone()));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = http::Uri::from_static(PATH);
    request.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if fastrand::f64() < LATENCY_SENSITIVE {
        request.headers_mut().insert(MARK, HeaderValue::from_static("true"));
    }
    request
}

impl Shared {
    async fn connection(&self) -> Result<Connection, ClientError> {
        loop {
            let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
            match idle {
                Some(connection) if connection.is_usable() => return Ok(connection),
                // The router has closed it, as it may at any time between two requests.
                Some(_closed) => {}
                None => return Connection::open(self.target).await,
            }
        }
    }

    fn put_back(&self, connection: Connection) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
    }
}

//! One emulated instance: real embeddings, with the service time and the concurrency of a measured one imposed.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Body;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep_until};

use super::Pace;
use crate::cli::demo::embedder::Embedder;
use crate::cli::demo::service::{Profile, ServiceTime};
use crate::fallback::{Api, Asked, Catalogue, Endpoint, Rejection};

/// The largest request body of the deployments that this stands in for, in bytes.
const MAX_BODY: usize = 10_485_760;

/// Tokio's timer counts whole milliseconds and rounds up, so that a wait is longer than asked by this on average.
const TIMER_LAG: Duration = Duration::from_micros(500);

/// Serves any number of connections; what it computes at once and what waits for that are limited.
pub(super) struct Instance {
    profile: Profile,
    service: ServiceTime,
    places: Arc<Semaphore>,
    inside: AtomicUsize,
    embedder: Arc<Embedder>,
    pace: Arc<Pace>,
}

/// A request inside an instance, counted until its answer is made or its client has gone.
struct Inside<'i>(&'i AtomicUsize);

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Instance {
    /// An idle instance with this profile.
    pub(super) fn new(profile: Profile, embedder: Arc<Embedder>, pace: Arc<Pace>) -> Self {
        let places = usize::try_from(profile.concurrency()).unwrap_or(usize::MAX);
        Self {
            profile,
            service: profile.service_time(),
            places: Arc::new(Semaphore::new(places)),
            inside: AtomicUsize::new(0),
            embedder,
            pace,
        }
    }

    /// Answers one request.
    pub(super) async fn answer<B>(&self, request: Request<B>) -> Response<Full<Bytes>>
    where
        B: Body,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let (head, body) = request.into_parts();
        if head.method == Method::GET && head.uri.path() == "/health" {
            return response(StatusCode::OK, br#"{"status":"ok"}"#.to_vec());
        }
        let Some(endpoint) = Endpoint::recognise(head.uri.path()) else {
            return response(StatusCode::NOT_FOUND, br#"{"error":"POST /api/v1/embed or /v1/embeddings"}"#.to_vec());
        };
        let outcome = match Limited::new(body, MAX_BODY).collect().await {
            Ok(body) => match endpoint.admit(&head.method, &head.headers) {
                Ok(()) => self.serve(endpoint, &body.to_bytes()).await,
                Err(rejection) => Err(rejection),
            },
            Err(why) => Err(endpoint.api.rejection(StatusCode::PAYLOAD_TOO_LARGE, &why.to_string())),
        };
        match outcome {
            Ok(body) => response(StatusCode::OK, body),
            Err(rejection) => response(rejection.status, rejection.body),
        }
    }

    async fn serve(&self, endpoint: Endpoint<'_>, body: &[u8]) -> Result<Vec<u8>, Rejection> {
        let question = match endpoint.read(body, &Catalogue::of(self.embedder.card()))? {
            Asked::Told(body) => return Ok(body),
            Asked::Texts(question) => question,
            Asked::Tensors(_) => return Err(endpoint.api.rejection(StatusCode::NOT_FOUND, "there is no such model")),
        };
        let api = endpoint.api;
        let unavailable = |why: &str| api.rejection(StatusCode::SERVICE_UNAVAILABLE, why);
        let Some(_inside) = self.enter() else { return Err(unavailable("the emulated instance is full")) };
        let place = Arc::clone(&self.places).acquire_owned().await;
        let place = place.map_err(|_closed| unavailable("the emulated instance has stopped"))?;
        let started = Instant::now();
        let service = self.service.draw(fastrand::f64(), fastrand::f64());
        let result = self.embedder.embed(question.texts.iter().map(|text| text.content.to_string()).collect()).await;
        sleep_until(started + service.saturating_sub(TIMER_LAG)).await;
        self.rest(place, service);
        let mut embeddings = result.map_err(|error| api.rejection_of(&error))?;
        embeddings.inference = started.elapsed();
        Ok(question.answer(self.embedder.card(), &embeddings))
    }

    fn enter(&self) -> Option<Inside<'_>> {
        let inside = Inside(&self.inside);
        (self.inside.fetch_add(1, Ordering::Relaxed) < self.profile.limit).then_some(inside)
    }

    /// Gives the place back after the rest that makes its rate the scaled one: at a factor of 0.25 a place that was taken
    /// for 12 ms is free again 36 ms later.
    fn rest(&self, place: OwnedSemaphorePermit, service: Duration) {
        let rest = service.mul_f64(1.0 / self.pace.factor() - 1.0);
        if rest < TIMER_LAG {
            return;
        }
        let free = Instant::now() + rest - TIMER_LAG;
        tokio::spawn(async move {
            sleep_until(free).await;
            drop(place);
        });
    }
}

fn response(status: StatusCode, body: Vec<u8>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(Api::CONTENT_TYPE));
    if status == StatusCode::SERVICE_UNAVAILABLE {
        headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    }
    response
}

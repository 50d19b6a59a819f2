//! The server: HTTP/2 on a port of its own, one answer a method.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::stream::{self, Stream};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::sync::watch;
use tonic::body::Body;
use tonic::metadata::MetadataValue;
use tonic::server::Grpc;
use tonic::{Request, Response, Status};
use tonic_prost::ProstCodec;

use super::asked::{Answered, Trigger, Warnings};
use super::messages::{GetMetricSpecResponse, GetMetricsRequest, IsActiveResponse, ScaledObjectRef};
use crate::accept::Acceptor;
use crate::scaling::{Board, Known, Report};

/// Connections at once; an operator has one.
const MAX_CONNECTIONS: usize = 256;
/// Calls at once on one: a stream for each object that an operator scales, and two questions.
const MAX_STREAMS: u32 = 4096;
/// How often an idle client is asked whether it is still there.
const KEEPALIVE: Duration = Duration::from_secs(30);

/// What the answer says of a question that names something unknown.
const WARNING: &str = "overspill-warning";
/// How many routers took part in the answer, of how many that there are.
const ROUTERS: &str = "overspill-routers";

/// Serves the connections of `acceptor` for as long as the future is polled, from `board`.
pub fn serve(acceptor: Acceptor, board: Board) -> impl Future<Output = ()> + Send {
    let scaler = Scaler { board, warnings: Warnings::default() };
    acceptor.serve(MAX_CONNECTIONS, move |stream| {
        let scaler = scaler.clone();
        let service = service_fn(move |request| {
            let scaler = scaler.clone();
            async move { Ok::<_, Infallible>(scaler.answer(request).await) }
        });
        let connection = hyper::server::conn::http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .keep_alive_interval(KEEPALIVE)
            .max_concurrent_streams(MAX_STREAMS)
            .serve_connection(TokioIo::new(stream), service);
        // Its error is its client's, who has gone.
        connection.map(drop)
    })
}

#[derive(Clone)]
struct Scaler {
    board: Board,
    warnings: Warnings,
}

impl Scaler {
    async fn answer(self, request: http::Request<Incoming>) -> http::Response<Body> {
        let method = request.uri().path().strip_prefix("/externalscaler.ExternalScaler/").unwrap_or_default();
        match method {
            "IsActive" => {
                let method = tower::service_fn(move |asked: Request<ScaledObjectRef>| {
                    let trigger = Trigger::of(Some(asked.get_ref()));
                    self.respond(trigger.is_active(&self.board.known().all))
                });
                Grpc::new(ProstCodec::default()).unary(method, request).await
            }
            "GetMetricSpec" => {
                let method = tower::service_fn(move |asked: Request<ScaledObjectRef>| {
                    let trigger = Trigger::of(Some(asked.get_ref()));
                    self.respond(trigger.spec(&self.board.known().all))
                });
                Grpc::new(ProstCodec::default()).unary(method, request).await
            }
            "GetMetrics" => {
                let method = tower::service_fn(move |asked: Request<GetMetricsRequest>| {
                    let trigger = Trigger::of(asked.get_ref().scaled_object_ref.as_ref());
                    self.respond(trigger.metrics(asked.get_ref(), &self.board.known().all))
                });
                Grpc::new(ProstCodec::default()).unary(method, request).await
            }
            "StreamIsActive" => {
                let method = tower::service_fn(move |asked: Request<ScaledObjectRef>| {
                    self.follow(asked.get_ref(), Trigger::is_active)
                });
                let mut codec = Grpc::new(ProstCodec::<IsActiveResponse, ScaledObjectRef>::default());
                codec.server_streaming(method, request).await
            }
            "StreamMetricSpec" => {
                let method = tower::service_fn(move |asked: Request<ScaledObjectRef>| {
                    self.follow(asked.get_ref(), Trigger::spec)
                });
                let mut codec = Grpc::new(ProstCodec::<GetMetricSpecResponse, ScaledObjectRef>::default());
                codec.server_streaming(method, request).await
            }
            _ => Status::unimplemented("externalscaler.ExternalScaler has no such method").into_http(),
        }
    }

    fn respond<M>(&self, answered: Answered<M>) -> std::future::Ready<Result<Response<M>, Status>> {
        let Answered { message, warning } = answered;
        std::future::ready(Ok(self.told(message, warning)))
    }

    /// `answer`, with how many routers took part in it and what is wrong with the question.
    fn told<M>(&self, answer: M, warning: Option<String>) -> Response<M> {
        let mut response = Response::new(answer);
        let mut tell = |key, text: String| {
            if let Ok(value) = MetadataValue::try_from(text) {
                response.metadata_mut().insert(key, value);
            }
        };
        tell(ROUTERS, self.board.known().all.routers.to_string());
        if let Some(warning) = warning {
            self.warnings.note(&warning);
            tell(WARNING, warning);
        }
        response
    }

    /// The answer as it is now, and again whenever it is another.
    fn follow<M: Clone + PartialEq + Send + 'static>(
        &self,
        asking: &ScaledObjectRef,
        answer: fn(&Trigger, &Report) -> Answered<M>,
    ) -> std::future::Ready<Result<Response<impl Stream<Item = Result<M, Status>> + Send + use<M>>, Status>> {
        let trigger = Trigger::of(Some(asking));
        let warning = answer(&trigger, &self.board.known().all).warning;
        let following = Following { board: self.board.follow(), trigger, answer, sent: None };
        std::future::ready(Ok(self.told(stream::unfold(following, Following::next), warning)))
    }
}

/// An answer that is told each time that it changes.
struct Following<M> {
    board: watch::Receiver<Known>,
    trigger: Trigger,
    answer: fn(&Trigger, &Report) -> Answered<M>,
    sent: Option<M>,
}

impl<M: Clone + PartialEq> Following<M> {
    async fn next(mut self) -> Option<(Result<M, Status>, Self)> {
        loop {
            let report = Arc::clone(&self.board.borrow_and_update().all);
            let message = (self.answer)(&self.trigger, &report).message;
            if self.sent.as_ref() != Some(&message) {
                self.sent = Some(message.clone());
                return Some((Ok(message), self));
            }
            self.board.changed().await.ok()?;
        }
    }
}

//! One client connection: its protocol, its time limits and its end.

use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;

use http::{HeaderValue, Response};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::activity::Activity;
use super::destination::redirected_from;
use super::http1::{self, Arrived, Ended, HeadLimits, Shop, Upgraded};
use super::http2::{self, Coming, Terms};
use super::relay::AnswerBody;
use super::stream::Stream;
use super::{Worker, fields};
use crate::domain::Limit;
use crate::tls::{self, Peer, Servers};

/// What a connection's requests need to know of it.
#[derive(Clone, Debug)]
pub(super) struct Client {
    /// The peer's address.
    pub(super) address: SocketAddr,
    /// The port that it came to.
    pub(super) port: u16,
    /// Who it is, if it speaks TLS.
    pub(super) tls: Option<Rc<Peer>>,
    /// Where it was sent to before the system redirected it here.
    pub(super) redirected_from: Option<SocketAddr>,
    /// Its address as `X-Forwarded-For` has it.
    pub(super) forwarded_for: HeaderValue,
    /// What the connection is doing.
    pub(super) activity: Rc<Activity>,
}

impl Client {
    /// What it speaks: `http` or `https`.
    pub(super) fn scheme(&self) -> &'static str {
        if self.tls.is_some() { "https" } else { "http" }
    }
}

/// A connection that has just been accepted.
pub(super) struct Accepted {
    pub(super) stream: TcpStream,
    /// The port that it came to.
    pub(super) port: u16,
    /// What is to secure it; `None` speaks in clear.
    pub(super) tls: Option<Arc<Servers>>,
}

/// Serves one connection to its end. An error of it is its client's: there is nobody to tell but the client, who has gone.
/// The functions begin to answer what comes over HTTP/1.1, and over HTTP/2; their futures stand in the shops.
pub(super) async fn serve<F: Future<Output = Response<AnswerBody>>, S: Future<Output = ()>>(
    worker: Rc<Worker>,
    accepted: Accepted,
    (shop, answer): (Rc<Shop<F>>, impl Fn(Rc<Worker>, Rc<Client>, Arrived) -> F),
    (streams, answer_stream): (Rc<Shop<S>>, impl Fn(Rc<Worker>, Rc<Client>, Coming) -> S),
) {
    let Accepted { stream, port, tls } = accepted;
    let Ok(address) = stream.peer_addr() else { return };
    if stream.set_nodelay(true).is_err() {
        return;
    }
    // Asked only where some pool needs it: connections from before there was one go by their requests' hosts.
    let asks = worker.load().snapshot.has_originals();
    let redirected_from = if asks { redirected_from(&stream) } else { None };
    let forwarded_for = fields::forwarded_for(address);
    let activity = Rc::new(Activity::new());
    let _open = worker.recorder.client_connected();
    // Boxed, so that a connection in clear is not as large as one that is secured.
    let (stream, tls) = match tls {
        None => (Stream::Clear(stream), None),
        Some(servers) => match Box::pin(timeout(worker.limits.header_timeout, servers.accept(stream))).await {
            Ok(Ok(tls::Accepted { stream, peer, .. })) => (Stream::Secured(Box::new(stream)), Some(Rc::new(peer))),
            Ok(Err(error)) => {
                return tracing::debug!(%error, client = %address, port, "a client cannot be spoken to over TLS");
            }
            Err(_) => {
                worker.limit_counters.count(Limit::TlsHandshakeTimeout);
                return tracing::debug!(client = %address, port, "a client's TLS handshake took too long");
            }
        },
    };
    let client = Rc::new(Client { address, port, tls, redirected_from, forwarded_for, activity });
    let supervised = worker.supervisor.enter(Rc::clone(&client.activity));
    let count = |limit: u32| usize::try_from(limit).unwrap_or(usize::MAX);
    let fields = count(worker.load().snapshot.limits().max_headers);
    let limits = HeadLimits { bytes: count(worker.limits.max_header_bytes), fields };
    let mut connection = http1::Connection::new(stream, shop, supervised, Rc::clone(&client.activity), limits);
    let ended = connection
        .serve(|arrived| {
            client.activity.head_ends();
            client.activity.request_begins();
            answer(Rc::clone(&worker), Rc::clone(&client), arrived)
        })
        .await;
    drop(connection);
    if let Ended::Http2(stream) = ended {
        // Boxed, so that a connection of HTTP/1.1 is not as large.
        Box::pin(serve_http2((worker, client), stream, streams, answer_stream)).await;
    }
}

/// Answers the requests that come over `stream`.
async fn serve_http2<S: Future<Output = ()>>(
    (worker, client): (Rc<Worker>, Rc<Client>),
    stream: Upgraded,
    shop: Rc<Shop<S>>,
    answer: impl Fn(Rc<Worker>, Rc<Client>, Coming) -> S,
) {
    let terms = Terms {
        max_header_bytes: worker.limits.max_header_bytes,
        limits: worker.load().snapshot.limits().http2,
        counters: worker.limit_counters.clone(),
        activity: Rc::clone(&client.activity),
    };
    let supervised = worker.supervisor.enter(Rc::clone(&client.activity));
    let begin = |coming| {
        client.activity.request_begins();
        answer(Rc::clone(&worker), Rc::clone(&client), coming)
    };
    http2::serve(stream, terms, supervised, shop, begin).await;
}

//! One request at an upstream, answered step by step by the test.

use http::{HeaderMap, Response, request};
use tokio::sync::oneshot;

use super::body::{BodyReader, BodySender, Outgoing, Rest};
use super::runtime::wait;

/// A request that an upstream has received and not answered. Dropping it unanswered breaks the connection off.
pub struct Exchange {
    /// The request's head.
    pub request: request::Parts,
    reader: Option<BodyReader>,
    reply: Option<oneshot::Sender<Response<Outgoing>>>,
    sender: Option<BodySender>,
}

impl Exchange {
    pub(super) fn new(request: request::Parts, reader: BodyReader, reply: oneshot::Sender<Response<Outgoing>>) -> Self {
        Self { request, reader: Some(reader), reply: Some(reply), sender: None }
    }

    /// A field of the request as text, empty where it is missing.
    pub fn field(&self, name: &str) -> String {
        text(&self.request.headers, name)
    }

    /// The next piece of the request's body.
    #[track_caller]
    pub fn data(&mut self) -> Option<bytes::Bytes> {
        self.reader.as_mut().expect("the body has not been read out").data()
    }

    /// The request's body until at least `count` bytes have come.
    #[track_caller]
    pub fn at_least(&mut self, count: usize) -> Vec<u8> {
        self.reader.as_mut().expect("the body has not been read out").at_least(count)
    }

    /// What is left of the request's body, and its trailers.
    pub fn rest(&mut self) -> Rest {
        self.reader.take().expect("the body has not been read out").rest()
    }

    /// Sends the head of the answer; the body follows with [`Exchange::send`].
    pub fn begin(&mut self, status: u16, fields: &[(&str, &str)]) {
        let (sender, body) = BodySender::channel();
        let mut response = Response::builder().status(status);
        for (name, value) in fields {
            response = response.header(*name, *value);
        }
        let response = response.body(body).expect("a valid head");
        let reply = self.reply.take().expect("an exchange is answered once");
        // A router that has gone away in the meantime shows in what the test reads.
        drop(reply.send(response));
        self.sender = Some(sender);
    }

    /// Sends a piece of the answer's body; `false` where the router has given up.
    pub fn send(&mut self, data: &str) -> bool {
        self.sender.as_ref().expect("the answer has begun").send(data.to_owned())
    }

    /// Ends the answer.
    pub fn finish(mut self) {
        drop(self.sender.take().expect("the answer has begun"));
    }

    /// Ends the answer with trailers.
    pub fn finish_with(mut self, trailers: HeaderMap) {
        self.sender.take().expect("the answer has begun").trailers(trailers);
    }

    /// A whole answer.
    pub fn answer(mut self, status: u16, body: &str) {
        self.begin(status, &[]);
        if !body.is_empty() {
            self.send(body);
        }
        self.finish();
    }

    /// Breaks the answer off in the middle.
    pub fn abort(mut self) {
        self.sender.take().expect("the answer has begun").abort();
    }

    /// Returns once the router has given up on this exchange.
    pub fn wait_for_abandon(&mut self) {
        match (self.reply.as_mut(), self.sender.as_ref()) {
            (Some(reply), _) => wait(reply.closed()),
            (None, Some(sender)) => sender.wait_for_abandon(),
            (None, None) => {}
        }
    }
}

/// A field as text: every value, joined by `, `; empty where it is missing.
pub fn text(headers: &HeaderMap, name: &str) -> String {
    let values = headers.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes()));
    values.collect::<Vec<_>>().join(", ")
}

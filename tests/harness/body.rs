//! Bodies frame by frame: what one side has not sent, the other cannot have.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame};
use http_body_util::BodyExt as _;
use http_body_util::combinators::UnsyncBoxBody;
use hyper::body::Incoming;
use tokio::sync::mpsc;

use super::runtime::wait;

/// The one type of every body that the harness sends.
pub type Outgoing = UnsyncBoxBody<Bytes, io::Error>;

struct ChannelBody(mpsc::Receiver<Result<Frame<Bytes>, io::Error>>);

impl Body for ChannelBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        self.0.poll_recv(cx)
    }
}

/// The sending end of a body; dropping it ends the body.
pub struct BodySender(mpsc::Sender<Result<Frame<Bytes>, io::Error>>);

impl BodySender {
    /// A body and its sending end. Only one frame is ever between the two.
    pub fn channel() -> (Self, Outgoing) {
        let (sender, receiver) = mpsc::channel(1);
        (Self(sender), ChannelBody(receiver).boxed_unsync())
    }

    /// Sends data; `false` where the other end has given up.
    pub fn send(&self, data: impl Into<Bytes>) -> bool {
        wait(self.0.send(Ok(Frame::data(data.into())))).is_ok()
    }

    /// Ends the body with trailers.
    pub fn trailers(self, trailers: HeaderMap) {
        assert!(wait(self.0.send(Ok(Frame::trailers(trailers)))).is_ok(), "the other end gave up before the trailers");
    }

    /// Breaks the body off in the middle.
    pub fn abort(self) {
        drop(wait(self.0.send(Err(io::Error::other("broken off by the test")))));
    }

    /// Returns once the other end has given up.
    pub fn wait_for_abandon(&self) {
        wait(self.0.closed());
    }
}

/// A body as it arrives.
pub struct BodyReader(pub Incoming);

/// The rest of a body and its trailers, or why it broke off.
pub type Rest = Result<(Vec<u8>, Option<HeaderMap>), hyper::Error>;

impl BodyReader {
    /// The next piece of data; `None` at the end. Trailers are the end for this, and empty frames, which HTTP/2 may end
    /// a stream with, are no data.
    #[track_caller]
    pub fn data(&mut self) -> Option<Bytes> {
        loop {
            let data = wait(self.0.frame())?.expect("the body goes on").into_data().ok()?;
            if !data.is_empty() {
                return Some(data);
            }
        }
    }

    /// Data until at least `count` bytes have come.
    #[track_caller]
    pub fn at_least(&mut self, count: usize) -> Vec<u8> {
        let mut read = Vec::new();
        while read.len() < count {
            read.extend_from_slice(&self.data().expect("the body goes on"));
        }
        read
    }

    /// All that is left.
    pub fn rest(self) -> Rest {
        wait(async { self.0.collect().await }).map(|collected| {
            let trailers = collected.trailers().cloned();
            (collected.to_bytes().to_vec(), trailers)
        })
    }
}

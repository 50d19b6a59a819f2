//! Bodies over streams of HTTP/2 (RFC 9113), as clients and endpoints have them alike.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use h2::{Reason, RecvStream, SendStream};
use http::header::{CONNECTION, CONTENT_LENGTH, TE};
use http::{HeaderMap, HeaderName, HeaderValue};
use http_body::{Body, Frame, SizeHint};

/// A body as it comes. What is read of it makes room for more.
pub struct Received {
    /// `None` once it has ended.
    stream: Option<RecvStream>,
    /// How much of it is left, where its head says so.
    left: Option<u64>,
    /// Whether only trailers may come.
    data_ended: bool,
}

impl Received {
    /// The body behind a head of these fields.
    pub fn new(stream: RecvStream, headers: &HeaderMap) -> Self {
        if stream.is_end_stream() {
            return Self { stream: None, left: None, data_ended: true };
        }
        // A length that is none, or not that of what comes, is a stream error of its own.
        let length = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok());
        Self { stream: Some(stream), left: length.and_then(|length| length.parse().ok()), data_ended: false }
    }
}

impl Body for Received {
    type Data = Bytes;
    type Error = h2::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, h2::Error>>> {
        let this = &mut *self;
        let Some(stream) = &mut this.stream else { return Poll::Ready(None) };
        if !this.data_ended {
            match ready!(stream.poll_data(context)) {
                Some(Ok(data)) => {
                    // Where the stream is broken by now, the next look at it says so.
                    stream.flow_control().release_capacity(data.len()).ok();
                    this.left = this.left.map(|left| left.saturating_sub(data.len() as u64));
                    if stream.is_end_stream() {
                        this.stream = None;
                    }
                    return Poll::Ready(Some(Ok(Frame::data(data))));
                }
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => this.data_ended = true,
            }
        }
        let trailers = ready!(stream.poll_trailers(context));
        if trailers.is_ok() {
            this.stream = None;
        }
        Poll::Ready(trailers.transpose().map(|trailers| trailers.map(Frame::trailers)))
    }

    fn is_end_stream(&self) -> bool {
        self.stream.as_ref().is_none_or(RecvStream::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        match (&self.stream, self.left) {
            (None, _) => SizeHint::with_exact(0),
            (Some(_), Some(left)) => SizeHint::with_exact(left),
            (Some(_), None) => SizeHint::default(),
        }
    }
}

/// Why a body was not sent whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unsent {
    /// The body broke off, and so did its stream.
    Broken,
    /// The other side takes no more, and may have said why.
    Refused,
}

/// A body on its way out. Dropped before it is sent whole, it leaves its stream broken off.
pub struct Sending<B> {
    stream: SendStream<Bytes>,
    body: B,
    /// What the other side has no room for yet.
    held: Option<Bytes>,
    /// How many parts the other side has had room for.
    handed: u64,
}

impl<B: Body<Data = Bytes> + Unpin> Sending<B> {
    /// Sends `body`, which is not over, on `stream`.
    pub fn new(stream: SendStream<Bytes>, body: B) -> Self {
        Self { stream, body, held: None, handed: 0 }
    }

    /// Sends what there is; complete once all of it is handed over.
    ///
    /// # Errors
    /// [`Unsent`].
    pub fn poll(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Unsent>> {
        loop {
            if self.held.is_some() {
                ready!(self.poll_room(context))?;
            }
            if let Some(data) = self.held.take() {
                self.stream.send_data(data, false).map_err(|_| Unsent::Refused)?;
                self.handed += 1;
            }
            match Pin::new(&mut self.body).poll_frame(context) {
                Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
                    // There is nothing behind it that its waiting would hold back.
                    Ok(last) if self.body.is_end_stream() => return Poll::Ready(self.end(last)),
                    Ok(data) if data.is_empty() => {}
                    Ok(data) => {
                        // A claim on the window no larger than needed to learn of room: the library asks for the rest.
                        self.stream.reserve_capacity(1);
                        self.held = Some(data);
                    }
                    Err(frame) => {
                        if let Ok(trailers) = frame.into_trailers() {
                            return Poll::Ready(self.stream.send_trailers(trailers).map_err(|_| Unsent::Refused));
                        }
                    }
                },
                Poll::Ready(Some(Err(_))) => {
                    self.stream.send_reset(Reason::INTERNAL_ERROR);
                    return Poll::Ready(Err(Unsent::Broken));
                }
                Poll::Ready(None) => return Poll::Ready(self.end(Bytes::new())),
                Poll::Pending => return self.stream.poll_reset(context).map(|_| Err(Unsent::Refused)),
            }
        }
    }

    /// How many parts of the body were handed over so far, where the other side has no room for the next.
    pub fn waits_for_room(&self) -> Option<u64> {
        self.held.as_ref().map(|_| self.handed)
    }

    /// The body, as far as it is not sent.
    pub fn body_mut(&mut self) -> &mut B {
        &mut self.body
    }

    fn end(&mut self, last: Bytes) -> Result<(), Unsent> {
        self.stream.send_data(last, true).map_err(|_| Unsent::Refused)
    }

    /// Completes once the other side has room for any of what is held.
    fn poll_room(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Unsent>> {
        while self.stream.capacity() == 0 {
            match ready!(self.stream.poll_capacity(context)) {
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return Poll::Ready(Err(Unsent::Refused)),
            }
        }
        Poll::Ready(Ok(()))
    }
}

/// Takes away what concerns a connection of HTTP/1.1, and must not be said over HTTP/2 (RFC 9113, section 8.2.2).
pub fn strip(headers: &mut HeaderMap) {
    let is_wrong = |(name, value): (&HeaderName, &HeaderValue)| match name.as_str() {
        "connection" | "keep-alive" | "proxy-connection" | "transfer-encoding" | "upgrade" => true,
        "te" => value != "trailers",
        _ => false,
    };
    if !headers.iter().any(is_wrong) {
        return;
    }
    let named = headers.get_all(CONNECTION).into_iter().filter_map(|value| value.to_str().ok());
    let named: Vec<String> = named.flat_map(|value| value.split(',')).map(|name| name.trim().to_owned()).collect();
    for name in named {
        headers.remove(name.as_str());
    }
    for name in ["connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"] {
        headers.remove(name);
    }
    if headers.get(TE).is_some_and(|value| value != "trailers") {
        headers.remove(TE);
    }
}

/// Says how long the body is, where that is known and not said.
pub fn set_length(headers: &mut HeaderMap, size: &SizeHint) {
    if let Some(length) = size.exact() {
        headers.entry(CONTENT_LENGTH).or_insert_with(|| HeaderValue::from(length));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_concerns_a_connection_goes() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("connection", "close, x-own"),
            ("x-own", "1"),
            ("keep-alive", "timeout=5"),
            ("transfer-encoding", "chunked"),
            ("upgrade", "h2c"),
            ("te", "gzip"),
            ("x-kept", "1"),
        ] {
            headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        strip(&mut headers);
        assert_eq!(headers.keys().collect::<Vec<_>>(), ["x-kept"]);
        headers.insert(TE, HeaderValue::from_static("trailers"));
        strip(&mut headers);
        assert_eq!(headers.len(), 2, "trailers may be asked for");
    }

    #[test]
    fn a_length_is_said_where_it_is_known_and_not_said() {
        let mut headers = HeaderMap::new();
        set_length(&mut headers, &SizeHint::default());
        assert!(headers.is_empty());
        set_length(&mut headers, &SizeHint::with_exact(7));
        assert_eq!(headers[CONTENT_LENGTH], "7");
        set_length(&mut headers, &SizeHint::with_exact(0));
        assert_eq!(headers[CONTENT_LENGTH], "7", "what an endpoint says of its answer to HEAD stands");
    }
}

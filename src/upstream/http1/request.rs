//! Heads of requests as they are written.

use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use http::{Method, Request};
use http_body::Body;

use crate::wire::{Encoding, Outbox};

/// Writes the head of `request`. Its body alone decides how the message is framed: what its fields say of that is not
/// written.
pub(super) fn begin<B: Body>(request: &Request<B>, outbox: &mut Outbox) -> Encoding {
    let length = if request.body().is_end_stream() { Some(0) } else { request.body().size_hint().exact() };
    outbox.write(request.method().as_str().as_bytes());
    outbox.write(b" ");
    outbox.write(request.uri().path_and_query().map_or("/", |path| path.as_str()).as_bytes());
    outbox.write(b" HTTP/1.1\r\n");
    let mut sized = false;
    for (name, value) in request.headers() {
        if *name == CONTENT_LENGTH {
            sized = true;
        } else if *name != TRANSFER_ENCODING {
            outbox.write_field(name, value.as_bytes());
        }
    }
    let encoding = match length {
        // RFC 9110, section 8.6: said of a method that is expected to have a body, and where the client says so.
        Some(0) if sized || expects_body(request.method()) => {
            outbox.write(b"content-length: 0\r\n");
            Encoding::Over
        }
        Some(0) => Encoding::Over,
        Some(length) => {
            outbox.write(b"content-length: ");
            outbox.write_number(length, 10);
            outbox.write(b"\r\n");
            Encoding::Length(length)
        }
        None => {
            outbox.write(b"transfer-encoding: chunked\r\n");
            Encoding::chunked(request.headers())
        }
    };
    outbox.write(b"\r\n");
    encoding
}

fn expects_body(method: &Method) -> bool {
    !matches!(*method, Method::GET | Method::HEAD | Method::DELETE | Method::OPTIONS | Method::TRACE | Method::CONNECT)
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::pin::Pin;
    use std::task::{Context, Poll};

    use bytes::Bytes;
    use http_body::{Frame, SizeHint};

    use super::*;

    /// A body that says it has this size.
    struct Said(Option<u64>);

    impl Body for Said {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            Poll::Pending
        }

        fn is_end_stream(&self) -> bool {
            self.0 == Some(0)
        }

        fn size_hint(&self) -> SizeHint {
            self.0.map_or_else(SizeHint::default, SizeHint::with_exact)
        }
    }

    fn begun(method: &str, fields: &[(&str, &str)], size: Option<u64>) -> (String, Encoding) {
        let mut request = Request::builder().method(method).uri("/a?b=%20");
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        let mut outbox = Outbox::default();
        let encoding = begin(&request.body(Said(size)).expect("a request"), &mut outbox);
        let head = String::from_utf8(outbox.take()).expect("a head in ASCII");
        (head, encoding)
    }

    #[test]
    fn the_body_alone_says_how_the_message_is_framed() {
        let chunked = || Encoding::Chunked(Vec::new());
        for (method, fields, size, framing, encoding) in [
            ("GET", &[][..], Some(0), "", Encoding::Over),
            ("DELETE", &[], Some(0), "", Encoding::Over),
            ("GET", &[("content-length", "0")], Some(0), "content-length: 0\r\n", Encoding::Over),
            ("POST", &[], Some(0), "content-length: 0\r\n", Encoding::Over),
            ("POST", &[("transfer-encoding", "chunked")], Some(0), "content-length: 0\r\n", Encoding::Over),
            ("POST", &[("content-length", "7")], Some(1024), "content-length: 1024\r\n", Encoding::Length(1024)),
            ("GET", &[], Some(9), "content-length: 9\r\n", Encoding::Length(9)),
            ("POST", &[("content-length", "7")], None, "transfer-encoding: chunked\r\n", chunked()),
            ("GET", &[], None, "transfer-encoding: chunked\r\n", chunked()),
        ] {
            let (head, written) = begun(method, fields, size);
            assert_eq!(head, format!("{method} /a?b=%20 HTTP/1.1\r\n{framing}\r\n"));
            assert_eq!(written, encoding, "{head}");
        }
    }

    #[test]
    fn fields_are_written_as_they_are() {
        let (head, ..) = begun("GET", &[("host", "a.b"), ("x-a", "1"), ("x-b", ""), ("x-a", "2")], Some(0));
        assert_eq!(head, "GET /a?b=%20 HTTP/1.1\r\nhost: a.b\r\nx-a: 1\r\nx-a: 2\r\nx-b: \r\n\r\n");
    }
}

//! Requests as they are written.

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, TRAILER, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderName, Method, Request};
use http_body::{Body, Frame};

use super::outbox::Outbox;

/// Fields that are none of a trailer's: those that frame the message, route it or say how it is to be read (RFC 9110, section
/// 6.5.1).
const NO_TRAILERS: [&str; 12] = [
    "authorization",
    "cache-control",
    "content-encoding",
    "content-length",
    "content-range",
    "content-type",
    "host",
    "max-forwards",
    "set-cookie",
    "te",
    "trailer",
    "transfer-encoding",
];

/// What is left to write of a request's body, and in which form.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    /// So many bytes are left.
    Length(u64),
    /// Chunks, and behind them the trailers that the head has announced.
    Chunked(Vec<HeaderName>),
    Over,
}

/// A body that is not as long as it said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct WrongLength;

impl Encoding {
    /// Writes the head of `request`. Its body alone decides how the message is framed: what its fields say of that is not
    /// written.
    pub(super) fn begin<B: Body>(request: &Request<B>, outbox: &mut Outbox) -> Self {
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
                Self::Over
            }
            Some(0) => Self::Over,
            Some(length) => {
                outbox.write(b"content-length: ");
                outbox.write_number(length, 10);
                outbox.write(b"\r\n");
                Self::Length(length)
            }
            None => {
                outbox.write(b"transfer-encoding: chunked\r\n");
                Self::Chunked(announced(request.headers()))
            }
        };
        outbox.write(b"\r\n");
        encoding
    }

    pub(super) fn is_over(&self) -> bool {
        *self == Self::Over
    }

    /// Writes a part of the body.
    pub(super) fn write(&mut self, frame: Frame<Bytes>, outbox: &mut Outbox) -> Result<(), WrongLength> {
        match frame.into_data() {
            Ok(data) if data.is_empty() => Ok(()),
            Ok(data) => match self {
                Self::Length(left) => {
                    *left = left.checked_sub(data.len() as u64).ok_or(WrongLength)?;
                    outbox.push(data, b"");
                    Ok(())
                }
                Self::Chunked(_) => {
                    outbox.write_number(data.len() as u64, 16);
                    outbox.write(b"\r\n");
                    outbox.push(data, b"\r\n");
                    Ok(())
                }
                Self::Over => Err(WrongLength),
            },
            Err(frame) => match (frame.into_trailers(), &*self) {
                (Ok(trailers), Self::Chunked(announced)) => {
                    outbox.write(b"0\r\n");
                    let passed = |name: &HeaderName| announced.contains(name) && !NO_TRAILERS.contains(&name.as_str());
                    for (name, value) in trailers.iter().filter(|(name, _)| passed(name)) {
                        outbox.write_field(name, value.as_bytes());
                    }
                    outbox.write(b"\r\n");
                    *self = Self::Over;
                    Ok(())
                }
                // Nothing can follow a body of a known length.
                _ => self.end(outbox),
            },
        }
    }

    /// Writes the end of the body.
    pub(super) fn end(&mut self, outbox: &mut Outbox) -> Result<(), WrongLength> {
        match self {
            Self::Length(1..) => return Err(WrongLength),
            Self::Chunked(_) => outbox.push_last_chunk(),
            Self::Length(0) | Self::Over => {}
        }
        *self = Self::Over;
        Ok(())
    }
}

fn expects_body(method: &Method) -> bool {
    !matches!(*method, Method::GET | Method::HEAD | Method::DELETE | Method::OPTIONS | Method::TRACE | Method::CONNECT)
}

/// The names that `Trailer` announces.
fn announced(headers: &HeaderMap) -> Vec<HeaderName> {
    let lists = headers.get_all(TRAILER).iter().flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
    lists.filter_map(|name| HeaderName::from_bytes(name.trim_ascii()).ok()).collect()
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::pin::Pin;
    use std::task::{Context, Poll};

    use http_body::SizeHint;

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

    fn begun(method: &str, fields: &[(&str, &str)], size: Option<u64>) -> (String, Encoding, Outbox) {
        let mut request = Request::builder().method(method).uri("/a?b=%20");
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        let mut outbox = Outbox::default();
        let encoding = Encoding::begin(&request.body(Said(size)).expect("a request"), &mut outbox);
        let head = String::from_utf8(outbox.take()).expect("a head in ASCII");
        (head, encoding, outbox)
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
            let (head, written, _) = begun(method, fields, size);
            assert_eq!(head, format!("{method} /a?b=%20 HTTP/1.1\r\n{framing}\r\n"));
            assert_eq!(written, encoding, "{head}");
        }
    }

    #[test]
    fn fields_are_written_as_they_are() {
        let (head, ..) = begun("GET", &[("host", "a.b"), ("x-a", "1"), ("x-b", ""), ("x-a", "2")], Some(0));
        assert_eq!(head, "GET /a?b=%20 HTTP/1.1\r\nhost: a.b\r\nx-a: 1\r\nx-a: 2\r\nx-b: \r\n\r\n");
    }

    fn data(part: &'static str) -> Frame<Bytes> {
        Frame::data(Bytes::from_static(part.as_bytes()))
    }

    #[test]
    fn chunks_end_with_the_trailers_that_were_announced() {
        let (_, mut encoding, mut outbox) = begun("POST", &[("trailer", "x-sum, , Host,x-b")], None);
        let trailers = [("x-sum", "5"), ("x-b", "6"), ("host", "evil"), ("x-c", "7")];
        let trailers = trailers.map(|(name, value)| (HeaderName::from_static(name), value.parse().expect("a value")));
        for frame in
            [data("abc"), data(""), data("0123456789abcdefghi"), Frame::trailers(trailers.into_iter().collect())]
        {
            encoding.write(frame, &mut outbox).expect("a chunk");
        }
        encoding.end(&mut outbox).expect("the end has come already");
        let expected = "3\r\nabc\r\n13\r\n0123456789abcdefghi\r\n0\r\nx-sum: 5\r\nx-b: 6\r\n\r\n";
        assert_eq!(String::from_utf8_lossy(&outbox.take()), expected);
        assert!(encoding.is_over());
    }

    #[test]
    fn chunks_end_without_trailers() {
        let (_, mut encoding, mut outbox) = begun("POST", &[], None);
        encoding.write(Frame::trailers(HeaderMap::new()), &mut outbox).expect("nothing was announced");
        assert_eq!(outbox.take(), b"0\r\n\r\n");
    }

    #[test]
    fn a_body_is_as_long_as_it_said() {
        let (_, mut encoding, mut outbox) = begun("POST", &[], Some(5));
        assert_eq!(encoding.write(data("abc"), &mut outbox), Ok(()));
        assert_eq!(encoding.end(&mut outbox), Err(WrongLength));
        assert_eq!(encoding.write(data("def"), &mut outbox), Err(WrongLength));
        assert_eq!(encoding.write(data("de"), &mut outbox), Ok(()));
        assert_eq!(encoding.end(&mut outbox), Ok(()));
        assert_eq!(outbox.take(), b"abcde");
        assert_eq!(encoding.write(data("f"), &mut outbox), Err(WrongLength));
    }
}

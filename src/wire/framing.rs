//! Where a body ends (RFC 9112, section 6.3).

use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use http::{HeaderMap, Method, Response, StatusCode, Version};
use http_body::SizeHint;

use super::Malformed;
use super::chunked::Chunked;

/// What is left of a body, and how its end is known.
#[derive(Debug, PartialEq, Eq)]
pub enum Framing {
    /// So many bytes are left.
    Length(u64),
    /// It comes in chunks.
    Chunked(Chunked),
    /// Only answers have such.
    UntilClose,
}

/// What comes next in a body.
#[derive(Debug)]
pub enum Next {
    /// A part of it.
    Data(Bytes),
    /// What follows its last chunk.
    Trailers(HeaderMap),
    /// More has to be read first.
    More,
    /// Nothing.
    Over,
}

impl Framing {
    /// A body that is over.
    pub const OVER: Self = Self::Length(0);

    /// That of the answer to a request of `method`. A coding other than `chunked` is refused: the field that names it is the
    /// connection's own, and goes, so that nobody behind would know of it.
    ///
    /// # Errors
    /// [`Malformed`] where the head contradicts itself.
    pub fn of_answer(method: &Method, response: &Response<()>) -> Result<Self, Malformed> {
        let headers = response.headers();
        if !Self::has_body(method, response.status()) {
            return Ok(Self::OVER);
        }
        let length = length(headers)?;
        if !headers.contains_key(TRANSFER_ENCODING) {
            return Ok(length.map_or(Self::UntilClose, Self::Length));
        }
        let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
        let chunked = codings.next().is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"chunked"));
        if chunked && codings.next().is_none() && length.is_none() && response.version() == Version::HTTP_11 {
            return Ok(Self::Chunked(Chunked::default()));
        }
        Err(Malformed)
    }

    /// Whether the answer of this `status` to a request of `method` can have a body (RFC 9110, section 6.4.1).
    pub fn has_body(method: &Method, status: StatusCode) -> bool {
        method != Method::HEAD
            && !status.is_informational()
            && !matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED)
    }

    /// Whether nothing of it is left.
    pub fn is_over(&self) -> bool {
        match self {
            Self::Length(left) => *left == 0,
            Self::Chunked(chunked) => chunked.is_over(),
            Self::UntilClose => false,
        }
    }

    /// Takes what comes next off the front of `read`.
    ///
    /// # Errors
    /// [`Malformed`] where it is no chunk.
    pub fn next(&mut self, read: &mut BytesMut) -> Result<Next, Malformed> {
        match self {
            Self::Length(0) => Ok(Next::Over),
            Self::Chunked(chunked) => chunked.next(read),
            Self::Length(_) | Self::UntilClose if read.is_empty() => Ok(Next::More),
            Self::Length(left) => Ok(Next::Data(split_some(read, left))),
            Self::UntilClose => Ok(Next::Data(read.split().freeze())),
        }
    }

    /// The endpoint has closed.
    ///
    /// # Errors
    /// [`Malformed`] where something was still to come.
    pub fn close(&mut self) -> Result<(), Malformed> {
        match self {
            Self::UntilClose => {
                *self = Self::OVER;
                Ok(())
            }
            _ => Err(Malformed),
        }
    }

    /// How many bytes are worth reading next.
    pub fn wants(&self) -> u64 {
        match self {
            Self::Length(left) => *left,
            Self::Chunked(chunked) => chunked.wants(),
            Self::UntilClose => 0,
        }
    }

    /// What is known of its length.
    pub fn size_hint(&self) -> SizeHint {
        match self {
            Self::Length(left) => SizeHint::with_exact(*left),
            Self::Chunked(_) | Self::UntilClose => SizeHint::default(),
        }
    }
}

/// At most `left` bytes off the front of `read`, which are no longer left then.
pub(super) fn split_some(read: &mut BytesMut, left: &mut u64) -> Bytes {
    let count = usize::try_from(*left).map_or(read.len(), |left| left.min(read.len()));
    *left -= count as u64;
    read.split_to(count).freeze()
}

/// What `Content-Length` says. Repeated, all of it must be the same (RFC 9110, section 8.6).
fn length(headers: &HeaderMap) -> Result<Option<u64>, Malformed> {
    let mut length = None;
    for value in headers.get_all(CONTENT_LENGTH) {
        for part in value.as_bytes().split(|byte| *byte == b',') {
            let said = number(part.trim_ascii()).ok_or(Malformed)?;
            if length.is_some_and(|length| length != said) {
                return Err(Malformed);
            }
            length = Some(said);
        }
    }
    Ok(length)
}

/// What `digits` come to; `None` where they are none, or too many.
pub fn number(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_u64, |number, digit| {
        let digit = digit.is_ascii_digit().then(|| u64::from(digit - b'0'))?;
        number.checked_mul(10)?.checked_add(digit)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn framing(method: &Method, status: u16, version: Version, fields: &[(&str, &str)]) -> Result<Framing, Malformed> {
        let mut response = Response::builder().status(status).version(version);
        for (name, value) in fields {
            response = response.header(*name, *value);
        }
        Framing::of_answer(method, &response.body(()).expect("an answer"))
    }

    #[test]
    fn the_head_says_where_the_body_ends() {
        let chunked = Ok(Framing::Chunked(Chunked::default()));
        let get = |fields: &[(&str, &str)]| framing(&Method::GET, 200, Version::HTTP_11, fields);
        for (fields, expected) in [
            (&[][..], Ok(Framing::UntilClose)),
            (&[("content-length", "0")], Ok(Framing::OVER)),
            (&[("content-length", "18446744073709551615")], Ok(Framing::Length(u64::MAX))),
            (&[("content-length", "5"), ("content-length", "5, 5")], Ok(Framing::Length(5))),
            (&[("content-length", "5"), ("content-length", "6")], Err(Malformed)),
            (&[("content-length", "5,")], Err(Malformed)),
            (&[("content-length", "")], Err(Malformed)),
            (&[("content-length", "+5")], Err(Malformed)),
            (&[("content-length", "0x5")], Err(Malformed)),
            (&[("content-length", "-1")], Err(Malformed)),
            (&[("content-length", "5 5")], Err(Malformed)),
            (&[("content-length", "18446744073709551616")], Err(Malformed)),
            (&[("transfer-encoding", "Chunked")], chunked),
            (&[("transfer-encoding", "chunked"), ("content-length", "5")], Err(Malformed)),
            (&[("transfer-encoding", "gzip"), ("content-length", "5")], Err(Malformed)),
            (&[("transfer-encoding", "gzip, chunked")], Err(Malformed)),
            (&[("transfer-encoding", "gzip"), ("transfer-encoding", "chunked")], Err(Malformed)),
            (&[("transfer-encoding", "chunked"), ("transfer-encoding", "chunked")], Err(Malformed)),
            (&[("transfer-encoding", "chunked, gzip")], Err(Malformed)),
            (&[("transfer-encoding", "xchunked")], Err(Malformed)),
        ] {
            assert_eq!(get(fields), expected, "{fields:?}");
        }
        assert_eq!(
            framing(&Method::GET, 200, Version::HTTP_10, &[("transfer-encoding", "chunked")]),
            Err(Malformed),
            "HTTP/1.0 has no chunks"
        );
    }

    #[test]
    fn some_answers_have_no_body_whatever_they_say() {
        for fields in [("content-length", "5"), ("transfer-encoding", "chunked"), ("content-length", "x")] {
            for (method, status) in [(Method::HEAD, 200), (Method::GET, 204), (Method::GET, 304), (Method::GET, 101)] {
                let framing = framing(&method, status, Version::HTTP_11, &[fields]);
                assert_eq!(framing, Ok(Framing::OVER), "{method} {status}");
            }
        }
    }

    #[test]
    fn a_sized_body_ends_at_its_size_and_not_before() {
        let mut read = BytesMut::from(&b"abcdef"[..]);
        let mut framing = Framing::Length(5);
        assert!(matches!(framing.next(&mut read), Ok(Next::Data(data)) if data == "abcde"));
        assert!(framing.is_over() && matches!(framing.next(&mut read), Ok(Next::Over)));
        assert_eq!(read, "f", "what is too much is seen");
        let mut framing = Framing::Length(7);
        assert!(matches!(framing.next(&mut read), Ok(Next::Data(data)) if data == "f"));
        assert!(matches!(framing.next(&mut read), Ok(Next::More)));
        assert_eq!(framing.close(), Err(Malformed));
    }

    #[test]
    fn a_body_without_a_size_ends_with_its_connection() {
        let mut read = BytesMut::from(&b"abc"[..]);
        let mut framing = Framing::UntilClose;
        assert!(matches!(framing.next(&mut read), Ok(Next::Data(data)) if data == "abc"));
        assert!(matches!(framing.next(&mut read), Ok(Next::More)) && !framing.is_over());
        assert_eq!(framing.close(), Ok(()));
        assert!(framing.is_over());
    }
}

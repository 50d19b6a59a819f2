//! Heads of answers.

use std::mem::MaybeUninit;

use bytes::BytesMut;
use http::header::{CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode, Version};
use httparse::{Header, ParserConfig, Status};
use hyper::ext::ReasonPhrase;

use crate::wire::{Framing, HeadSpans, MAX_FIELDS, Malformed, keeps_alive, may_end, number};

/// The longest head in bytes that is taken, its status line and last empty line among it; a little more than Envoy's 60 KiB.
pub(super) const MAX_HEAD: usize = 64 * 1024;

/// A head as it came.
pub(super) struct Head {
    pub(super) answer: Response<()>,
    said: Said,
}

/// What the fields of a head say of its message and connection, seen as they were read: to look each up costs more.
#[derive(Default)]
struct Said {
    lengths: u32,
    length: Option<u64>,
    coded: bool,
    connection: bool,
}

impl Said {
    fn look(&mut self, name: &HeaderName, value: &HeaderValue) {
        match *name {
            CONTENT_LENGTH => {
                self.lengths += 1;
                self.length = number(value.as_bytes());
            }
            TRANSFER_ENCODING => self.coded = true,
            CONNECTION => self.connection = true,
            _ => {}
        }
    }

    /// The length of a body that is framed as nearly all are.
    fn plain_length(&self) -> Option<u64> {
        self.length.filter(|_| self.lengths == 1 && !self.coded)
    }
}

impl Head {
    /// How the body behind it is framed, where it answers a request of `method`.
    ///
    /// # Errors
    /// As [`Framing::of_answer`].
    pub(super) fn framing(&self, method: &Method) -> Result<Framing, Malformed> {
        match self.said.plain_length() {
            Some(length) if Framing::has_body(method, self.answer.status()) => Ok(Framing::Length(length)),
            _ => Framing::of_answer(method, &self.answer),
        }
    }

    /// Whether the connection may carry another message.
    pub(super) fn keeps_alive(&self) -> bool {
        let version = self.answer.version();
        if self.said.connection { keeps_alive(version, self.answer.headers()) } else { version == Version::HTTP_11 }
    }
}

/// Takes the head off the front of `read`; `None` where it has not come whole. The first `searched` bytes are known not to
/// hold its end, so that a head which comes byte by byte is not parsed as often. The fields are found by `spans`, and put into
/// `map`, which is empty.
///
/// # Errors
/// [`Malformed`] for what is no head of HTTP/1 as RFC 9112 has it, or is larger than is taken.
pub(super) fn take(
    read: &mut BytesMut,
    searched: usize,
    (spans, map): (&mut HeadSpans, &mut HeaderMap),
) -> Result<Option<Head>, Malformed> {
    if searched > 0 && !may_end(read, searched) {
        return if read.len() < MAX_HEAD { Ok(None) } else { Err(Malformed) };
    }
    let mut headers = [const { MaybeUninit::<Header<'_>>::uninit() }; MAX_FIELDS];
    let mut response = httparse::Response::new(&mut []);
    let parsed = ParserConfig::default().parse_response_with_uninit_headers(&mut response, read, &mut headers);
    let length = match parsed.map_err(|_| Malformed)? {
        Status::Complete(length) if length <= MAX_HEAD => length,
        Status::Partial if read.len() < MAX_HEAD => return Ok(None),
        _ => return Err(Malformed),
    };
    let status = response.code.and_then(|code| StatusCode::from_u16(code).ok()).ok_or(Malformed)?;
    let version = if response.version == Some(1) { Version::HTTP_11 } else { Version::HTTP_10 };
    let reason = response.reason.filter(|reason| status.canonical_reason() != Some(reason));
    let reason = reason.and_then(|reason| ReasonPhrase::try_from(reason.as_bytes()).ok());
    spans.note(response.headers, read);
    let head = read.split_to(length).freeze();
    let mut said = Said::default();
    spans.fill(&head, map, |name, value| said.look(name, value))?;
    let mut answer = Response::new(());
    *answer.status_mut() = status;
    *answer.version_mut() = version;
    *answer.headers_mut() = std::mem::take(map);
    if let Some(reason) = reason {
        answer.extensions_mut().insert(reason);
    }
    Ok(Some(Head { answer, said }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(bytes: &[u8]) -> Result<Option<(Head, BytesMut)>, Malformed> {
        let mut read = BytesMut::from(bytes);
        Ok(take_of(&mut read, 0)?.map(|head| (head, read)))
    }

    fn take_of(read: &mut BytesMut, searched: usize) -> Result<Option<Head>, Malformed> {
        take(read, searched, (&mut HeadSpans::default(), &mut HeaderMap::new()))
    }

    #[test]
    fn a_head_is_taken_whole_wherever_it_is_split() {
        let whole = b"HTTP/1.1 299 Fine By Me\r\nX-A: 1 \r\nx-b:\r\nX-a: \xe9\r\n\r\nrest";
        let head_end = whole.len() - 4;
        for split in 0..=whole.len() {
            let mut read = BytesMut::from(&whole[..split]);
            let first = take_of(&mut read, 0).expect("a head");
            assert_eq!(first.is_some(), split >= head_end, "{split}");
            let head = first.unwrap_or_else(|| {
                read.extend_from_slice(&whole[split..]);
                take_of(&mut read, split).expect("a head").expect("a whole one")
            });
            let head = head.answer;
            assert_eq!((head.status().as_u16(), head.version()), (299, Version::HTTP_11));
            let values: Vec<_> = head.headers().get_all("x-a").iter().map(HeaderValue::as_bytes).collect();
            assert_eq!(values, [&b"1"[..], b"\xe9"]);
            assert_eq!(head.headers()["x-b"], "");
            assert_eq!(head.extensions().get::<ReasonPhrase>().map(AsRef::as_ref), Some(&b"Fine By Me"[..]));
            assert!(whole[head_end..].starts_with(&read), "what is behind the head stays");
        }
    }

    #[test]
    fn a_head_byte_by_byte_ends_where_it_ends() {
        for whole in ["HTTP/1.1 200 OK\r\na: b\r\n\r\n", "HTTP/1.1 200 OK\n\n", "HTTP/1.0 200\r\n\n"] {
            let mut read = BytesMut::new();
            for (searched, byte) in whole.bytes().enumerate() {
                read.extend_from_slice(&[byte]);
                let head = take_of(&mut read, searched).expect("a head");
                assert_eq!(head.is_some(), searched + 1 == whole.len(), "{whole:?} at {searched}");
            }
        }
    }

    #[test]
    fn what_is_no_head_is_refused() {
        for bytes in [
            "SSH-2.0-OpenSSH_9.6\r\n\r\n",
            "HTTP/2.0 200 OK\r\n\r\n",
            "HTTP/1.1 20 OK\r\n\r\n",
            "HTTP/1.1 099 Low\r\n\r\n",
            "HTTP/1.1 200 OK\r\na b: c\r\n\r\n",
            "HTTP/1.1 200 OK\r\na : c\r\n\r\n",
            "HTTP/1.1 200 OK\r\na: c\r\n d\r\n\r\n",
            "HTTP/1.1 200 OK\r\n: c\r\n\r\n",
            "HTTP/1.1 200 OK\r\na: \0\r\n\r\n",
            "HTTP/1.1 200 OK\r\na: b\rc\r\n\r\n",
            "HTTP/1.1  200 OK\r\n\r\n",
        ] {
            assert!(taken(bytes.as_bytes()).is_err(), "{bytes:?}");
        }
    }

    #[test]
    fn a_head_has_a_largest_size_and_number_of_fields() {
        let sized = |length: usize| {
            let frame = "HTTP/1.1 200 OK\r\na: \r\n\r\n".len();
            format!("HTTP/1.1 200 OK\r\na: {}\r\n\r\n", "x".repeat(length - frame))
        };
        assert!(matches!(taken(sized(MAX_HEAD).as_bytes()), Ok(Some(_))));
        assert!(taken(sized(MAX_HEAD + 1).as_bytes()).is_err());
        let endless = sized(2 * MAX_HEAD);
        assert!(matches!(taken(&endless.as_bytes()[..MAX_HEAD - 1]), Ok(None)));
        assert!(taken(&endless.as_bytes()[..MAX_HEAD]).is_err(), "no more is waited for");
        assert!(take_of(&mut BytesMut::from(&endless.as_bytes()[..MAX_HEAD]), MAX_HEAD - 1).is_err());
        let counted = |count: usize| format!("HTTP/1.1 200 OK\r\n{}\r\n", "a: b\r\n".repeat(count));
        assert!(matches!(taken(counted(MAX_FIELDS).as_bytes()), Ok(Some(_))));
        assert!(taken(counted(MAX_FIELDS + 1).as_bytes()).is_err());
    }

    #[test]
    fn what_is_seen_of_the_framing_is_what_the_fields_say() {
        for fields in [
            "",
            "content-length: 5\r\n",
            "content-length: 0\r\n",
            "content-length: 5\r\ncontent-length: 5\r\n",
            "content-length: 5\r\ncontent-length: 6\r\n",
            "content-length: 5, 5\r\n",
            "content-length: x\r\n",
            "content-length: 5\r\ntransfer-encoding: chunked\r\n",
            "transfer-encoding: chunked\r\n",
            "transfer-encoding: gzip\r\n",
        ] {
            for (method, status) in [(Method::GET, 200), (Method::HEAD, 200), (Method::GET, 204), (Method::GET, 304)] {
                let head = format!("HTTP/1.1 {status} Any\r\n{fields}\r\n");
                let (taken, _) = taken(head.as_bytes()).expect("a head").expect("a whole one");
                assert_eq!(taken.framing(&method), Framing::of_answer(&method, &taken.answer), "{method} {head:?}");
            }
        }
    }

    #[test]
    fn connections_are_kept_as_their_version_and_fields_say() {
        for (head, kept) in [
            ("HTTP/1.1 200 OK\r\n\r\n", true),
            ("HTTP/1.1 200 OK\r\nconnection: x, Close\r\n\r\n", false),
            ("HTTP/1.1 200 OK\r\nconnection: keep-alive\r\nconnection: close\r\n\r\n", false),
            ("HTTP/1.1 200 OK\r\nconnection: upgrade\r\n\r\n", true),
            ("HTTP/1.0 200 OK\r\n\r\n", false),
            ("HTTP/1.0 200 OK\r\nconnection: Keep-Alive\r\n\r\n", true),
            ("HTTP/1.0 200 OK\r\nconnection: keep-alive, close\r\n\r\n", false),
        ] {
            let (taken, _) = taken(head.as_bytes()).expect("a head").expect("a whole one");
            assert_eq!(taken.keeps_alive(), kept, "{head:?}");
        }
    }
}

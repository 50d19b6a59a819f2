//! Heads of requests, and what HTTP/1.1 forbids of them (RFC 9112, sections 2, 3, 5 and 6).

use std::mem::MaybeUninit;
use std::ops::Range;

use bytes::BytesMut;
use http::request::Parts;
use http::uri::{Authority, Scheme};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri, Version};
use httparse::{Error, Header, ParserConfig, Status};

use crate::domain::Reason;
use crate::wire::{Chunked, Framing, HeadSpans, MAX_FIELDS, keeps_alive, may_end, number};

/// The longest target in bytes: `http` holds no longer one.
const MAX_TARGET: usize = 65_534;

/// A head as it came, and what it says of its message and connection.
pub(super) struct Head {
    pub(super) request: Request<()>,
    pub(super) framing: Framing,
    pub(super) manner: Manner,
    /// Whether the client holds its body back until it is asked for.
    pub(super) holds_back: bool,
}

/// The largest head that is taken.
#[derive(Clone, Copy, Debug)]
pub(in crate::proxy) struct HeadLimits {
    /// In bytes.
    pub(in crate::proxy) bytes: usize,
    /// In fields.
    pub(in crate::proxy) fields: usize,
}

/// How a request is to be answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Manner {
    pub(super) version: Version,
    /// Whether the method is HEAD, which is answered without a body.
    pub(super) bodiless: bool,
    /// Whether the client wants the connection kept.
    pub(super) keeps_alive: bool,
    /// Whether the client takes trailers.
    pub(super) trailers: bool,
}

impl Manner {
    /// That of what is no request.
    pub(super) const UNREADABLE: Self =
        Self { version: Version::HTTP_11, bodiless: false, keeps_alive: false, trailers: false };
}

/// What is no request that could be answered for.
#[derive(Debug)]
pub(in crate::proxy) struct Unreadable {
    /// As much of the head as is known: what is not has the method `-` and no path.
    pub(in crate::proxy) parts: Parts,
    pub(in crate::proxy) reason: Reason,
    /// What is wrong, in one clause.
    pub(in crate::proxy) fault: &'static str,
}

impl Unreadable {
    /// A head that has not come whole in time.
    pub(super) fn late(read: &[u8]) -> Box<Self> {
        unreadable(read, Reason::HeadTimeout, Reason::HeadTimeout.detail())
    }
}

/// Takes a head off the front of `read`; `None` where it has not come whole. The first `searched` bytes are known not to
/// hold its end, so that a head which comes byte by byte is not parsed as often. The fields are found by `spans`; `map` takes them.
pub(super) fn take(
    read: &mut BytesMut,
    searched: usize,
    limits: HeadLimits,
    (spans, map): (&mut HeadSpans, impl FnOnce() -> HeaderMap),
) -> Result<Option<Head>, Box<Unreadable>> {
    if searched > 0 && !may_end(read, searched) {
        return if read.len() < limits.bytes { Ok(None) } else { Err(too_large(read, limits.bytes)) };
    }
    if matches!(read.first(), Some(b'\r' | b'\n')) {
        // The parser passes over any line ends before a request.
        return Err(malformed(read, "a line that does not end with CR LF"));
    }
    let mut few = [const { MaybeUninit::<Header<'_>>::uninit() }; MAX_FIELDS];
    let lines = match parse(read, limits, &mut few, spans) {
        Err(Error::TooManyHeaders) if limits.fields > MAX_FIELDS => {
            // Only a head with very many fields pays for room for them.
            let most = limits.fields.min(read.len() / LEAST_FIELD + 1);
            parse(read, limits, &mut vec![MaybeUninit::uninit(); most], spans)
        }
        lines => lines,
    };
    let lines = match lines {
        Ok(Some(lines)) => lines,
        Ok(None) if read.len() < limits.bytes => return Ok(None),
        Ok(None) => return Err(too_large(read, limits.bytes)),
        Err(Error::TooManyHeaders) => {
            return Err(unreadable(read, Reason::HeadTooLarge, "more header fields than are taken"));
        }
        Err(error) => return Err(malformed(read, fault(error))),
    };
    if lines.length > limits.bytes {
        return Err(too_large(read, limits.bytes));
    }
    build(read, lines, (spans, map))
}

/// The least bytes of a field: a name, a colon and the end of its line.
const LEAST_FIELD: usize = 4;

/// Where the parts of a head lie.
struct Lines {
    length: usize,
    method: Option<Method>,
    target: Range<usize>,
    version: Version,
}

/// Parses a head with room for as many fields as `room` has, which `spans` notes; `None` where it has not come whole.
fn parse<'r>(
    read: &'r [u8],
    limits: HeadLimits,
    room: &mut [MaybeUninit<Header<'r>>],
    spans: &mut HeadSpans,
) -> Result<Option<Lines>, Error> {
    let mut parsed = httparse::Request::new(&mut []);
    let status = ParserConfig::default().parse_request_with_uninit_headers(&mut parsed, read, room)?;
    let Status::Complete(length) = status else { return Ok(None) };
    if parsed.headers.len() > limits.fields {
        return Err(Error::TooManyHeaders);
    }
    spans.note(parsed.headers, read);
    let target = parsed.path.unwrap_or_default();
    let begin = target.as_ptr().addr() - read.as_ptr().addr();
    Ok(Some(Lines {
        length,
        method: parsed.method.and_then(|method| Method::from_bytes(method.as_bytes()).ok()),
        target: begin..begin + target.len(),
        version: if parsed.version == Some(1) { Version::HTTP_11 } else { Version::HTTP_10 },
    }))
}

/// Takes the head that was parsed.
fn build(
    read: &mut BytesMut,
    lines: Lines,
    (spans, map): (&HeadSpans, impl FnOnce() -> HeaderMap),
) -> Result<Option<Head>, Box<Unreadable>> {
    if lines.target.len() > MAX_TARGET {
        return Err(unreadable(read, Reason::TargetTooLong, Reason::TargetTooLong.detail()));
    }
    if !spans.lines_end_rightly(&read[..lines.length]) {
        return Err(malformed(read, "a line that does not end with CR LF"));
    }
    let head = read.split_to(lines.length).freeze();
    let uri = Uri::from_maybe_shared(head.slice(lines.target)).ok();
    let (Some(method), Some(uri)) = (lines.method, uri) else {
        return Err(malformed(&head, "a target that is no URI"));
    };
    let mut said = Said::default();
    let mut headers = map();
    if spans.fill(&head, &mut headers, |name, value| said.look(name, value)).is_err() {
        return Err(malformed(&head, "a field that is none"));
    }
    let mut request = Request::new(());
    *request.method_mut() = method;
    *request.uri_mut() = uri;
    *request.version_mut() = lines.version;
    *request.headers_mut() = headers;
    judge(request, &said)
}

/// Holds a head against what is said in it.
fn judge(request: Request<()>, said: &Said) -> Result<Option<Head>, Box<Unreadable>> {
    let version = request.version();
    let framing = said.framing(version).and_then(|framing| {
        if is_target(request.method(), request.uri()) {
            Ok(framing)
        } else {
            Err("a target that its method cannot have")
        }
    });
    let framing = match framing {
        Ok(framing) => framing,
        Err(fault) => {
            let (parts, ()) = request.into_parts();
            return Err(Box::new(Unreadable { parts, reason: Reason::MalformedRequest, fault }));
        }
    };
    let is_new = version == Version::HTTP_11;
    let manner = Manner {
        version,
        bodiless: request.method() == Method::HEAD,
        keeps_alive: if said.connection { keeps_alive(version, request.headers()) } else { is_new },
        trailers: said.trailers,
    };
    let holds_back = said.expects && is_new && !framing.is_over();
    Ok(Some(Head { request, framing, manner, holds_back }))
}

/// What a head says of its message and connection.
#[derive(Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is what one field says")]
struct Said {
    lengths: u32,
    length: Option<u64>,
    codings: u32,
    chunked: bool,
    connection: bool,
    expects: bool,
    trailers: bool,
}

impl Said {
    fn look(&mut self, name: &HeaderName, value: &HeaderValue) {
        match name.as_str() {
            "te" => {
                let mut tokens = value.as_bytes().split(|byte| *byte == b',');
                self.trailers |= tokens.any(|token| token.trim_ascii().eq_ignore_ascii_case(b"trailers"));
            }
            "expect" => self.expects |= value.as_bytes().eq_ignore_ascii_case(b"100-continue"),
            "connection" => self.connection = true,
            "content-length" => {
                self.lengths += 1;
                self.length = number(value.as_bytes());
            }
            "transfer-encoding" => {
                self.codings += 1;
                self.chunked = value.as_bytes().eq_ignore_ascii_case(b"chunked");
            }
            _ => {}
        }
    }

    /// Where the body ends. Whatever two recipients could read differently is refused, even where RFC 9112, section 6.3,
    /// lets it pass: a length said twice is the same today and another in the next version of somebody's parser.
    fn framing(&self, version: Version) -> Result<Framing, &'static str> {
        match (self.lengths, self.codings) {
            (0, 0) => Ok(Framing::OVER),
            (1, 0) => self.length.map(Framing::Length).ok_or("a Content-Length that is no number"),
            (_, 0) => Err("more than one Content-Length"),
            (1.., _) => Err("both Content-Length and Transfer-Encoding"),
            _ if version != Version::HTTP_11 => Err("a Transfer-Encoding in HTTP/1.0"),
            (_, 1) if self.chunked => Ok(Framing::Chunked(Chunked::strict())),
            _ => Err("a Transfer-Encoding other than `chunked`"),
        }
    }
}

/// Whether `uri` is a target of the form that `method` has (RFC 9112, section 3.2).
fn is_target(method: &Method, uri: &Uri) -> bool {
    match (uri.scheme(), uri.authority()) {
        (None, None) => uri.path().starts_with('/') || (method == Method::OPTIONS && uri.path() == "*"),
        (None, Some(_)) => method == Method::CONNECT,
        // RFC 9110, section 4.2.4: who asks is not named in a target.
        (Some(scheme), Some(authority)) => {
            (*scheme == Scheme::HTTP || *scheme == Scheme::HTTPS) && !authority.as_str().contains('@')
        }
        (Some(_), None) => false,
    }
}

const fn fault(error: Error) -> &'static str {
    match error {
        Error::HeaderName => "a field whose name is none, is set off from its colon, or begins with a space",
        Error::HeaderValue => "a field whose value holds what none can",
        Error::NewLine => "a line that does not end with CR LF",
        Error::Version => "a version other than HTTP/1.1 and HTTP/1.0",
        _ => "a first line that is none of a request",
    }
}

#[cold]
fn malformed(read: &[u8], fault: &'static str) -> Box<Unreadable> {
    unreadable(read, Reason::MalformedRequest, fault)
}

/// A head of which more came than is taken: its first line alone may be too much.
#[cold]
fn too_large(read: &[u8], limit: usize) -> Box<Unreadable> {
    let reason =
        if read[..read.len().min(limit)].contains(&b'\n') { Reason::HeadTooLarge } else { Reason::TargetTooLong };
    unreadable(read, reason, reason.detail())
}

#[cold]
fn unreadable(read: &[u8], reason: Reason, fault: &'static str) -> Box<Unreadable> {
    let mut headers = [const { MaybeUninit::<Header<'_>>::uninit() }; MAX_FIELDS];
    let mut parsed = httparse::Request::new(&mut []);
    // Whatever it comes to, what was found before it failed is there.
    ParserConfig::default().parse_request_with_uninit_headers(&mut parsed, read, &mut headers).ok();
    let (mut parts, ()) = Request::new(()).into_parts();
    let method = parsed.method.and_then(|method| Method::from_bytes(method.as_bytes()).ok());
    parts.method = method.or_else(|| Method::from_bytes(b"-").ok()).unwrap_or_default();
    parts.uri =
        parsed.path.and_then(|path| path.parse().ok()).unwrap_or_else(|| Uri::from(Authority::from_static("-")));
    parts.version = if parsed.version == Some(0) { Version::HTTP_10 } else { Version::HTTP_11 };
    Box::new(Unreadable { parts, reason, fault })
}

#[cfg(test)]
mod tests;

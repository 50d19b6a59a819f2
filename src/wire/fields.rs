//! The fields of a head, and what they say of their connection.

use bytes::Bytes;
use http::header::CONNECTION;
use http::{HeaderMap, HeaderName, HeaderValue, Version};
use httparse::Header;

use super::Malformed;

/// The most fields that the head of an answer may have, as in Envoy and in hyper; those of requests are limited by settings.
pub const MAX_FIELDS: usize = 100;

/// Room for the fields that the router adds to a request, which are more than it adds to an answer, so that the map is not
/// built anew. The map of an answer becomes that of another request.
const ROOM_FOR_MORE: usize = 6;

/// Where a part of the head lies.
#[derive(Clone, Copy, Debug)]
struct Span(u32, u32);

impl Span {
    /// That of `part` in `whole`, of which it is a slice.
    fn of(part: &[u8], whole: &[u8]) -> Self {
        let start = part.as_ptr().addr() - whole.as_ptr().addr();
        // Heads are shorter than four gigabytes by far.
        let offset = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        Self(offset(start), offset(start + part.len()))
    }

    fn range(self) -> std::ops::Range<usize> {
        self.0 as usize..self.1 as usize
    }
}

/// Where the names and values of a head lie, so that they can be cut out of it once it is shared. One head after the other
/// uses its memory: to clear and move about room for all that may come would cost more than to find what did.
#[derive(Debug, Default)]
pub struct HeadSpans(Vec<(Span, Span)>);

impl HeadSpans {
    /// Notes those of `fields`, which were parsed in `head`, in place of another head's.
    pub fn note(&mut self, fields: &[Header<'_>], head: &[u8]) {
        self.0.clear();
        self.0.shrink_to(MAX_FIELDS);
        let span = |field: &Header<'_>| (Span::of(field.name.as_bytes(), head), Span::of(field.value, head));
        self.0.extend(fields.iter().map(span));
    }

    /// Whether every line of `head` ends as RFC 9112, section 2.2, has it: the parser takes a bare line feed for an end too.
    pub fn lines_end_rightly(&self, head: &[u8]) -> bool {
        // What comes before a name is the end of the line before.
        let begins = |(name, _): &(Span, Span)| head[..name.0 as usize].ends_with(b"\r\n");
        head.ends_with(b"\r\n\r\n") && self.0.iter().all(begins)
    }

    /// Puts the fields into `headers`, which share the memory of `head`; `look` is shown each.
    ///
    /// # Errors
    /// [`Malformed`] where one is none.
    pub fn fill(
        &self,
        head: &Bytes,
        headers: &mut HeaderMap,
        mut look: impl FnMut(&HeaderName, &HeaderValue),
    ) -> Result<(), Malformed> {
        headers.reserve(self.0.len() + ROOM_FOR_MORE);
        for (name, value) in &self.0 {
            let name = HeaderName::from_bytes(&head[name.range()]).map_err(|_| Malformed)?;
            let value = HeaderValue::from_maybe_shared(head.slice(value.range())).map_err(|_| Malformed)?;
            look(&name, &value);
            headers.append(name, value);
        }
        Ok(())
    }
}

/// Whether an empty line ends behind the first `searched` bytes.
pub fn may_end(read: &[u8], searched: usize) -> bool {
    // The line before may have ended among them.
    let from = &read[searched.saturating_sub(3)..];
    from.windows(2).any(|window| window == b"\n\n") || from.windows(3).any(|window| window == b"\n\r\n")
}

/// Whether the connection may carry another message after one with this head (RFC 9112, section 9.3).
pub fn keeps_alive(version: Version, headers: &HeaderMap) -> bool {
    let says = |token: &str| {
        let values = headers.get_all(CONNECTION).iter();
        let tokens = values.filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(','));
        tokens.map(str::trim).any(|said| said.eq_ignore_ascii_case(token))
    };
    if headers.contains_key(CONNECTION) {
        !says("close") && (version == Version::HTTP_11 || says("keep-alive"))
    } else {
        version == Version::HTTP_11
    }
}

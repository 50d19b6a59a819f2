//! Answers as they are written.

use http::header::{CONNECTION, CONTENT_LENGTH, DATE, TRAILER, TRANSFER_ENCODING};
use http::response::Parts;
use http::{HeaderMap, StatusCode, Version};
use http_body::SizeHint;
use hyper::ext::ReasonPhrase;

use super::head::Manner;
use super::shop::Supplies;
use crate::wire::{Encoding, Outbox, keeps_alive};

/// Whether a connection goes on behind an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum After {
    /// Another request may follow.
    Keep,
    /// The connection ends.
    Close,
    /// The connection becomes another protocol's.
    Switch,
}

/// What an answer's head has settled.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Begun {
    pub(super) after: After,
    /// How its body is written.
    pub(super) encoding: Encoding,
    /// Whether it has a body at all, whatever its fields say (RFC 9110, section 6.4.1).
    pub(super) bodiless: bool,
}

/// Writes the head of an answer with a body of this `size` to a request of this `manner`. `after` is what becomes of the
/// connection as far as the client and the router want; an answer can end it too.
pub(super) fn begin(
    head: &Parts,
    size: &SizeHint,
    (manner, after): (Manner, After),
    outbox: &mut Outbox,
    supplies: &Supplies,
) -> Begun {
    let no_content = head.status == StatusCode::NO_CONTENT || head.status.is_informational();
    let bodiless = manner.bodiless || no_content || head.status == StatusCode::NOT_MODIFIED;
    let is_new = manner.version == Version::HTTP_11;
    let encoding = match size.exact() {
        _ if bodiless => Encoding::Over,
        Some(0) => Encoding::Over,
        Some(length) => Encoding::Length(length),
        None if !is_new => Encoding::UntilClose,
        None if manner.trailers && head.headers.contains_key(TRAILER) => Encoding::chunked(&head.headers),
        None => Encoding::Chunked(Vec::new()),
    };
    let after = match after {
        _ if head.status == StatusCode::SWITCHING_PROTOCOLS => After::Switch,
        After::Keep if encoding == Encoding::UntilClose => After::Close,
        after => after,
    };
    write_status(head, manner.version, outbox);
    let chunked = matches!(encoding, Encoding::Chunked(_));
    let written = write_fields(&head.headers, (after, chunked), outbox);
    let ends = || written.connection && !keeps_alive(Version::HTTP_11, &head.headers);
    let after = if after == After::Keep && ends() { After::Close } else { after };
    if !no_content {
        write_framing(&head.headers, (&encoding, bodiless), size, outbox);
    }
    match after {
        After::Close => outbox.write(b"connection: close\r\n"),
        // HTTP/1.0 knows of no connection that is kept unless it is said.
        After::Keep if !is_new => outbox.write(b"connection: keep-alive\r\n"),
        After::Keep | After::Switch => {}
    }
    if !written.date {
        outbox.write(b"date: ");
        outbox.write(&supplies.date());
        outbox.write(b"\r\n");
    }
    outbox.write(b"\r\n");
    Begun { after, encoding, bodiless }
}

fn write_status(head: &Parts, version: Version, outbox: &mut Outbox) {
    let reason = head.extensions.get::<ReasonPhrase>();
    if version == Version::HTTP_11 && head.status == StatusCode::OK && reason.is_none() {
        return outbox.write(b"HTTP/1.1 200 OK\r\n");
    }
    outbox.write(if version == Version::HTTP_11 { b"HTTP/1.1 " } else { b"HTTP/1.0 " });
    outbox.write(head.status.as_str().as_bytes());
    outbox.write(b" ");
    match reason {
        Some(reason) => outbox.write(reason.as_bytes()),
        None => outbox.write(head.status.canonical_reason().unwrap_or_default().as_bytes()),
    }
    outbox.write(b"\r\n");
}

/// Which fields were among those of an answer.
#[derive(Default)]
struct Among {
    date: bool,
    connection: bool,
}

/// Writes the fields but for those that frame the message and, unless the connection switches, concern it.
fn write_fields(headers: &HeaderMap, (after, chunked): (After, bool), outbox: &mut Outbox) -> Among {
    let mut among = Among::default();
    for (name, value) in headers {
        match *name {
            CONTENT_LENGTH | TRANSFER_ENCODING => continue,
            CONNECTION => {
                among.connection = true;
                if after != After::Switch {
                    continue;
                }
            }
            TRAILER if !chunked => continue,
            DATE => among.date = true,
            _ => {}
        }
        outbox.write_field(name, value.as_bytes());
    }
    among
}

/// Says how long the body is. Without one, what the endpoint says of its length stands (RFC 9110, section 8.6).
fn write_framing(headers: &HeaderMap, (encoding, bodiless): (&Encoding, bool), size: &SizeHint, outbox: &mut Outbox) {
    let length = match encoding {
        Encoding::Length(length) => *length,
        Encoding::Chunked(_) => return outbox.write(b"transfer-encoding: chunked\r\n"),
        Encoding::UntilClose => return,
        Encoding::Over if bodiless => {
            if let Some(length) = headers.get(CONTENT_LENGTH) {
                return outbox.write_field(&CONTENT_LENGTH, length.as_bytes());
            }
            // An endpoint's answer to HEAD says nothing of a body by having none.
            match size.exact() {
                Some(length @ 1..) => length,
                _ => return,
            }
        }
        Encoding::Over => 0,
    };
    outbox.write(b"content-length: ");
    outbox.write_number(length, 10);
    outbox.write(b"\r\n");
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue, Response};

    use super::*;

    const GET: Manner = Manner { version: Version::HTTP_11, bodiless: false, keeps_alive: true, trailers: false };
    const HEAD: Manner = Manner { bodiless: true, ..GET };
    const OLD: Manner = Manner { version: Version::HTTP_10, ..GET };
    const TRAILERS: Manner = Manner { trailers: true, ..GET };

    fn begun(manner: Manner, after: After, status: u16, fields: &[(&str, &str)], size: Option<u64>) -> (String, Begun) {
        let mut response = Response::builder().status(status).header("date", "now");
        for (name, value) in fields {
            response = response.header(*name, *value);
        }
        let (head, ()) = response.body(()).expect("an answer").into_parts();
        let mut outbox = Outbox::default();
        let size = size.map_or_else(SizeHint::default, SizeHint::with_exact);
        let begun = begin(&head, &size, (manner, after), &mut outbox, &Supplies::default());
        let text = String::from_utf8(outbox.take()).expect("a head in ASCII");
        (text.replace("date: now\r\n", ""), begun)
    }

    #[test]
    fn the_body_and_the_request_say_how_the_answer_is_framed() {
        let length = [("content-length", "7")];
        for (manner, status, fields, size, expected, encoding) in [
            (GET, 200, &[][..], Some(0), "content-length: 0\r\n", Encoding::Over),
            (GET, 200, &length, Some(7), "content-length: 7\r\n", Encoding::Length(7)),
            (GET, 200, &[], None, "transfer-encoding: chunked\r\n", Encoding::Chunked(Vec::new())),
            (GET, 204, &length, Some(0), "", Encoding::Over),
            (GET, 304, &length, Some(0), "content-length: 7\r\n", Encoding::Over),
            (GET, 304, &[], Some(0), "", Encoding::Over),
            (HEAD, 200, &length, Some(0), "content-length: 7\r\n", Encoding::Over),
            (HEAD, 200, &[], Some(0), "", Encoding::Over),
            (HEAD, 404, &[], Some(9), "content-length: 9\r\n", Encoding::Over),
            (HEAD, 200, &[("transfer-encoding", "chunked")], Some(0), "", Encoding::Over),
            (OLD, 200, &length, Some(7), "content-length: 7\r\nconnection: keep-alive\r\n", Encoding::Length(7)),
            (OLD, 200, &[], None, "connection: close\r\n", Encoding::UntilClose),
        ] {
            let (text, begun) = begun(manner, After::Keep, status, fields, size);
            let (_, rest) = text.split_once("\r\n").expect("a line");
            assert_eq!(
                (rest, begun.encoding),
                (&*format!("{expected}\r\n"), encoding),
                "{manner:?} {status} {fields:?}"
            );
        }
    }

    #[test]
    fn trailers_are_announced_where_they_can_come() {
        let fields = [("trailer", "x-sum")];
        let announced = vec![HeaderName::from_static("x-sum")];
        let (text, with) = begun(TRAILERS, After::Keep, 200, &fields, None);
        assert_eq!(text, "HTTP/1.1 200 OK\r\ntrailer: x-sum\r\ntransfer-encoding: chunked\r\n\r\n");
        assert_eq!(with.encoding, Encoding::Chunked(announced));
        assert_eq!(begun(GET, After::Keep, 200, &fields, None).1.encoding, Encoding::Chunked(Vec::new()));
        let (text, _) = begun(TRAILERS, After::Keep, 200, &fields, Some(3));
        assert_eq!(text, "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\n");
    }

    #[test]
    fn a_connection_ends_where_any_side_wants_it() {
        let close = [("connection", "close")];
        for (manner, after, fields, expected) in [
            (GET, After::Keep, &[][..], After::Keep),
            (GET, After::Close, &[], After::Close),
            (GET, After::Keep, &close, After::Close),
            (OLD, After::Close, &[], After::Close),
        ] {
            let (text, begun) = begun(manner, after, 200, fields, Some(0));
            assert_eq!(begun.after, expected);
            assert_eq!(text.matches("connection: close\r\n").count(), usize::from(expected == After::Close), "{text}");
        }
        let upgrade = [("connection", "upgrade"), ("upgrade", "websocket")];
        let (text, begun) = begun(GET, After::Keep, 101, &upgrade, Some(0));
        assert_eq!(begun.after, After::Switch);
        assert_eq!(text, "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n");
    }

    #[test]
    fn an_endpoints_own_words_are_kept() {
        let mut response = Response::new(());
        *response.status_mut() = StatusCode::from_u16(299).expect("a status");
        response.headers_mut().insert("x-a", HeaderValue::from_static("1"));
        response.extensions_mut().insert(ReasonPhrase::from_static(b"Fine By Me"));
        let (head, ()) = response.into_parts();
        let mut outbox = Outbox::default();
        begin(&head, &SizeHint::with_exact(0), (OLD, After::Close), &mut outbox, &Supplies::default());
        let text = String::from_utf8(outbox.take()).expect("a head in ASCII");
        assert!(text.starts_with("HTTP/1.0 299 Fine By Me\r\nx-a: 1\r\n"), "{text}");
        assert!(text.contains("\r\ndate: ") && text.ends_with(" GMT\r\n\r\n"), "{text}");
    }
}

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
    let ends = || head.headers.contains_key(CONNECTION) && !keeps_alive(Version::HTTP_11, &head.headers);
    let after = match after {
        _ if head.status == StatusCode::SWITCHING_PROTOCOLS => After::Switch,
        After::Keep if encoding == Encoding::UntilClose || ends() => After::Close,
        after => after,
    };
    write_status(head, manner.version, outbox);
    let chunked = matches!(encoding, Encoding::Chunked(_));
    let dated = write_fields(&head.headers, (after, chunked), outbox);
    if !no_content {
        write_framing(&head.headers, (&encoding, bodiless), size, outbox);
    }
    match after {
        After::Close => outbox.write(b"connection: close\r\n"),
        // HTTP/1.0 knows of no connection that is kept unless it is said.
        After::Keep if !is_new => outbox.write(b"connection: keep-alive\r\n"),
        After::Keep | After::Switch => {}
    }
    if !dated {
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

/// Writes the fields but for those that frame the message and, unless the connection switches, concern it; whether a date was
/// among them.
fn write_fields(headers: &HeaderMap, (after, chunked): (After, bool), outbox: &mut Outbox) -> bool {
    let mut dated = false;
    for (name, value) in headers {
        match *name {
            CONTENT_LENGTH | TRANSFER_ENCODING => continue,
            CONNECTION if after != After::Switch => continue,
            TRAILER if !chunked => continue,
            DATE => dated = true,
            _ => {}
        }
        outbox.write_field(name, value.as_bytes());
    }
    dated
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

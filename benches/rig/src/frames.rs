//! HTTP/2's framing (RFC 9113, sections 4 and 6), as much of it as a load generator and an origin need.
//!
//! Owns the cutting of bytes into frames, the writing of frames, and the connection's send window. Never
//! decompresses fields: both ends send blocks that are known beforehand.

/// What a client sends first (RFC 9113, section 3.4).
pub(crate) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

pub(crate) const DATA: u8 = 0x0;
pub(crate) const HEADERS: u8 = 0x1;
pub(crate) const RST_STREAM: u8 = 0x3;
pub(crate) const SETTINGS: u8 = 0x4;
pub(crate) const PING: u8 = 0x6;
pub(crate) const GOAWAY: u8 = 0x7;
pub(crate) const WINDOW_UPDATE: u8 = 0x8;

pub(crate) const END_STREAM: u8 = 0x1;
pub(crate) const ACK: u8 = 0x1;
pub(crate) const END_HEADERS: u8 = 0x4;
const PADDED: u8 = 0x8;
const PRIORITY: u8 = 0x20;

const HEAD_BYTES: usize = 9;
const INITIAL_WINDOW: u32 = 65_535;
const LARGEST_WINDOW: u32 = 0x7fff_ffff;
const SETTINGS_INITIAL_WINDOW_SIZE: u16 = 0x4;

/// The most that this end lets be in a frame: the protocol's default.
pub(crate) const LARGEST_FRAME: usize = 16_384;

/// How much may come before the peer is told that it has been taken: half of the largest window.
const TELL_AFTER: u32 = LARGEST_WINDOW / 2;

/// One frame as it came.
pub(crate) struct Frame<'b> {
    pub(crate) kind: u8,
    pub(crate) flags: u8,
    pub(crate) stream: u32,
    pub(crate) payload: &'b [u8],
}

impl<'b> Frame<'b> {
    /// Whether this frame ends its stream's side.
    pub(crate) fn ends(&self) -> bool {
        matches!(self.kind, DATA | HEADERS) && self.flags & END_STREAM != 0
    }

    /// What DATA or HEADERS carry, without padding and priority.
    pub(crate) fn content(&self) -> &'b [u8] {
        let mut content = self.payload;
        let mut padding = 0;
        if self.flags & PADDED != 0 {
            let Some((length, rest)) = content.split_first() else { return &[] };
            (padding, content) = (usize::from(*length), rest);
        }
        if self.kind == HEADERS && self.flags & PRIORITY != 0 {
            content = content.get(5..).unwrap_or_default();
        }
        &content[..content.len().saturating_sub(padding)]
    }

    fn number(&self) -> u32 {
        self.payload.first_chunk().map_or(0, |bytes| u32::from_be_bytes(*bytes))
    }
}

/// The frame at the beginning of `bytes` and how long it is, if all of it is there.
pub(crate) fn cut(bytes: &[u8]) -> Option<(Frame<'_>, usize)> {
    let head = bytes.first_chunk::<HEAD_BYTES>()?;
    let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
    let payload = bytes.get(HEAD_BYTES..HEAD_BYTES + length)?;
    let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]) & LARGEST_WINDOW;
    Some((Frame { kind: head[3], flags: head[4], stream, payload }, HEAD_BYTES + length))
}

/// Appends a frame. `payload` is at most [`LARGEST_FRAME`] bytes.
pub(crate) fn write(out: &mut Vec<u8>, (kind, flags): (u8, u8), stream: u32, payload: &[u8]) {
    let length = u32::try_from(payload.len()).unwrap_or(u32::MAX).to_be_bytes();
    out.extend_from_slice(&length[1..]);
    out.extend_from_slice(&[kind, flags]);
    out.extend_from_slice(&stream.to_be_bytes());
    out.extend_from_slice(payload);
}

/// Appends a text as HPACK writes a short one (RFC 7541, section 5.2), without Huffman's code.
pub(crate) fn text(block: &mut Vec<u8>, text: &str) {
    debug_assert!(text.len() < 127, "a longer text has a longer length");
    block.push(u8::try_from(text.len()).unwrap_or(0));
    block.extend_from_slice(text.as_bytes());
}

/// One end of a connection: what flow control and housekeeping need.
pub(crate) struct Session {
    /// What may still be sent on the whole connection (RFC 9113, section 5.2).
    window: i64,
    /// What a new stream may carry before the peer says more.
    stream_window: u32,
    taken: u32,
    ready: bool,
}

impl Session {
    /// Opens this end: settings and a connection window so large that the peer never waits for either.
    pub(crate) fn open(out: &mut Vec<u8>) -> Self {
        let mut settings = SETTINGS_INITIAL_WINDOW_SIZE.to_be_bytes().to_vec();
        settings.extend_from_slice(&LARGEST_WINDOW.to_be_bytes());
        write(out, (SETTINGS, 0), 0, &settings);
        write(out, (WINDOW_UPDATE, 0), 0, &(LARGEST_WINDOW - INITIAL_WINDOW).to_be_bytes());
        Self { window: i64::from(INITIAL_WINDOW), stream_window: INITIAL_WINDOW, taken: 0, ready: false }
    }

    /// Whether the peer's settings have come.
    pub(crate) fn is_ready(&self) -> bool {
        self.ready
    }

    /// Takes `bytes` out of the window, if a new stream may send as many now.
    pub(crate) fn reserve(&mut self, bytes: usize) -> bool {
        let Ok(wanted) = u32::try_from(bytes) else { return false };
        let free = wanted <= self.stream_window && i64::from(wanted) <= self.window;
        if free {
            self.window -= i64::from(wanted);
        }
        free
    }

    /// Answers and accounts for what concerns the connection as a whole.
    pub(crate) fn housekeep(&mut self, frame: &Frame<'_>, out: &mut Vec<u8>) {
        match frame.kind {
            SETTINGS if frame.flags & ACK == 0 => {
                for setting in frame.payload.chunks_exact(6) {
                    if u16::from_be_bytes([setting[0], setting[1]]) == SETTINGS_INITIAL_WINDOW_SIZE {
                        self.stream_window = u32::from_be_bytes([setting[2], setting[3], setting[4], setting[5]]);
                    }
                }
                self.ready = true;
                write(out, (SETTINGS, ACK), 0, &[]);
            }
            PING if frame.flags & ACK == 0 => write(out, (PING, ACK), 0, frame.payload),
            WINDOW_UPDATE if frame.stream == 0 => self.window += i64::from(frame.number()),
            DATA => {
                self.taken += u32::try_from(frame.payload.len()).unwrap_or(0);
                if self.taken > TELL_AFTER {
                    write(out, (WINDOW_UPDATE, 0), 0, &self.taken.to_be_bytes());
                    self.taken = 0;
                }
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_comes_back_as_it_was_written() {
        let mut bytes = Vec::new();
        write(&mut bytes, (DATA, END_STREAM), 7, b"hello");
        let (frame, length) = cut(&bytes).expect("all of it is there");
        assert_eq!((frame.kind, frame.stream, frame.payload, length), (DATA, 7, &b"hello"[..], bytes.len()));
        assert!(frame.ends());
        assert!(cut(&bytes[..bytes.len() - 1]).is_none(), "a part of a frame is none");
    }

    #[test]
    fn padding_and_priority_are_no_content() {
        let padded = Frame { kind: DATA, flags: PADDED, stream: 1, payload: b"\x02abc\0\0" };
        assert_eq!(padded.content(), b"abc");
        let with_priority = Frame { kind: HEADERS, flags: PRIORITY, stream: 1, payload: b"12345\x88" };
        assert_eq!(with_priority.content(), b"\x88");
    }

    #[test]
    fn a_window_that_is_used_up_holds_until_the_peer_gives_more() {
        let mut session = Session::open(&mut Vec::new());
        assert!(session.reserve(65_535) && !session.reserve(1));
        let more = Frame { kind: WINDOW_UPDATE, flags: 0, stream: 0, payload: &[0, 0, 0, 1] };
        session.housekeep(&more, &mut Vec::new());
        assert!(session.reserve(1));
    }
}

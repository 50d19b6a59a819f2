//! A client that writes frames of HTTP/2 by hand (RFC 9113), as no library would.

use super::harness::Connection;

pub(crate) const DATA: u8 = 0x0;
pub(crate) const HEADERS: u8 = 0x1;
pub(crate) const RST_STREAM: u8 = 0x3;
pub(crate) const SETTINGS: u8 = 0x4;
pub(crate) const PING: u8 = 0x6;
pub(crate) const GOAWAY: u8 = 0x7;
pub(crate) const CONTINUATION: u8 = 0x9;

pub(crate) const END_STREAM: u8 = 0x1;
pub(crate) const END_HEADERS: u8 = 0x4;

/// The error codes that say that a client asks for too much.
pub(crate) const REFUSED_STREAM: u32 = 0x7;
pub(crate) const ENHANCE_YOUR_CALM: u32 = 0xb;

/// One frame.
#[derive(Clone, Debug)]
pub(crate) struct Frame {
    pub(crate) kind: u8,
    pub(crate) flags: u8,
    pub(crate) stream: u32,
    pub(crate) payload: Vec<u8>,
}

impl Frame {
    /// The error code of a reset or of the connection's end.
    pub(crate) fn code(&self) -> Option<u32> {
        let at = match self.kind {
            RST_STREAM => 0,
            GOAWAY => 4,
            _ => return None,
        };
        self.payload.get(at..at + 4).map(|code| u32::from_be_bytes(code.try_into().expect("four bytes")))
    }
}

/// The bytes of a frame.
pub(crate) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("a short frame").to_be_bytes();
    let mut bytes = vec![length[1], length[2], length[3], kind, flags];
    bytes.extend(stream.to_be_bytes());
    bytes.extend(payload);
    bytes
}

/// The header block of a request for `app.example`, to which more may be added (RFC 7541, appendix A has the indices).
pub(crate) fn block(method_index: u8, path: &str) -> Vec<u8> {
    let mut block = vec![0x80 | method_index, 0x86];
    block.extend(literal(4, path));
    block.extend(literal(1, "app.example"));
    block
}

/// `GET` among the indices of the static table.
pub(crate) const GET: u8 = 2;
/// `POST`.
pub(crate) const POST: u8 = 3;

/// A field whose name is of the static table, without indexing.
fn literal(name: u8, value: &str) -> Vec<u8> {
    let mut field = vec![name];
    field.extend(string(value));
    field
}

/// A field with a name of its own, without indexing.
pub(crate) fn field(name: &str, value: &str) -> Vec<u8> {
    let mut field = vec![0];
    field.extend(string(name));
    field.extend(string(value));
    field
}

/// A text, its length as an integer with a prefix of seven bits (RFC 7541, section 5.1).
fn string(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    match text.len() {
        short @ 0..127 => bytes.push(u8::try_from(short).expect("below 127")),
        long => {
            bytes.push(127);
            let mut rest = long - 127;
            while rest >= 128 {
                bytes.push(u8::try_from(rest % 128).expect("seven bits") | 0x80);
                rest /= 128;
            }
            bytes.push(u8::try_from(rest).expect("seven bits"));
        }
    }
    bytes.extend(text.as_bytes());
    bytes
}

/// Begins to speak HTTP/2 on `connection`.
pub(crate) fn greet(connection: &mut Connection) {
    let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    bytes.extend(frame(SETTINGS, 0, 0, &[]));
    connection.send(bytes);
}

/// Whatever the router still says until it closes the connection.
pub(crate) fn read_to_end(connection: &mut Connection) -> Vec<Frame> {
    let bytes = connection.read_to_end();
    let (mut frames, mut rest) = (Vec::new(), bytes.as_slice());
    while let Some((head, behind)) = rest.split_at_checked(9) {
        let length = usize::try_from(u32::from_be_bytes([0, head[0], head[1], head[2]])).expect("32 bits");
        let (payload, behind) = behind.split_at_checked(length).expect("no frame is cut off");
        let stream = u32::from_be_bytes(head[5..9].try_into().expect("four bytes"));
        frames.push(Frame { kind: head[3], flags: head[4], stream, payload: payload.to_vec() });
        rest = behind;
    }
    frames
}

/// The next frame.
pub(crate) fn read(connection: &mut Connection) -> Frame {
    let head = connection.exactly(9);
    let length = usize::try_from(u32::from_be_bytes([0, head[0], head[1], head[2]])).expect("32 bits");
    let stream = u32::from_be_bytes(head[5..9].try_into().expect("four bytes"));
    Frame { kind: head[3], flags: head[4], stream, payload: connection.exactly(length) }
}

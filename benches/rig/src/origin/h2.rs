//! The origin's side of HTTP/2.
//!
//! Never decodes fields: a stream without a body gets [`PLAIN_BYTES`] bytes, one with a body the answer of a unary gRPC
//! call.

use std::collections::VecDeque;

use super::Close;
use crate::exchange::{GRPC_PREFIX, message};
use crate::frames::{self, DATA, END_HEADERS, END_STREAM, HEADERS, PREFACE, Session};

/// The answer to a request without a body, and the message in the answer to one with a body.
pub(crate) const PLAIN_BYTES: usize = 1024;

/// `:status: 200` of HPACK's static table (RFC 7541, appendix A).
const STATUS_200: u8 = 0x88;
/// A literal field without indexing, its name `content-type` of the static table (RFC 7541, section 6.2.2).
const CONTENT_TYPE: [u8; 2] = [0x0f, 0x10];

/// Where a connection stands.
pub(super) struct H2 {
    session: Session,
    preface: usize,
    grpc: GrpcBlocks,
    /// Streams that have been asked in full and that the window has no room to answer.
    waiting: VecDeque<(u32, Shape)>,
    /// Streams whose body is still coming.
    receiving: Vec<u32>,
}

#[derive(Clone, Copy)]
enum Shape {
    Plain,
    Unary,
}

struct GrpcBlocks {
    head: Vec<u8>,
    message: Vec<u8>,
    trailers: Vec<u8>,
}

impl H2 {
    pub(super) fn open(out: &mut Vec<u8>) -> Self {
        let mut head = vec![STATUS_200];
        head.extend_from_slice(&CONTENT_TYPE);
        frames::text(&mut head, "application/grpc");
        // A literal field without indexing, with a name of its own.
        let mut trailers = vec![0];
        frames::text(&mut trailers, "grpc-status");
        frames::text(&mut trailers, "0");
        let grpc = GrpcBlocks { head, message: message(GRPC_PREFIX + PLAIN_BYTES), trailers };
        let session = Session::open(out);
        Self { session, preface: PREFACE.len(), grpc, waiting: VecDeque::new(), receiving: Vec::new() }
    }

    /// Takes whole frames out of `input` and appends answers. Returns how much was taken, and how many requests.
    pub(super) fn read(&mut self, input: &[u8], out: &mut Vec<u8>) -> Result<(usize, u64), Close> {
        let mut taken = std::mem::take(&mut self.preface);
        while let Some((frame, length)) = frames::cut(&input[taken..]) {
            taken += length;
            self.session.housekeep(&frame, out);
            match frame.kind {
                HEADERS if frame.ends() => self.waiting.push_back((frame.stream, Shape::Plain)),
                HEADERS => self.receiving.push(frame.stream),
                DATA if frame.ends() => {
                    let at = self.receiving.iter().position(|stream| *stream == frame.stream);
                    self.receiving.swap_remove(at.ok_or_else(|| Close::not_understood(frame.payload))?);
                    self.waiting.push_back((frame.stream, Shape::Unary));
                }
                frames::RST_STREAM => {
                    self.receiving.retain(|stream| *stream != frame.stream);
                    self.waiting.retain(|(stream, _)| *stream != frame.stream);
                }
                frames::GOAWAY => return Err(Close::Gone),
                _ => {}
            }
        }
        Ok((taken, self.answer(out)))
    }

    fn answer(&mut self, out: &mut Vec<u8>) -> u64 {
        let mut answered = 0;
        while let Some((stream, shape)) = self.waiting.front().copied() {
            let bytes = match shape {
                Shape::Plain => PLAIN_BYTES,
                Shape::Unary => self.grpc.message.len(),
            };
            if !self.session.reserve(bytes) {
                break;
            }
            self.waiting.pop_front();
            answered += 1;
            match shape {
                Shape::Plain => {
                    frames::write(out, (HEADERS, END_HEADERS), stream, &[STATUS_200]);
                    frames::write(out, (DATA, END_STREAM), stream, &[b'x'; PLAIN_BYTES]);
                }
                Shape::Unary => {
                    frames::write(out, (HEADERS, END_HEADERS), stream, &self.grpc.head);
                    frames::write(out, (DATA, 0), stream, &self.grpc.message);
                    frames::write(out, (HEADERS, END_HEADERS | END_STREAM), stream, &self.grpc.trailers);
                }
            }
        }
        answered
    }
}

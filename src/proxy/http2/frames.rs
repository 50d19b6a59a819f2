//! Where frames begin and end in a stream of bytes (RFC 9113, section 4.1).

/// The bytes of a frame's head.
const HEAD: usize = 9;
/// The bytes behind the head that are looked at, of the frames that carry an error code.
const CODE: usize = 8;

pub(super) const DATA: u8 = 0x0;
pub(super) const HEADERS: u8 = 0x1;
pub(super) const RST_STREAM: u8 = 0x3;
pub(super) const GOAWAY: u8 = 0x7;
pub(super) const WINDOW_UPDATE: u8 = 0x8;
pub(super) const CONTINUATION: u8 = 0x9;

/// The flag of the frame that ends a head.
pub(super) const END_HEADERS: u8 = 0x4;

/// What is known of one frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Frame {
    /// The bytes behind its head.
    pub(super) length: u32,
    pub(super) kind: u8,
    pub(super) flags: u8,
    pub(super) stream: u32,
    /// The error code of `RST_STREAM` and `GOAWAY`, else zero.
    pub(super) code: u32,
}

/// Follows a stream of frames.
#[derive(Debug)]
pub(super) struct Frames {
    /// The head of the frame that is being read, and its error code.
    began: [u8; HEAD + CODE],
    have: usize,
    /// Bytes that belong to what was looked at already.
    left: usize,
}

impl Frames {
    /// A stream whose first frame comes after `skipped` bytes.
    pub(super) const fn after(skipped: usize) -> Self {
        Self { began: [0; HEAD + CODE], have: 0, left: skipped }
    }

    /// Whether a frame may begin here.
    pub(super) const fn is_between(&self) -> bool {
        self.left == 0 && self.have == 0
    }

    /// Whether a frame has begun that carries a part of a head.
    pub(super) const fn is_in_head(&self) -> bool {
        self.left > 0 && matches!(self.began[3], HEADERS | CONTINUATION)
    }

    /// Follows `bytes`, with each frame to `seen` as soon as what is looked at of it has come.
    pub(super) fn walk(&mut self, mut bytes: &[u8], mut seen: impl FnMut(Frame)) {
        loop {
            let passed = self.left.min(bytes.len());
            self.left -= passed;
            bytes = &bytes[passed..];
            if bytes.is_empty() {
                return;
            }
            let wanted = self.wanted();
            let came = (wanted - self.have).min(bytes.len());
            self.began[self.have..self.have + came].copy_from_slice(&bytes[..came]);
            self.have += came;
            bytes = &bytes[came..];
            // The head alone says whether a code follows it.
            if self.have >= HEAD && self.have == self.wanted() {
                let frame = self.frame();
                self.left = usize::try_from(frame.length).unwrap_or(usize::MAX) - (self.have - HEAD);
                self.have = 0;
                seen(frame);
            }
        }
    }

    /// How many bytes of the frame are looked at, as far as that is known.
    fn wanted(&self) -> usize {
        if self.have < HEAD {
            return HEAD;
        }
        let length = usize::try_from(self.length()).unwrap_or(usize::MAX);
        match self.began[3] {
            RST_STREAM => HEAD + length.min(4),
            GOAWAY => HEAD + length.min(CODE),
            _ => HEAD,
        }
    }

    fn length(&self) -> u32 {
        u32::from_be_bytes([0, self.began[0], self.began[1], self.began[2]])
    }

    fn frame(&self) -> Frame {
        let number = |at: usize| {
            let bytes = &self.began[at..at + 4];
            u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])
        };
        let kind = self.began[3];
        let code = match (kind, self.have - HEAD) {
            (RST_STREAM, 4) => number(HEAD),
            (GOAWAY, CODE) => number(HEAD + 4),
            _ => 0,
        };
        Frame { length: self.length(), kind, flags: self.began[4], stream: number(5) & 0x7fff_ffff, code }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SETTINGS: u8 = 0x4;
    const PING: u8 = 0x6;

    fn walked(pieces: &[&[u8]]) -> (Vec<Frame>, bool) {
        let (mut frames, mut seen) = (Frames::after(3), Vec::new());
        for piece in pieces {
            frames.walk(piece, |frame| seen.push(frame));
        }
        (seen, frames.is_between())
    }

    #[test]
    fn frames_are_found_however_the_bytes_come() {
        let bytes: &[u8] = &[
            b'p', b'r', b'e', // what stands before the first frame
            0, 0, 5, DATA, 1, 0, 0, 0, 1, b'h', b'e', b'l', b'l', b'o', // a body
            0, 0, 4, RST_STREAM, 0, 0x80, 0, 0, 3, 0, 0, 0, 8, // a reset, with a reserved bit set
            0, 0, 10, GOAWAY, 0, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 11, b'w', b'y', // an end, with its reason
            0, 0, 0, SETTINGS, 1, 0, 0, 0, 0,
        ];
        let frame = |length, kind, flags, stream, code| Frame { length, kind, flags, stream, code };
        let expected = vec![
            frame(5, DATA, 1, 1, 0),
            frame(4, RST_STREAM, 0, 3, 8),
            frame(10, GOAWAY, 0, 0, 11),
            frame(0, SETTINGS, 1, 0, 0),
        ];
        assert_eq!(walked(&[bytes]), (expected.clone(), true));
        let single: Vec<&[u8]> = bytes.chunks(1).collect();
        assert_eq!(walked(&single), (expected.clone(), true));
        for at in 0..bytes.len() {
            let (first, second) = bytes.split_at(at);
            assert_eq!(walked(&[first, second]), (expected.clone(), true), "cut at {at}");
        }
        assert!(!walked(&[&bytes[..14]]).1, "a body that is not over is no place for a frame");
        assert!(!walked(&[&bytes[..5]]).1, "nor is a head");
    }

    #[test]
    fn frames_that_are_too_short_for_their_code_have_none() {
        let bytes: &[u8] = &[0, 0, 0, 0, 0, 1, RST_STREAM, 0, 0, 0, 0, 1, 9, 0, 0, 0, PING, 0, 0, 0, 0, 0];
        let (frames, between) = walked(&[bytes]);
        assert_eq!(
            frames.iter().map(|frame| (frame.kind, frame.code)).collect::<Vec<_>>(),
            [(RST_STREAM, 0), (PING, 0)]
        );
        assert!(between);
    }
}

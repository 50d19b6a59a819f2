//! Bodies in chunks (RFC 9112, section 7.1).

use bytes::{Buf, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue};
use httparse::{EMPTY_HEADER, Status};

use super::Malformed;
use super::fields::MAX_FIELDS;
use super::framing::{Next, split_some};

/// The most bytes of chunk extensions in one body. Nobody reads them.
const MAX_EXTENSIONS: usize = 16 * 1024;

/// The most bytes of trailers.
const MAX_TRAILERS: usize = 16 * 1024;

/// The most digits of a chunk's size: those of a number of 64 bits.
const MAX_DIGITS: usize = 16;

/// How far a body in chunks has come.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Chunked {
    at: At,
    /// Whether only what RFC 9112 writes is taken: a client may mean something by what is not.
    strict: bool,
    /// Bytes left of the chunk.
    left: u64,
    /// Bytes of extensions so far.
    extensions: usize,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum At {
    #[default]
    Size,
    Data,
    EndOfData,
    /// Behind the last chunk.
    Trailers,
    Over,
}

impl Chunked {
    /// A body of a client's. Behind a chunk's size, an endpoint alone may have spaces, as some pad it.
    pub fn strict() -> Self {
        Self { strict: true, ..Self::default() }
    }

    /// Whether nothing of it is left.
    pub fn is_over(&self) -> bool {
        self.at == At::Over
    }

    /// How many bytes of the chunk are left.
    pub fn wants(&self) -> u64 {
        self.left
    }

    /// Takes what comes next off the front of `read`. The end is seen together with the last data, where it has come.
    ///
    /// # Errors
    /// [`Malformed`] where it is no chunk.
    pub fn next(&mut self, read: &mut BytesMut) -> Result<Next, Malformed> {
        self.skip(read)?;
        match self.at {
            At::Data if !read.is_empty() => {
                let data = split_some(read, &mut self.left);
                if self.left == 0 {
                    self.at = At::EndOfData;
                    // What is wrong behind the data is found again by whoever asks for more.
                    self.skip(read).ok();
                }
                Ok(Next::Data(data))
            }
            At::Trailers => self.trailers(read),
            At::Over => Ok(Next::Over),
            At::Size | At::Data | At::EndOfData => Ok(Next::More),
        }
    }

    /// Skips what stands between data and data, or the end, as far as it has come.
    fn skip(&mut self, read: &mut BytesMut) -> Result<(), Malformed> {
        if self.at == At::EndOfData {
            match &read[..] {
                [b'\r', b'\n', ..] => {
                    read.advance(2);
                    self.at = At::Size;
                }
                [] | [b'\r'] => return Ok(()),
                _ => return Err(Malformed),
            }
        }
        if self.at == At::Size {
            let Some(length) = self.size(read)? else { return Ok(()) };
            read.advance(length);
            self.at = if self.left == 0 { At::Trailers } else { At::Data };
        }
        if self.at == At::Trailers && read.starts_with(b"\r\n") {
            read.advance(2);
            self.at = At::Over;
        }
        Ok(())
    }

    /// Reads the line of a chunk's size; its length, where it has come whole.
    fn size(&mut self, read: &[u8]) -> Result<Option<usize>, Malformed> {
        let digits = read.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
        let behind = &read[digits..];
        let room = MAX_EXTENSIONS - self.extensions;
        let Some(extension) = behind.iter().position(|byte| matches!(byte, b'\r' | b'\n')) else {
            let begins = digits > 0 || read.is_empty();
            return if begins && digits <= MAX_DIGITS && behind.len() <= room { Ok(None) } else { Err(Malformed) };
        };
        let (extension, end) = behind.split_at(extension);
        let begins = match extension.iter().find(|byte| !matches!(byte, b' ' | b'\t')) {
            Some(byte) => *byte == b';' && extension.iter().all(|byte| *byte == b'\t' || !byte.is_ascii_control()),
            None => extension.is_empty() || !self.strict,
        };
        if !(1..=MAX_DIGITS).contains(&digits) || !begins || extension.len() > room {
            return Err(Malformed);
        }
        match end {
            [b'\r'] => return Ok(None),
            [b'\r', b'\n', ..] => {}
            _ => return Err(Malformed),
        }
        let value = |digit: &u8| char::from(*digit).to_digit(16).map_or(0, u64::from);
        self.left = read[..digits].iter().fold(0, |size, digit| size << 4 | value(digit));
        self.extensions += extension.len();
        Ok(Some(digits + extension.len() + 2))
    }

    fn trailers(&mut self, read: &mut BytesMut) -> Result<Next, Malformed> {
        let Some(end) = read.windows(4).position(|window| window == b"\r\n\r\n").map(|end| end + 4) else {
            return if read.len() < MAX_TRAILERS { Ok(Next::More) } else { Err(Malformed) };
        };
        if end > MAX_TRAILERS {
            return Err(Malformed);
        }
        let block = read.split_to(end).freeze();
        let mut fields = [EMPTY_HEADER; MAX_FIELDS];
        // The parser takes a bare line feed for the end of a line.
        let bare = block.split_inclusive(|byte| *byte == b'\n').any(|line| !line.ends_with(b"\r\n"));
        let Ok(Status::Complete((_, fields))) = httparse::parse_headers(&block, &mut fields) else {
            return Err(Malformed);
        };
        if bare {
            return Err(Malformed);
        }
        let mut trailers = HeaderMap::with_capacity(fields.len());
        for field in fields {
            let name = HeaderName::from_bytes(field.name.as_bytes()).map_err(|_| Malformed)?;
            let value = HeaderValue::from_maybe_shared(block.slice_ref(field.value)).map_err(|_| Malformed)?;
            trailers.append(name, value);
        }
        self.at = At::Over;
        Ok(Next::Trailers(trailers))
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    type Decoded = (Vec<u8>, Option<HeaderMap>, BytesMut);

    /// What comes of `parts`, read one after the other: the data, the trailers, and what is left behind the end.
    fn decoded(parts: &[&[u8]]) -> Result<Option<Decoded>, Malformed> {
        decoded_as(Chunked::default(), parts)
    }

    fn decoded_as(mut chunked: Chunked, parts: &[&[u8]]) -> Result<Option<Decoded>, Malformed> {
        let mut read = BytesMut::new();
        let (mut data, mut trailers) = (Vec::new(), None);
        let mut parts = parts.iter();
        loop {
            match chunked.next(&mut read)? {
                Next::Data(part) => data.extend_from_slice(&part),
                Next::Trailers(fields) => trailers = Some(fields),
                Next::Over => return Ok(Some((data, trailers, read))),
                Next::More => match parts.next() {
                    Some(part) => read.extend_from_slice(part),
                    None => return Ok(None),
                },
            }
        }
    }

    const WHOLE: &[u8] = b"3\r\nabc\r\n00a ; x=\"y\" \r\n0123456789\r\nB;z\r\nhello world\r\n0;e\r\n";

    #[test]
    fn a_body_is_the_same_wherever_it_is_split() {
        for end in [&b"\r\n"[..], b"X-Sum: 5\r\nx-b: c\r\n\r\n"] {
            let whole = [WHOLE, end].concat();
            for split in 0..whole.len() {
                let (first, second) = whole.split_at(split);
                assert_eq!(decoded(&[first]), Ok(None), "{split}: it is not over");
                let (data, trailers, rest) = decoded(&[first, second, b"HTTP"]).expect("a body").expect("a whole one");
                assert_eq!(data, b"abc0123456789hello world", "{split}");
                assert_eq!(
                    trailers.as_ref().map(|fields| fields["x-sum"].as_bytes()),
                    (end.len() > 2).then_some(&b"5"[..])
                );
                assert!(rest.is_empty(), "nothing behind the end was asked for");
            }
            let bytes: Vec<&[u8]> = whole.chunks(1).collect();
            assert!(matches!(decoded(&bytes), Ok(Some((data, ..))) if data == b"abc0123456789hello world"));
        }
    }

    #[test]
    fn the_end_is_seen_with_the_last_data() {
        let mut read = BytesMut::from(&b"3\r\nabc\r\n0\r\n\r\nmore"[..]);
        let mut chunked = Chunked::default();
        assert!(matches!(chunked.next(&mut read), Ok(Next::Data(data)) if data == Bytes::from_static(b"abc")));
        assert!(chunked.is_over());
        assert_eq!(read, "more");
    }

    #[test]
    fn what_is_no_chunk_is_refused() {
        assert_eq!(decoded(&[b"ffffffffffffffff\r\nabc"]), Ok(None), "the largest");
        for body in [
            "x\r\n",
            "\r\n",
            ";a\r\n",
            " 3\r\nabc\r\n",
            "-3\r\nabc\r\n",
            "+3\r\nabc\r\n",
            "0x3\r\nabc\r\n",
            "3 4\r\nabc\r\n",
            "3\nabc\r\n",
            "3\r\rabc\r\n",
            "3;a\0\r\nabc\r\n",
            "3;a\nb\r\nabc\r\n",
            "3;a\rb\r\nabc\r\n",
            "3\r\nabcd\r\n",
            "3\r\nabc\n0\r\n\r\n",
            "3\r\nabc\rx",
            "10000000000000000\r\n",
            "00000000000000003\r\nabc\r\n",
            "0\r\nno field\r\n\r\n",
            "0\r\na: b\nc: d\r\n\r\n",
            "0\r\na: b\r\n c\r\n\r\n",
            "0\r\n: b\r\n\r\n",
        ] {
            assert_eq!(decoded(&[body.as_bytes()]), Err(Malformed), "{body:?}");
            let bytes: Vec<&[u8]> = body.as_bytes().chunks(1).collect();
            assert_eq!(decoded(&bytes), Err(Malformed), "{body:?} byte by byte");
        }
    }

    #[test]
    fn only_an_endpoint_may_pad_a_size() {
        let padded = [&b"3  \r\nabc\r\n0\r\n\r\n"[..]];
        assert!(matches!(decoded(&padded), Ok(Some(_))));
        assert_eq!(decoded_as(Chunked::strict(), &padded), Err(Malformed));
        assert!(matches!(decoded_as(Chunked::strict(), &[b"3 ;a\r\nabc\r\n0\r\n\r\n"]), Ok(Some(_))));
    }

    #[test]
    fn extensions_and_trailers_have_a_limit() {
        let extended = |length: usize| format!("1;{}\r\na\r\n1;\r\nb\r\n0\r\n\r\n", "x".repeat(length - 1));
        assert!(matches!(decoded(&[extended(MAX_EXTENSIONS - 1).as_bytes()]), Ok(Some(_))));
        assert_eq!(decoded(&[extended(MAX_EXTENSIONS).as_bytes()]), Err(Malformed));
        let endless = format!("1;{}", "x".repeat(MAX_EXTENSIONS));
        assert_eq!(decoded(&[endless.as_bytes()]), Err(Malformed), "no more is waited for");
        let trailing = |length: usize| format!("0\r\na: {}\r\n\r\n", "x".repeat(length - "a: \r\n\r\n".len()));
        assert!(matches!(decoded(&[trailing(MAX_TRAILERS).as_bytes()]), Ok(Some(_))));
        assert_eq!(decoded(&[trailing(MAX_TRAILERS + 1).as_bytes()]), Err(Malformed));
        let counted = |count: usize| format!("0\r\n{}\r\n", "a: b\r\n".repeat(count));
        assert!(matches!(decoded(&[counted(MAX_FIELDS).as_bytes()]), Ok(Some(_))));
        assert_eq!(decoded(&[counted(MAX_FIELDS + 1).as_bytes()]), Err(Malformed));
    }
}

//! Bodies as they are written.

use bytes::Bytes;
use http::header::TRAILER;
use http::{HeaderMap, HeaderName};
use http_body::Frame;

use super::outbox::Outbox;

/// Fields that are none of a trailer's: those that frame the message, route it or say how it is to be read (RFC 9110, section
/// 6.5.1).
const NO_TRAILERS: [&str; 12] = [
    "authorization",
    "cache-control",
    "content-encoding",
    "content-length",
    "content-range",
    "content-type",
    "host",
    "max-forwards",
    "set-cookie",
    "te",
    "trailer",
    "transfer-encoding",
];

/// What is left to write of a body, and in which form.
#[derive(Debug, PartialEq, Eq)]
pub enum Encoding {
    /// So many bytes are left.
    Length(u64),
    /// Chunks, and behind them the trailers that the head has announced.
    Chunked(Vec<HeaderName>),
    /// Whatever comes until the connection ends.
    UntilClose,
    /// Nothing is.
    Over,
}

/// A body that is not as long as it said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WrongLength;

impl Encoding {
    /// Chunks, with the trailers behind them that `headers` announce.
    pub fn chunked(headers: &HeaderMap) -> Self {
        Self::Chunked(announced(headers))
    }

    /// Whether all of it is written.
    pub fn is_over(&self) -> bool {
        *self == Self::Over
    }

    /// Writes a part of the body.
    ///
    /// # Errors
    /// [`WrongLength`] where it is more than the head said.
    pub fn write(&mut self, frame: Frame<Bytes>, outbox: &mut Outbox) -> Result<(), WrongLength> {
        match frame.into_data() {
            Ok(data) if data.is_empty() => Ok(()),
            Ok(data) => match self {
                Self::Length(left) => {
                    *left = left.checked_sub(data.len() as u64).ok_or(WrongLength)?;
                    outbox.push(data, b"");
                    Ok(())
                }
                Self::Chunked(_) => {
                    outbox.write_number(data.len() as u64, 16);
                    outbox.write(b"\r\n");
                    outbox.push(data, b"\r\n");
                    Ok(())
                }
                Self::UntilClose => {
                    outbox.push(data, b"");
                    Ok(())
                }
                Self::Over => Err(WrongLength),
            },
            Err(frame) => match (frame.into_trailers(), &*self) {
                (Ok(trailers), Self::Chunked(announced)) => {
                    outbox.write(b"0\r\n");
                    let passed = |name: &HeaderName| announced.contains(name) && !NO_TRAILERS.contains(&name.as_str());
                    for (name, value) in trailers.iter().filter(|(name, _)| passed(name)) {
                        outbox.write_field(name, value.as_bytes());
                    }
                    outbox.write(b"\r\n");
                    *self = Self::Over;
                    Ok(())
                }
                // Nothing can follow a body of a known length.
                _ => self.end(outbox),
            },
        }
    }

    /// Writes the end of the body.
    ///
    /// # Errors
    /// [`WrongLength`] where it is less than the head said.
    pub fn end(&mut self, outbox: &mut Outbox) -> Result<(), WrongLength> {
        match self {
            Self::Length(1..) => return Err(WrongLength),
            Self::Chunked(_) => outbox.push_last_chunk(),
            Self::Length(0) | Self::UntilClose | Self::Over => {}
        }
        *self = Self::Over;
        Ok(())
    }
}

/// The names that `Trailer` announces.
fn announced(headers: &HeaderMap) -> Vec<HeaderName> {
    let lists = headers.get_all(TRAILER).iter().flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
    lists.filter_map(|name| HeaderName::from_bytes(name.trim_ascii()).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data(part: &'static str) -> Frame<Bytes> {
        Frame::data(Bytes::from_static(part.as_bytes()))
    }

    #[test]
    fn chunks_end_with_the_trailers_that_were_announced() {
        let mut announcing = HeaderMap::new();
        announcing.insert(TRAILER, "x-sum, , Host,x-b".parse().expect("a value"));
        let (mut encoding, mut outbox) = (Encoding::chunked(&announcing), Outbox::default());
        let trailers = [("x-sum", "5"), ("x-b", "6"), ("host", "evil"), ("x-c", "7")];
        let trailers = trailers.map(|(name, value)| (HeaderName::from_static(name), value.parse().expect("a value")));
        for frame in
            [data("abc"), data(""), data("0123456789abcdefghi"), Frame::trailers(trailers.into_iter().collect())]
        {
            encoding.write(frame, &mut outbox).expect("a chunk");
        }
        encoding.end(&mut outbox).expect("the end has come already");
        let expected = "3\r\nabc\r\n13\r\n0123456789abcdefghi\r\n0\r\nx-sum: 5\r\nx-b: 6\r\n\r\n";
        assert_eq!(String::from_utf8_lossy(&outbox.take()), expected);
        assert!(encoding.is_over());
    }

    #[test]
    fn chunks_end_without_trailers() {
        let (mut encoding, mut outbox) = (Encoding::chunked(&HeaderMap::new()), Outbox::default());
        encoding.write(Frame::trailers(HeaderMap::new()), &mut outbox).expect("nothing was announced");
        assert_eq!(outbox.take(), b"0\r\n\r\n");
    }

    #[test]
    fn a_body_is_as_long_as_it_said() {
        let (mut encoding, mut outbox) = (Encoding::Length(5), Outbox::default());
        assert_eq!(encoding.write(data("abc"), &mut outbox), Ok(()));
        assert_eq!(encoding.end(&mut outbox), Err(WrongLength));
        assert_eq!(encoding.write(data("def"), &mut outbox), Err(WrongLength));
        assert_eq!(encoding.write(data("de"), &mut outbox), Ok(()));
        assert_eq!(encoding.end(&mut outbox), Ok(()));
        assert_eq!(outbox.take(), b"abcde");
        assert_eq!(encoding.write(data("f"), &mut outbox), Err(WrongLength));
    }
}

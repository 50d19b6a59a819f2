//! Of which type a model's weights are: what its ONNX file says of its initializers, which are read without their data.
//!
//! The field numbers are those of `onnx.proto` (`ModelProto`, `GraphProto`, `TensorProto`).

use std::fs::File;
use std::io::{self, BufReader, Read, Seek};
use std::path::Path;

/// Weights of 32-bit floating point, and of files that do not tell.
pub(super) const FLOAT: &str = "float32";

/// `ModelProto.graph`.
const GRAPH: u64 = 7;
/// `GraphProto.initializer`.
const INITIALIZER: u64 = 5;
/// `TensorProto.dims`.
const DIMS: u64 = 1;
/// `TensorProto.data_type`.
const DATA_TYPE: u64 = 2;

/// Of the weights, one in this many has the type at least that a file is said to be of.
const SHARE: u64 = 10;

/// The type of the weights in the ONNX file at `path`, as Python's libraries name it: the narrowest that is there to speak of,
/// since a quantised model keeps some of its weights, as the vocabulary's, as they were.
pub(super) fn dtype(path: &Path) -> &'static str {
    let counted = File::open(path).and_then(|file| elements(Reader { from: BufReader::new(file), at: 0 }));
    narrowest(&counted.unwrap_or_default())
}

fn narrowest(counted: &[(u64, u64)]) -> &'static str {
    let all = counted.iter().fold(0_u64, |sum, (_, elements)| sum.saturating_add(*elements));
    let common = counted.iter().filter(|(_, elements)| *elements >= all / SHARE && *elements > 0);
    common.filter_map(|(data_type, _)| kind(*data_type)).min().map_or(FLOAT, |(_, name)| name)
}

/// The bits and the name of a `TensorProto.DataType`.
const fn kind(data_type: u64) -> Option<(u8, &'static str)> {
    Some(match data_type {
        1 => (32, FLOAT),
        2 => (8, "uint8"),
        3 => (8, "int8"),
        5 => (16, "int16"),
        6 => (32, "int32"),
        7 => (64, "int64"),
        10 => (16, "float16"),
        11 => (64, "float64"),
        16 => (16, "bfloat16"),
        17..=20 => (8, "float8"),
        21 => (4, "uint4"),
        22 => (4, "int4"),
        _ => return None,
    })
}

/// The elements of the graph's initializers, by their types.
fn elements(mut reader: Reader<impl Read + Seek>) -> io::Result<Vec<(u64, u64)>> {
    let mut counted: Vec<(u64, u64)> = Vec::new();
    while let Some(field) = reader.field()? {
        let Field::Bytes(GRAPH, length) = field else {
            reader.skip(&field)?;
            continue;
        };
        let end = reader.at.saturating_add(length);
        while reader.at < end {
            let Some(field) = reader.field()? else { break };
            let Field::Bytes(INITIALIZER, length) = field else {
                reader.skip(&field)?;
                continue;
            };
            let (data_type, elements) = reader.initializer(length)?;
            match counted.iter_mut().find(|(known, _)| *known == data_type) {
                Some((_, sum)) => *sum = sum.saturating_add(elements),
                None => counted.push((data_type, elements)),
            }
        }
    }
    Ok(counted)
}

/// The beginning of a message's field: its number, and its value or the bytes that follow.
enum Field {
    Number(u64, u64),
    Bytes(u64, u64),
}

/// A message's bytes, of which `at` have been read.
struct Reader<R> {
    from: R,
    at: u64,
}

impl<R: Read + Seek> Reader<R> {
    /// The next field; `None` at the end.
    fn field(&mut self) -> io::Result<Option<Field>> {
        let Some(key) = self.number()? else { return Ok(None) };
        let number = key >> 3;
        Ok(Some(match key & 7 {
            0 => Field::Number(number, self.number()?.unwrap_or_default()),
            1 => Field::Bytes(number, 8),
            2 => Field::Bytes(number, self.number()?.unwrap_or_default()),
            5 => Field::Bytes(number, 4),
            _ => return Err(io::ErrorKind::InvalidData.into()),
        }))
    }

    fn skip(&mut self, field: &Field) -> io::Result<()> {
        let Field::Bytes(_, length) = *field else { return Ok(()) };
        self.from.seek_relative(i64::try_from(length).map_err(io::Error::other)?)?;
        self.at = self.at.saturating_add(length);
        Ok(())
    }

    /// The type and the elements of an initializer of `length` bytes.
    fn initializer(&mut self, length: u64) -> io::Result<(u64, u64)> {
        let end = self.at.saturating_add(length);
        let (mut data_type, mut elements) = (0, 1_u64);
        while self.at < end {
            let Some(field) = self.field()? else { break };
            match field {
                Field::Number(DATA_TYPE, value) => data_type = value,
                Field::Number(DIMS, dimension) => elements = elements.saturating_mul(dimension),
                // Numbers of one field may stand together.
                Field::Bytes(DIMS, length) => {
                    let end = self.at.saturating_add(length);
                    while self.at < end {
                        let Some(dimension) = self.number()? else { break };
                        elements = elements.saturating_mul(dimension);
                    }
                }
                other => self.skip(&other)?,
            }
        }
        Ok((data_type, elements))
    }

    /// A number of variable length, seven bits a byte, the lowest first; `None` at the end.
    fn number(&mut self) -> io::Result<Option<u64>> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let mut byte = [0];
            if self.from.read(&mut byte)? == 0 {
                return if shift == 0 { Ok(None) } else { Err(io::ErrorKind::UnexpectedEof.into()) };
            }
            self.at += 1;
            number |= u64::from(byte[0] & 0x7f) << shift;
            if byte[0] & 0x80 == 0 {
                return Ok(Some(number));
            }
        }
        Err(io::ErrorKind::InvalidData.into())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    /// A field of bytes.
    fn bytes(number: u8, content: &[u8]) -> Vec<u8> {
        let length = u8::try_from(content.len()).unwrap();
        [&[number << 3 | 2, length], content].concat()
    }

    fn read(model: &[u8]) -> &'static str {
        narrowest(&elements(Reader { from: Cursor::new(model), at: 0 }).unwrap_or_default())
    }

    #[test]
    fn the_type_is_the_narrowest_of_those_that_matter() {
        // Dimensions one by one and together, and data that looks like fields.
        let float = bytes(5, &[&[0x08, 2, 0x08, 3, 0x10, 1][..], &bytes(9, &[0x10, 3, 0x08, 100])].concat());
        let whole = bytes(5, &[&bytes(1, &[3, 0x81, 0])[..], &[0x10, 3]].concat());
        let shape = bytes(5, &[0x08, 1, 0x10, 7]);
        let large = bytes(5, &[0x08, 100, 0x10, 1]);
        let model = |initializers: &[&[u8]]| {
            let graph = [&bytes(2, b"a name")[..], &initializers.concat()].concat();
            [&[0x08, 8][..], &bytes(2, b"a producer"), &bytes(7, &graph), &bytes(8, b"opset")].concat()
        };
        assert_eq!(read(&model(&[&float])), "float32");
        assert_eq!(read(&model(&[&float, &whole])), "int8");
        assert_eq!(read(&model(&[&whole, &float, &float])), "int8");
        assert_eq!(read(&model(&[&whole, &shape, &large])), "float32");
        assert_eq!(read(&model(&[&shape])), "int64");
        assert_eq!(read(&model(&[])), "float32");
    }

    #[test]
    fn what_is_no_model_has_no_type_of_its_own() {
        for file in
            [&b""[..], b"no model", b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", b"\x3a\xff", b"\x3a\x04\x2a\x7f"]
        {
            assert_eq!(read(file), "float32", "{file:?}");
        }
    }
}

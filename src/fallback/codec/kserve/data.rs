//! The field `data` of a tensor: numbers, truth values or texts, flat or nested, before their type is known.

use std::fmt;

use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error, SeqAccess, Visitor};

use crate::fallback::tensor::Datatype;
use crate::fallback::tensor_data::Elements;

/// The elements in their order, of one kind.
#[derive(Debug, PartialEq)]
pub(super) enum Data {
    Nothing,
    Bools(Vec<bool>),
    Wholes(Vec<i128>),
    Floats(Vec<f64>),
    Texts(Vec<String>),
}

impl Data {
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Nothing => 0,
            Self::Bools(data) => data.len(),
            Self::Wholes(data) => data.len(),
            Self::Floats(data) => data.len(),
            Self::Texts(data) => data.len(),
        }
    }

    /// The elements as `datatype`.
    ///
    /// # Errors
    /// Which of them it cannot hold, as the end of a sentence about the tensor.
    pub(super) fn of(self, datatype: Datatype) -> Result<Elements, String> {
        Ok(match datatype {
            Datatype::Bool => Elements::Bool(self.bools()?),
            Datatype::Uint8 => Elements::Uint8(self.wholes(datatype)?),
            Datatype::Uint16 => Elements::Uint16(self.wholes(datatype)?),
            Datatype::Uint32 => Elements::Uint32(self.wholes(datatype)?),
            Datatype::Uint64 => Elements::Uint64(self.wholes(datatype)?),
            Datatype::Int8 => Elements::Int8(self.wholes(datatype)?),
            Datatype::Int16 => Elements::Int16(self.wholes(datatype)?),
            Datatype::Int32 => Elements::Int32(self.wholes(datatype)?),
            Datatype::Int64 => Elements::Int64(self.wholes(datatype)?),
            Datatype::Fp16 => Elements::Fp16(self.floats()?.into_iter().map(halved).collect::<Result<_, _>>()?),
            Datatype::Fp32 => Elements::Fp32(self.floats()?.into_iter().map(narrowed).collect::<Result<_, _>>()?),
            Datatype::Fp64 => Elements::Fp64(self.floats()?),
            Datatype::Bytes => Elements::Bytes(self.texts()?),
        })
    }

    fn bools(self) -> Result<Vec<bool>, String> {
        match self {
            Self::Nothing => Ok(Vec::new()),
            Self::Bools(data) => Ok(data),
            Self::Wholes(data) if data.iter().all(|one| (0..=1).contains(one)) => {
                Ok(data.into_iter().map(|one| one == 1).collect())
            }
            _ => Err("holds something other than true and false".to_owned()),
        }
    }

    fn wholes<T: TryFrom<i128>>(self, datatype: Datatype) -> Result<Vec<T>, String> {
        let held =
            |whole: i128| T::try_from(whole).map_err(|_| format!("holds {whole}, which {} cannot", datatype.as_str()));
        match self {
            Self::Nothing => Ok(Vec::new()),
            Self::Wholes(data) => data.into_iter().map(held).collect(),
            _ => Err(format!("holds something other than whole numbers, and its datatype is {}", datatype.as_str())),
        }
    }

    fn floats(self) -> Result<Vec<f64>, String> {
        match self {
            Self::Nothing => Ok(Vec::new()),
            Self::Wholes(data) => Ok(data.into_iter().map(float).collect()),
            Self::Floats(data) => Ok(data),
            _ => Err("holds something other than numbers".to_owned()),
        }
    }

    fn texts(self) -> Result<Vec<String>, String> {
        match self {
            Self::Nothing => Ok(Vec::new()),
            Self::Texts(data) => Ok(data),
            _ => Err("holds something other than texts".to_owned()),
        }
    }

    /// Adds an element, unless those before it are of another kind.
    fn push(&mut self, element: Scalar) -> Result<(), &'static str> {
        match (&mut *self, element) {
            (Self::Nothing, element) => {
                *self = match element {
                    Scalar::Bool(one) => Self::Bools(vec![one]),
                    Scalar::Whole(one) => Self::Wholes(vec![one]),
                    Scalar::Float(one) => Self::Floats(vec![one]),
                    Scalar::Text(one) => Self::Texts(vec![one]),
                }
            }
            (Self::Bools(data), Scalar::Bool(one)) => data.push(one),
            (Self::Wholes(data), Scalar::Whole(one)) => data.push(one),
            (Self::Floats(data), Scalar::Float(one)) => data.push(one),
            (Self::Texts(data), Scalar::Text(one)) => data.push(one),
            (Self::Floats(data), Scalar::Whole(one)) => data.push(float(one)),
            (Self::Wholes(data), Scalar::Float(one)) => {
                let mut floats: Vec<f64> = data.iter().copied().map(float).collect();
                floats.push(one);
                *self = Self::Floats(floats);
            }
            _ => return Err("data of several kinds"),
        }
        Ok(())
    }
}

#[expect(clippy::cast_precision_loss, reason = "what a float cannot hold is rounded, as JSON's numbers are")]
fn float(whole: i128) -> f64 {
    whole as f64
}

#[expect(clippy::cast_possible_truncation, reason = "what becomes infinite is refused")]
fn narrowed(float: f64) -> Result<f32, String> {
    let narrow = float as f32;
    if narrow.is_finite() { Ok(narrow) } else { Err(format!("holds {float}, which FP32 cannot")) }
}

/// As FP16 holds it, in 32 bits.
fn halved(float: f64) -> Result<f32, String> {
    let half = half::f16::from_f64(float);
    if half.is_finite() { Ok(half.to_f32()) } else { Err(format!("holds {float}, which FP16 cannot")) }
}

enum Scalar {
    Bool(bool),
    Whole(i128),
    Float(f64),
    Text(String),
}

impl<'de> Deserialize<'de> for Data {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut data = Self::Nothing;
        deserializer.deserialize_seq(Into(&mut data))?;
        Ok(data)
    }
}

/// Reads a value or a list of values into what is there already.
struct Into<'a>(&'a mut Data);

impl<'de> DeserializeSeed<'de> for Into<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl Into<'_> {
    fn push<E: Error>(self, element: Scalar) -> Result<(), E> {
        self.0.push(element).map_err(E::custom)
    }
}

impl<'de> Visitor<'de> for Into<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("numbers, truth values or texts, or lists of them")
    }

    fn visit_bool<E: Error>(self, one: bool) -> Result<(), E> {
        self.push(Scalar::Bool(one))
    }

    fn visit_i64<E: Error>(self, one: i64) -> Result<(), E> {
        self.push(Scalar::Whole(one.into()))
    }

    fn visit_u64<E: Error>(self, one: u64) -> Result<(), E> {
        self.push(Scalar::Whole(one.into()))
    }

    fn visit_f64<E: Error>(self, one: f64) -> Result<(), E> {
        self.push(Scalar::Float(one))
    }

    fn visit_str<E: Error>(self, one: &str) -> Result<(), E> {
        self.push(Scalar::Text(one.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while list.next_element_seed(Into(&mut *self.0))?.is_some() {}
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Data, String> {
        serde_json::from_str(text).map_err(|why| why.to_string())
    }

    #[test]
    fn nested_lists_are_flat_and_of_one_kind() {
        assert_eq!(read("[[1,2],[3,4]]"), Ok(Data::Wholes(vec![1, 2, 3, 4])));
        assert_eq!(read("[1,2.5,3]"), Ok(Data::Floats(vec![1.0, 2.5, 3.0])));
        assert_eq!(read(r#"[["a"],["b"]]"#), Ok(Data::Texts(vec!["a".to_owned(), "b".to_owned()])));
        for wrong in ["[1,\"a\"]", "[true,1]", "[null]", "[{}]", "5", "\"a\"", "[1e999]"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_a_type_cannot_hold_is_named() {
        for (text, datatype, part) in [
            ("[1,300]", Datatype::Uint8, "300"),
            ("[-1]", Datatype::Uint64, "-1"),
            ("[1.5]", Datatype::Int64, "whole numbers"),
            ("[1e39]", Datatype::Fp32, "FP32"),
            ("[2]", Datatype::Bool, "true and false"),
            ("[\"a\"]", Datatype::Fp32, "numbers"),
            ("[1]", Datatype::Bytes, "texts"),
        ] {
            let why = read(text).unwrap().of(datatype).unwrap_err();
            assert!(why.contains(part), "{text}: {why}");
        }
        assert_eq!(read("[1,0]").unwrap().of(Datatype::Bool), Ok(Elements::Bool(vec![true, false])));
        assert_eq!(read("[18446744073709551615]").unwrap().of(Datatype::Uint64), Ok(Elements::Uint64(vec![u64::MAX])));
    }
}

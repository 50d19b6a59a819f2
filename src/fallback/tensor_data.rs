//! Tensors with their elements, to and from ONNX Runtime.

use half::f16;
use ort::session::SessionInputValue;
use ort::value::{DynValue, Tensor as OrtTensor, TensorElementType};
use serde::Serialize;

use super::engine::EngineError;
use super::tensor::Datatype;

/// A tensor.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    /// The lengths of its dimensions.
    pub shape: Vec<i64>,
    /// Its elements, row by row: as many as the shape says.
    pub data: Elements,
}

/// Elements of one type.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Elements {
    /// Truth values.
    Bool(Vec<bool>),
    /// Unsigned integers of 8 bits.
    Uint8(Vec<u8>),
    /// Unsigned integers of 16 bits.
    Uint16(Vec<u16>),
    /// Unsigned integers of 32 bits.
    Uint32(Vec<u32>),
    /// Unsigned integers of 64 bits.
    Uint64(Vec<u64>),
    /// Integers of 8 bits.
    Int8(Vec<i8>),
    /// Integers of 16 bits.
    Int16(Vec<i16>),
    /// Integers of 32 bits.
    Int32(Vec<i32>),
    /// Integers of 64 bits.
    Int64(Vec<i64>),
    /// Floating point numbers of 16 bits, held in 32.
    Fp16(Vec<f32>),
    /// Floating point numbers of 32 bits.
    Fp32(Vec<f32>),
    /// Floating point numbers of 64 bits.
    Fp64(Vec<f64>),
    /// Texts.
    Bytes(Vec<String>),
}

/// Does the same with the vector of each type but texts.
macro_rules! each {
    ($elements:expr, $texts:pat => $otherwise:expr, $data:ident => $same:expr) => {
        match $elements {
            Elements::Bool($data) => $same,
            Elements::Uint8($data) => $same,
            Elements::Uint16($data) => $same,
            Elements::Uint32($data) => $same,
            Elements::Uint64($data) => $same,
            Elements::Int8($data) => $same,
            Elements::Int16($data) => $same,
            Elements::Int32($data) => $same,
            Elements::Int64($data) => $same,
            Elements::Fp16($data) => $same,
            Elements::Fp32($data) => $same,
            Elements::Fp64($data) => $same,
            Elements::Bytes($texts) => $otherwise,
        }
    };
}

impl Elements {
    /// Their type.
    pub const fn datatype(&self) -> Datatype {
        match self {
            Self::Bool(_) => Datatype::Bool,
            Self::Uint8(_) => Datatype::Uint8,
            Self::Uint16(_) => Datatype::Uint16,
            Self::Uint32(_) => Datatype::Uint32,
            Self::Uint64(_) => Datatype::Uint64,
            Self::Int8(_) => Datatype::Int8,
            Self::Int16(_) => Datatype::Int16,
            Self::Int32(_) => Datatype::Int32,
            Self::Int64(_) => Datatype::Int64,
            Self::Fp16(_) => Datatype::Fp16,
            Self::Fp32(_) => Datatype::Fp32,
            Self::Fp64(_) => Datatype::Fp64,
            Self::Bytes(_) => Datatype::Bytes,
        }
    }

    /// Whether each is a number that JSON has.
    pub(super) fn is_finite(&self) -> bool {
        match self {
            Self::Fp16(data) | Self::Fp32(data) => data.iter().all(|number| number.is_finite()),
            Self::Fp64(data) => data.iter().all(|number| number.is_finite()),
            _ => true,
        }
    }

    /// Their size in bytes.
    pub fn bytes(&self) -> usize {
        each!(self, texts => texts.iter().map(String::len).sum(), data => size_of_val(data.as_slice()))
    }

    /// The texts; none where they are something else.
    pub(super) fn into_texts(self) -> Vec<String> {
        if let Self::Bytes(texts) = self { texts } else { Vec::new() }
    }
}

/// As ONNX Runtime takes it.
pub(super) fn input(tensor: &Tensor) -> Result<SessionInputValue<'static>, EngineError> {
    let shape = tensor.shape.clone();
    if let Elements::Fp16(data) = &tensor.data {
        let halves: Vec<f16> = data.iter().copied().map(f16::from_f32).collect();
        return Ok(OrtTensor::from_array((shape, halves))?.into());
    }
    Ok(each!(
        &tensor.data,
        texts => OrtTensor::from_string_array((shape, texts.as_slice()))?.into(),
        data => OrtTensor::from_array((shape, data.clone()))?.into()
    ))
}

/// As ONNX Runtime gives it.
pub(super) fn output(value: &DynValue) -> Result<Tensor, EngineError> {
    let ort::value::ValueType::Tensor { ty, shape, .. } = value.dtype() else {
        return Err(EngineError("an output is no tensor".to_owned()));
    };
    let shape: Vec<i64> = shape.to_vec();
    let is_empty = shape.contains(&0);
    macro_rules! extract {
        ($variant:ident, $element:ty) => {
            // ONNX Runtime has no address for the data of an empty tensor.
            Elements::$variant(if is_empty { Vec::new() } else { value.try_extract_tensor::<$element>()?.1.to_vec() })
        };
    }
    let data = match ty {
        TensorElementType::Bool => extract!(Bool, bool),
        TensorElementType::Uint8 => extract!(Uint8, u8),
        TensorElementType::Uint16 => extract!(Uint16, u16),
        TensorElementType::Uint32 => extract!(Uint32, u32),
        TensorElementType::Uint64 => extract!(Uint64, u64),
        TensorElementType::Int8 => extract!(Int8, i8),
        TensorElementType::Int16 => extract!(Int16, i16),
        TensorElementType::Int32 => extract!(Int32, i32),
        TensorElementType::Int64 => extract!(Int64, i64),
        TensorElementType::Float16 => Elements::Fp16(if is_empty {
            Vec::new()
        } else {
            value.try_extract_tensor::<f16>()?.1.iter().copied().map(f16::to_f32).collect()
        }),
        TensorElementType::Float32 => extract!(Fp32, f32),
        TensorElementType::Float64 => extract!(Fp64, f64),
        TensorElementType::String => {
            Elements::Bytes(if is_empty { Vec::new() } else { value.try_extract_strings()?.1 })
        }
        other => return Err(EngineError(format!("an output is of type {other}, which is not served"))),
    };
    Ok(Tensor { shape, data })
}

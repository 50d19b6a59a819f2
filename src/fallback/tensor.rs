//! Tensors by name, type and shape, in the words of KServe's protocol.

use ort::session::Session;
use ort::value::{Outlet, TensorElementType, ValueType};
use serde::Serialize;

/// The type of a tensor's elements, named as the Open Inference Protocol does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Datatype {
    /// Truth values.
    Bool,
    /// Unsigned integers of 8 bits.
    Uint8,
    /// Unsigned integers of 16 bits.
    Uint16,
    /// Unsigned integers of 32 bits.
    Uint32,
    /// Unsigned integers of 64 bits.
    Uint64,
    /// Integers of 8 bits.
    Int8,
    /// Integers of 16 bits.
    Int16,
    /// Integers of 32 bits.
    Int32,
    /// Integers of 64 bits.
    Int64,
    /// Floating point numbers of 16 bits.
    Fp16,
    /// Floating point numbers of 32 bits.
    Fp32,
    /// Floating point numbers of 64 bits.
    Fp64,
    /// Texts.
    Bytes,
}

impl Datatype {
    /// The type's name in the protocol.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Bool => "BOOL",
            Self::Uint8 => "UINT8",
            Self::Uint16 => "UINT16",
            Self::Uint32 => "UINT32",
            Self::Uint64 => "UINT64",
            Self::Int8 => "INT8",
            Self::Int16 => "INT16",
            Self::Int32 => "INT32",
            Self::Int64 => "INT64",
            Self::Fp16 => "FP16",
            Self::Fp32 => "FP32",
            Self::Fp64 => "FP64",
            Self::Bytes => "BYTES",
        }
    }

    fn of(element: TensorElementType) -> Option<Self> {
        Some(match element {
            TensorElementType::Bool => Self::Bool,
            TensorElementType::Uint8 => Self::Uint8,
            TensorElementType::Uint16 => Self::Uint16,
            TensorElementType::Uint32 => Self::Uint32,
            TensorElementType::Uint64 => Self::Uint64,
            TensorElementType::Int8 => Self::Int8,
            TensorElementType::Int16 => Self::Int16,
            TensorElementType::Int32 => Self::Int32,
            TensorElementType::Int64 => Self::Int64,
            TensorElementType::Float16 => Self::Fp16,
            TensorElementType::Float32 => Self::Fp32,
            TensorElementType::Float64 => Self::Fp64,
            TensorElementType::String => Self::Bytes,
            _ => return None,
        })
    }
}

/// An input or output of a model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TensorSpec {
    /// Its name.
    pub name: String,
    /// The type of its elements.
    pub datatype: Datatype,
    /// Its shape; -1 is a length that is free.
    pub shape: Vec<i64>,
}

/// The inputs and outputs of a session. An output that cannot be told is left out where there are others: classifiers of
/// scikit-learn give their probabilities as maps beside the label.
///
/// # Errors
/// What is no tensor, or of a type that is not served.
pub(super) fn specs(session: &Session) -> Result<(Vec<TensorSpec>, Vec<TensorSpec>), String> {
    let inputs = session.inputs().iter().map(spec).collect::<Result<Vec<_>, _>>()?;
    let (told, untold): (Vec<_>, Vec<_>) = session.outputs().iter().map(spec).partition(Result::is_ok);
    match untold.into_iter().find_map(Result::err).filter(|_| told.is_empty()) {
        Some(why) => Err(why),
        None => Ok((inputs, told.into_iter().flatten().collect())),
    }
}

fn spec(outlet: &Outlet) -> Result<TensorSpec, String> {
    let name = outlet.name().to_owned();
    let ValueType::Tensor { ty, shape, .. } = outlet.dtype() else {
        return Err(format!("`{name}` is no tensor"));
    };
    let datatype = Datatype::of(*ty).ok_or_else(|| format!("`{name}` is of type {ty}, which is not served"))?;
    Ok(TensorSpec { name, datatype, shape: shape.to_vec() })
}

//! KServe's Open Inference Protocol, version 2
//! (<https://github.com/kserve/open-inference-protocol/blob/main/specification/protocol/inference_rest.md>).
//!
//! The main model has the versions that are loaded, the others have one, 1. A model for texts takes them as `BYTES` and gives vectors or scores; a model for tensors takes and
//! gives what its ONNX file says. Data is JSON, flat or nested; the binary extension is not served.

mod data;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use http::StatusCode;
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use serde_json::json as value;

use super::object::Object;
use super::rejection::{Fault, Kind};
use super::tei::share;
use super::texts::MAX_TEXTS;
use super::{Asked, Catalogue, Embeddings, Form, Place, Question, Scaling, json, object, prompted, shortened};
use crate::config::ModelKind;
use crate::fallback::card::Card;
use crate::fallback::engine::{Cut, Sequence};
use crate::fallback::error::EmbedError;
use crate::fallback::tensor::{Datatype, TensorSpec};
use crate::fallback::tensor_data::{Elements, Tensor};
use data::Data;

/// Of which model something is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Of<'p> {
    pub(super) model: Cow<'p, str>,
    pub(super) version: Option<Cow<'p, str>>,
}

/// What is asked of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ServerTopic {
    Metadata,
    Live,
    Ready,
}

/// What is asked of a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ModelTopic {
    Metadata,
    Ready,
}

#[derive(Deserialize)]
struct Request {
    #[serde(default)]
    id: Option<String>,
    /// None that is of a meaning here; an object all the same.
    #[serde(rename = "parameters")]
    _parameters: Option<Object<IgnoredAny>>,
    inputs: Vec<Object<Input>>,
    outputs: Option<Vec<Object<Output>>>,
}

#[derive(Deserialize)]
struct Input {
    name: String,
    shape: Vec<u64>,
    datatype: String,
    parameters: Option<Object<Parameters>>,
    data: Option<Data>,
}

/// A tensor's parameters, as far as they are known.
#[derive(Default, Deserialize)]
struct Parameters {
    /// The length of a tensor that stands behind the JSON: the binary extension's.
    binary_data_size: Option<u64>,
}

#[derive(Deserialize)]
struct Output {
    name: String,
}

/// How an answer is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Reply {
    id: Option<String>,
    version: String,
}

#[derive(Serialize)]
struct Answer<'a> {
    model_name: &'a str,
    model_version: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    outputs: Vec<Computed<'a>>,
}

#[derive(Serialize)]
struct Computed<'a> {
    name: &'a str,
    datatype: Datatype,
    shape: Cow<'a, [i64]>,
    data: Cow<'a, Elements>,
}

/// Tensors to compute, and how to answer with what comes of them.
#[derive(Clone, Debug, PartialEq)]
pub struct TensorQuestion {
    /// Which model is asked.
    pub place: Place,
    /// Every input of the model by its name.
    pub inputs: Vec<(String, Tensor)>,
    /// The outputs that are wanted, by their names.
    pub outputs: Vec<String>,
    reply: Reply,
}

/// What is told of the server.
pub(super) fn server(topic: ServerTopic) -> Vec<u8> {
    json(&match topic {
        ServerTopic::Metadata => {
            value!({ "name": "overspill", "version": env!("CARGO_PKG_VERSION"), "extensions": [] })
        }
        ServerTopic::Live => value!({ "live": true }),
        ServerTopic::Ready => value!({ "ready": true }),
    })
}

/// What is told of a model.
pub(super) fn model(of: &Of<'_>, topic: ModelTopic, catalogue: &Catalogue<'_>) -> Result<Vec<u8>, Fault> {
    let (place, card) = find(of, catalogue)?;
    Ok(json(&match topic {
        ModelTopic::Ready => value!({ "name": card.identity.name, "ready": true }),
        ModelTopic::Metadata => value!({
            "name": card.identity.name,
            "versions": catalogue.versions(place),
            "platform": "onnx_onnxruntime",
            "inputs": card.inputs,
            "outputs": card.outputs,
        }),
    }))
}

fn find<'c>(of: &Of<'_>, catalogue: &Catalogue<'c>) -> Result<(Place, &'c Card), Fault> {
    let missing = |message| Fault::of(Kind::Of(StatusCode::NOT_FOUND), "model", message);
    let Some(found) = catalogue.named(&of.model) else {
        let known: Vec<_> = catalogue.names().into_iter().map(|name| format!("`{name}`")).collect();
        return Err(missing(format!("there is no model `{}` here: ask for one of {}", of.model, known.join(", "))));
    };
    match &of.version {
        Some(version) if *version != catalogue.version(found.0) => {
            let known = catalogue.versions(found.0).join(", ");
            Err(missing(format!("model `{}` has no version `{version}`, only {known}", of.model)))
        }
        _ => Ok(found),
    }
}

/// Reads a request to infer.
pub(super) fn parse(body: &[u8], of: &Of<'_>, catalogue: &Catalogue<'_>) -> Result<Asked, Fault> {
    let (place, card) = find(of, catalogue)?;
    let request: Request = object::read(body)?;
    let outputs = outputs(&request.outputs.unwrap_or_default(), &card.outputs)?;
    let reply = Reply { id: request.id, version: catalogue.version(place).to_owned() };
    let tensors = tensors(request.inputs, card)?;
    match card.kind {
        ModelKind::Tensors => Ok(Asked::Tensors(TensorQuestion { place, inputs: tensors, outputs, reply })),
        ModelKind::Encoder | ModelKind::CrossEncoder => texts(place, card, tensors, reply).map(Asked::Texts),
    }
}

/// Every input of the model, by the name that the model has for it.
fn tensors(inputs: Vec<Object<Input>>, card: &Card) -> Result<Vec<(String, Tensor)>, Fault> {
    let mut tensors: Vec<(String, Tensor)> = Vec::new();
    for Object(Input { name, shape, datatype, parameters, data }) in inputs {
        let Some(spec) = card.inputs.iter().find(|spec| spec.name == name).or_else(|| only_texts(card)) else {
            return Err(Fault::new(
                "inputs",
                format!("there is no input `{name}`: the inputs are {}", names(&card.inputs)),
            ));
        };
        if tensors.iter().any(|(known, _)| *known == spec.name) {
            return Err(Fault::new("inputs", format!("the input `{}` is there twice", spec.name)));
        }
        let is_behind = parameters.is_some_and(|Object(parameters)| parameters.binary_data_size.is_some());
        let data = data.ok_or(if is_behind {
            "comes as binary data, which is not read here: send its `data` as JSON"
        } else {
            "has no `data`"
        });
        let tensor = data
            .map_err(str::to_owned)
            .and_then(|data| tensor(spec, &shape, &datatype, data))
            .map_err(|said| Fault::new("inputs", format!("the input `{name}` {said}")))?;
        tensors.push((spec.name.clone(), tensor));
    }
    if let Some(missing) = card.inputs.iter().find(|spec| tensors.iter().all(|(name, _)| *name != spec.name)) {
        return Err(Fault::new("inputs", format!("the input `{}` is missing", missing.name)));
    }
    Ok(tensors)
}

/// The one input of a model for texts, whatever a client calls it.
fn only_texts(card: &Card) -> Option<&TensorSpec> {
    (card.kind == ModelKind::Encoder).then(|| card.inputs.first()).flatten()
}

fn names(specs: &[TensorSpec]) -> String {
    specs.iter().map(|spec| format!("`{}`", spec.name)).collect::<Vec<_>>().join(", ")
}

/// The outputs asked for, or all of them.
fn outputs(asked: &[Object<Output>], known: &[TensorSpec]) -> Result<Vec<String>, Fault> {
    if let Some(unknown) = asked.iter().find(|Object(output)| known.iter().all(|spec| spec.name != output.name)) {
        return Err(Fault::new(
            "outputs",
            format!("there is no output `{}`: the outputs are {}", unknown.0.name, names(known)),
        ));
    }
    let is_wanted =
        |spec: &&TensorSpec| asked.is_empty() || asked.iter().any(|Object(output)| output.name == spec.name);
    Ok(known.iter().filter(is_wanted).map(|spec| spec.name.clone()).collect())
}

/// An input as its model takes it.
fn tensor(spec: &TensorSpec, shape: &[u64], datatype: &str, data: Data) -> Result<Tensor, String> {
    let expected = spec.datatype.as_str();
    if datatype != expected {
        return Err(format!("is of datatype `{datatype}`, and {expected} is taken"));
    }
    let is_free = |(&own, &asked): (&i64, &u64)| own < 0 || u64::try_from(own) == Ok(asked);
    // A list of texts may come as one column.
    let is_column = expected == "BYTES" && spec.shape.len() == 1 && shape.len() == 2 && shape[1] == 1;
    if !is_column && (shape.len() != spec.shape.len() || !spec.shape.iter().zip(shape).all(is_free)) {
        return Err(format!("has the shape {shape:?}, and {:?} is taken (-1 is any length)", spec.shape));
    }
    let elements = shape.iter().try_fold(1_u64, |product, &length| product.checked_mul(length));
    let found = data.len();
    if elements.and_then(|elements| usize::try_from(elements).ok()) != Some(found) {
        return Err(format!("has {found} elements, and its shape is {shape:?}"));
    }
    let shape = shape.iter().map(|&length| i64::try_from(length).unwrap_or(i64::MAX)).collect();
    Ok(Tensor { shape, data: data.of(spec.datatype)? })
}

fn texts(place: Place, card: &Card, tensors: Vec<(String, Tensor)>, reply: Reply) -> Result<Question, Fault> {
    let mut lists: BTreeMap<_, _> =
        tensors.into_iter().map(|(name, tensor)| (name, tensor.data.into_texts())).collect();
    let mut list = |of: &str| lists.remove(of).unwrap_or_default();
    let texts = match card.kind {
        ModelKind::CrossEncoder => {
            let query: Arc<str> = list("query").into_iter().next().unwrap_or_default().into();
            let pair =
                |text: String| Sequence { content: Arc::clone(&query), pair: Some(text.into()), cut: Cut::Right };
            list("text").into_iter().map(pair).collect()
        }
        ModelKind::Encoder | ModelKind::Tensors => {
            let prompt = card.prompt(None).map_err(|message| Fault::new("inputs", message))?;
            prompted(list("text"), prompt, Cut::Right)
        }
    };
    let is_empty = |text: &Sequence| text.content.is_empty() || text.pair.as_ref().is_some_and(|pair| pair.is_empty());
    if texts.is_empty() || texts.iter().any(is_empty) {
        return Err(Fault::of(
            Kind::Empty,
            "inputs",
            "there is no text, or an empty one: send texts with something in them",
        ));
    }
    if texts.len() > MAX_TEXTS {
        let message = format!("there are more than {MAX_TEXTS} texts: send them in several requests");
        return Err(Fault::of(Kind::TooLarge, "inputs", message));
    }
    Ok(Question { place, texts, scaling: Scaling::Own, form: Form::Infer(reply) })
}

impl Reply {
    /// The answer of a model for texts.
    pub(super) fn of_texts(&self, card: &Card, embeddings: &Embeddings) -> Vec<u8> {
        let vectors = shortened(embeddings, None);
        let length = |length: usize| i64::try_from(length).unwrap_or(i64::MAX);
        let (shape, data): (Vec<i64>, Vec<f32>) = match card.kind {
            ModelKind::CrossEncoder => {
                (vec![length(vectors.len())], vectors.iter().map(|logits| share(logits)).collect())
            }
            ModelKind::Encoder | ModelKind::Tensors => {
                let shape = vec![length(vectors.len()), length(card.identity.dimension)];
                (shape, vectors.iter().flatten().copied().collect())
            }
        };
        let name = card.outputs.first().map_or("", |spec| &spec.name);
        let data = Cow::Owned(Elements::Fp32(data));
        self.write(card, vec![Computed { name, datatype: Datatype::Fp32, shape: shape.into(), data }])
    }

    fn write(&self, card: &Card, outputs: Vec<Computed<'_>>) -> Vec<u8> {
        let (model_name, model_version) = (card.identity.name.as_str(), self.version.as_str());
        json(&Answer { model_name, model_version, id: self.id.as_deref(), outputs })
    }
}

impl TensorQuestion {
    /// The body of the answer (status 200).
    ///
    /// # Errors
    /// Where an output holds a number that JSON has none for.
    pub fn answer(&self, card: &Card, outputs: &[(String, Tensor)]) -> Result<Vec<u8>, EmbedError> {
        if let Some((name, _)) = outputs.iter().find(|(_, tensor)| !tensor.data.is_finite()) {
            return Err(EmbedError::Refused(format!(
                "its output `{name}` holds NaN or an infinity, which JSON has not"
            )));
        }
        let computed = outputs.iter().map(|(name, Tensor { shape, data })| Computed {
            name,
            datatype: data.datatype(),
            shape: shape.into(),
            data: Cow::Borrowed(data),
        });
        Ok(self.reply.write(card, computed.collect()))
    }
}

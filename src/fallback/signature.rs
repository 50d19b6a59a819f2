//! How an encoder's ONNX file is asked: which inputs it has, and which output holds what a text's vector is made of. Pure.

use super::tensor::{Datatype, TensorSpec};
use crate::config::{ModelKind, Pooling};

/// Names of outputs that hold a vector a token, as exporters give them; the first that is there is taken.
const TOKEN_VECTORS: [&str; 4] = ["last_hidden_state", "token_embeddings", "hidden_states", "output_0"];

/// Names of outputs that hold a vector a text.
const TEXT_VECTORS: [&str; 6] =
    ["sentence_embedding", "sentence_embeddings", "text_embeds", "embeddings", "embedding", "dense_vecs"];

/// Names of outputs that hold scores.
const SCORES: [&str; 3] = ["logits", "scores", "score"];

/// What an input is filled with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Filling {
    /// Ids of the vocabulary.
    Ids,
    /// 1 where there is a token, 0 where there is padding.
    Mask,
    /// 0 for the first text of a pair, 1 for the second.
    Types,
    /// Places from 0 on.
    Positions,
}

/// Names of inputs, as exporters give them, by what they are filled with.
const INPUTS: [(Filling, &[&str]); 4] = [
    (Filling::Ids, &["input_ids", "input_word_ids", "token_ids", "input", "inputs", "tokens"]),
    (Filling::Mask, &["attention_mask", "input_mask", "mask"]),
    (Filling::Types, &["token_type_ids", "input_type_ids", "segment_ids", "type_ids"]),
    (Filling::Positions, &["position_ids", "positions"]),
];

/// The inputs and the output that are used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Signature {
    /// Each input's name, what it is filled with, and of what type.
    pub(super) inputs: Vec<(String, Filling, Element)>,
    /// The texts of each run, where the model takes so many and no others.
    pub(super) texts: Option<usize>,
    /// The tokens of each text, where the model takes so many and no others.
    pub(super) tokens: Option<usize>,
    /// The output's name.
    pub(super) output: String,
    /// How a text's vector is made of the output.
    pub(super) pooling: Pooling,
}

/// What an input's elements are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Element {
    Int64,
    Int32,
    /// Of a mask alone, as the next ones are.
    Bool,
    Fp16,
    Fp32,
}

impl Signature {
    /// Whether the model is told which tokens are a text's own.
    pub(super) fn has_mask(&self) -> bool {
        self.inputs.iter().any(|(_, filling, _)| *filling == Filling::Mask)
    }

    /// Finds out how to ask a model with these inputs and outputs for what `kind` computes; `pooling` is the one asked for.
    ///
    /// # Errors
    /// What is missing or not known, as text.
    pub(super) fn discover(
        (inputs, outputs): (&[TensorSpec], &[TensorSpec]),
        kind: ModelKind,
        pooling: Option<Pooling>,
    ) -> Result<Self, String> {
        let shapes = inputs;
        let inputs = inputs.iter().map(|input| filling(input, shapes.len())).collect::<Result<Vec<_>, _>>()?;
        let Some(ids) = inputs.iter().position(|(_, filling, _)| *filling == Filling::Ids) else {
            return Err("it has no input `input_ids`".to_owned());
        };
        let [texts, tokens] = shapes[ids].shape[..] else {
            return Err(format!(
                "its input `{}` has the shape {:?}, and texts by tokens was expected",
                shapes[ids].name, shapes[ids].shape
            ));
        };
        let fixed = |length: i64| usize::try_from(length).ok().filter(|&length| length > 0);
        let of_rank = |names: &[&str], rank: usize| {
            let is_number = |of: Datatype| matches!(of, Datatype::Fp16 | Datatype::Fp32 | Datatype::Fp64);
            let fits = |output: &&TensorSpec| is_number(output.datatype) && output.shape.len() == rank;
            let named = names.iter().find_map(|name| outputs.iter().filter(fits).find(|output| output.name == *name));
            named.or_else(|| outputs.iter().find(fits)).map(|output| output.name.clone())
        };
        let is_named = |names: &[&str]| outputs.iter().any(|output| names.contains(&output.name.as_str()));
        let (output, pooling) = match (kind, pooling) {
            (ModelKind::CrossEncoder, _) => (of_rank(&SCORES, 2).or_else(|| of_rank(&SCORES, 1)), Pooling::Model),
            (_, Some(Pooling::Model)) => (of_rank(&TEXT_VECTORS, 2), Pooling::Model),
            (_, Some(asked)) => (of_rank(&TOKEN_VECTORS, 3), asked),
            (_, None) => match of_rank(&TOKEN_VECTORS, 3) {
                Some(output) if !is_named(&TEXT_VECTORS) => (Some(output), Pooling::Mean),
                _ => (of_rank(&TEXT_VECTORS, 2), Pooling::Model),
            },
        };
        let output = output.ok_or_else(|| {
            let has: Vec<_> = outputs.iter().map(|output| format!("{} {:?}", output.name, output.shape)).collect();
            format!("none of its outputs is what the pooling `{pooling:?}` is made of (it has {})", has.join(", "))
        })?;
        Ok(Self { inputs, texts: fixed(texts), tokens: fixed(tokens), output, pooling })
    }
}

/// What a model with these inputs and outputs is for, where it comes with a tokenizer.
pub(super) fn kind_of(outputs: &[TensorSpec]) -> ModelKind {
    let scores = |output: &TensorSpec| matches!(output.shape.len(), 1 | 2) && SCORES.contains(&output.name.as_str());
    if outputs.iter().any(scores) && !outputs.iter().any(|output| output.shape.len() == 3) {
        ModelKind::CrossEncoder
    } else {
        ModelKind::Encoder
    }
}

/// What `input` is filled with, of a model that has `count` of them. The only one holds ids, whatever its name.
fn filling(input: &TensorSpec, count: usize) -> Result<(String, Filling, Element), String> {
    // TensorFlow numbers the tensors of a name.
    let name = input.name.strip_suffix(":0").unwrap_or(&input.name);
    let known = INPUTS.iter().find(|(_, names)| names.contains(&name)).map(|(filling, _)| *filling);
    let Some(filling) = known.or((count == 1).then_some(Filling::Ids)) else {
        return Err(format!("its input `{name}` is none that an encoder of texts is known to have"));
    };
    let element = match (input.datatype, filling) {
        (Datatype::Int64, _) => Element::Int64,
        (Datatype::Int32, _) => Element::Int32,
        (Datatype::Bool, Filling::Mask) => Element::Bool,
        (Datatype::Fp16, Filling::Mask) => Element::Fp16,
        (Datatype::Fp32, Filling::Mask) => Element::Fp32,
        (other, _) => {
            return Err(format!("its input `{name}` is of type {}, and INT64 or INT32 was expected", other.as_str()));
        }
    };
    Ok((input.name.clone(), filling, element))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(name: &str, datatype: Datatype, shape: &[i64]) -> TensorSpec {
        TensorSpec { name: name.to_owned(), datatype, shape: shape.to_vec() }
    }

    fn ids() -> Vec<TensorSpec> {
        vec![spec("input_ids", Datatype::Int64, &[-1, -1])]
    }

    #[test]
    fn the_output_follows_from_names_shapes_and_the_pooling_asked_for() {
        let output = |name: &str, rank: usize| spec(name, Datatype::Fp32, &vec![-1; rank]);
        for (outputs, asked, expected) in [
            (vec![output("last_hidden_state", 3)], None, ("last_hidden_state", Pooling::Mean)),
            (vec![output("anything", 3)], None, ("anything", Pooling::Mean)),
            (
                vec![output("token_embeddings", 3), output("sentence_embedding", 2)],
                None,
                ("sentence_embedding", Pooling::Model),
            ),
            (
                vec![output("token_embeddings", 3), output("sentence_embedding", 2)],
                Some(Pooling::Cls),
                ("token_embeddings", Pooling::Cls),
            ),
            (
                vec![output("last_hidden_state", 3), output("pooler_output", 2)],
                None,
                ("last_hidden_state", Pooling::Mean),
            ),
            (
                vec![output("last_hidden_state", 3), output("pooler_output", 2)],
                Some(Pooling::Model),
                ("pooler_output", Pooling::Model),
            ),
            (vec![output("pooled", 2)], None, ("pooled", Pooling::Model)),
        ] {
            let found = Signature::discover((&ids(), &outputs), ModelKind::Encoder, asked).unwrap();
            assert_eq!((found.output.as_str(), found.pooling), expected, "{outputs:?} {asked:?}");
        }
    }

    #[test]
    fn inputs_are_known_by_other_names_and_in_other_types() {
        let outputs = [spec("out", Datatype::Fp16, &[1, 128, 8])];
        let inputs = [
            spec("input_word_ids:0", Datatype::Int32, &[1, 128]),
            spec("input_mask:0", Datatype::Fp16, &[1, 128]),
            spec("segment_ids", Datatype::Int64, &[1, 128]),
            spec("position_ids", Datatype::Int64, &[1, 128]),
        ];
        let found = Signature::discover((&inputs, &outputs), ModelKind::Encoder, None).unwrap();
        let fillings: Vec<_> = found.inputs.iter().map(|(_, filling, element)| (*filling, *element)).collect();
        assert_eq!(
            fillings,
            [
                (Filling::Ids, Element::Int32),
                (Filling::Mask, Element::Fp16),
                (Filling::Types, Element::Int64),
                (Filling::Positions, Element::Int64)
            ]
        );
        assert_eq!((found.texts, found.tokens, found.output.as_str()), (Some(1), Some(128), "out"));
        let alone = [spec("onnx::Gather_0", Datatype::Int64, &[-1, -1])];
        let found = Signature::discover((&alone, &outputs), ModelKind::Encoder, None).unwrap();
        assert_eq!((found.inputs[0].1, found.texts, found.tokens), (Filling::Ids, None, None));
        let scores = [spec("scores", Datatype::Fp32, &[-1])];
        let found = Signature::discover((&alone, &scores), kind_of(&scores), None).unwrap();
        assert_eq!(found.output, "scores");
    }

    #[test]
    fn what_is_not_known_is_named() {
        let outputs = [spec("last_hidden_state", Datatype::Fp32, &[-1, -1, 8])];
        let inputs = |other: TensorSpec| [ids(), vec![other]].concat();
        for (inputs, part) in [
            (vec![spec("attention_mask", Datatype::Int64, &[-1, -1])], "no input `input_ids`"),
            (inputs(spec("pixels", Datatype::Fp32, &[-1])), "`pixels`"),
            (inputs(spec("attention_mask", Datatype::Fp64, &[-1, -1])), "type FP64"),
            (vec![spec("input_ids", Datatype::Fp32, &[-1, -1])], "type FP32"),
            (vec![spec("input_ids", Datatype::Int64, &[-1])], "the shape [-1]"),
        ] {
            let why = Signature::discover((&inputs, &outputs), ModelKind::Encoder, None).unwrap_err();
            assert!(why.contains(part), "{why}");
        }
        let why = Signature::discover((&ids(), &outputs), ModelKind::Encoder, Some(Pooling::Model)).unwrap_err();
        assert!(why.contains("last_hidden_state [-1, -1, 8]"), "{why}");
    }

    #[test]
    fn scores_make_a_cross_encoder() {
        let logits = spec("logits", Datatype::Fp32, &[-1, 1]);
        assert_eq!(kind_of(std::slice::from_ref(&logits)), ModelKind::CrossEncoder);
        assert_eq!(kind_of(&[logits, spec("last_hidden_state", Datatype::Fp32, &[-1, -1, 8])]), ModelKind::Encoder);
        assert_eq!(kind_of(&[spec("sentence_embedding", Datatype::Fp32, &[-1, 8])]), ModelKind::Encoder);
    }
}

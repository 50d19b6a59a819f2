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

/// The inputs and the output that are used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Signature {
    /// Each input's name, what it is filled with, and whether it is of 32 bits rather than of 64.
    pub(super) inputs: Vec<(String, Filling, Width)>,
    /// The output's name.
    pub(super) output: String,
    /// How a text's vector is made of the output.
    pub(super) pooling: Pooling,
}

/// How wide an input's integers are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Width {
    Bits32,
    Bits64,
}

impl Signature {
    /// Finds out how to ask a model with these inputs and outputs for what `kind` computes; `pooling` is the one asked for.
    ///
    /// # Errors
    /// What is missing or not known, as text.
    pub(super) fn discover(
        (inputs, outputs): (&[TensorSpec], &[TensorSpec]),
        kind: ModelKind,
        pooling: Option<Pooling>,
    ) -> Result<Self, String> {
        let inputs = inputs.iter().map(filling).collect::<Result<Vec<_>, _>>()?;
        if !inputs.iter().any(|(_, filling, _)| *filling == Filling::Ids) {
            return Err("it has no input `input_ids`".to_owned());
        }
        let of_rank = |names: &[&str], rank: usize| {
            let fits = |output: &&TensorSpec| output.datatype == Datatype::Fp32 && output.shape.len() == rank;
            let named = names.iter().find_map(|name| outputs.iter().filter(fits).find(|output| output.name == *name));
            named.or_else(|| outputs.iter().find(fits)).map(|output| output.name.clone())
        };
        let is_named = |names: &[&str]| outputs.iter().any(|output| names.contains(&output.name.as_str()));
        let (output, pooling) = match (kind, pooling) {
            (ModelKind::CrossEncoder, _) => (of_rank(&SCORES, 2), Pooling::Model),
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
        Ok(Self { inputs, output, pooling })
    }
}

/// What a model with these inputs and outputs is for, where it comes with a tokenizer.
pub(super) fn kind_of(outputs: &[TensorSpec]) -> ModelKind {
    let scores = |output: &TensorSpec| output.shape.len() == 2 && SCORES.contains(&output.name.as_str());
    if outputs.iter().any(scores) && !outputs.iter().any(|output| output.shape.len() == 3) {
        ModelKind::CrossEncoder
    } else {
        ModelKind::Encoder
    }
}

fn filling(input: &TensorSpec) -> Result<(String, Filling, Width), String> {
    let filling = match input.name.as_str() {
        "input_ids" => Filling::Ids,
        "attention_mask" => Filling::Mask,
        "token_type_ids" => Filling::Types,
        "position_ids" => Filling::Positions,
        other => return Err(format!("its input `{other}` is none that an encoder of texts is known to have")),
    };
    let width = match input.datatype {
        Datatype::Int64 => Width::Bits64,
        Datatype::Int32 => Width::Bits32,
        other => {
            return Err(format!(
                "its input `{}` is of type {}, and INT64 or INT32 was expected",
                input.name,
                other.as_str()
            ));
        }
    };
    Ok((input.name.clone(), filling, width))
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
    fn what_is_not_known_is_named() {
        let outputs = [spec("last_hidden_state", Datatype::Fp32, &[-1, -1, 8])];
        let inputs = |other: TensorSpec| [ids(), vec![other]].concat();
        for (inputs, part) in [
            (vec![spec("attention_mask", Datatype::Int64, &[-1, -1])], "no input `input_ids`"),
            (inputs(spec("pixels", Datatype::Fp32, &[-1])), "`pixels`"),
            (inputs(spec("attention_mask", Datatype::Fp32, &[-1, -1])), "type FP32"),
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

//! What the files that sentence-transformers writes beside a model say of it. Each may be missing, and is then not missed.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Number;

use crate::config::{MAX_TOKENS, Pooling};

/// The file that says how many tokens a text has at most.
pub(super) const LENGTH: &str = "sentence_bert_config.json";

/// The most tokens of a text where no file says it: what BERT and most encoders after it were trained with.
const USUAL_MAX_TOKENS: usize = 512;

/// What the files say.
#[derive(Debug)]
pub(super) struct Hints {
    /// How a text's vector is made; `None` where no file says it.
    pub(super) pooling: Option<Pooling>,
    /// Whether vectors are scaled to length 1.
    pub(super) normalised: bool,
    /// The most tokens of a text; an error is what [`LENGTH`] says where it is outside [`MAX_TOKENS`].
    pub(super) max_tokens: Result<usize, Number>,
    /// Prompts by their names.
    pub(super) prompts: BTreeMap<String, String>,
    /// The prompt of a request that names none.
    pub(super) default_prompt: Option<String>,
}

/// `1_Pooling/config.json`.
#[derive(Default, Deserialize)]
#[serde(default)]
struct PoolingFile {
    pooling_mode_cls_token: bool,
    pooling_mode_mean_tokens: bool,
    pooling_mode_lasttoken: bool,
}

/// An entry of `modules.json`.
#[derive(Deserialize)]
struct Module {
    #[serde(rename = "type")]
    kind: String,
}

/// [`LENGTH`].
#[derive(Default, Deserialize)]
#[serde(default)]
struct LengthFile {
    max_seq_length: Option<Number>,
}

/// `tokenizer_config.json`. Its length is a float of 30 digits where it is not known.
#[derive(Default, Deserialize)]
#[serde(default)]
struct TokenizerFile {
    model_max_length: Option<f64>,
}

/// `config_sentence_transformers.json`.
#[derive(Default, Deserialize)]
#[serde(default)]
struct PromptsFile {
    prompts: BTreeMap<String, String>,
    default_prompt_name: Option<String>,
}

impl Hints {
    /// Reads what is there.
    pub(super) fn read(folder: &Path) -> Self {
        let pooling: PoolingFile = read(folder, "1_Pooling/config.json").unwrap_or_default();
        let modules: Option<Vec<Module>> = read(folder, "modules.json");
        let length: LengthFile = read(folder, LENGTH).unwrap_or_default();
        let tokenizer: TokenizerFile = read(folder, "tokenizer_config.json").unwrap_or_default();
        let prompts: PromptsFile = read(folder, "config_sentence_transformers.json").unwrap_or_default();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is between the two bounds")]
        let of_tokenizer =
            tokenizer.model_max_length.filter(|length| (8.0..1e6).contains(length)).map(|length| length as usize);
        Self {
            pooling: pooling.chosen(),
            normalised: modules.is_none_or(|all| all.iter().any(|module| module.kind.ends_with("Normalize"))),
            max_tokens: length.max_seq_length.map_or(Ok(of_tokenizer.unwrap_or(USUAL_MAX_TOKENS)), within),
            default_prompt: prompts.default_prompt_name.filter(|name| prompts.prompts.contains_key(name)),
            prompts: prompts.prompts,
        }
    }
}

impl PoolingFile {
    fn chosen(&self) -> Option<Pooling> {
        let modes = [
            (self.pooling_mode_cls_token, Pooling::Cls),
            (self.pooling_mode_mean_tokens, Pooling::Mean),
            (self.pooling_mode_lasttoken, Pooling::LastToken),
        ];
        modes.into_iter().find_map(|(is_set, pooling)| is_set.then_some(pooling))
    }
}

/// The number, where it is one that may be.
fn within(length: Number) -> Result<usize, Number> {
    let allowed = length.as_i64().filter(|length| MAX_TOKENS.contains(length));
    allowed.and_then(|length| usize::try_from(length).ok()).ok_or(length)
}

fn read<T: DeserializeOwned>(folder: &Path, name: &str) -> Option<T> {
    serde_json::from_slice(&fs::read(folder.join(name)).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_file_says_its_part_and_none_is_missed() {
        let folder = tempfile::tempdir().unwrap();
        let nothing = Hints::read(folder.path());
        assert_eq!((nothing.pooling, nothing.normalised, nothing.max_tokens), (None, true, Ok(512)));
        let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
        write("tokenizer_config.json", r#"{"model_max_length": 1000000000000000019884624838656}"#);
        write("sentence_bert_config.json", "no JSON");
        assert_eq!(Hints::read(folder.path()).max_tokens, Ok(512));
        write("tokenizer_config.json", r#"{"model_max_length": 128}"#);
        assert_eq!(Hints::read(folder.path()).max_tokens, Ok(128));
        fs::create_dir(folder.path().join("1_Pooling")).unwrap();
        write("1_Pooling/config.json", r#"{"pooling_mode_cls_token": true, "pooling_mode_mean_tokens": false}"#);
        write("modules.json", r#"[{"idx": 0, "type": "sentence_transformers.models.Transformer"}]"#);
        write("sentence_bert_config.json", r#"{"max_seq_length": 256}"#);
        write("config_sentence_transformers.json", r#"{"prompts": {"query": "q: "}, "default_prompt_name": "query"}"#);
        let all = Hints::read(folder.path());
        assert_eq!((all.pooling, all.normalised, all.max_tokens), (Some(Pooling::Cls), false, Ok(256)));
        assert_eq!((all.prompts["query"].as_str(), all.default_prompt.as_deref()), ("q: ", Some("query")));
    }

    #[test]
    fn a_length_that_no_model_takes_is_told_as_it_is_written() {
        let folder = tempfile::tempdir().unwrap();
        for (written, expected) in [
            ("8", Ok(8)),
            ("1048576", Ok(1 << 20)),
            ("7", Err("7")),
            ("0", Err("0")),
            ("-1", Err("-1")),
            ("1048577", Err("1048577")),
            ("10000000000", Err("10000000000")),
            ("18446744073709551615", Err("18446744073709551615")),
            ("1e30", Err("1e+30")),
            ("null", Ok(512)),
        ] {
            fs::write(folder.path().join(LENGTH), format!("{{\"max_seq_length\": {written}}}")).unwrap();
            let found = Hints::read(folder.path()).max_tokens.map_err(|number| number.to_string());
            assert_eq!(found, expected.map_err(str::to_owned), "{written}");
        }
    }
}

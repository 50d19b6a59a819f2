//! The HTTP APIs that the local model answers: which request is one, what it asks, and how its client wants to be answered.
//!
//! Bytes in, bytes out: no connection, no queue. Errors take the shape that the API's own clients read.

mod endpoint;
mod kserve;
mod object;
mod openai;
mod owned;
mod rejection;
mod seed;
mod tei;
mod texts;

pub use endpoint::{Api, Endpoint};
pub use kserve::TensorQuestion;
pub use owned::OwnedCatalogue;
pub use rejection::Rejection;

use endpoint::Call;
use rejection::Fault;

use super::card::Card;
use super::engine::{Cut, Sequence};
use super::job::Embeddings;
use crate::config::ModelKind;

/// The version of a model of which there is one.
pub const SOLE_VERSION: &str = "1";

/// The models that requests may ask for.
#[derive(Clone, Debug)]
pub struct Catalogue<'c> {
    /// The version of the main model that answers where no other model is asked for.
    pub main: Edition<'c>,
    /// Every version of the main model that is loaded, that one among them.
    pub editions: Vec<Edition<'c>>,
    /// The models beside it, in the order of the documents.
    pub beside: Vec<&'c Card>,
}

/// A version of a model.
#[derive(Clone, Copy, Debug)]
pub struct Edition<'c> {
    /// Its name, as the Open Inference Protocol's paths and answers give it.
    pub version: &'c str,
    /// What is known of it. Versions may be of models of several names.
    pub card: &'c Card,
}

/// Which of a [`Catalogue`]'s models is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The main one.
    Main,
    /// One of those beside it.
    Beside(usize),
}

/// What a request asks.
#[derive(Clone, Debug, PartialEq)]
pub enum Asked {
    /// Something that is known: this is the answer's body.
    Told(Vec<u8>),
    /// Vectors or scores of texts.
    Texts(Question),
    /// Tensors of a model for tensors.
    Tensors(TensorQuestion),
}

/// Texts to compute, and how to answer with what comes of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// Which model is asked.
    pub place: Place,
    /// What to compute: at least one text, none empty.
    pub texts: Vec<Sequence>,
    /// How vectors are scaled.
    pub scaling: Scaling,
    form: Form,
}

/// How vectors are scaled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scaling {
    /// As the model's are.
    Own,
    /// To length 1.
    Unit,
    /// Not at all.
    Raw,
}

/// How the answer is written.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Form {
    OpenAi(openai::Encoding, Option<usize>),
    Seed,
    Embed(Option<usize>),
    Rerank(tei::Ranking),
    Infer(kserve::Reply),
}

impl<'c> Catalogue<'c> {
    /// Only the main model, of which there is one version.
    pub fn of(card: &'c Card) -> Self {
        let main = Edition { version: SOLE_VERSION, card };
        Self { main, editions: vec![main], beside: Vec::new() }
    }

    /// The card of a model that was found.
    pub fn card(&self, place: Place) -> &'c Card {
        match place {
            Place::Main => self.main.card,
            Place::Beside(at) => self.beside.get(at).copied().unwrap_or(self.main.card),
        }
    }

    /// The version of a model that answers.
    fn version(&self, place: Place) -> &'c str {
        match place {
            Place::Main => self.main.version,
            Place::Beside(_) => SOLE_VERSION,
        }
    }

    /// The versions of a model that may be asked for.
    fn versions(&self, place: Place) -> Vec<&'c str> {
        let name = &self.main.card.identity.name;
        match place {
            Place::Main => {
                let own = self.editions.iter().filter(|edition| edition.card.identity.name == *name);
                own.map(|edition| edition.version).collect()
            }
            Place::Beside(_) => vec![SOLE_VERSION],
        }
    }

    /// The names of all models, each once.
    fn names(&self) -> Vec<&'c str> {
        let cards = self.editions.iter().map(|edition| edition.card).chain(self.beside.iter().copied());
        let mut names: Vec<&str> = Vec::new();
        for card in cards {
            if !names.contains(&card.identity.name.as_str()) {
                names.push(&card.identity.name);
            }
        }
        names
    }

    fn all(&self) -> impl Iterator<Item = (Place, &'c Card)> {
        let beside = self.beside.iter().enumerate().map(|(at, card)| (Place::Beside(at), *card));
        std::iter::once((Place::Main, self.main.card)).chain(beside)
    }

    /// The model of that name.
    fn named(&self, name: &str) -> Option<(Place, &'c Card)> {
        self.all().find(|(_, card)| card.identity.name == name)
    }

    /// The encoder that a request which names `name` is answered by: the one of that name, else the main one. What spills here
    /// names the model of its pool.
    fn encoder(&self, name: Option<&str>) -> (Place, &'c Card) {
        let named = name.and_then(|name| self.named(name)).filter(|(_, card)| card.kind == ModelKind::Encoder);
        named.unwrap_or((Place::Main, self.main.card))
    }

    /// The first cross-encoder.
    fn cross_encoder(&self) -> Option<(Place, &'c Card)> {
        self.all().find(|(_, card)| card.kind == ModelKind::CrossEncoder)
    }
}

impl Endpoint<'_> {
    /// Whether there is a model for what is asked here, of whatever name.
    pub fn is_served_by(&self, catalogue: &Catalogue<'_>) -> bool {
        self.call != Call::Rerank || catalogue.cross_encoder().is_some()
    }

    /// Reads a request's body.
    ///
    /// # Errors
    /// A [`Rejection`] that says what is wrong and what to send.
    pub fn read(&self, body: &[u8], catalogue: &Catalogue<'_>) -> Result<Asked, Rejection> {
        let asked = match &self.call {
            Call::OpenAiEmbeddings => openai::parse(body, catalogue).map(Asked::Texts),
            Call::OpenAiModels(name) => openai::models(name.as_deref(), catalogue).map(Asked::Told),
            Call::Seed => seed::parse(body, catalogue.main.card).map(Asked::Texts),
            Call::Embed => tei::parse(body, catalogue).map(Asked::Texts),
            Call::Rerank => tei::rerank(body, catalogue).map(Asked::Texts),
            Call::Info => Ok(Asked::Told(tei::info(catalogue.main.card))),
            Call::Health => Ok(Asked::Told(Vec::new())),
            Call::Infer(of) => kserve::parse(body, of, catalogue),
            Call::Server(topic) => Ok(Asked::Told(kserve::server(*topic))),
            Call::Model(of, topic) => kserve::model(of, *topic, catalogue).map(Asked::Told),
        };
        asked.map_err(|fault| self.api.reject(&fault))
    }
}

impl Question {
    /// The body of the answer (status 200). It names the model that really computed, where the API has a word for it.
    pub fn answer(&self, card: &Card, embeddings: &Embeddings) -> Vec<u8> {
        match &self.form {
            Form::OpenAi(encoding, dimensions) => openai::answer(*encoding, *dimensions, &card.identity, embeddings),
            Form::Seed => seed::answer(embeddings),
            Form::Embed(dimensions) => tei::answer(*dimensions, embeddings),
            Form::Rerank(ranking) => ranking.answer(&self.texts, embeddings),
            Form::Infer(reply) => reply.of_texts(card, embeddings),
        }
    }
}

/// The length that vectors are cut to, where `asked` is another than the model's own.
///
/// # Errors
/// Where the model was not trained for that length.
fn dimensions(asked: Option<u64>, card: &Card) -> Result<Option<usize>, Fault> {
    let own = card.identity.dimension;
    let Some(asked) = asked.filter(|&asked| usize::try_from(asked) != Ok(own)) else { return Ok(None) };
    let other = card.matryoshka_dimensions.iter().copied().filter(|&length| u64::from(length) == asked);
    if let Some(length) = other.filter_map(|length| usize::try_from(length).ok()).find(|&length| length < own) {
        return Ok(Some(length));
    }
    let lengths: Vec<_> = card.matryoshka_dimensions.iter().map(ToString::to_string).collect();
    let cure = if lengths.is_empty() {
        "leave `dimensions` out".to_owned()
    } else {
        format!("leave `dimensions` out, or ask for one of {}", lengths.join(", "))
    };
    Err(Fault::new("dimensions", format!("the local model makes vectors of {own} numbers: {cure}")))
}

/// The vectors as they are, or cut to `dimensions` and scaled to length 1 again.
fn shortened(embeddings: &Embeddings, dimensions: Option<usize>) -> std::borrow::Cow<'_, [Vec<f32>]> {
    let Some(dimensions) = dimensions else { return (&embeddings.vectors).into() };
    let cut = |vector: &Vec<f32>| {
        let mut cut = vector[..dimensions.min(vector.len())].to_vec();
        super::pooling::normalise(&mut cut);
        cut
    };
    embeddings.vectors.iter().map(cut).collect()
}

/// The texts with the prompt before each.
fn prompted(texts: Vec<String>, prompt: &str, cut: Cut) -> Vec<Sequence> {
    let put = |text: String| if prompt.is_empty() { text } else { format!("{prompt}{text}") };
    texts.into_iter().map(|text| Sequence { content: put(text).into(), pair: None, cut }).collect()
}

/// JSON of something that serialises without fail: no maps with keys other than strings, no I/O.
fn json(value: &impl serde::Serialize) -> Vec<u8> {
    serde_json::to_vec(value).unwrap_or_default()
}

#[cfg(test)]
mod tests;

//! The real embeddings behind the emulated pools.
//!
//! Owns a local model of its own, apart from the router's, and the vectors of the load's own sentences, embedded once.
//! Any other text is embedded as asked. Never serves HTTP.

use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use dashmap::DashMap;

use crate::config::LocalModel;
use crate::fallback::{Card, EmbedError, Embeddings, LoadError, LocalTier, Version};

/// How long a text may wait for the model.
const PATIENCE: Duration = Duration::from_secs(10);

/// Computes and remembers.
pub(super) struct Embedder {
    model: LocalTier,
    remembered: DashMap<String, Embeddings>,
}

impl Embedder {
    /// Loads the model that the settings name, on one thread: what is asked beyond the remembered sentences is little.
    ///
    /// # Errors
    /// [`LoadError`], which says which file is at fault and what to do.
    pub(super) fn start(settings: &LocalModel) -> Result<Self, LoadError> {
        let settings = LocalModel { threads: NonZeroU32::MIN, ..Version::stable(settings)?.settings };
        Ok(Self { model: LocalTier::start(&settings, |_| {})?, remembered: DashMap::new() })
    }

    /// Embeds and remembers `texts` one by one, and gives the median time of one: a measure of what the router's local
    /// model will do, which computes the same texts.
    ///
    /// # Errors
    /// [`EmbedError`] where the model fails.
    pub(super) async fn remember(&self, texts: &[&str]) -> Result<Duration, EmbedError> {
        let mut times = Vec::with_capacity(texts.len());
        for text in texts {
            let embeddings = self.compute(vec![(*text).to_owned()]).await?;
            times.push(embeddings.inference);
            self.remembered.insert((*text).to_owned(), embeddings);
        }
        times.sort_unstable();
        Ok(times.get(times.len() / 2).copied().unwrap_or_default())
    }

    /// One vector a text, remembered or computed.
    ///
    /// # Errors
    /// [`EmbedError`] where the model fails or its queue is full.
    pub(super) async fn embed(&self, texts: Vec<String>) -> Result<Embeddings, EmbedError> {
        let known: Option<Vec<Embeddings>> =
            texts.iter().map(|text| self.remembered.get(text).map(|found| found.clone())).collect();
        match known {
            Some(known) => Ok(joined(known)),
            None => self.compute(texts).await,
        }
    }

    /// The remembered vector of a text.
    pub(super) fn vector(&self, text: &str) -> Option<Vec<f32>> {
        self.remembered.get(text)?.vectors.first().cloned()
    }

    /// What is known of the model.
    pub(super) fn card(&self) -> &Card {
        self.model.card()
    }

    async fn compute(&self, texts: Vec<String>) -> Result<Embeddings, EmbedError> {
        self.model.embed(texts, Instant::now() + PATIENCE).await
    }
}

/// The answers to single texts as one answer.
fn joined(parts: Vec<Embeddings>) -> Embeddings {
    let nothing = Embeddings { vectors: Vec::new(), tokens: 0, queued: Duration::ZERO, inference: Duration::ZERO };
    parts.into_iter().fold(nothing, |mut whole, part| {
        whole.vectors.extend(part.vectors);
        whole.tokens += part.tokens;
        whole.inference += part.inference;
        whole
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_joined_in_order() {
        let part = |value: f32| Embeddings {
            vectors: vec![vec![value]],
            tokens: 3,
            queued: Duration::from_millis(5),
            inference: Duration::from_millis(8),
        };
        let whole = joined(vec![part(1.0), part(2.0)]);
        assert_eq!(whole.vectors, [[1.0], [2.0]]);
        assert_eq!((whole.tokens, whole.inference), (6, Duration::from_millis(16)));
    }
}

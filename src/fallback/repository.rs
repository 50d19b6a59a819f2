//! The models beside the main one, by their names.

use std::sync::Arc;

use super::card::Card;
use super::codec::Place;
use super::error::LoadError;
use super::load::{self, LoadedBeside};
use super::permits::Permits;
use super::placement::on_cores;
use super::tensor_model::TensorModel;
use super::tier::LocalTier;
use super::worker::Observation;
use crate::config::{LocalModel, NamedModel};
use crate::domain::EmbeddingSpace;

/// The models beside the main one.
#[derive(Default)]
pub struct Repository {
    served: Vec<Arc<Served>>,
    refused: Vec<(String, LoadError)>,
}

enum Served {
    Texts(LocalTier),
    Tensors(TensorModel),
}

impl Served {
    fn card(&self) -> &Card {
        match self {
            Self::Texts(tier) => tier.card(),
            Self::Tensors(model) => model.card(),
        }
    }
}

impl Repository {
    /// Loads the models that the settings name beside the main one, whose library they share; `observe` is told of the batches
    /// of those for texts. They compute with `permits`. In the place of one that cannot be loaded stays what `before` had by its
    /// name.
    pub fn load(
        settings: &LocalModel,
        (before, permits): (Option<&Self>, &Permits),
        observe: impl Fn(&Observation) + Clone + Send + Sync + 'static,
    ) -> Self {
        let mut repository = Self::default();
        for named in &settings.models {
            match serve(settings, (named, permits), observe.clone()) {
                Ok(model) => repository.served.push(Arc::new(model)),
                Err(error) => {
                    repository.served.extend(before.and_then(|before| before.named(&named.name)));
                    repository.refused.push((named.name.clone(), error));
                }
            }
        }
        repository
    }

    fn named(&self, name: &str) -> Option<Arc<Served>> {
        self.served.iter().find(|model| model.card().identity.name == name).cloned()
    }

    /// Those that could not be loaded, by name, and why. What was loaded by that name before may still be served.
    pub fn refused(&self) -> &[(String, LoadError)] {
        &self.refused
    }

    /// Texts and requests that wait for them.
    pub fn waiting(&self) -> usize {
        let each = self.served.iter().map(|model| match &**model {
            Served::Texts(tier) => tier.stats().waiting,
            Served::Tensors(model) => model.waiting(),
        });
        each.sum()
    }

    /// What is known of each.
    pub fn cards(&self) -> impl Iterator<Item = &Card> {
        self.served.iter().map(|model| model.card())
    }

    /// The spaces that they are of.
    pub fn spaces(&self) -> impl Iterator<Item = EmbeddingSpace<'_>> {
        self.cards().map(|card| card.identity.space())
    }

    /// The model for texts at a place of the catalogue.
    pub fn texts<'t>(&'t self, main: &'t LocalTier, place: Place) -> Option<&'t LocalTier> {
        match place {
            Place::Main => Some(main),
            Place::Beside(at) => match &**self.served.get(at)? {
                Served::Texts(tier) => Some(tier),
                Served::Tensors(_) => None,
            },
        }
    }

    /// The model for tensors at a place of the catalogue.
    pub fn tensors(&self, place: Place) -> Option<&TensorModel> {
        match place {
            Place::Main => None,
            Place::Beside(at) => match &**self.served.get(at)? {
                Served::Tensors(model) => Some(model),
                Served::Texts(_) => None,
            },
        }
    }
}

fn serve(
    settings: &LocalModel,
    (named, permits): (&NamedModel, &Permits),
    observe: impl Fn(&Observation) + Send + Sync + 'static,
) -> Result<Served, LoadError> {
    match on_cores(&settings.cores, || load::load_beside(settings, named, permits))? {
        LoadedBeside::Texts(loaded) => LocalTier::serve(loaded, settings, observe).map(Served::Texts),
        LoadedBeside::Tensors(sessions, card) => {
            TensorModel::serve((sessions, card), permits.claim(), settings).map(Served::Tensors)
        }
    }
}

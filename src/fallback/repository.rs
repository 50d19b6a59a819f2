//! The models beside the main one, by their names.

use super::card::Card;
use super::codec::{Catalogue, Place};
use super::error::LoadError;
use super::load::{self, LoadedBeside};
use super::tensor_model::TensorModel;
use super::tier::LocalTier;
use super::worker::Observation;
use crate::config::{LocalModel, NamedModel};
use crate::domain::EmbeddingSpace;

/// The models beside the main one.
#[derive(Default)]
pub struct Repository {
    served: Vec<Served>,
    refused: Vec<(String, LoadError)>,
}

enum Served {
    Texts(LocalTier),
    Tensors(TensorModel),
}

impl Repository {
    /// Loads the models that the settings name beside the main one, whose library they share; `observe` is told of the batches
    /// of those for texts.
    pub fn load(settings: &LocalModel, observe: impl Fn(&Observation) + Clone + Send + Sync + 'static) -> Self {
        let mut repository = Self::default();
        for named in &settings.models {
            match serve(settings, named, observe.clone()) {
                Ok(model) => repository.served.push(model),
                Err(error) => repository.refused.push((named.name.clone(), error)),
            }
        }
        repository
    }

    /// Those that could not be loaded, by name, and why.
    pub fn refused(&self) -> &[(String, LoadError)] {
        &self.refused
    }

    /// What is known of each.
    pub fn cards(&self) -> impl Iterator<Item = &Card> {
        self.served.iter().map(|model| match model {
            Served::Texts(tier) => tier.card(),
            Served::Tensors(model) => model.card(),
        })
    }

    /// The spaces that they are of.
    pub fn spaces(&self) -> impl Iterator<Item = EmbeddingSpace<'_>> {
        self.cards().map(|card| card.identity.space())
    }

    /// These models with the main one.
    pub fn catalogue<'c>(&'c self, main: &'c Card) -> Catalogue<'c> {
        Catalogue { main, beside: self.cards().collect() }
    }

    /// The model for texts at a place of the catalogue.
    pub fn texts<'t>(&'t self, main: &'t LocalTier, place: Place) -> Option<&'t LocalTier> {
        match place {
            Place::Main => Some(main),
            Place::Beside(at) => match self.served.get(at)? {
                Served::Texts(tier) => Some(tier),
                Served::Tensors(_) => None,
            },
        }
    }

    /// The model for tensors at a place of the catalogue.
    pub fn tensors(&self, place: Place) -> Option<&TensorModel> {
        match place {
            Place::Main => None,
            Place::Beside(at) => match self.served.get(at)? {
                Served::Tensors(model) => Some(model),
                Served::Texts(_) => None,
            },
        }
    }
}

fn serve(
    settings: &LocalModel,
    named: &NamedModel,
    observe: impl Fn(&Observation) + Send + Sync + 'static,
) -> Result<Served, LoadError> {
    match load::load_beside(settings, named)? {
        LoadedBeside::Texts(loaded) => LocalTier::serve(loaded, settings, observe).map(Served::Texts),
        LoadedBeside::Tensors(session, card) => {
            let queue = usize::try_from(settings.queue.get()).unwrap_or(usize::MAX);
            TensorModel::serve(session, card, queue).map(Served::Tensors)
        }
    }
}

//! A catalogue that outlives what it was made of, for a body that is read on another thread.

use super::{Catalogue, Edition};
use crate::fallback::card::Card;

/// What a [`Catalogue`] borrows.
#[derive(Clone, Debug)]
pub struct OwnedCatalogue {
    main: (String, Card),
    editions: Vec<(String, Card)>,
    beside: Vec<Card>,
}

impl OwnedCatalogue {
    /// A copy of `catalogue`.
    pub fn of(catalogue: &Catalogue<'_>) -> Self {
        let owned = |edition: &Edition<'_>| (edition.version.to_owned(), edition.card.clone());
        Self {
            main: owned(&catalogue.main),
            editions: catalogue.editions.iter().map(owned).collect(),
            beside: catalogue.beside.iter().map(|&card| card.clone()).collect(),
        }
    }

    /// The catalogue.
    pub fn borrowed(&self) -> Catalogue<'_> {
        fn edition((version, card): &(String, Card)) -> Edition<'_> {
            Edition { version, card }
        }
        Catalogue {
            main: edition(&self.main),
            editions: self.editions.iter().map(edition).collect(),
            beside: self.beside.iter().collect(),
        }
    }
}

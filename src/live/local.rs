//! The local tier as requests and the admin API see it.
//!
//! One writer ([`Local::publish`]) puts versions of the model in force; requests keep the one that they began with until they are
//! over, whatever has taken its place.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use tokio::sync::watch;

use crate::domain::{AcceptedSpaces, Reason};
use crate::fallback::{Card, Catalogue, Edition, LocalTier, Repository, SOLE_VERSION, UNVERSIONED};
use crate::telemetry::{LocalGauges, LocalMetrics, LocalVersion};

/// What the local tier serves.
#[derive(Clone, Default)]
pub struct Serving {
    /// How far it has come.
    pub phase: Phase,
    /// The version that takes what the canary does not.
    pub stable: Option<Arc<Served>>,
    /// The version on trial, with its share of a hundred.
    pub canary: Option<(Arc<Served>, u8)>,
    /// What was to be served and is not.
    pub refused: Vec<Refusal>,
}

/// How far the local tier has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Phase {
    /// The settings name no local model.
    #[default]
    Off,
    /// It is being loaded for the first time.
    Loading,
    /// It was loaded or refused.
    Settled,
}

/// A version that is loaded.
pub struct Served {
    /// Its name.
    pub version: String,
    /// Its threads.
    pub tier: LocalTier,
    /// The models beside it; a canary has none, since the stable version's serve.
    pub beside: Repository,
    /// The resident memory that loading it took, in bytes.
    pub memory: u64,
    /// The time that loading it took.
    pub took: Duration,
}

/// A version that is not served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Its name.
    pub version: String,
    /// Why, and what to do.
    pub why: String,
}

/// The local model, if it is loaded, with a count of the requests that it is answering.
#[derive(Clone)]
pub struct Local {
    serving: Arc<ArcSwap<Serving>>,
    phase: watch::Sender<Phase>,
    in_flight: Arc<AtomicU32>,
    metrics: LocalMetrics,
}

impl Local {
    /// A local tier that serves nothing yet.
    pub fn new(phase: Phase, metrics: LocalMetrics) -> Self {
        let serving = Serving { phase, ..Serving::default() };
        let serving = Arc::new(ArcSwap::from_pointee(serving));
        Self { serving, phase: watch::Sender::new(phase), in_flight: Arc::default(), metrics }
    }

    /// Puts `serving` in force for the requests that come from now on.
    pub fn publish(&self, serving: Serving) {
        let phase = serving.phase;
        self.serving.store(Arc::new(serving));
        self.phase.send_replace(phase);
    }

    /// What is in force.
    pub fn serving(&self) -> Arc<Serving> {
        self.serving.load_full()
    }

    /// Whether the settings name a local model.
    pub fn is_on(&self) -> bool {
        self.serving.load().phase != Phase::Off
    }

    /// Completes once nothing is loaded for the first time any more.
    pub async fn settled(&self) {
        // The sender is `self`, so it cannot be gone.
        self.phase.subscribe().wait_for(|phase| *phase != Phase::Loading).await.ok();
    }

    /// Where its requests are counted.
    pub fn metrics(&self) -> &LocalMetrics {
        &self.metrics
    }

    /// The version that is `named` by its model and, where it matters, its own name, else the one that `draw` falls to; counted
    /// as answering one more request until the answer is dropped. Only vectors that are `accepted` may come of it: where the
    /// canary's are not, the stable version answers, and where its are not either, only the models beside it.
    ///
    /// # Errors
    /// [`Reason::LocalOff`], [`Reason::LocalLoading`] or [`Reason::LocalIdentityMismatch`].
    pub fn engage(
        &self,
        draw: u64,
        named: Option<(&str, Option<&str>)>,
        accepted: Option<&AcceptedSpaces>,
    ) -> Result<Engaged, Reason> {
        let serving = self.serving.load_full();
        let (served, stable) = serving.choose(draw, named, accepted)?;
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        Ok(Engaged { served, stable, serving, in_flight: Arc::clone(&self.in_flight), metrics: self.metrics.clone() })
    }

    /// Its state now.
    pub fn gauges(&self) -> LocalGauges {
        let serving = self.serving.load();
        let waiting = serving.versions().map(|(served, _)| served.tier.stats().waiting + served.beside.waiting()).sum();
        LocalGauges {
            ready: serving.stable.is_some(),
            queued: dense(waiting),
            in_flight: self.in_flight.load(Ordering::Relaxed),
            dimension: serving.stable.as_ref().map_or(0, |served| dense(served.tier.identity().dimension)),
            versions: serving.versions().map(|(served, share)| gauges_of(served, share)).collect(),
            on_cpu_instead: serving.cards().any(|card| !card.provider.refused.is_empty()),
        }
    }
}

impl Serving {
    /// As [`Local::engage`]: the version that answers, and the stable one.
    fn choose(
        &self,
        draw: u64,
        named: Option<(&str, Option<&str>)>,
        accepted: Option<&AcceptedSpaces>,
    ) -> Result<(Arc<Served>, Arc<Served>), Reason> {
        let Some(stable) = &self.stable else {
            return Err(if self.phase == Phase::Loading { Reason::LocalLoading } else { Reason::LocalOff });
        };
        let fits =
            |served: &&Arc<Served>| accepted.is_none_or(|accepted| accepted.accept(&served.tier.identity().space()));
        let on_trial = self.canary.as_ref().filter(|(_, share)| draw % 100 < u64::from(*share));
        let mut drawn = on_trial.map(|(canary, _)| canary).into_iter().chain([stable]);
        // Of a model without the version that is named, any tells what there is.
        let mut meant = named.map(|(model, version)| [(model, version), (model, None)]).into_iter().flatten();
        let is_known =
            |(model, version): &(&str, _)| self.versions().any(|(served, _)| served.goes_by(model, *version));
        let served = if let Some((model, version)) = meant.find(is_known) {
            // A canary is there for whoever names it, whatever its share.
            let all = drawn.chain(self.versions().map(|(served, _)| served));
            all.filter(|served| served.goes_by(model, version)).find(fits)
        } else {
            // A model beside may be the one that the request turns out to be for; it is judged again once that is known.
            let is_accepted = |space| accepted.is_some_and(|accepted| accepted.accept(&space));
            let has_other = || stable.beside.spaces().any(is_accepted);
            drawn.find(fits).or_else(|| has_other().then_some(stable))
        };
        let served = served.ok_or(Reason::LocalIdentityMismatch)?;
        Ok((Arc::clone(served), Arc::clone(stable)))
    }

    /// The versions in force, each with its share of a hundred.
    pub fn versions(&self) -> impl Iterator<Item = (&Arc<Served>, u8)> {
        let on_trial = self.canary.as_ref().map_or(0, |(_, share)| *share);
        let stable = self.stable.as_ref().map(|stable| (stable, 100 - on_trial.min(100)));
        stable.into_iter().chain(self.canary.as_ref().map(|(canary, share)| (canary, *share)))
    }

    /// What is known of each model in force, those beside the versions among them.
    pub fn cards(&self) -> impl Iterator<Item = &Card> {
        self.versions().flat_map(|(served, _)| served.cards())
    }
}

impl Served {
    /// Its name as the Open Inference Protocol knows it; files that are no version's are the only one.
    pub fn protocol_version(&self) -> &str {
        if self.version == UNVERSIONED { SOLE_VERSION } else { &self.version }
    }

    /// Whether it is the version that a path names by the model's name and perhaps its own.
    fn goes_by(&self, model: &str, version: Option<&str>) -> bool {
        self.tier.identity().name == model && version.is_none_or(|version| version == self.protocol_version())
    }

    fn edition(&self) -> Edition<'_> {
        Edition { version: self.protocol_version(), card: self.tier.card() }
    }

    /// What is known of its model and of those beside it.
    fn cards(&self) -> impl Iterator<Item = &Card> {
        std::iter::once(self.tier.card()).chain(self.beside.cards())
    }
}

fn gauges_of(served: &Served, share: u8) -> LocalVersion {
    let identity = served.tier.identity();
    LocalVersion {
        version: served.version.clone(),
        name: identity.name.clone(),
        revision: identity.revision.clone(),
        dimension: identity.dimension,
        pooling: identity.pooling.as_str().to_owned(),
        normalized: identity.normalised,
        share,
        memory: served.memory,
    }
}

/// Counts of texts and of numbers in a vector are far below what 32 bits hold.
fn dense(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

/// The local model while it answers one request.
pub struct Engaged {
    served: Arc<Served>,
    /// Whose models are those beside.
    stable: Arc<Served>,
    /// What was in force as it began.
    serving: Arc<Serving>,
    in_flight: Arc<AtomicU32>,
    metrics: LocalMetrics,
}

impl Engaged {
    /// What may be asked for: it is the main model, the models beside it are the stable version's.
    pub fn catalogue(&self) -> Catalogue<'_> {
        Catalogue {
            main: self.served.edition(),
            editions: self.serving.versions().map(|(served, _)| served.edition()).collect(),
            beside: self.stable.beside.cards().collect(),
        }
    }

    /// The model.
    pub fn tier(&self) -> &LocalTier {
        &self.served.tier
    }

    /// The models beside it.
    pub fn beside(&self) -> &Repository {
        &self.stable.beside
    }

    /// Begins to count a request that must be answered by `until`.
    pub fn computing(&self, until: Instant) -> Computing<'_> {
        Computing { engaged: self, until, is_over: false }
    }

    /// Where its requests are counted.
    pub fn metrics(&self) -> &LocalMetrics {
        &self.metrics
    }
}

/// A request that is being computed. One that is dropped before it is over is counted as late or as given up by its client.
pub struct Computing<'e> {
    engaged: &'e Engaged,
    until: Instant,
    is_over: bool,
}

impl Computing<'_> {
    /// Notes that it was answered, or that it was not and why.
    pub fn over(mut self, outcome: Result<(), Reason>) {
        self.is_over = true;
        self.note(outcome);
    }

    fn note(&self, outcome: Result<(), Reason>) {
        self.engaged.metrics.finished(&self.engaged.served.version, outcome);
    }
}

impl Drop for Computing<'_> {
    fn drop(&mut self) {
        if !self.is_over {
            let is_late = Instant::now() >= self.until;
            self.note(Err(if is_late { Reason::RequestTimeout } else { Reason::ClientDisconnected }));
        }
    }
}

impl Drop for Engaged {
    fn drop(&mut self) {
        self.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

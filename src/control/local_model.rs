//! The local model's life: loaded in the background, watched, and replaced by what its folder and settings come to.
//!
//! One thread, at lower priority, loads what is wanted beside what is in force, swaps it in once it has computed its golden
//! input rightly, and frees what nothing uses any more. What is refused is not tried again until it has changed.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use crate::config::{self, LocalModel, LocalSpaces};
use crate::fallback::{
    Card, Fingerprint, LoadError, LocalTier, Observation, Permits, Repository, Version, lower_priority,
};
use crate::live::{Local, Phase, Publisher, Refusal, Served, Serving};
use crate::telemetry::{LoadResult, LocalMetrics};

/// How often folder and settings are looked at.
const POLL: Duration = Duration::from_millis(250);
/// How long the end waits for a load that is under way.
const PATIENCE: Duration = Duration::from_secs(10);

/// The thread that keeps the local model.
pub struct ModelKeeper {
    stop: Sender<()>,
    ended: Receiver<()>,
}

impl ModelKeeper {
    /// Starts the thread, named `local-model-load`; `freed` is called once a version's memory has been given up.
    ///
    /// # Errors
    /// The system's own, where it gives no thread.
    pub fn start(publisher: Arc<Publisher>, local: Local, freed: fn()) -> std::io::Result<Self> {
        let ((stop, stopped), (end, ended)) = (channel(), channel());
        let mut keeper = Keeper {
            publisher,
            local,
            freed,
            permits: Permits::new(1),
            loaded: Vec::new(),
            retired: Vec::new(),
            seen: None,
            refused: Vec::new(),
        };
        thread::Builder::new().name("local-model-load".to_owned()).spawn(move || {
            lower_priority();
            keeper.run(&stopped);
            // Nobody waits where the router ends without having drained.
            end.send(()).ok();
        })?;
        Ok(Self { stop, ended })
    }

    /// Frees the model and ends the thread. Blocks while a load is under way, for ten seconds at most.
    pub fn stop(self) {
        self.stop.send(()).ok();
        if self.ended.recv_timeout(PATIENCE).is_err() {
            tracing::warn!("a local model is still being loaded; the router ends without it");
        }
    }
}

/// A version as it was asked for and as its files were.
type Key = (Version, Fingerprint);

struct Keeper {
    publisher: Arc<Publisher>,
    local: Local,
    freed: fn(),
    /// What all versions, and the models beside them, compute with.
    permits: Permits,
    /// What is loaded, and of what it was made.
    loaded: Vec<(Key, Arc<Served>)>,
    /// What is no longer in force, and may still answer requests that began with it.
    retired: Vec<Arc<Served>>,
    /// What was wanted at the last look: only what is the same at the next is loaded, since files are not replaced at once.
    seen: Option<Wanted>,
    /// What was refused, and why.
    refused: Vec<(Key, String)>,
}

/// What is to be in force.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Wanted {
    is_on: bool,
    stable: Option<Key>,
    canary: Option<(Key, u8)>,
    /// Versions that there are no folders of.
    missing: Vec<Refusal>,
}

impl Keeper {
    fn run(&mut self, stopped: &Receiver<()>) {
        if self.publisher.current().checked.local_model.is_none() {
            tracing::info!("the local tier is off: the settings name no local model");
        }
        loop {
            self.look();
            self.free();
            match stopped.recv_timeout(POLL) {
                Err(RecvTimeoutError::Timeout) => {}
                Ok(()) | Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        self.local.publish(Serving::default());
        self.loaded.clear();
        self.retired.clear();
    }

    /// Puts what is wanted in force, where it has changed and stands still.
    fn look(&mut self) {
        let wanted = wanted(self.publisher.current().checked.local_model.as_ref());
        let is_first = self.seen.is_none();
        if self.seen.as_ref() != Some(&wanted) {
            self.seen = Some(wanted.clone());
            if !is_first {
                return;
            }
        }
        let before = self.local.serving();
        if wanted.is_on && before.phase == Phase::Off {
            self.local.publish(Serving { phase: Phase::Loading, ..Serving::default() });
        }
        let serving = self.serve(&wanted);
        if !is_same(&self.local.serving(), &serving) {
            self.local.publish(serving);
            self.retire();
            self.report();
        }
    }

    fn serve(&mut self, wanted: &Wanted) -> Serving {
        if !wanted.is_on {
            return Serving::default();
        }
        let before = self.local.serving();
        let mut refused = wanted.missing.clone();
        let mut obtain = |keeper: &mut Self, key: &Key| {
            let obtained = keeper.obtain(key);
            obtained.map_err(|why| refused.push(Refusal { version: key.0.name.clone(), why })).ok()
        };
        let stable = wanted.stable.as_ref().and_then(|key| obtain(self, key));
        // A canary is tried beside a version that serves.
        let stable = stable.or_else(|| before.stable.clone());
        self.keep_to(stable.as_ref());
        let canary = wanted.canary.as_ref().filter(|_| stable.is_some());
        let canary = canary.and_then(|(key, share)| {
            let known = before.canary.as_ref().filter(|(served, _)| served.version == key.0.name);
            obtain(self, key).or_else(|| known.map(|(served, _)| Arc::clone(served))).map(|served| (served, *share))
        });
        Serving { phase: Phase::Settled, stable, canary, refused }
    }

    /// Has all models compute on as many threads as `stable` was given: a version that was refused may have asked for others.
    fn keep_to(&self, stable: Option<&Arc<Served>>) {
        let of = |stable: &Arc<Served>| self.loaded.iter().find(|(_, served)| Arc::ptr_eq(served, stable));
        if let Some((key, _)) = stable.and_then(of) {
            self.permits.limit(key.0.settings.threads.get());
        }
    }

    /// What was loaded as `key`, or is loaded now.
    fn obtain(&mut self, key: &Key) -> Result<Arc<Served>, String> {
        if let Some((_, served)) = self.loaded.iter().find(|(known, _)| known == key) {
            return Ok(Arc::clone(served));
        }
        if let Some((_, why)) = self.refused.iter().find(|(known, _)| known == key) {
            return Err(why.clone());
        }
        self.permits.limit(key.0.settings.threads.get());
        let before = self.local.serving().stable.clone();
        match load(&key.0, (before.as_deref(), &self.permits), self.local.metrics()) {
            Ok(served) => {
                self.refused.retain(|((known, _), _)| known.name != key.0.name);
                let served = Arc::new(served);
                self.loaded.push((key.clone(), Arc::clone(&served)));
                Ok(served)
            }
            Err(error) => {
                let (version, folder) = (&key.0.name, key.0.settings.folder.display());
                let kept = if self.local.serving().stable.is_some() {
                    "what is loaded stays"
                } else {
                    "the local tier is off"
                };
                tracing::error!(%error, version, %folder, "the local model is refused: {kept}");
                self.refused.retain(|((known, _), _)| known.name != key.0.name);
                self.refused.push((key.clone(), error.to_string()));
                Err(error.to_string())
            }
        }
    }

    /// Lets go of what is loaded and not in force.
    fn retire(&mut self) {
        let serving = self.local.serving();
        let is_used = |served: &Arc<Served>| serving.versions().any(|(used, _)| Arc::ptr_eq(used, served));
        let (kept, gone): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.loaded).into_iter().partition(|(_, served)| is_used(served));
        self.loaded = kept;
        self.retired.extend(gone.into_iter().map(|(_, served)| served));
    }

    /// Frees what no request uses any more: here, since it waits for threads to end.
    fn free(&mut self) {
        let (idle, used): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.retired).into_iter().partition(|served| Arc::strong_count(served) == 1);
        self.retired = used;
        for served in idle {
            let version = served.version.clone();
            drop(served);
            (self.freed)();
            tracing::info!(version, "the local model that was replaced is freed");
        }
    }

    /// Logs what is in force, and the rules that accept none of it.
    fn report(&self) {
        let (serving, checked) = (self.local.serving(), Arc::clone(&self.publisher.current().checked));
        for (served, share) in serving.versions() {
            let identity = served.tier.identity();
            let seconds = served.took.as_secs_f64();
            tracing::info!(
                version = served.version,
                share,
                model = identity.name,
                revision = identity.revision,
                dimension = identity.dimension,
                pooling = identity.pooling.as_str(),
                normalized = identity.normalised,
                seconds,
                memory_bytes = served.memory,
                "the local model is in force"
            );
        }
        for card in serving.cards() {
            warn_of_provider(card);
        }
        let beside = || serving.stable.iter().map(|served| &served.beside);
        for Card { identity, kind, .. } in beside().flat_map(Repository::cards) {
            tracing::info!(model = identity.name, revision = identity.revision, ?kind, "a local model is in force");
        }
        for repository in beside() {
            let is_kept = |name: &str| repository.cards().any(|card| card.identity.name == name);
            for (model, error) in repository.refused() {
                let kept = if is_kept(model) { "what was loaded before stays" } else { "it is left out" };
                tracing::error!(%error, model, "a local model is refused: {kept}");
            }
        }
        let is_logged = |refusal: &&Refusal| self.refused.iter().any(|((known, _), _)| known.name == refusal.version);
        for Refusal { version, why } in serving.refused.iter().filter(|refusal| !is_logged(refusal)) {
            tracing::error!(version, why, "the local model is refused");
        }
        let versions = serving.versions().map(|(served, _)| (served.version.as_str(), served.tier.identity().space()));
        let beside = beside().flat_map(Repository::spaces);
        let spaces = LocalSpaces { versions: versions.collect(), beside: beside.collect() };
        super::log_problems(&config::refused_spaces(&checked, &spaces));
    }
}

/// Says loudly where a model does not compute on what the settings prefer.
fn warn_of_provider(card: &Card) {
    for why in &card.provider.refused {
        let (model, provider) = (&card.identity.name, card.provider.in_use);
        tracing::warn!(
            model,
            provider,
            why,
            "an execution provider cannot be used: the local model is slower than the settings ask for. Install the \
             provider's libraries and an ONNX Runtime that has it, or leave it out of `executionProviders`"
        );
    }
}

fn wanted(settings: Option<&LocalModel>) -> Wanted {
    let Some(settings) = settings else { return Wanted::default() };
    let key = |version: Version| (version.fingerprint(), version);
    let mut wanted = Wanted { is_on: true, ..Wanted::default() };
    let missing = |version: &str, why: &LoadError| Refusal { version: version.to_owned(), why: why.to_string() };
    match Version::stable(settings).map(key) {
        Ok((files, version)) => wanted.stable = Some((version, files)),
        Err(why) => wanted.missing.push(missing(settings.rollout.stable.as_deref().unwrap_or_default(), &why)),
    }
    match Version::canary(settings) {
        Some((Ok(version), share)) => wanted.canary = Some(((version.clone(), version.fingerprint()), share)),
        Some((Err(why), _)) => {
            let name = settings.rollout.canary.as_ref().map(|canary| canary.version.as_str()).unwrap_or_default();
            wanted.missing.push(missing(name, &why));
        }
        None => {}
    }
    wanted
}

fn is_same(before: &Serving, after: &Serving) -> bool {
    let of = |serving: &Serving| -> Vec<(*const Served, u8)> {
        serving.versions().map(|(served, share)| (Arc::as_ptr(served), share)).collect()
    };
    before.phase == after.phase && before.refused == after.refused && of(before) == of(after)
}

fn load(
    version: &Version,
    (in_force, permits): (Option<&Served>, &Permits),
    metrics: &LocalMetrics,
) -> Result<Served, LoadError> {
    let (begun, before) = (Instant::now(), resident());
    let counted = metrics.clone();
    let observe = move |observed: &Observation| match observed {
        Observation::Batch(batch) => {
            counted.inferred(batch.waited.len(), batch.tokens + batch.padding, batch.inference);
        }
        Observation::Recalled { texts, remembered } => counted.recalled(*texts, *remembered),
    };
    let tier = LocalTier::start_beside(&version.settings, permits, observe.clone());
    let took = begun.elapsed();
    match &tier {
        Ok(_) => {
            metrics.loaded(LoadResult::Succeeded);
            metrics.load_took(took);
        }
        Err(_) => metrics.loaded(LoadResult::Failed),
    }
    let tier = tier?;
    let kept = in_force.map(|served| &served.beside);
    let beside = Repository::load(&version.settings, (kept, permits), observe);
    beside.refused().iter().for_each(|_| metrics.loaded(LoadResult::Failed));
    let memory = resident().saturating_sub(before);
    Ok(Served { version: version.name.clone(), tier, beside, memory, took })
}

/// The process's resident memory in bytes; 0 where the system does not tell.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let kilobytes = status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB"));
    kilobytes.and_then(|number| number.trim().parse::<u64>().ok()).unwrap_or(0) * 1024
}

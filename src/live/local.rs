//! The local tier as requests and the admin API see it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::domain::Reason;
use crate::fallback::LocalTier;
use crate::telemetry::{LocalGauges, LocalMetrics};

/// The local model, if it is loaded, with a count of the requests that it is answering.
#[derive(Clone)]
pub struct Local {
    tier: Option<Arc<LocalTier>>,
    in_flight: Arc<AtomicU32>,
    metrics: LocalMetrics,
}

impl Local {
    /// A local tier; `None` is one that is off.
    pub fn new(tier: Option<LocalTier>, metrics: LocalMetrics) -> Self {
        Self { tier: tier.map(Arc::new), in_flight: Arc::default(), metrics }
    }

    /// The model, counted as answering one more request until the answer is dropped.
    ///
    /// # Errors
    /// [`Reason::LocalOff`].
    pub fn engage(&self) -> Result<Engaged, Reason> {
        let tier = self.tier.clone().ok_or(Reason::LocalOff)?;
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        Ok(Engaged { tier, in_flight: Arc::clone(&self.in_flight), metrics: self.metrics.clone() })
    }

    /// The model, if it is loaded.
    pub fn tier(&self) -> Option<&LocalTier> {
        self.tier.as_deref()
    }

    /// Its state now.
    pub fn gauges(&self) -> LocalGauges {
        match &self.tier {
            None => LocalGauges::default(),
            Some(tier) => LocalGauges {
                ready: true,
                queued: dense(tier.stats().waiting),
                in_flight: self.in_flight.load(Ordering::Relaxed),
                dimension: dense(tier.identity().dimension),
            },
        }
    }
}

/// Counts of texts and of numbers in a vector are far below what 32 bits hold.
fn dense(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

/// The local model while it answers one request.
pub struct Engaged {
    tier: Arc<LocalTier>,
    in_flight: Arc<AtomicU32>,
    metrics: LocalMetrics,
}

impl Engaged {
    /// The model.
    pub fn tier(&self) -> &LocalTier {
        &self.tier
    }

    /// Where its requests are counted.
    pub fn metrics(&self) -> &LocalMetrics {
        &self.metrics
    }
}

impl Drop for Engaged {
    fn drop(&mut self) {
        self.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

//! What is known of each name, and when it is to be asked for again. Time is an argument.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::lookup::{Answer, Outcome};
use crate::domain::Host;
use crate::snapshot::{Addresses, NameStatus, Use};

/// The shortest time between two lookups of one name, however short its TTL.
const LEAST_TTL: Duration = Duration::from_secs(1);
/// The longest, so that a name of the hosts file, whose TTL is a day, is looked at now and then too.
const LONGEST_TTL: Duration = Duration::from_mins(5);
/// The first wait after a failure; each further one in a row is twice as long.
const FIRST_RETRY: Duration = Duration::from_secs(1);
const LONGEST_RETRY: Duration = Duration::from_secs(30);

/// Every name that is followed.
#[derive(Debug, Default)]
pub(super) struct Table {
    entries: BTreeMap<Host, Entry>,
}

#[derive(Debug)]
struct Entry {
    used: Use,
    addresses: Option<Addresses>,
    failure: Option<String>,
    /// Failures in a row.
    failures: u32,
    /// Whether it was ever answered.
    answered: bool,
    /// When it is to be looked up; `None` while it is.
    due: Option<Instant>,
}

/// What a lookup's outcome changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// Nothing.
    None,
    /// The name has other addresses, or none any more.
    Addresses,
    /// It fails, as it did not before or not in this way.
    Failed,
    /// It has failed, and is what it was before that.
    Recovered,
}

/// What is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// An answer, be it that there is no such name.
    Answered,
    /// An answer or a failure.
    Tried,
}

impl Table {
    /// Follows `name` from `now` on, unless it is followed already.
    pub(super) fn add(&mut self, name: &Host, used: Use, now: Instant) {
        let new = || Entry { used, addresses: None, failure: None, failures: 0, answered: false, due: Some(now) };
        self.entries.entry(name.clone()).or_insert_with(new).used = used;
    }

    /// How many names are followed.
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether `name` is followed.
    pub(super) fn follows(&self, name: &Host) -> bool {
        self.entries.contains_key(name)
    }

    /// Follows no other names than those that `keep` holds on to.
    pub(super) fn retain(&mut self, keep: impl Fn(&Host) -> bool) {
        self.entries.retain(|name, _| keep(name));
    }

    /// A name to be looked up at `now`. It is not named again until its outcome is noted.
    pub(super) fn take_due(&mut self, now: Instant) -> Option<Host> {
        let (name, entry) = self.entries.iter_mut().find(|(_, entry)| entry.due.is_some_and(|due| due <= now))?;
        entry.due = None;
        Some(name.clone())
    }

    /// When the next name is to be looked up.
    pub(super) fn next_due(&self) -> Option<Instant> {
        self.entries.values().filter_map(|entry| entry.due).min()
    }

    /// Notes what came of a lookup. `jitter`, from 0 to 1, spreads the retries of many routers.
    pub(super) fn note(&mut self, name: &Host, outcome: Outcome, now: Instant, jitter: f64) -> Change {
        let Some(entry) = self.entries.get_mut(name) else { return Change::None };
        match outcome {
            Ok(Answer { addresses, ttl }) => {
                // As in Envoy, a name that is one endpoint keeps its address where the answer has none.
                let kept = entry.addresses.clone().filter(|_| entry.used == Use::Newest);
                let found = Addresses::new(&addresses).or(kept);
                let recovered = entry.failure.is_some();
                let changed = !entry.answered || !is_same(entry.used, entry.addresses.as_ref(), found.as_ref());
                *entry = Entry {
                    addresses: found,
                    failure: None,
                    failures: 0,
                    answered: true,
                    due: Some(now + ttl.clamp(LEAST_TTL, LONGEST_TTL)),
                    used: entry.used,
                };
                match (changed, recovered) {
                    (true, _) => Change::Addresses,
                    (false, true) => Change::Recovered,
                    (false, false) => Change::None,
                }
            }
            Err(failure) => {
                let doubled = FIRST_RETRY.saturating_mul(1 << entry.failures.min(16)).min(LONGEST_RETRY);
                entry.failures = entry.failures.saturating_add(1);
                entry.due = Some(now + doubled.mul_f64(0.5 + jitter / 2.0));
                let news = entry.failure.as_ref() != Some(&failure);
                entry.failure = Some(failure);
                if news { Change::Failed } else { Change::None }
            }
        }
    }

    /// The addresses of `name`, if it has any.
    pub(super) fn addresses(&self, name: &Host) -> Option<&Addresses> {
        self.entries.get(name)?.addresses.as_ref()
    }

    /// Whether there is nothing more to wait for with `name`.
    pub(super) fn is_settled(&self, name: &Host, until: Until) -> bool {
        self.entries.get(name).is_none_or(|entry| entry.answered || (until == Until::Tried && entry.failures > 0))
    }

    /// What is known of each name.
    pub(super) fn statuses(&self) -> Vec<NameStatus> {
        let status = |(name, entry): (&Host, &Entry)| NameStatus {
            name: name.clone(),
            addresses: entry.addresses.clone(),
            failure: entry.failure.clone(),
        };
        self.entries.iter().map(status).collect()
    }
}

/// Whether two answers are one to whoever uses the name.
fn is_same(used: Use, one: Option<&Addresses>, other: Option<&Addresses>) -> bool {
    match used {
        Use::Every => one.map(Addresses::all) == other.map(Addresses::all),
        Use::Newest => one == other,
    }
}

#[cfg(test)]
mod tests;

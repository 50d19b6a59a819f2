//! Mirrors: the one of the older fields, or each of the newer.

use crate::config::checked::{Mirror, PoolIndex};
use crate::config::written::{HttpRoute, Percent};
use crate::domain::Percentage;

use super::Reader;

/// The mirrors of a rule as its fields have them: a delegate inherits each by itself.
#[derive(Clone, Debug, Default)]
pub(super) struct Mirroring {
    /// `mirror`.
    one: Option<PoolIndex>,
    /// `mirrorPercent`, which counts whole percents.
    whole_percent: Option<Percentage>,
    /// `mirrorPercentage`.
    percentage: Option<Percentage>,
    /// `mirrors`.
    several: Vec<Mirror>,
}

impl Mirroring {
    /// The fields, and for those that are not set those of `root`.
    pub(super) fn or(&self, root: &Self) -> Self {
        Self {
            one: self.one.or(root.one),
            whole_percent: self.whole_percent.or(root.whole_percent),
            percentage: self.percentage.or(root.percentage),
            several: if self.several.is_empty() { root.several.clone() } else { self.several.clone() },
        }
    }

    /// The destinations that are sent a copy of a rule's requests. The oldest percentage counts only where the newer one is
    /// not there, and without any they are sent all.
    pub(super) fn mirrors(&self) -> Vec<Mirror> {
        let share = self.percentage.or(self.whole_percent).unwrap_or(Percentage::ALL);
        let one = self.one.map(|pool| Mirror { pool, share });
        one.into_iter().chain(self.several.iter().copied()).collect()
    }
}

impl Reader<'_, '_> {
    pub(super) fn mirroring(&mut self, written: &HttpRoute) -> Mirroring {
        let several = written.mirrors.iter().filter_map(|mirror| {
            let share = mirror.percentage.as_ref().map_or(Percentage::ALL, share_of);
            self.destination(&mirror.destination).map(|pool| Mirror { pool, share })
        });
        let several = several.collect();
        Mirroring {
            one: written.mirror.as_ref().and_then(|mirror| self.destination(mirror)),
            whole_percent: written.mirror_percent.map(|percent| share(f64::from(percent))),
            percentage: written.mirror_percentage.as_ref().map(share_of),
            several,
        }
    }
}

fn share_of(written: &Percent) -> Percentage {
    share(written.value)
}

/// Unlike a fault's, a share below the resolution is valid; it mirrors nothing.
fn share(percent: f64) -> Percentage {
    Percentage::new(percent).unwrap_or_default()
}

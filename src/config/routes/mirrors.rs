//! Mirrors: the one of the older fields, or each of the newer.

use crate::config::checked::Mirror;
use crate::config::written::{HttpRoute, Percent};
use crate::domain::Percentage;

use super::Reader;

impl Reader<'_, '_> {
    /// The destinations that are sent a copy of a rule's requests. Without a percentage they are sent all.
    pub(super) fn mirrors(&mut self, written: &HttpRoute) -> Vec<Mirror> {
        let mut mirrors = Vec::new();
        if let Some(mirror) = &written.mirror {
            // The oldest field counts whole percents, and only where the newer one is not there.
            let older = written.mirror_percent.map(|percent| share(f64::from(percent)));
            let newer = written.mirror_percentage.as_ref().map(share_of);
            let pool = self.destination(mirror);
            let share = newer.or(older).unwrap_or(Percentage::ALL);
            mirrors.extend(pool.map(|pool| Mirror { pool, share }));
        }
        for mirror in &written.mirrors {
            let share = mirror.percentage.as_ref().map_or(Percentage::ALL, share_of);
            mirrors.extend(self.destination(&mirror.destination).map(|pool| Mirror { pool, share }));
        }
        mirrors
    }
}

fn share_of(written: &Percent) -> Percentage {
    share(written.value)
}

/// Unlike a fault's, a share below the resolution is valid; it mirrors nothing.
fn share(percent: f64) -> Percentage {
    Percentage::new(percent).unwrap_or_default()
}

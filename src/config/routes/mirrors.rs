//! Mirrors, checked as Istio's webhook checks them.

use crate::config::checked::Mirror;
use crate::config::finding::remark;
use crate::config::path::Path;
use crate::config::written::{HttpRoute, Percent};
use crate::domain::Percentage;

use super::Reader;

impl Reader<'_, '_> {
    /// The destinations that are sent a copy of a rule's requests.
    pub(super) fn mirrors(&mut self, written: &HttpRoute, path: &Path) -> Vec<Mirror> {
        if written.mirror.is_some() && !written.mirrors.is_empty() {
            self.wrong(path, "The fields mirror and mirrors exclude each other.", "Keep one of them.");
        }
        let share = self.share_of_mirror(written, path);
        let mut mirrors = Vec::new();
        if let Some(mirror) = &written.mirror {
            let pool = self.destination(mirror, &path.key("mirror"));
            mirrors.extend(pool.map(|pool| Mirror { pool, share }));
        }
        for (at, mirror) in written.mirrors.iter().enumerate() {
            let path = path.key("mirrors").index(at);
            let share = mirror.percentage.as_ref().map(|share| self.mirrored_share(share, &path.key("percentage")));
            let pool = self.destination(&mirror.destination, &path.key("destination"));
            mirrors.extend(pool.map(|pool| Mirror { pool, share: share.unwrap_or(Percentage::ALL) }));
        }
        mirrors
    }

    /// The share of `mirror`: the older field counts whole percents, and only where the newer one is not there.
    fn share_of_mirror(&mut self, written: &HttpRoute, path: &Path) -> Percentage {
        let named = ["mirrorPercent", "mirror_percent"].map(|name| path.key(name));
        let older = named.iter().find(|path| self.source.document.has(path)).zip(written.mirror_percent);
        let older = older.map(|(path, percent)| {
            if percent > 100 {
                self.wrong(path, format!("{percent} is no percentage."), "Write a number from 0 to 100.");
            }
            let said = remark("`mirrorPercent` is deprecated.", "Write `mirrorPercentage: {value: ...}`.");
            self.findings.warning(self.source.document.schema_code(), self.source.document.place(path), said);
            Percentage::new(f64::from(percent.min(100))).unwrap_or_default()
        });
        let newer = written.mirror_percentage.as_ref();
        let newer = newer.map(|share| self.mirrored_share(share, &path.key("mirrorPercentage")));
        newer.or(older).unwrap_or(Percentage::ALL)
    }

    /// Unlike a fault's, a share below the resolution is valid; it mirrors nothing.
    fn mirrored_share(&mut self, written: &Percent, path: &Path) -> Percentage {
        if !(0.0..=100.0).contains(&written.value) {
            let message = format!("{} is no percentage.", written.value);
            self.wrong(&path.key("value"), message, "Write a number from 0 to 100.");
        }
        Percentage::new(written.value).unwrap_or_default()
    }
}

//! `localityLbSetting`: where requests go first, by where endpoints run.

use std::collections::{BTreeMap, BTreeSet};

use super::Reader;
use crate::config::finding::remark;
use crate::config::path::Path;
use crate::config::written;
use crate::domain::{Distribution, Failover, Locality, LocalityBalancing, LocalityPattern};

impl Reader<'_> {
    /// `outlier` is the detection of the same policy, without which a failover never happens.
    pub(super) fn locality(
        &mut self,
        written: &written::LocalityLbSetting,
        outlier: Option<&written::OutlierDetection>,
        path: &Path,
    ) -> LocalityBalancing {
        let path = path.key("localityLbSetting");
        self.check_alternatives(written, &path);
        let distributions = self.distributions(&written.distribute, &path.key("distribute"));
        if outlier.is_none() && !(written.failover.is_empty() && written.failover_priority.is_empty()) {
            let said = remark(
                "Without `outlierDetection` no endpoint counts as failed, so that nothing ever fails over.",
                "Add `outlierDetection` to this policy.",
            );
            self.findings.warning(self.document.schema_code(), self.document.place(&path), said);
        }
        let failover = Failover {
            labels: written.failover_priority.iter().map(|label| priority_label(label)).collect(),
            regions: self.regions(&written.failover, &path.key("failover")),
        };
        match written.enabled {
            Some(false) => LocalityBalancing::Off,
            _ if !written.distribute.is_empty() => LocalityBalancing::Distribute(distributions),
            _ => LocalityBalancing::Failover(failover),
        }
    }

    fn check_alternatives(&mut self, written: &written::LocalityLbSetting, path: &Path) {
        if written.failover.is_empty() {
            return;
        }
        if !written.distribute.is_empty() {
            let said = remark("The fields distribute and failover exclude each other.", "Keep one of them.");
            self.wrong(path, said);
        }
        let whole = Locality::parse("region/zone/subzone");
        let topology = written.failover_priority.iter().position(|label| whole.labels().any(|(one, _)| one == label));
        if let Some(at) = topology {
            let said = remark(
                format!("`failover` decides by region already, so `{}` cannot.", written.failover_priority[at]),
                "Take one of the two out.",
            );
            self.wrong(&path.key("failoverPriority").index(at), said);
        }
    }

    fn distributions(&mut self, written: &[written::Distribute], path: &Path) -> Vec<Distribution> {
        self.check_localities(written.iter().map(|rule| rule.from.as_str()), path);
        let mut distributions = Vec::new();
        for (at, rule) in written.iter().enumerate() {
            let path = path.index(at).key("to");
            let total: u64 = rule.to.values().map(|percent| u64::from(*percent)).sum();
            let in_range = rule.to.values().all(|percent| (1..=100).contains(percent));
            if self.intact && (total != 100 || !in_range) {
                let message = format!("The percentages add up to {total}, or one is not from 1 to 100.");
                self.wrong(&path, remark(message, "Write percentages from 1 that add up to 100."));
            }
            self.check_localities(rule.to.keys().map(String::as_str), &path);
            distributions.push(Distribution {
                from: LocalityPattern::parse(&rule.from),
                to: rule.to.iter().map(|(to, percent)| (LocalityPattern::parse(to), *percent)).collect(),
            });
        }
        distributions
    }

    /// Reports localities that cannot be, and such as an earlier one covers.
    fn check_localities<'t>(&mut self, localities: impl Iterator<Item = &'t str>, path: &Path) {
        let mut covered = Covered::new();
        // What is not intact has empty texts where something wrong was taken out.
        let intact = self.intact;
        for text in localities.filter(|_| intact) {
            let parts: Vec<&str> = text.splitn(3, '/').collect();
            let stars = text.matches('*').count();
            let message = if stars > 1 || (stars == 1 && !text.ends_with('*')) {
                format!("`{text}` has a `*` elsewhere than at its end.")
            } else if parts.iter().any(|part| part.is_empty()) {
                format!("A part of `{text}` is empty.")
            } else if overlaps(&mut covered, &parts) {
                format!("`{text}` overlaps with another locality here.")
            } else {
                continue;
            };
            self.wrong(path, remark(message, "Write `region/zone/subzone`, `region/*` or the like, each once."));
        }
    }

    fn regions(&mut self, written: &[written::RegionFailover], path: &Path) -> Vec<(Box<str>, Box<str>)> {
        let intact = self.intact;
        for (at, failover) in written.iter().enumerate().filter(|_| intact) {
            let message = if failover.from == failover.to {
                format!("The region `{}` cannot fail over to itself.", failover.from)
            } else if failover.from.contains(['/', '*']) || failover.to.contains(['/', '*']) {
                "A failover is from one region to another, without zones and wildcards.".to_owned()
            } else {
                continue;
            };
            self.wrong(&path.index(at), remark(message, "Name two regions."));
        }
        written.iter().map(|failover| (failover.from.as_str().into(), failover.to.as_str().into())).collect()
    }
}

/// The localities of one list: subzones by zone by region, `*` standing for all of them.
type Covered<'t> = BTreeMap<&'t str, BTreeMap<&'t str, BTreeSet<&'t str>>>;

/// Whether a locality is one of those `covered`, as Istio judges it, by the ones before it alone. If not, it joins them.
fn overlaps<'t>(covered: &mut Covered<'t>, parts: &[&'t str]) -> bool {
    if covered.contains_key("*") {
        return true;
    }
    match (parts, parts.first().and_then(|region| covered.get_mut(region))) {
        ([region], None) => {
            covered.insert(region, BTreeMap::from([("*", BTreeSet::from(["*"]))]));
            false
        }
        ([region, zone], None) => {
            covered.insert(region, BTreeMap::from([(*zone, BTreeSet::from(["*"]))]));
            false
        }
        ([region, zone, subzone, ..], None) => {
            covered.insert(region, BTreeMap::from([(*zone, BTreeSet::from([*subzone]))]));
            false
        }
        ([_, zone], Some(zones)) => zones.contains_key("*") || zones.contains_key(zone),
        ([_, zone, subzone, ..], Some(zones)) => {
            let whole = zones.contains_key("*");
            let subzones = zones.entry(zone).or_default();
            whole || subzones.contains("*") || !subzones.insert(subzone)
        }
        (_, _) => true,
    }
}

/// A label, with the value that the rule gives in place of the caller's.
fn priority_label(text: &str) -> (Box<str>, Option<Box<str>>) {
    let mut parts = text.split('=');
    let label = parts.next().unwrap_or_default().into();
    match (parts.next(), parts.next()) {
        (Some(value), None) => (label, Some(value.into())),
        _ => (label, None),
    }
}

//! Where a workload runs, and what a rule says of requests between such places: Istio's `localityLbSetting`, checked.

use std::collections::BTreeMap;
use std::fmt;

/// The labels of a region, a zone and a part of a zone.
const LABELS: [&str; 3] = ["topology.kubernetes.io/region", "topology.kubernetes.io/zone", "topology.istio.io/subzone"];

/// A place in a topology, as Istio writes it: `region/zone/subzone`. A part that is not known is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Locality {
    /// The region.
    pub region: Box<str>,
    /// The zone in the region.
    pub zone: Box<str>,
    /// The part of the zone.
    pub subzone: Box<str>,
}

impl Locality {
    /// Reads `region/zone/subzone`; what is left out is empty, and what follows a subzone counts for nothing, as in Istio.
    pub fn parse(text: &str) -> Self {
        let mut parts = text.split('/');
        let mut part = || parts.next().unwrap_or_default().into();
        Self { region: part(), zone: part(), subzone: part() }
    }

    /// The locality that a workload's labels tell.
    pub fn of_labels(labels: &BTreeMap<String, String>) -> Self {
        let [region, zone, subzone] = LABELS.map(|label| labels.get(label).cloned().unwrap_or_default().into());
        Self { region, zone, subzone }
    }

    /// The labels by which Istio names the parts that are known.
    pub fn labels(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let parts = [&*self.region, &*self.zone, &*self.subzone];
        LABELS.into_iter().zip(parts).filter(|(_, part)| !part.is_empty())
    }
}

impl fmt::Display for Locality {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.region)?;
        let below = [&self.zone, &self.subzone].into_iter().take_while(|part| !part.is_empty());
        below.into_iter().try_for_each(|part| write!(f, "/{part}"))
    }
}

/// Localities that a rule names: a part that is `*`, or a zone or subzone that is left out, stands for any.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalityPattern(Locality);

impl LocalityPattern {
    /// Reads `region/zone/subzone` with wildcards.
    pub fn parse(text: &str) -> Self {
        Self(Locality::parse(text))
    }

    /// Whether `locality` is one of them.
    pub fn matches(&self, locality: &Locality) -> bool {
        let any = |part: &str| part.is_empty() || part == "*";
        (&*self.0.region == "*" || self.0.region == locality.region)
            && (any(&self.0.zone) || self.0.zone == locality.zone)
            && (any(&self.0.subzone) || self.0.subzone == locality.subzone)
    }
}

impl fmt::Display for LocalityPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// How a pool's requests are shared out among the localities of its endpoints.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LocalityBalancing {
    /// Localities are not heeded.
    Off,
    /// By percentages; the first rule that is for the caller's locality counts.
    Distribute(Vec<Distribution>),
    /// To the nearest first. Only a pool that detects outliers does so: elsewhere nothing would ever leave the nearest.
    Failover(Failover),
}

impl Default for LocalityBalancing {
    /// What Istio's mesh does where no rule says otherwise.
    fn default() -> Self {
        Self::Failover(Failover::default())
    }
}

/// Istio's `LocalityLoadBalancerSetting.Distribute`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Distribution {
    /// The callers that it is for.
    pub from: LocalityPattern,
    /// The percentages of the localities that requests go to; others get none.
    pub to: Vec<(LocalityPattern, u32)>,
}

/// What makes an endpoint near. Without labels and regions it is how much of the locality it shares with the caller.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Failover {
    /// `failoverPriority`: labels that near endpoints share with the caller, the most important first, each with the value
    /// that stands for the caller's own where the rule gives one.
    pub labels: Vec<(Box<str>, Option<Box<str>>)>,
    /// `failover`: regions, each with the one that requests go to when it fails.
    pub regions: Vec<(Box<str>, Box<str>)>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_locality_has_three_parts_at_most() {
        for (text, shown, labels) in [("", "", 0), ("r", "r", 1), ("r/z", "r/z", 2), ("r/z/s/t", "r/z/s", 3)] {
            let locality = Locality::parse(text);
            assert_eq!((locality.to_string().as_str(), locality.labels().count()), (shown, labels), "{text}");
        }
    }

    #[test]
    fn patterns_match_as_in_istio() {
        for (pattern, locality, matches) in [
            ("*", "", true),
            ("*", "r/z/s", true),
            ("r", "r/z/s", true),
            ("r/*", "r/z/s", true),
            ("r/z/*", "r/z/s", true),
            ("r/z/*", "r/other/s", false),
            ("r/z/s", "r/z/other", false),
            ("r/z/s", "r/z", false),
            ("", "r", false),
        ] {
            assert_eq!(
                LocalityPattern::parse(pattern).matches(&Locality::parse(locality)),
                matches,
                "{pattern} {locality}"
            );
        }
    }
}

//! Where a workload runs, and the labels that Istio gives it for that.

use std::collections::BTreeMap;

use crate::config::written::WorkloadEntry;
use crate::domain::Locality;

/// The label that stands for a locality where a workload has none; a `.` may part it in place of a `/`.
const LOCALITY: &str = "istio-locality";
/// The label of a workload's network.
const NETWORK: &str = "topology.istio.io/network";
/// The label of the zone that a workload's node is in.
pub(super) const ZONE: &str = "topology.kubernetes.io/zone";

/// The locality of an endpoint, `written` in its document or in a label.
fn locality(written: &str, labels: &BTreeMap<String, String>) -> Locality {
    match labels.get(LOCALITY) {
        Some(label) if written.is_empty() && label.contains('/') => Locality::parse(label),
        Some(label) if written.is_empty() => Locality::parse(&label.replace('.', "/")),
        _ => Locality::parse(written),
    }
}

/// The labels of an endpoint that a `ServiceEntry` lists, those of its topology included, and its locality.
pub(in crate::config) fn of_endpoint(written: &WorkloadEntry) -> (BTreeMap<String, String>, Locality) {
    let locality = locality(&written.locality, &written.labels);
    (with_topology(&written.labels, &locality, &written.network), locality)
}

/// The locality that the labels of a pod tell. Kubernetes knows the region of the node alone, which is not in the
/// documents; a pod in the caller's zone is in its region.
pub(super) fn of_labels(labels: &BTreeMap<String, String>, caller: &Locality) -> Locality {
    let told = Locality::of_labels(labels);
    match locality("", labels) {
        written if written != Locality::default() => written,
        _ if told.region.is_empty() && !told.zone.is_empty() && told.zone == caller.zone => {
            Locality { region: caller.region.clone(), ..told }
        }
        _ => told,
    }
}

/// The labels of a workload with those of its locality, and with that of its network unless it has one.
pub(in crate::config) fn with_topology(
    labels: &BTreeMap<String, String>,
    locality: &Locality,
    network: &str,
) -> BTreeMap<String, String> {
    let mut labels = labels.clone();
    labels.extend(locality.labels().map(|(label, part)| (label.to_owned(), part.to_owned())));
    if !network.is_empty() {
        labels.entry(NETWORK.to_owned()).or_insert_with(|| network.to_owned());
    }
    labels
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_stands_for_a_locality() {
        for (written, label, expected) in
            [("", "r.z.s", "r/z/s"), ("", "r/z.1/s", "r/z.1/s"), ("a/b", "r.z", "a/b"), ("", "", "")]
        {
            let labels = BTreeMap::from([(LOCALITY.to_owned(), label.to_owned())]);
            assert_eq!(locality(written, &labels).to_string(), expected, "{written} {label}");
        }
    }

    #[test]
    fn a_pod_in_the_zone_of_the_caller_is_in_its_region() {
        let caller = Locality::parse("r/z/s");
        for (zone, expected) in [("z", "r/z"), ("y", "/y")] {
            let labels = BTreeMap::from([(ZONE.to_owned(), zone.to_owned())]);
            assert_eq!(of_labels(&labels, &caller), Locality::parse(expected), "{zone}");
        }
        let all = with_topology(&BTreeMap::new(), &Locality::parse("q/z"), "");
        assert_eq!(of_labels(&all, &caller), Locality::parse("q/z"));
    }

    #[test]
    fn labels_tell_the_topology() {
        let own = BTreeMap::from([("app".to_owned(), "a".to_owned()), (NETWORK.to_owned(), "own".to_owned())]);
        let labels = with_topology(&own, &Locality::parse("r/z"), "other");
        let expected = [
            ("app", "a"),
            ("topology.istio.io/network", "own"),
            ("topology.kubernetes.io/region", "r"),
            ("topology.kubernetes.io/zone", "z"),
        ];
        assert!(labels.iter().map(|(key, value)| (key.as_str(), value.as_str())).eq(expected), "{labels:?}");
    }
}

//! The pods that selectors are held against: those of documents, and the one that istioctl adds to files.

use std::collections::BTreeMap;

use super::service_hosts::labels;
use crate::config::admission::Spot;
use crate::config::document::Kind;
use crate::config::written::Written;

type Labels = BTreeMap<String, String>;

/// The labels that Istio gives an endpoint from its pod's node.
const OF_NODE: [&str; 3] =
    ["topology.kubernetes.io/region", "topology.kubernetes.io/zone", "topology.istio.io/subzone"];
/// The label of the node's name.
const HOSTNAME: &str = "kubernetes.io/hostname";

/// One pod.
pub(super) struct Pod {
    pub(super) name: String,
    pub(super) namespace: String,
    pub(super) labels: Labels,
    /// Its labels with those of its node's topology.
    placed: Labels,
    /// The ports of the service that istioctl adds with it.
    pub(super) added_ports: &'static [u32],
}

/// Every pod.
pub(super) struct Pods {
    all: Vec<Pod>,
    /// Whether documents hold any: else nothing is known of the pods that there are.
    pub(super) are_listed: bool,
}

impl Pods {
    /// Those of `written`, and Istio's default ingress gateway, which istioctl takes for there where it reads files.
    pub(super) fn of(written: &Written) -> Self {
        let nodes: BTreeMap<&str, Labels> = written
            .passed_over
            .iter()
            .filter(|document| document.kind == Kind::Node)
            .map(|node| (node.name.as_str(), labels(&Spot::root(node).at("metadata").at("labels"))))
            .collect();
        let mut all: Vec<Pod> = written
            .pods
            .iter()
            .map(|source| {
                let own = &source.spec.metadata.labels;
                Pod {
                    name: source.document.name.clone(),
                    namespace: source.document.namespace.clone(),
                    labels: own.clone(),
                    placed: placed(own, &source.spec.spec.node_name, &nodes),
                    added_ports: &[],
                }
            })
            .collect();
        let are_listed = !all.is_empty();
        all.push(ingress());
        Self { all, are_listed }
    }

    /// Those that have every label of `selector`.
    pub(super) fn selected<'a>(&'a self, selector: &'a Labels) -> impl Iterator<Item = &'a Pod> {
        self.all.iter().filter(|pod| selects(selector, &pod.labels))
    }

    /// Whether one has every label of `selector`, those of its node's topology included.
    pub(super) fn have_one_of(&self, selector: &Labels) -> bool {
        self.all.iter().any(|pod| selects(selector, &pod.placed))
    }
}

/// Whether what has `labels` is one that `selector` means.
pub(super) fn selects(selector: &Labels, labels: &Labels) -> bool {
    selector.iter().all(|(key, value)| labels.get(key) == Some(value))
}

fn ingress() -> Pod {
    let labels: Labels = [("istio".to_owned(), "ingressgateway".to_owned())].into();
    Pod {
        name: "istio-ingressgateway-dummypod".to_owned(),
        namespace: "istio-system".to_owned(),
        placed: labels.clone(),
        labels,
        added_ports: &[80, 443, 31_400, 15_443],
    }
}

fn placed(own: &Labels, node_name: &str, nodes: &BTreeMap<&str, Labels>) -> Labels {
    let mut placed = own.clone();
    if let Some(node) = nodes.get(node_name) {
        let topology = OF_NODE.iter().filter_map(|key| node.get_key_value(*key));
        placed.extend(topology.map(|(key, value)| (key.clone(), value.clone())));
        placed.insert(HOSTNAME.to_owned(), node_name.to_owned());
    }
    placed
}

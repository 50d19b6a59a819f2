//! What there is to ask for, in the words of Kubernetes' discovery.

use serde_json::{Value, json};

use crate::scaling::Metric;

/// What the name of every metric begins with.
const PREFIX: &str = "overspill_";

/// One of the APIs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Group {
    /// Figures of something outside of the cluster, by labels.
    External,
    /// Figures of objects of the cluster.
    Custom,
}

impl Group {
    const ALL: [Self; 2] = [Self::External, Self::Custom];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::External => "external.metrics.k8s.io",
            Self::Custom => "custom.metrics.k8s.io",
        }
    }

    pub(super) const fn version(self) -> &'static str {
        match self {
            Self::External => "v1beta1",
            Self::Custom => "v1beta2",
        }
    }

    /// The group of this name.
    pub(super) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|group| group.name() == name)
    }

    /// Name and version, as `apiVersion` has them.
    pub(super) fn api_version(self) -> String {
        format!("{}/{}", self.name(), self.version())
    }

    /// `APIGroup`.
    pub(super) fn json(self) -> Value {
        let mut group = self.described();
        group["kind"] = "APIGroup".into();
        group["apiVersion"] = "v1".into();
        group
    }

    fn described(self) -> Value {
        let version = json!({ "groupVersion": self.api_version(), "version": self.version() });
        json!({ "name": self.name(), "versions": [version], "preferredVersion": version })
    }

    /// `APIResourceList`: each metric is a resource, of the custom ones one below `services`.
    pub(super) fn resources(self) -> Value {
        let (below, kind) = match self {
            Self::External => ("", "ExternalMetricValueList"),
            Self::Custom => ("services/", "MetricValueList"),
        };
        let resource = |metric: Metric| {
            json!({
                "name": format!("{below}{}", metric_name(metric)),
                "singularName": "",
                "namespaced": true,
                "kind": kind,
                "verbs": ["get"],
            })
        };
        json!({
            "kind": "APIResourceList",
            "apiVersion": "v1",
            "groupVersion": self.api_version(),
            "resources": Metric::ALL.map(resource),
        })
    }
}

/// `APIGroupList`.
pub(super) fn groups() -> Value {
    json!({ "kind": "APIGroupList", "apiVersion": "v1", "groups": Group::ALL.map(Group::described) })
}

/// What a metric is called here.
pub(super) fn metric_name(metric: Metric) -> String {
    format!("{PREFIX}{}", metric.as_str())
}

/// The metric that is called `name` here.
pub(super) fn metric(name: &str) -> Option<Metric> {
    let name = name.strip_prefix(PREFIX)?;
    Metric::ALL.into_iter().find(|metric| metric.as_str() == name)
}

/// What every metric is called here, for those who have asked for another.
pub(super) fn metric_names() -> String {
    Metric::ALL.map(metric_name).join(", ")
}

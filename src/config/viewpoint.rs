//! For which proxy documents are read: what a document says depends on who asks.

use std::collections::{BTreeMap, BTreeSet};

use super::checked::Workload;

/// The proxy.
#[derive(Clone, Debug)]
pub(super) struct Viewpoint {
    /// The workload that it is part of.
    pub(super) workload: Workload,
    /// What it serves.
    pub(super) role: Role,
}

/// What a proxy serves.
#[derive(Clone, Debug)]
pub(super) enum Role {
    /// The mesh: the requests that a sidecar's application sends. Where the port that they were sent to is known, only
    /// services with that port are there to be found.
    Sidecar(Option<u16>),
    /// The ports of the gateways whose selector its labels meet, and the mesh where it listens for it too.
    Gateway { mesh: bool },
}

impl Viewpoint {
    /// Whether it serves the mesh.
    pub(super) fn serves_mesh(&self) -> bool {
        matches!(self.role, Role::Sidecar(_) | Role::Gateway { mesh: true })
    }

    /// The port that the mesh's requests were sent to.
    pub(super) fn mesh_port(&self) -> Option<u16> {
        match self.role {
            Role::Sidecar(port) => port,
            Role::Gateway { .. } => None,
        }
    }

    /// Whether it is a gateway that `selector` means; an empty one means every gateway.
    pub(super) fn is_selected(&self, selector: &BTreeMap<String, String>) -> bool {
        matches!(self.role, Role::Gateway { .. }) && self.has(selector)
    }

    /// Whether its workload has all of `labels`.
    pub(super) fn has(&self, labels: &BTreeMap<String, String>) -> bool {
        labels.iter().all(|(key, value)| self.workload.labels.get(key) == Some(value))
    }
}

/// The callers that a condition is for: `gateways`, or `sourceLabels` and `sourceNamespace`.
#[derive(Clone, Debug, Default)]
pub(super) struct Callers {
    /// The gateways as `namespace/name`, or `mesh`; none leaves it to the other two.
    pub(super) gateways: BTreeSet<String>,
    pub(super) labels: BTreeMap<String, String>,
    pub(super) namespace: String,
}

impl Callers {
    /// Whether requests that come in through `gateway` are meant. As in Istio, gateways rule out the other two.
    pub(super) fn include(&self, gateway: &str, viewpoint: &Viewpoint) -> bool {
        if self.gateways.is_empty() {
            viewpoint.has(&self.labels) && (self.namespace.is_empty() || self.namespace == viewpoint.workload.namespace)
        } else {
            self.gateways.contains(gateway)
        }
    }
}

//! Which kinds there are, and under which groups and versions they stand.

/// The kinds that are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::config) enum Kind {
    VirtualService,
    DestinationRule,
    ServiceEntry,
    Service,
    EndpointSlice,
    Pod,
    Gateway,
    Settings,
    PoolPolicy,
    RoutePolicy,
    /// Passed over, as the next two are, and looked up by what is read.
    Secret,
    Node,
    RequestAuthentication,
}

pub(super) const ISTIO: &str = "networking.istio.io";
pub(super) const OWN: &str = "overspill.dev";
/// The groups whose every kind is known here, so that a kind they do not have is a slip.
pub(super) const GROUPS: [&str; 2] = [ISTIO, OWN];
/// The kinds of Kubernetes that are read, with their `apiVersion`.
pub(super) const KUBERNETES: [(&str, Kind); 3] =
    [("v1", Kind::Service), ("discovery.k8s.io/v1", Kind::EndpointSlice), ("v1", Kind::Pod)];
/// The kinds that are passed over and looked up, with their `apiVersion`.
pub(super) const LOOKED_UP: [(&str, Kind); 4] = [
    ("v1", Kind::Secret),
    ("v1", Kind::Node),
    ("security.istio.io/v1", Kind::RequestAuthentication),
    ("security.istio.io/v1beta1", Kind::RequestAuthentication),
];
pub(super) const ISTIO_VERSIONS: [&str; 3] = ["v1", "v1beta1", "v1alpha3"];
pub(super) const OWN_VERSIONS: [&str; 1] = ["v1"];
/// The other kinds of Istio's group, which say nothing that is executed here yet.
pub(super) const ISTIO_OTHERS: [&str; 5] = ["Sidecar", "EnvoyFilter", "WorkloadEntry", "WorkloadGroup", "ProxyConfig"];

impl Kind {
    pub(super) const ALL: [Self; 7] = [
        Self::VirtualService,
        Self::DestinationRule,
        Self::ServiceEntry,
        Self::Gateway,
        Self::Settings,
        Self::PoolPolicy,
        Self::RoutePolicy,
    ];

    /// Whether the API server checks it by a schema that is none of ours or Istio's.
    pub(super) const fn is_kubernetes(self) -> bool {
        matches!(self, Self::Service | Self::EndpointSlice | Self::Pod)
    }

    /// Whether requests are served as if documents of it were not there, which has been said of each.
    pub(in crate::config) const fn is_passed_over(self) -> bool {
        matches!(self, Self::Secret | Self::Node | Self::RequestAuthentication)
    }

    pub(in crate::config) const fn as_str(self) -> &'static str {
        match self {
            Self::VirtualService => "VirtualService",
            Self::DestinationRule => "DestinationRule",
            Self::ServiceEntry => "ServiceEntry",
            Self::Service => "Service",
            Self::EndpointSlice => "EndpointSlice",
            Self::Pod => "Pod",
            Self::Gateway => "Gateway",
            Self::Settings => "Settings",
            Self::PoolPolicy => "PoolPolicy",
            Self::RoutePolicy => "RoutePolicy",
            Self::Secret => "Secret",
            Self::Node => "Node",
            Self::RequestAuthentication => "RequestAuthentication",
        }
    }

    pub(super) const fn group(self) -> &'static str {
        match self {
            Self::Settings | Self::PoolPolicy | Self::RoutePolicy => OWN,
            Self::EndpointSlice => "discovery.k8s.io",
            Self::RequestAuthentication => "security.istio.io",
            Self::Service | Self::Pod | Self::Secret | Self::Node => "",
            Self::VirtualService | Self::DestinationRule | Self::ServiceEntry | Self::Gateway => ISTIO,
        }
    }
}

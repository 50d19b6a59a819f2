//! Requests in the labels of Istio's standard metrics, so that existing dashboards and alerts read them unchanged.

use std::collections::HashSet;
use std::time::Duration;

use prometheus::proto::MetricFamily;
use prometheus::{Histogram, IntCounter};

use super::RequestKey;
use crate::config::{ServiceIdentity, Workload};
use crate::domain::Tier;
use crate::snapshot::Snapshot;
use crate::telemetry::family::{Counters, Histograms, Labels};
use crate::telemetry::flags;
use crate::telemetry::names::{self, UNKNOWN};

#[derive(Clone, Debug)]
pub(super) struct IstioSeries {
    requests: IntCounter,
    duration: Histogram,
}

impl IstioSeries {
    pub(super) fn count(&self, duration: Duration) {
        self.requests.inc();
        self.duration.observe(duration.as_secs_f64() * 1e3);
    }
}

#[derive(Debug)]
pub(super) struct IstioFamilies {
    requests: Counters<25>,
    duration: Histograms<25>,
    /// The router itself: the workload behind the local model's answers and behind what reached no pool.
    own: Workload,
}

/// What a request was for, as the `destination_*` labels say it.
struct Destination<'s> {
    service: &'s str,
    service_name: &'s str,
    service_namespace: &'s str,
    workload: &'s str,
    workload_namespace: &'s str,
    version: &'s str,
}

impl IstioFamilies {
    pub(super) fn new(own: &Workload) -> Self {
        Self {
            requests: Counters::new(&names::ISTIO_REQUESTS, ()),
            duration: Histograms::new(&names::ISTIO_DURATION, names::ISTIO_EDGES),
            own: own.clone(),
        }
    }

    pub(super) fn series(&self, snapshot: &Snapshot, key: RequestKey) -> IstioSeries {
        let status = key.status.to_string();
        let flags = flags::short(key.reason, key.retry_end);
        let labels = self.destination(snapshot, key).labels(&status, &flags);
        IstioSeries { requests: self.requests.with(labels), duration: self.duration.with(labels) }
    }

    fn destination<'s>(&'s self, snapshot: &'s Snapshot, key: RequestKey) -> Destination<'s> {
        let service = key.pool.map(|pool| snapshot.service(pool));
        let text = |part: fn(&ServiceIdentity) -> &str| service.map_or(UNKNOWN, part);
        let by_pool = service.filter(|_| key.tier != Some(Tier::Local));
        Destination {
            service: text(|service| &service.host),
            service_name: text(|service| &service.name),
            service_namespace: text(|service| &service.namespace),
            workload: by_pool.map_or(&self.own.name, |service| &service.workload),
            workload_namespace: by_pool.map_or(&self.own.namespace, |service| &service.namespace),
            version: by_pool.map_or(UNKNOWN, |service| &service.version),
        }
    }

    /// Forgets destinations that `snapshot` does not have.
    pub(super) fn retain(&self, snapshot: &Snapshot) {
        let services = || snapshot.pools().map(|(id, _)| snapshot.service(id));
        let hosts: HashSet<&str> = services().map(|service| &*service.host).chain([UNKNOWN]).collect();
        let pools: HashSet<[&str; 3]> =
            services().map(|service| [&*service.host, &*service.workload, &*service.version]).collect();
        let keep = |labels: &Labels<'_>| {
            let service = labels.get(names::DESTINATION_SERVICE).unwrap_or_default();
            let workload = labels.get(names::DESTINATION_WORKLOAD).unwrap_or_default();
            let version = labels.get(names::DESTINATION_VERSION).unwrap_or_default();
            let own = workload == self.own.name && version == UNKNOWN && hosts.contains(service);
            own || pools.contains(&[service, workload, version])
        };
        self.requests.retain(keep);
        self.duration.retain(keep);
    }

    pub(super) fn collect(&self) -> [MetricFamily; 2] {
        [self.requests.collect(), self.duration.collect()]
    }
}

impl<'s> Destination<'s> {
    /// The values in the order of [`names::ISTIO_LABELS`]. The router terminates the connection and knows nothing of who
    /// is behind the client's address, so that the source is unknown.
    fn labels(&self, response_code: &'s str, response_flags: &'s str) -> [&'s str; 25] {
        [
            "destination",
            UNKNOWN,
            UNKNOWN,
            UNKNOWN,
            UNKNOWN,
            UNKNOWN,
            UNKNOWN,
            self.workload,
            self.workload_namespace,
            UNKNOWN,
            self.workload,
            self.version,
            UNKNOWN,
            self.service,
            self.service_name,
            self.service_namespace,
            "http",
            response_code,
            "",
            response_flags,
            "none",
            UNKNOWN,
            UNKNOWN,
            self.workload,
            self.version,
        ]
    }
}

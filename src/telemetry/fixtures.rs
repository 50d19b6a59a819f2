//! A snapshot, a record and a reader of the exposition, for this module's tests.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use http::uri::PathAndQuery;
use http::{HeaderValue, Method, Version};

use super::{Gauges, Metrics, Record};
use crate::config::{self, Checked, Endpoint, Entry, PoolIndex, Queue, ServiceIdentity, Share, VirtualHost, Workload};
use crate::domain::{
    Address, Headers, Host, HostPattern, Locality, Moment, PoolKey, Protocol, QueueOrder, Tier, TrafficPolicy,
};
use crate::routing::Asked;
use crate::snapshot::{PoolId, Resolved, RouteId, Snapshot, compile};

/// The router's own workload.
pub(super) fn workload() -> Workload {
    Workload {
        name: "overspill".to_owned(),
        namespace: "edge".to_owned(),
        labels: BTreeMap::new(),
        locality: Locality::default(),
    }
}

/// The pools of [`snapshot`], in order: two endpoints each, four slots an endpoint.
pub(super) const POOLS: [(&str, Tier); 2] = [("gpu.example", Tier::Gpu), ("cpu.example", Tier::Cpu)];

/// A snapshot with these routes, each split by these weights over the first of [`POOLS`].
pub(super) fn snapshot(routes: &[(&str, &[u32])], previous: Option<&Snapshot>) -> Snapshot {
    let pools = routes.iter().map(|(_, weights)| weights.len()).max().unwrap_or(0);
    let routes = routes.iter().map(|(name, weights)| config::Route {
        name: (*name).to_owned(),
        origin: "routes.yaml:1".to_owned(),
        split: (0..)
            .map(PoolIndex)
            .zip(*weights)
            .map(|(pool, weight)| Share { pool, weight: *weight, headers: Headers::default() })
            .collect(),
        ..config::Route::default()
    });
    let defaults = config::load(&[], &config::Overrides::default()).checked.expect("no documents are the defaults");
    let checked = Checked {
        virtual_hosts: vec![VirtualHost {
            entry: Entry::Mesh,
            hosts: vec![HostPattern::Any],
            routes: routes.collect(),
        }],
        pools: POOLS[..pools].iter().map(|(host, tier)| pool(host, *tier)).collect(),
        ..defaults
    };
    compile(&checked, &Resolved::default(), previous)
}

fn pool(host: &str, tier: Tier) -> config::Pool {
    let endpoint = |port| Endpoint {
        address: Address::Socket(([127, 0, 0, 1], port).into()),
        weight: NonZeroU32::MIN,
        labels: Arc::default(),
        locality: Locality::default(),
    };
    config::Pool {
        key: PoolKey { host: Host::parse(host).expect("a host"), subset: None, port: 80 },
        tier: Some(tier),
        protocol: Protocol::Http1,
        endpoints: vec![endpoint(1), endpoint(2)],
        original: None,
        slots_per_endpoint: NonZeroU32::new(4).expect("not zero"),
        slots_per_pool: None,
        adaptive_slots: None,
        queue: Queue { max_pending: 2, timeout: Duration::ZERO, order: QueueOrder::Fifo },
        spill_to: Vec::new(),
        local_model: false,
        latency_objective: None,
        scaling: None,
        hold: None,
        upkeep: crate::domain::Upkeep::default(),
        hedge: None,
        connect_timeout: Duration::from_secs(1),
        tls_place: config::Place::default(),
        traffic: TrafficPolicy::default(),
        service: ServiceIdentity {
            host: host.to_owned(),
            name: tier.as_str().to_owned(),
            namespace: "ml".to_owned(),
            workload: format!("embed-{tier}"),
            version: "v1".to_owned(),
        },
    }
}

/// The route and the pool at these places.
pub(super) fn route(snapshot: &Snapshot, place: usize) -> RouteId {
    snapshot.routes().nth(place).expect("that many routes").0
}

/// The pool at this place.
pub(super) fn pool_id(snapshot: &Snapshot, place: usize) -> PoolId {
    snapshot.pools().nth(place).expect("that many pools").0
}

/// A request that the first route sent to the first pool, answered with 200 after `duration`.
pub(super) fn record(snapshot: &Snapshot, duration: Duration) -> Record {
    Record {
        client: ([192, 0, 2, 7], 4242).into(),
        method: Method::POST,
        authority: Asked::Rule("embed.example".into()),
        path: Some(PathAndQuery::from_static("/api/v1/embed")),
        version: Version::HTTP_11,
        request_id: HeaderValue::from_static("00000000-0000-4000-8000-000000000000"),
        trace_id: None,
        trace: None,
        route: Some(route(snapshot, 0)),
        chosen: Some(pool_id(snapshot, 0)),
        pool: Some(pool_id(snapshot, 0)),
        endpoint: Some(1),
        destination: None,
        tier: Some(Tier::Gpu),
        status: 200,
        reason: None,
        spills: Vec::new(),
        retries: 0,
        retry_end: None,
        attempts: 1,
        request_bytes: 10,
        response_bytes: 100,
        duration,
        to_first_byte: Some(duration / 2),
        queued: Duration::ZERO,
    }
}

/// What a scrape says, read by the rules of the text format.
#[derive(Debug)]
pub(super) struct Exposition(BTreeMap<(String, BTreeSet<(String, String)>), f64>);

impl Exposition {
    /// Scrapes `metrics`, with no local model.
    pub(super) fn of(metrics: &Arc<Metrics>, snapshot: &Snapshot) -> Self {
        Self::read(&metrics.render(snapshot, Moment::default(), &Gauges::default()))
    }

    /// Reads a whole exposition; a series that stands twice or under no `# TYPE` is a fault.
    pub(super) fn read(text: &[u8]) -> Self {
        let text = std::str::from_utf8(text).expect("UTF-8");
        let mut series = BTreeMap::new();
        let mut family = String::new();
        for line in text.lines() {
            if let Some(comment) = line.strip_prefix("# ") {
                let name = comment.split(' ').nth(1).expect("a name").to_owned();
                assert!(family != name || comment.starts_with("TYPE"), "{name} stands twice");
                family = name;
                continue;
            }
            let (key, value) = line.rsplit_once(' ').expect("a value");
            let (name, labels) = key.split_once('{').unwrap_or((key, "}"));
            assert!(name.starts_with(&family), "{name} stands under {family}");
            let key = (name.to_owned(), read_labels(labels));
            assert!(series.insert(key, value.parse().expect("a number")).is_none(), "{line} stands twice");
        }
        Self(series)
    }

    /// The sum over the series of `name` that have these labels, or `None` where there are none.
    pub(super) fn sum(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let has = |series: &BTreeSet<(String, String)>| {
            labels.iter().all(|(label, value)| series.contains(&((*label).to_owned(), (*value).to_owned())))
        };
        let found = self.0.iter().filter(|((known, series), _)| known == name && has(series));
        found.map(|(_, value)| *value).reduce(|one, two| one + two)
    }

    /// Every value of `label`, over all series.
    pub(super) fn values(&self, label: &str) -> BTreeSet<&str> {
        let labels = self.0.keys().flat_map(|(_, labels)| labels);
        labels.filter(|(name, _)| name == label).map(|(_, value)| value.as_str()).collect()
    }
}

/// The labels up to `}`; no value of these tests holds a quote or a comma.
fn read_labels(text: &str) -> BTreeSet<(String, String)> {
    let text = text.strip_suffix('}').expect("closed");
    let pairs = text.split(',').filter(|pair| !pair.is_empty());
    let pair = |pair: &str| {
        let (label, value) = pair.split_once('=').expect("a label");
        (label.to_owned(), value.trim_matches('"').to_owned())
    };
    pairs.map(pair).collect()
}

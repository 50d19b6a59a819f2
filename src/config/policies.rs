//! `PoolPolicy` documents into what each pool may take and where it spills to.

mod scaling;
mod slots;
mod upkeep;

use std::num::NonZeroU32;
use std::time::Duration;

use super::catalog::{Catalog, Service, Target};
use super::finding::{Findings, LOCAL_OFF, OWN_SCHEMA, POLICY_MISSING, POLICY_TWICE, Remark, SPILL, remark};
use super::path::Path;
use super::settings::duration;
use super::written::{PoolPolicy, Sourced, SpillTarget};
use crate::domain::{
    AdaptiveSlots, Hedge, Hold, Host, HostPattern, PoolKey, QueueOrder, Scaling, Tier, Upkeep, parse_duration,
};

/// Envoy's default for `max_requests`, which a pool without a policy has.
const SLOTS_PER_ENDPOINT: u32 = 1024;
const QUEUE_TIMEOUT: Duration = Duration::from_secs(1);

/// One policy with its references resolved.
#[derive(Debug)]
pub(super) struct Policy {
    host: Host,
    subset: Option<String>,
    port: Option<u16>,
    pub(super) tier: Option<Tier>,
    pub(super) slots_per_endpoint: NonZeroU32,
    pub(super) slots_per_pool: Option<NonZeroU32>,
    pub(super) adaptive_slots: Option<AdaptiveSlots>,
    /// What waits at most; `None` leaves it to the `DestinationRule`.
    pub(super) max_pending: Option<u32>,
    pub(super) queue_timeout: Duration,
    pub(super) queue_order: QueueOrder,
    pub(super) spill_to: Vec<Spill>,
    pub(super) local_model: bool,
    pub(super) latency_objective: Option<Duration>,
    pub(super) scaling: Option<Scaling>,
    pub(super) hold: Option<Hold>,
    pub(super) peak_ewma: Option<Duration>,
    pub(super) upkeep: Upkeep,
    pub(super) hedge: Option<Hedge>,
}

/// One place in a spill order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Spill {
    host: Host,
    subset: Option<String>,
    /// `None` is the port of the pool that spills.
    port: Option<u16>,
}

impl Spill {
    /// The pool meant, for a pool on `port`.
    pub(super) fn key(&self, port: u16) -> PoolKey {
        let subset = self.subset.as_deref().map(Box::from);
        PoolKey { host: self.host.clone(), subset, port: self.port.unwrap_or(port) }
    }
}

impl Policy {
    /// What holds for a pool without any policy.
    pub(super) fn none(host: Host) -> Self {
        Self {
            host,
            subset: None,
            port: None,
            tier: None,
            slots_per_endpoint: NonZeroU32::new(SLOTS_PER_ENDPOINT).unwrap_or(NonZeroU32::MIN),
            slots_per_pool: None,
            adaptive_slots: None,
            max_pending: None,
            queue_order: QueueOrder::default(),
            queue_timeout: QUEUE_TIMEOUT,
            spill_to: Vec::new(),
            local_model: false,
            latency_objective: None,
            scaling: None,
            hold: None,
            peak_ewma: None,
            upkeep: Upkeep::default(),
            hedge: None,
        }
    }

    /// How closely this policy fits `key`: by its host before by a wildcard, then subset before port before neither; `None`
    /// where it does not.
    fn fit(&self, key: &PoolKey) -> Option<(usize, u8)> {
        let subset = self.subset.is_none() || self.subset.as_deref() == key.subset.as_deref();
        let port = self.port.is_none_or(|port| port == key.port);
        let hosts = if self.host == key.host { HostPattern::Exact(key.host.clone()) } else { self.host.pattern() };
        let closeness = 2 * u8::from(self.subset.is_some()) + u8::from(self.port.is_some());
        (hosts.matches(key.host.as_str()) && subset && port).then(|| (hosts.precedence(), closeness))
    }
}

/// The most specific policy for `key`.
pub(super) fn for_pool<'a>(policies: &'a [Policy], key: &PoolKey) -> Option<&'a Policy> {
    policies
        .iter()
        .filter_map(|policy| policy.fit(key).map(|fit| (fit, policy)))
        .max_by_key(|(fit, _)| *fit)
        .map(|(_, policy)| policy)
}

/// Reads every policy; `local_model` says whether the local tier is on.
pub(super) fn build(
    documents: &[Sourced<PoolPolicy>],
    catalog: &Catalog,
    local_model: Option<&super::checked::LocalModel>,
    findings: &mut Findings,
) -> Vec<Policy> {
    let mut policies: Vec<Policy> = Vec::new();
    for source in documents {
        let mut reader = Reader { source, catalog, findings };
        let Some(policy) = reader.policy() else { continue };
        let same =
            |known: &Policy| (&known.host, &known.subset, known.port) == (&policy.host, &policy.subset, policy.port);
        if policies.iter().any(same) {
            let message = format!("There is a PoolPolicy for this pool of `{}` already.", policy.host);
            reader.error(POLICY_TWICE, &Path::spec().key("host"), remark(message, "Keep one of the two."));
            continue;
        }
        if policy.local_model && local_model.is_none() {
            let said = remark(
                "The local model may answer here, but it is off.",
                "Add `localModel` to the Settings document, or write `localModel: Deny`.",
            );
            reader.findings.warning(LOCAL_OFF, source.document.place(&Path::spec().key("localModel")), said);
        }
        policies.push(policy);
    }
    policies
}

struct Reader<'a> {
    source: &'a Sourced<PoolPolicy>,
    catalog: &'a Catalog,
    findings: &'a mut Findings,
}

impl<'a> Reader<'a> {
    fn error(&mut self, code: &'static str, path: &Path, remark: Remark) {
        self.findings.error(code, self.source.document.place(path), remark);
    }

    fn policy(&mut self) -> Option<Policy> {
        let spec = &self.source.spec;
        if spec.host.is_empty() && !self.source.intact {
            return None;
        }
        let (service, host) = self.find((&spec.host, spec.subset.as_deref(), spec.port), &Path::spec())?;
        let default = Policy::none(host.clone());
        Some(Policy {
            subset: spec.subset.clone(),
            port: spec.port,
            tier: spec.tier.as_deref().and_then(|tier| Tier::ALL.into_iter().find(|known| known.as_str() == tier)),
            slots_per_endpoint: slots::begin(spec).unwrap_or(default.slots_per_endpoint),
            slots_per_pool: spec.slots_per_pool.and_then(NonZeroU32::new),
            adaptive_slots: self.adaptive_slots(),
            max_pending: spec.queue.max_pending,
            queue_timeout: duration(spec.queue.timeout.as_deref(), default.queue_timeout),
            queue_order: slots::order(spec),
            spill_to: self.spill_order((service, &host)),
            local_model: spec.local_model.as_deref() == Some("Allow"),
            latency_objective: spec.latency_objective.as_deref().and_then(|text| parse_duration(text).ok()),
            scaling: self.scaling(),
            hold: spec.hold_at_zero.as_ref().map(scaling::hold),
            peak_ewma: self.peak_ewma(),
            upkeep: self.upkeep(),
            hedge: self.hedge(),
            ..default
        })
    }

    /// What the pool is scaled by, if that is written and does not contradict itself.
    fn adaptive_slots(&mut self) -> Option<AdaptiveSlots> {
        match slots::resolve(&self.source.spec) {
            Ok(slots) => slots,
            Err((field, said)) => {
                self.error(OWN_SCHEMA, &Path::spec().key("slots").key(field), said);
                None
            }
        }
    }

    fn scaling(&mut self) -> Option<Scaling> {
        match scaling::resolve(self.source.spec.scaling.as_ref()?) {
            Ok(scaling) => Some(scaling),
            Err((field, said)) => {
                let path = field.split('.').fold(Path::spec().key("scaling"), |path, key| path.key(key));
                self.error(OWN_SCHEMA, &path, said);
                None
            }
        }
    }

    /// The service named and what it is called by, once its subset and port are known to exist where they are given.
    fn find(&mut self, named: (&str, Option<&str>, Option<u16>), path: &Path) -> Option<(&'a Service, Host)> {
        let (host, subset, port) = named;
        let namespace = self.source.document.namespace.as_str();
        let any_port =
            self.catalog.find(host, namespace).and_then(|(service, _)| service.ports.first()).map(|port| port.number);
        match self.catalog.resolve(Target { host, subset, port: port.or(any_port), sent_to: None, namespace }) {
            Ok((service, key)) => Some((service, key.host)),
            Err(None) => None,
            Err(Some(unresolved)) => {
                self.error(POLICY_MISSING, &path.key(unresolved.field), unresolved.remark);
                None
            }
        }
    }

    fn spill_order(&mut self, (from, from_host): (&Service, &Host)) -> Vec<Spill> {
        let spec = &self.source.spec;
        let mut order: Vec<Spill> = Vec::new();
        for (at, target) in spec.spill_to.iter().enumerate() {
            let path = Path::spec().key("spillTo").index(at);
            if target.host.is_empty() && !self.source.intact {
                continue;
            }
            let Some(to) = self.find((&target.host, target.subset.as_deref(), target.port), &path) else {
                continue;
            };
            let Some(spill) = self.spill(from, to, target, &path) else { continue };
            let itself = spill.host == *from_host
                && spill.subset == spec.subset
                && (spill.port.is_none() || spec.port.is_none() || spill.port == spec.port);
            if itself || order.contains(&spill) {
                let message =
                    if itself { "A pool cannot spill to itself." } else { "This pool stands in the order already." };
                self.error(SPILL, &path, remark(message, "Take this entry out."));
                continue;
            }
            order.push(spill);
        }
        order
    }

    /// The port of a target that names none: its only one, else the one that the pool spilling has too.
    fn spill(
        &mut self,
        from: &Service,
        (to, host): (&Service, Host),
        target: &SpillTarget,
        path: &Path,
    ) -> Option<Spill> {
        let spec = &self.source.spec;
        let ports: Vec<u16> =
            spec.port.map_or_else(|| from.ports.iter().map(|port| port.number).collect(), |port| vec![port]);
        let port = match (target.port, to.ports.as_slice()) {
            (Some(port), _) => Some(port),
            (None, [only]) => Some(only.number),
            (None, several) if ports.iter().all(|port| several.iter().any(|other| other.number == *port)) => None,
            (None, _) => {
                let message = format!("`{host}` has several ports, and none is named here.");
                self.error(POLICY_MISSING, path, remark(message, "Add `port`."));
                return None;
            }
        };
        Some(Spill { host, subset: target.subset.clone(), port })
    }
}

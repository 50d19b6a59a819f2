//! `RoutePolicy` documents into what holds for the rules of `VirtualService`s.

mod accepted;
mod rate_limits;

pub use accepted::{LocalSpaces, refused_spaces};

use std::collections::BTreeMap;
use std::sync::Arc;

use super::document::Document;
use super::finding::{Findings, ROUTE_POLICY_MISSING, ROUTE_POLICY_TWICE, Remark, remark};
use super::path::Path;
use super::suggest::did_you_mean;
use super::written::{self, Sourced, VirtualService, Written};
use crate::domain::{Priority, RoutePolicy, parse_duration};

/// The policies of one `VirtualService`.
#[derive(Debug, Default)]
struct OfService {
    /// That of the rules which have none of their own.
    all: Option<Arc<RoutePolicy>>,
    /// Those of single rules, by the rule's name.
    by_rule: BTreeMap<String, Arc<RoutePolicy>>,
}

/// Every policy, by the `VirtualService` that it is for, as `namespace/name`.
#[derive(Debug, Default)]
pub(super) struct RoutePolicies(BTreeMap<String, OfService>);

impl RoutePolicies {
    /// Reads every policy.
    pub(super) fn build(written: &Written, findings: &mut Findings) -> Self {
        let mut policies = Self::default();
        for source in &written.route_policies {
            let mut reader = Reader { source, written, findings };
            let Some(service) = reader.virtual_service() else { continue };
            let policy = Arc::new(reader.policy());
            let rule = source.spec.route.as_deref();
            if !policies.insert(service.document.full_name(), rule, policy) {
                let what = rule.map_or_else(|| "VirtualService".to_owned(), |rule| format!("rule `{rule}`"));
                let message = format!("There is a RoutePolicy for this {what} already.");
                let field = if rule.is_some() { "route" } else { "virtualService" };
                reader.error(ROUTE_POLICY_TWICE, field, remark(message, "Keep one of the two."));
            }
        }
        policies
    }

    /// Whether there was none for the same before.
    fn insert(&mut self, service: String, rule: Option<&str>, policy: Arc<RoutePolicy>) -> bool {
        let of_service = self.0.entry(service).or_default();
        match rule {
            None if of_service.all.is_some() => false,
            None => {
                of_service.all = Some(policy);
                true
            }
            Some(rule) => match of_service.by_rule.get(rule) {
                Some(_) => false,
                None => of_service.by_rule.insert(rule.to_owned(), policy).is_none(),
            },
        }
    }

    /// The policy for the rule called `rule`: its own, else that of its `VirtualService`.
    pub(super) fn of(&self, virtual_service: &Document, rule: Option<&str>) -> Option<Arc<RoutePolicy>> {
        let of_service = self.0.get(&virtual_service.full_name())?;
        rule.and_then(|rule| of_service.by_rule.get(rule)).or(of_service.all.as_ref()).cloned()
    }
}

/// The priority of this name; the default where there is none.
fn named(name: Option<&str>) -> Priority {
    let known = |priority: &Priority| Some(priority.as_str()) == name;
    Priority::ALL.into_iter().find(known).unwrap_or_default()
}

struct Reader<'a> {
    source: &'a Sourced<written::RoutePolicy>,
    written: &'a Written,
    findings: &'a mut Findings,
}

impl<'a> Reader<'a> {
    fn error(&mut self, code: &'static str, field: &str, remark: Remark) {
        self.findings.error(code, self.source.document.place(&Path::spec().key(field)), remark);
    }

    fn policy(&mut self) -> RoutePolicy {
        RoutePolicy {
            document: self.source.document.title().into(),
            local_model: accepted::read(self.source),
            rate_limits: rate_limits::read(self.source, self.findings),
            priority: named(self.source.spec.priority.as_deref()),
            latency_objective: self.source.spec.latency_objective.as_deref().and_then(|text| parse_duration(text).ok()),
        }
    }

    /// The service named, once its rule is known to exist where one is named too.
    fn virtual_service(&mut self) -> Option<&'a Sourced<VirtualService>> {
        let spec = &self.source.spec;
        if spec.virtual_service.is_empty() && !self.source.intact {
            return None;
        }
        let own = self.source.document.namespace.as_str();
        let (namespace, name) = spec.virtual_service.split_once('/').unwrap_or((own, &spec.virtual_service));
        let services = &self.written.virtual_services;
        let is_meant = |service: &&Sourced<VirtualService>| {
            service.document.namespace == namespace && service.document.name == name
        };
        let Some(service) = services.iter().find(is_meant) else {
            // What is missing may stand in what could not be read.
            if !self.written.unreadable {
                let beside = services.iter().filter(|service| service.document.namespace == namespace);
                let cure = did_you_mean(name, beside.map(|service| service.document.name.as_str()), || {
                    "Name one of its own namespace, or `namespace/name`.".to_owned()
                });
                let message = format!("There is no VirtualService `{namespace}/{name}`.");
                self.error(ROUTE_POLICY_MISSING, "virtualService", remark(message, cure));
            }
            return None;
        };
        let names = || service.spec.http.iter().filter_map(|rule| rule.name.as_deref());
        if let Some(rule) = spec.route.as_deref().filter(|rule| service.intact && names().all(|name| name != *rule)) {
            let cure = did_you_mean(rule, names(), || "Write the `name` of one of its `http` rules.".to_owned());
            let message = format!("The VirtualService `{namespace}/{name}` has no rule called `{rule}`.");
            self.error(ROUTE_POLICY_MISSING, "route", remark(message, cure));
            return None;
        }
        Some(service)
    }
}

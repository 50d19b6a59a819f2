//! `trafficPolicy` sections, checked, and which of them holds where rule, subset and port each have a say.

mod balancing;
mod connections;
mod locality;
mod outlier;
mod tls;

use std::num::NonZeroU32;

use super::super::document::Document;
use super::super::finding::{Findings, Remark, remark};
use super::super::path::Path;
use super::super::secrets::Folders;
use super::super::unexecuted::NO_FORM;
use super::super::written;
use crate::domain::{ConnectionPool, LoadBalancer, OutlierDetection, RetryBudget, TrafficPolicy, parse_duration};
pub(in crate::config) use tls::Tls;

/// One `trafficPolicy`.
#[derive(Debug)]
pub(in crate::config) struct Policy {
    own: Sections,
    /// Holds whatever the port: Istio's settings of a port say nothing of it.
    retry_budget: Option<RetryBudget>,
    /// What holds on a port in place of all of it.
    ports: Vec<(u32, Sections)>,
}

/// The sections of a policy; what is absent is left to the policy below.
#[derive(Clone, Debug, Default)]
struct Sections {
    connection_pool: Option<ConnectionPool>,
    load_balancer: Option<LoadBalancer>,
    outlier_detection: Option<OutlierDetection>,
    tls: Option<Tls>,
}

/// What a pool on `port` does, and how its connections are secured. A subset's sections replace the rule's, and the settings
/// of a port inherit nothing.
pub(in crate::config) fn in_force(
    rule: Option<&Policy>,
    subset: Option<&Policy>,
    port: u16,
) -> (TrafficPolicy, Option<Tls>) {
    let sections = [rule, subset].into_iter().flatten().fold(Sections::default(), |below, policy| {
        policy.on_port(port).map_or_else(|| policy.own.clone().or(below), Clone::clone)
    });
    let traffic = TrafficPolicy {
        load_balancer: sections.load_balancer.unwrap_or_default(),
        connection_pool: sections.connection_pool.unwrap_or_default(),
        outlier_detection: sections.outlier_detection,
        tls: None,
        retry_budget: [subset, rule].into_iter().flatten().find_map(|policy| policy.retry_budget),
    };
    (traffic, sections.tls)
}

impl Policy {
    /// Whether it secures connections to `port`.
    pub(super) fn secures(&self, port: u16) -> bool {
        self.on_port(port).unwrap_or(&self.own).tls.as_ref().is_some_and(Tls::secures)
    }

    fn on_port(&self, port: u16) -> Option<&Sections> {
        self.ports.iter().find(|(number, _)| *number == u32::from(port)).map(|(_, sections)| sections)
    }
}

/// Istio's defaults are 20 % and 3, the latter where 0 is written too.
fn retry_budget(written: &written::RetryBudget) -> RetryBudget {
    let default = RetryBudget::DEFAULT;
    let min_concurrency = match written.min_retry_concurrency {
        0 => default.min_concurrency,
        written => written,
    };
    RetryBudget { percent: written.percent.unwrap_or(default.percent), min_concurrency }
}

impl Sections {
    fn or(self, below: Self) -> Self {
        Self {
            connection_pool: self.connection_pool.or(below.connection_pool),
            load_balancer: self.load_balancer.or(below.load_balancer),
            outlier_detection: self.outlier_detection.or(below.outlier_detection),
            tls: self.tls.or(below.tls),
        }
    }
}

/// Reads the policies of one document, and reports what Istio rejects and what the router does not do.
pub(super) struct Reader<'a> {
    pub(super) document: &'a Document,
    /// Whether what is absent is absent on purpose.
    pub(super) intact: bool,
    /// Whether Istio takes the document.
    pub(super) admitted: bool,
    pub(super) folders: &'a Folders,
    pub(super) findings: &'a mut Findings,
}

impl Reader<'_> {
    pub(super) fn policy(&mut self, written: &written::TrafficPolicy, path: &Path) -> Policy {
        const SECTIONS: [&str; 8] = [
            "connectionPool",
            "loadBalancer",
            "outlierDetection",
            "portLevelSettings",
            "proxyProtocol",
            "retryBudget",
            "tls",
            "tunnel",
        ];
        self.expect_one(&SECTIONS, path);
        let own = Sections {
            connection_pool: written.connection_pool.as_ref().map(|pool| self.connection_pool(pool, path)),
            load_balancer: written.load_balancer.as_ref().map(|balancer| self.load_balancer(balancer, path)),
            outlier_detection: written.outlier_detection.as_ref().map(|outlier| self.outlier_detection(outlier, path)),
            tls: self.tls(written.tls.as_ref(), path),
        };
        let ports = written.port_level_settings.iter().enumerate();
        let ports = ports.filter_map(|(at, port)| self.port(port, &path.key("portLevelSettings").index(at)));
        Policy { own, retry_budget: written.retry_budget.as_ref().map(retry_budget), ports: ports.collect() }
    }

    fn port(&mut self, written: &written::PortTrafficPolicy, path: &Path) -> Option<(u32, Sections)> {
        self.expect_one(&["connectionPool", "loadBalancer", "outlierDetection", "tls"], path);
        let sections = Sections {
            connection_pool: written.connection_pool.as_ref().map(|pool| self.connection_pool(pool, path)),
            load_balancer: written.load_balancer.as_ref().map(|balancer| self.load_balancer(balancer, path)),
            outlier_detection: written.outlier_detection.as_ref().map(|outlier| self.outlier_detection(outlier, path)),
            tls: self.tls(written.tls.as_ref(), path),
        };
        if written.port.is_none() && self.intact {
            self.wrong(path, remark("These settings name no port.", "Add `port: {number: ...}`."));
        }
        written.port.as_ref().map(|port| (port.number, sections))
    }

    fn wrong(&mut self, path: &Path, remark: Remark) {
        if self.admitted {
            self.findings.not_executed(&NO_FORM, self.document.place(path), remark);
        }
    }

    /// Istio rejects an object that has none of its sections.
    fn expect_one(&mut self, sections: &[&str], path: &Path) {
        if self.intact && sections.iter().all(|section| !self.document.has(&path.key(section))) {
            let cure = format!("Add one of {}, or take it out.", sections.join(", "));
            self.wrong(path, remark("There is nothing in this policy.", cure));
        }
    }

    fn connection_pool(&mut self, written: &written::ConnectionPool, path: &Path) -> ConnectionPool {
        let path = path.key("connectionPool");
        self.expect_one(&["http", "tcp"], &path);
        let (http, tcp) = (&written.http, &written.tcp);
        let upgrades_to_http2 = http.h2_upgrade_policy.as_deref() == Some("UPGRADE");
        if upgrades_to_http2 && http.use_client_protocol {
            let said = remark(
                "Endpoints cannot speak both HTTP/2 and what the client speaks.",
                "Take this out, or write another `h2UpgradePolicy`.",
            );
            self.wrong(&path.key("http").key("useClientProtocol"), said);
        }
        // As Istio has it, zero is not set.
        let count = |written: i32| u32::try_from(written).ok().and_then(NonZeroU32::new);
        ConnectionPool {
            connect_timeout: tcp.connect_timeout.as_deref().and_then(|text| parse_duration(text).ok()),
            max_connections: count(tcp.max_connections),
            max_requests: count(http.http2_max_requests),
            max_pending: count(http.http1_max_pending_requests),
            max_requests_per_connection: count(http.max_requests_per_connection),
            max_retries: count(http.max_retries),
            settings: connections::settings(written),
            uses_client_protocol: http.use_client_protocol,
            upgrades_to_http2,
        }
    }
}

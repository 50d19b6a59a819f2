//! From the bytes of every file to one configuration: the steps in order.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::catalog::Catalog;
use super::checked::Checked;
use super::document::Documents;
use super::expressions::Expressions;
use super::finding::{Findings, NOTHING, bars, remark};
use super::pools::Pools;
use super::problem::{Place, Problem};
use super::restart::StartupPlaces;
use super::route_policies::RoutePolicies;
use super::secrets::Folders;
use super::{analysis, document, gateways, policies, routes, settings, written};

/// One file, as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceFile {
    /// What problems call it.
    pub name: String,
    /// What it holds: YAML or JSON, one document or several.
    pub bytes: Vec<u8>,
}

/// Settings given outside the documents, by environment or flag; each wins over the documents.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    /// Where traffic is accepted.
    pub listen: Option<SocketAddr>,
    /// Where the admin API is served.
    pub admin: Option<SocketAddr>,
    /// The local model's folder; turns the local tier on.
    pub model: Option<PathBuf>,
    /// The ONNX Runtime library.
    pub library: Option<PathBuf>,
    /// The filter of the program's own log.
    pub log: Option<String>,
    /// Whether requests are logged.
    pub access_log: Option<bool>,
    /// The base URL of the collector that spans go to.
    pub otlp_endpoint: Option<String>,
    /// The router's name in traces.
    pub service_name: Option<String>,
    /// How long a drain keeps accepting connections.
    pub drain_delay: Option<Duration>,
    /// The proxy to answer for, in place of the one that the settings make of this router.
    pub viewpoint: Option<AskedFor>,
}

/// A proxy to answer for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AskedFor {
    /// Its namespace; `None` is that of the settings.
    pub namespace: Option<String>,
    /// The labels of a gateway; `None` is a sidecar.
    pub gateway: Option<BTreeMap<String, String>>,
    /// The port that a sidecar's requests were sent to; `None` finds services whatever their ports are.
    pub port: Option<u16>,
}

/// What the documents come to.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The configuration; `None` where some document is wrong in itself. Where documents merely do not fit together, it is
    /// there with pools that have no endpoints, to be explained and not to be used: see [`Loaded::is_faulty`].
    pub checked: Option<Checked>,
    /// Every problem, by file, line and column.
    pub problems: Vec<Problem>,
    /// Where the settings stand that need a restart.
    pub startup_places: StartupPlaces,
    /// Where the local model's execution providers stand.
    pub providers_place: Place,
}

impl Loaded {
    /// Whether the problems are such that the configuration must not be put in force.
    pub fn is_faulty(&self) -> bool {
        self.problems.iter().any(bars)
    }
}

/// Reads, checks and resolves the documents of every file.
///
/// Pure: the same files and overrides give the same result. No documents at all give the defaults, with no host served.
pub fn load(files: &[SourceFile], overrides: &Overrides) -> Loaded {
    let mut findings = Findings::default();
    let documents = document::read(files, &mut findings);
    report_nothing(files, &documents, &mut findings);
    let written = written::sort(documents, &mut findings);
    let (limits, mut startup) = settings::check(&written.settings, overrides, &mut findings);
    let viewpoint = settings::viewpoint(&written.settings, overrides, &startup);
    let folders = Folders::of(&written.settings);
    let servers = gateways::servers(&written.gateways, &viewpoint, &folders, &mut findings);
    let (address, ports) = settings::gateway_binding(&written.settings, &startup);
    startup.listeners = gateways::listeners(&servers, address, |port| ports.get(&port).copied());
    let catalog = Catalog::build(&written, &viewpoint, folders, &mut findings);
    analysis::report(&written, &catalog, &viewpoint, &mut findings);
    let local_model = settings::local_model(&written, overrides, &mut findings);
    let policies = policies::build(&written.policies, &catalog, local_model.as_ref(), &mut findings);
    let mut pools = Pools::new(&catalog, &policies);
    let policies = RoutePolicies::build(&written, &mut findings);
    let expressions = Expressions::default();
    let rules = routes::Documents {
        virtual_services: &written.virtual_services,
        policies: &policies,
        expressions: &expressions,
    };
    let virtual_hosts = routes::build(rules, &servers, &mut pools, &viewpoint, &mut findings);
    let pools = pools.finish(&mut findings);
    let checked = findings.documents_stand().then_some(Checked { limits, startup, local_model, virtual_hosts, pools });
    let startup_places = StartupPlaces::of(&written, files);
    let providers_place = settings::providers_place(&written.settings);
    Loaded { checked, problems: findings.into_sorted(), startup_places, providers_place }
}

/// Judges each document by itself, as the API server and Istio's webhook do where it is applied.
///
/// Only what they reject is an error. What the router does not execute is a warning, and what one document says of
/// another is not looked at.
pub fn admit(files: &[SourceFile]) -> Vec<Problem> {
    let mut findings = Findings::default();
    let documents = document::read(files, &mut findings);
    report_nothing(files, &documents, &mut findings);
    for document in &documents.read {
        written::judge(document, &mut findings);
    }
    findings.soften_not_executed();
    findings.into_sorted()
}

fn report_nothing(files: &[SourceFile], documents: &Documents, findings: &mut Findings) {
    if !documents.any {
        let place = Place { file: files.first().map(|file| file.name.clone()).unwrap_or_default(), ..Place::default() };
        let said = remark(
            "There are no documents: every setting is its default, and no host is served.",
            "Add a VirtualService or a ServiceEntry.",
        );
        findings.warning(NOTHING, place, said);
    }
}

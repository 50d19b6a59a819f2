//! From the bytes of every file to one configuration: the steps in order.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::catalog::Catalog;
use super::checked::Checked;
use super::finding::{Findings, NOTHING, remark};
use super::pools::Pools;
use super::problem::{Place, Problem};
use super::{document, gateways, policies, routes, settings, written};

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
    /// The filter of the program's own log.
    pub log: Option<String>,
    /// Whether requests are logged.
    pub access_log: Option<bool>,
    /// How long a drain keeps accepting connections.
    pub drain_delay: Option<Duration>,
}

/// What the documents come to.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The configuration; `None` where any problem is an error.
    pub checked: Option<Checked>,
    /// Every problem, by file, line and column.
    pub problems: Vec<Problem>,
}

/// Reads, checks and resolves the documents of every file.
///
/// Pure: the same files and overrides give the same result. No documents at all give the defaults, with no host served.
pub fn load(files: &[SourceFile], overrides: &Overrides) -> Loaded {
    let mut findings = Findings::default();
    let documents = document::read(files, &mut findings);
    if !documents.any {
        let place = Place { file: files.first().map(|file| file.name.clone()).unwrap_or_default(), ..Place::default() };
        let said = remark(
            "There are no documents: every setting is its default, and no host is served.",
            "Add a VirtualService or a ServiceEntry.",
        );
        findings.warning(NOTHING, place, said);
    }
    let written = written::sort(documents, &mut findings);
    gateways::report(&written.gateways, &mut findings);
    let (limits, startup) = settings::check(&written.settings, overrides, &mut findings);
    let catalog = Catalog::build(&written, &startup.workload, &mut findings);
    let policies = policies::build(&written.policies, &catalog, startup.local_model.as_ref(), &mut findings);
    let mut pools = Pools::new(&catalog, &policies);
    let virtual_hosts =
        routes::build(&written.virtual_services, &mut pools, &startup.workload.namespace, &mut findings);
    let pools = pools.finish();
    let checked = (findings.errors() == 0).then_some(Checked { limits, startup, virtual_hosts, pools });
    Loaded { checked, problems: findings.into_sorted() }
}

//! The documents and requests that decisions are measured with: text, read the way that every document is.

use std::fmt::Write as _;

use http::{HeaderMap, HeaderName, HeaderValue, Method};
use overspill::config::{Loaded, Overrides, SourceFile, load};
use overspill::routing::Head;
use overspill::snapshot::{Resolved, Snapshot, compile};

/// The hosts of the measured estate.
pub(crate) const HOSTS: usize = 1_000;
/// The rules of each.
pub(crate) const RULES: usize = 10;

/// How many of so many hosts are wildcards.
pub(crate) const fn wildcards(hosts: usize) -> usize {
    hosts / 10
}

/// The rules of every host of [`estate`], in the order in which they are tried.
const ESTATE_RULES: [&str; RULES] = [
    "match: [{uri: {exact: /v1/models}}]",
    "match: [{uri: {exact: /v1/embeddings}, method: {exact: POST}}]",
    "match: [{uri: {exact: /healthz}}, {uri: {exact: /readyz}}]",
    "match: [{uri: {prefix: /v1/}, headers: {x-tier: {exact: gold}}}]",
    "match: [{headers: {x-canary: {}}, withoutHeaders: {x-stable: {}}}]",
    "match: [{uri: {prefix: /v1/chat/}}]",
    "match: [{uri: {prefix: /v1/}}]",
    "match: [{uri: {prefix: /api/}, queryParams: {version: {exact: '2'}}}]",
    "match: [{uri: {regex: '/users/[0-9]+/profile'}}]",
    "name: rest",
];

/// Hosts with ten rules each; a tenth of the hosts are wildcards.
pub(crate) fn estate(hosts: usize) -> String {
    let mut text = String::new();
    for host in 0..hosts - wildcards(hosts) {
        service(&mut text, host);
        virtual_service(&mut text, &format!("own-{host}"), &service_host(host), host, &ESTATE_RULES);
    }
    for host in 0..wildcards(hosts) {
        let pattern = format!("*.tenant-{host}.example.com");
        virtual_service(&mut text, &format!("tenant-{host}"), &pattern, host, &ESTATE_RULES);
    }
    text
}

/// One host with twenty rules, each an expression over the path.
pub(crate) fn expressions() -> String {
    let rule = |at: usize| format!("match: [{{uri: {{regex: '/tenants/[a-z0-9-]+/models/m{at}/(predict|embed)'}}}}]");
    single(&(0..20).map(rule).collect::<Vec<_>>())
}

/// One host with so many rules: half of them exact paths, the others prefixes.
pub(crate) fn crowd(rules: usize) -> String {
    let rule = |at: usize| match at % 2 {
        0 => format!("match: [{{uri: {{exact: /exact/{at}}}}}]"),
        _ => format!("match: [{{uri: {{prefix: /prefix/{at}/}}}}]"),
    };
    single(&(0..rules).map(rule).collect::<Vec<_>>())
}

fn single(rules: &[String]) -> String {
    let mut text = String::new();
    service(&mut text, 0);
    virtual_service(&mut text, "single", &service_host(0), 0, rules);
    text
}

/// The host of the service `index`.
pub(crate) fn service_host(index: usize) -> String {
    format!("svc-{index}.shop.svc.cluster.local")
}

fn service(text: &mut String, index: usize) {
    write!(
        text,
        "---\napiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {{name: svc-{index}, namespace: shop}}\n\
         spec:\n  hosts: [{}]\n  location: MESH_INTERNAL\n  resolution: STATIC\n  \
         ports: [{{number: 80, name: http, protocol: HTTP}}]\n  endpoints: [{{address: 10.0.{}.{}}}]\n",
        service_host(index),
        index / 250,
        index % 250 + 1,
    )
    .expect("a string takes all text");
}

fn virtual_service(text: &mut String, name: &str, host: &str, destination: usize, rules: &[impl AsRef<str>]) {
    write!(
        text,
        "---\napiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {{name: {name}, namespace: shop}}\n\
         spec:\n  hosts: [\"{host}\"]\n  http:\n",
    )
    .expect("a string takes all text");
    for rule in rules {
        let (rule, host) = (rule.as_ref(), service_host(destination));
        write!(text, "  - {rule}\n    route: [{{destination: {{host: {host}}}}}]\n").expect("a string takes all text");
    }
}

/// Reads documents as the program reads a file.
pub(crate) fn read(text: &str) -> Loaded {
    let loaded = load(&[SourceFile { name: "bench.yaml".to_owned(), bytes: text.into() }], &Overrides::default());
    assert!(!loaded.is_faulty(), "{:?}", loaded.problems.first());
    loaded
}

/// Compiles what [`read`] gave.
pub(crate) fn compiled(loaded: &Loaded) -> Snapshot {
    compile(loaded.checked.as_ref().expect("documents without errors"), &Resolved::assumed(), None)
}

/// One request, owned.
pub(crate) struct Ask {
    method: Method,
    authority: String,
    path: String,
    query: Option<&'static str>,
    headers: HeaderMap,
}

impl Ask {
    /// `GET` of `path` at `authority`.
    pub(crate) fn get(authority: impl Into<String>, path: impl Into<String>) -> Self {
        Self {
            method: Method::GET,
            authority: authority.into(),
            path: path.into(),
            query: None,
            headers: HeaderMap::new(),
        }
    }

    /// The same by `POST`.
    pub(crate) fn post(self) -> Self {
        Self { method: Method::POST, ..self }
    }

    /// The same with a query.
    pub(crate) fn query(self, query: &'static str) -> Self {
        Self { query: Some(query), ..self }
    }

    /// The same with one line of a header more.
    pub(crate) fn header(mut self, name: &'static str, value: &'static str) -> Self {
        self.headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        self
    }

    /// What routing looks at.
    pub(crate) fn head(&self) -> Head<'_> {
        Head {
            method: &self.method,
            scheme: "http",
            authority: &self.authority,
            path: &self.path,
            query: self.query,
            headers: &self.headers,
            port: 80,
            server_name: None,
        }
    }
}

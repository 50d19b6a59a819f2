//! Any head of a request before fixed documents: decided without a panic, alike each time, and as the trace explains it.
//!
//! A request is text: `METHOD SCHEME AUTHORITY TARGET PORT`, then a line for each header.

use std::str::FromStr as _;
use std::sync::LazyLock;

use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};
use overspill::config::{AskedFor, Overrides, SourceFile, load};
use overspill::routing::{Head, normal_uri};
use overspill::snapshot::{Resolved, Snapshot, compile};

use super::decide::decide;

const DOCUMENTS: [&str; 6] = [
    include_str!("../../property/documents.yaml"),
    include_str!("../../golden/explain/gateway/documents.yaml"),
    include_str!("../../golden/explain/headers/documents.yaml"),
    include_str!("../../golden/explain/origins/documents.yaml"),
    include_str!("../../golden/explain/paths/documents.yaml"),
    include_str!("../../golden/config/actions.yaml"),
];

/// The documents as a sidecar sees them, and as a gateway does.
static SNAPSHOTS: LazyLock<Vec<Snapshot>> = LazyLock::new(|| {
    let labels = || [("istio".to_owned(), "ingressgateway".to_owned())].into();
    let gateway = AskedFor { gateway: Some(labels()), ..AskedFor::default() };
    let viewpoints = [None, Some(gateway)];
    let snapshot = |(text, viewpoint): (&str, &Option<AskedFor>)| {
        let files = [SourceFile { name: "fuzz.yaml".to_owned(), bytes: text.into() }];
        let overrides = Overrides { viewpoint: viewpoint.clone(), ..Overrides::default() };
        let loaded = load(&files, &overrides);
        compile(&loaded.checked.expect("documents that stand by themselves"), &Resolved::assumed(), None)
    };
    DOCUMENTS.into_iter().flat_map(|text| viewpoints.each_ref().map(|viewpoint| snapshot((text, viewpoint)))).collect()
});

struct Request<'a> {
    method: Method,
    scheme: &'a str,
    authority: &'a str,
    target: Uri,
    port: u16,
    headers: HeaderMap,
}

impl<'a> Request<'a> {
    /// `None` for what no server would hand on as a request.
    fn parse(bytes: &'a [u8]) -> Option<Self> {
        let (line, rest) = bytes.split_at(bytes.iter().position(|byte| *byte == b'\n').unwrap_or(bytes.len()));
        let mut words = std::str::from_utf8(line).ok()?.split(' ');
        let mut headers = HeaderMap::new();
        for line in rest.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            let colon = line.iter().position(|byte| *byte == b':')?;
            let value = line[colon + 1..].trim_ascii();
            headers.append(HeaderName::from_bytes(&line[..colon]).ok()?, HeaderValue::from_bytes(value).ok()?);
        }
        Some(Self {
            method: Method::from_str(words.next()?).ok()?,
            scheme: words.next()?,
            authority: words.next()?,
            target: normal(PathAndQuery::from_str(words.next()?).ok()?.into())?,
            port: words.next()?.parse().ok()?,
            headers,
        })
    }

    fn head(&self, server_name: Option<&'a str>) -> Head<'_> {
        Head {
            method: &self.method,
            scheme: self.scheme,
            authority: self.authority,
            path: self.target.path(),
            query: self.target.query(),
            headers: &self.headers,
            port: self.port,
            server_name,
        }
    }
}

/// The normal form of `target`, which is its own; `None` where it has none.
fn normal(target: Uri) -> Option<Uri> {
    let normal = normal_uri(&target).ok()?.unwrap_or(target);
    assert_eq!(normal_uri(&normal).ok(), Some(None), "{normal}: a normal form is its own");
    Some(normal)
}

/// Decides on `bytes` as a request before each snapshot; `None` for what is no request.
pub fn requests(bytes: &[u8]) -> Option<()> {
    let request = Request::parse(bytes)?;
    for snapshot in SNAPSHOTS.iter() {
        for server_name in [None, Some(""), Some("secure.example.com")] {
            decide(snapshot, &request.head(server_name));
        }
    }
    Some(())
}

//! Any head of a request before fixed documents: decided without a panic, alike each time, and as the trace explains it.
//!
//! A request is text: `METHOD SCHEME AUTHORITY TARGET PORT`, then a line for each header.

#![no_main]

use std::net::{IpAddr, Ipv4Addr};
use std::str::FromStr as _;
use std::sync::LazyLock;

use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use libfuzzer_sys::{Corpus, fuzz_target};
use overspill::config::{AskedFor, Overrides, SourceFile, load};
use overspill::domain::OwnAnswer;
use overspill::routing::{Head, cors};
use overspill::snapshot::{Decision, Resolved, Route, Snapshot, Trace, affinities, choose, compile, trace};

const DOCUMENTS: [&str; 3] = [
    include_str!("../../property/documents.yaml"),
    include_str!("../../golden/explain/gateway/documents.yaml"),
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
    target: PathAndQuery,
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
            target: PathAndQuery::from_str(words.next()?).ok()?,
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

fuzz_target!(|bytes: &[u8]| -> Corpus {
    let Some(request) = Request::parse(bytes) else { return Corpus::Reject };
    for snapshot in SNAPSHOTS.iter() {
        for server_name in [None, Some(""), Some("secure.example.com")] {
            decide(snapshot, &request.head(server_name));
        }
    }
    Corpus::Keep
});

fn decide(snapshot: &Snapshot, head: &Head<'_>) {
    let explained = trace(snapshot, head);
    for draw in [0, u64::MAX / 2, u64::MAX] {
        let decision = choose(snapshot, head, draw);
        assert_eq!(decision, choose(snapshot, head, draw), "one request and draw have one decision");
        agree(&explained, &decision);
        let route = match decision {
            Decision::Forward { route, share, candidates } => {
                affinities(snapshot, candidates, head, IpAddr::V4(Ipv4Addr::LOCALHOST), || draw);
                edit(snapshot.route(route), Some(share), head);
                route
            }
            Decision::Local { route, share, .. } => {
                edit(snapshot.route(route), Some(share), head);
                route
            }
            Decision::Answer { route, answer } => {
                if let OwnAnswer::Redirect(redirect) = answer {
                    let location = snapshot.route(route).location(redirect, head);
                    assert!(location.contains("://"), "{location}: a redirect leads to a whole URL");
                }
                edit(snapshot.route(route), None, head);
                route
            }
            Decision::Refuse { .. } => continue,
        };
        if let Some(policy) = &snapshot.route(route).cors {
            cors(policy, head.method, head.headers);
        }
    }
}

fn agree(explained: &Trace<'_>, decision: &Decision<'_>) {
    let decided = match decision {
        Decision::Forward { route, .. } | Decision::Local { route, .. } | Decision::Answer { route, .. } => {
            Some(*route)
        }
        Decision::Refuse { route, .. } => *route,
    };
    assert_eq!(explained.matched(), decided, "the trace and the decision name one rule");
    assert!(explained.host_known || decided.is_none(), "no rule is known by an unknown host");
}

/// Carries out what the rule changes.
fn edit(route: &Route, share: Option<usize>, head: &Head<'_>) {
    if let Some(path) = route.rewritten_path(head) {
        assert!(path.starts_with('/'), "{path}: a request's path begins with a slash");
    }
    let Some(edits) = &route.edits else { return };
    let mut headers = head.headers.clone();
    if let Some(share) = share {
        edits.edit_request(share, &mut headers);
        edits.authority(share);
    }
    edits.edit_response(share, &mut headers);
}

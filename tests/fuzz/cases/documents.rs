//! Any bytes as documents: read, judged, shown and compiled without a panic, and judged alike twice; and what they decide
//! of requests for the hosts and paths that they name.

use http::{HeaderMap, Method};
use overspill::config::{AskedFor, Checked, Entry, Overrides, SourceFile, VirtualHost, admit, load};
use overspill::domain::{HostPattern, StringMatch};
use overspill::routing::Head;
use overspill::snapshot::{Resolved, Snapshot, compile};

use super::decide::decide;

/// Of how many hosts, and of how many rules of each, requests are made: large documents are there to be read.
const ASKED: usize = 8;

/// Judges `bytes` as a file, before a sidecar and before a gateway.
pub fn documents(bytes: &[u8]) {
    let files = [SourceFile { name: "fuzz.yaml".to_owned(), bytes: bytes.to_vec() }];
    admit(&files);
    let labels = || [("istio".to_owned(), "ingressgateway".to_owned())].into();
    let gateway = AskedFor { gateway: Some(labels()), ..AskedFor::default() };
    for viewpoint in [None, Some(gateway)] {
        let overrides = Overrides { viewpoint, ..Overrides::default() };
        let loaded = load(&files, &overrides);
        assert_eq!(loaded.problems, load(&files, &overrides).problems, "one configuration has one verdict");
        if let Some(checked) = loaded.checked {
            overspill::config::dump(&checked);
            let snapshot = compile(&checked, &Resolved::assumed(), None);
            ask(&checked, &compile(&checked, &Resolved::assumed(), Some(&snapshot)));
        }
    }
}

/// Asks for what the documents name.
fn ask(checked: &Checked, snapshot: &Snapshot) {
    let headers = HeaderMap::new();
    for host in checked.virtual_hosts.iter().take(ASKED) {
        let port = match &host.entry {
            Entry::Mesh => 80,
            Entry::Gateway { port, .. } => *port,
        };
        for (authority, path) in host.hosts.iter().take(ASKED).flat_map(|pattern| asks(pattern, host)) {
            let method = &Method::GET;
            // Other characters are no request's.
            let path = path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'?' && byte != b'#').then_some(path);
            let Some(path) = path.filter(|path| path.starts_with('/')) else { continue };
            decide(
                snapshot,
                &Head {
                    method,
                    scheme: "http",
                    authority: &authority,
                    path,
                    query: None,
                    headers: &headers,
                    port,
                    server_name: None,
                },
            );
        }
    }
}

/// A host that `pattern` matches, with each path that the rules of `host` name.
fn asks<'h>(pattern: &HostPattern, host: &'h VirtualHost) -> Vec<(String, &'h str)> {
    let authority = match pattern {
        HostPattern::Exact(host) => host.to_string(),
        HostPattern::Suffix(suffix) => format!("any{suffix}"),
        HostPattern::Any => "any.test".to_owned(),
    };
    let conditions = host.routes.iter().take(ASKED).flat_map(|route| route.matches.iter().take(ASKED));
    let paths = conditions.filter_map(|condition| match &condition.uri {
        Some(StringMatch::Exact(path) | StringMatch::Prefix(path)) => Some(&**path),
        Some(StringMatch::Regex(_) | StringMatch::Present) | None => None,
    });
    paths.chain(["/"]).map(|path| (authority.clone(), path)).collect()
}

//! The virtual hosts of a gateway's ports.
//!
//! The rules are those by which Istio builds a gateway's routes (`buildGatewayHTTPRouteConfig`): a host is served where a
//! server and a virtual service both have it, the more specific of the two spellings counts, and the rules of several
//! virtual services of one host stand one behind the other, the oldest first, with those that take everything at the end.

use std::collections::BTreeMap;

use http::StatusCode;

use super::{Root, routes_for};
use crate::config::checked::{Entry, Route, RouteMatch, VirtualHost};
use crate::config::gateways::Server;
use crate::config::viewpoint::Viewpoint;
use crate::domain::{HostPattern, OwnAnswer, Redirect, RedirectPort, StringMatch};

/// What the servers of one entry have gathered for a host.
#[derive(Default)]
struct Gathered {
    /// Which of the lists of rules, one behind the other.
    lists: Vec<usize>,
    redirects: bool,
}

/// Builds those of the servers at one `entry`, in the order in which Istio merges their gateways.
pub(super) fn virtual_hosts(
    entry: &Entry,
    servers: &[&Server],
    roots: &[Root<'_>],
    viewpoint: &Viewpoint,
) -> Vec<VirtualHost> {
    let mut lists: Vec<Vec<Route>> = Vec::new();
    let mut hosts: BTreeMap<HostPattern, Gathered> = BTreeMap::new();
    for server in servers {
        for root in roots.iter().filter(|root| root.is_bound_to(&server.gateway)) {
            let served = served_hosts(server, root);
            let routes = if served.is_empty() {
                Vec::new()
            } else {
                up_to_catch_all(routes_for(&root.rules, &server.gateway, Some(server.port), viewpoint))
            };
            if routes.is_empty() {
                continue;
            }
            for host in served {
                let gathered = hosts.entry(host).or_default();
                gathered.lists.push(lists.len());
                gathered.redirects |= server.https_redirect;
            }
            lists.push(routes);
        }
        for (_, host) in server.hosts.iter().filter(|_| server.https_redirect) {
            hosts.entry(host.clone()).or_default().redirects = true;
        }
    }
    // Hosts with the same rules share them.
    let mut alike: BTreeMap<(bool, Vec<usize>), Vec<HostPattern>> = BTreeMap::new();
    for (host, Gathered { lists, redirects }) in hosts {
        alike.entry((redirects, if redirects { Vec::new() } else { lists })).or_default().push(host);
    }
    let finished = alike.into_iter().map(|((redirects, from), hosts)| {
        let rules = from.iter().flat_map(|at| lists[*at].iter().cloned()).collect();
        let routes = if redirects { vec![https_redirect(servers)] } else { catch_all_last(rules) };
        VirtualHost { entry: entry.clone(), hosts, routes }
    });
    finished.collect()
}

/// The hosts that both have, each in its narrower spelling.
fn served_hosts(server: &Server, root: &Root<'_>) -> Vec<HostPattern> {
    let mut common: Vec<HostPattern> = Vec::new();
    let namespace = &root.document.namespace;
    for (_, ours) in server.hosts.iter().filter(|(of, _)| of.as_ref().is_none_or(|of| of == namespace)) {
        for theirs in root.hosts {
            let narrower = if ours.covers(theirs) {
                theirs
            } else if theirs.covers(ours) {
                ours
            } else {
                continue;
            };
            if !common.contains(narrower) {
                common.push(narrower.clone());
            }
        }
    }
    common
}

/// The rules up to the first that takes everything: Istio leaves out what stands behind it in one virtual service, and
/// would otherwise put it ahead of that rule when several are merged.
fn up_to_catch_all(routes: Vec<Route>) -> Vec<Route> {
    let mut kept = Vec::new();
    for mut route in routes {
        match route.matches.iter().position(takes_everything) {
            Some(at) => {
                route.matches.truncate(at + 1);
                kept.push(route);
                break;
            }
            None if route.matches.is_empty() => {
                kept.push(route);
                break;
            }
            None => kept.push(route),
        }
    }
    kept
}

/// Moves what takes everything behind all else, each in the order it stands in.
fn catch_all_last(routes: Vec<Route>) -> Vec<Route> {
    let (mut first, mut last) = (Vec::with_capacity(routes.len()), Vec::new());
    for mut route in routes {
        if route.matches.is_empty() {
            last.push(route);
            continue;
        }
        let (everything, some): (Vec<RouteMatch>, Vec<RouteMatch>) =
            std::mem::take(&mut route.matches).into_iter().partition(takes_everything);
        if !everything.is_empty() {
            last.push(Route { matches: everything, ..route.clone() });
        }
        if !some.is_empty() {
            first.push(Route { matches: some, ..route });
        }
    }
    first.extend(last);
    first
}

/// Istio's `IsCatchAllRoute`: the prefix `/`, which is also what no path at all becomes, or the expression `.*`, and no other
/// condition. The port is the entry's own.
fn takes_everything(conditions: &RouteMatch) -> bool {
    let RouteMatch { uri, scheme, method, authority, headers, without_headers, query_params, .. } = conditions;
    let RouteMatch { claims, without_claims, .. } = conditions;
    let any_path = match uri {
        None => true,
        Some(StringMatch::Prefix(prefix)) => &**prefix == "/",
        Some(StringMatch::Regex(expression)) => expression.as_str() == ".*",
        Some(StringMatch::Exact(_) | StringMatch::Present) => false,
    };
    let lines = [scheme, method, authority].iter().all(|line| line.is_none());
    let no_headers = headers.is_empty() && without_headers.is_empty();
    any_path && lines && no_headers && claims.is_empty() && without_claims.is_empty() && query_params.is_empty()
}

/// The answer of a server with `httpsRedirect`: the same URL by https, for good.
fn https_redirect(servers: &[&Server]) -> Route {
    let owner = servers.iter().find(|server| server.https_redirect);
    let (gateway, origin) = owner.map(|server| (server.gateway.as_str(), server.origin.clone())).unwrap_or_default();
    let code = StatusCode::MOVED_PERMANENTLY;
    let redirect =
        Redirect { code, scheme: Some("https".into()), authority: None, port: Some(RedirectPort::Kept), path: None };
    Route {
        name: format!("gateway/{gateway}/https-redirect"),
        origin,
        answer: Some(OwnAnswer::Redirect(redirect)),
        ..Route::default()
    }
}

//! A request carried through a snapshot as the data plane does it, and what must hold of it whatever the request is.

use std::net::{IpAddr, Ipv4Addr};

use http::HeaderValue;
use http::uri::PathAndQuery;
use overspill::domain::OwnAnswer;
use overspill::routing::{Cors, Head};
use overspill::snapshot::{Decision, Route, Snapshot, Trace, affinities, choose, trace};

/// The longest target that a request can have, in bytes.
const LONGEST_TARGET: usize = u16::MAX as usize - 1;

/// Decides on `head` without a panic, alike each time, and as the trace explains it; then carries the decision out.
pub(super) fn decide(snapshot: &Snapshot, head: &Head<'_>) {
    let explained = trace(snapshot, head);
    for draw in [0, u64::MAX / 2, u64::MAX] {
        let decision = choose(snapshot, head, draw);
        assert_eq!(decision, choose(snapshot, head, draw), "one request and draw have one decision");
        agree(&explained, &decision);
        match decision {
            Decision::Forward { route, share, candidates } => {
                affinities(snapshot, candidates, head, IpAddr::V4(Ipv4Addr::LOCALHOST), || draw);
                edit(snapshot.route(route), Some(share), head);
            }
            Decision::Local { route, share, .. } => edit(snapshot.route(route), Some(share), head),
            Decision::Answer { route, answer } => {
                if let OwnAnswer::Redirect(redirect) = answer {
                    has_location(&snapshot.route(route).location(redirect, head), head);
                }
                edit(snapshot.route(route), None, head);
            }
            Decision::Refuse { .. } => {}
        }
    }
}

fn agree(explained: &Trace<'_>, decision: &Decision<'_>) {
    let decided = match decision {
        Decision::Forward { route, .. } | Decision::Local { route, .. } | Decision::Answer { route, .. } => {
            Some(*route)
        }
        Decision::Refuse { chosen, .. } => chosen.map(|(route, ..)| route),
    };
    assert_eq!(explained.matched(), decided, "the trace and the decision name one rule");
    assert!(explained.host_known || decided.is_none(), "no rule is known by an unknown host");
}

fn has_location(location: &str, head: &Head<'_>) {
    assert!(location.contains("://"), "{location:?}: a redirect leads to a whole URL");
    let can_be_sent = |text: &str| HeaderValue::from_str(text).is_ok();
    let fault_of_client = !can_be_sent(head.authority) || !can_be_sent(head.scheme);
    assert!(fault_of_client || can_be_sent(location), "{location:?}: a redirect stands in a header");
}

/// Carries out what the rule changes.
fn edit(route: &Route, share: Option<usize>, head: &Head<'_>) {
    if let Some(path) = route.rewritten_path(head) {
        assert!(path.starts_with('/'), "{path:?}: a request's path begins with a slash");
        let can_be_sent = path.len() > LONGEST_TARGET || PathAndQuery::try_from(&*path).is_ok();
        assert!(can_be_sent, "{path:?}: a request can be sent to what a rule makes of its path");
    }
    let mut headers = head.headers.clone();
    if let Some((edits, share)) = route.edits.as_ref().zip(share) {
        edits.edit_request(share, &mut headers);
        edits.authority(share);
    }
    match route.judge_origin(head.method, head.headers) {
        Cors::Pass => route.edit_answer(share, None, &mut headers),
        Cors::Permit(origin) => route.edit_answer(share, Some(&origin), &mut headers),
        Cors::Preflight(_) => {}
    }
}

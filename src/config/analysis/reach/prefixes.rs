//! Prefixes that lie within earlier ones, as Istio's validation compares them (IST0131).
//!
//! It compares what it can as texts: of two that differ in a header's expression, or in the callers that they are for, it
//! says the same.

use std::collections::BTreeMap;

use super::{MAX_COMPARED, Said};
use crate::config::finding::{Findings, INEFFECTIVE, remark};
use crate::config::path::Path;
use crate::config::written::{HttpMatchRequest, Sourced, StringMatch, VirtualService};

/// One condition on the beginning of the path.
struct Prefix<'a> {
    rule: usize,
    start: &'a str,
    port: Option<u32>,
    method: String,
    authority: String,
    /// Headers, query parameters, and headers that are not to be there.
    named: [BTreeMap<&'a str, String>; 3],
}

/// Reports each condition whose prefix lies within that of an earlier one.
pub(super) fn report(source: &Sourced<VirtualService>, said: &mut Said, findings: &mut Findings) {
    let mut earlier: Vec<Prefix<'_>> = Vec::new();
    for (rule, written) in source.spec.http.iter().enumerate() {
        if said.rules.contains(&rule) {
            continue;
        }
        for (condition, request) in written.matches.iter().enumerate() {
            let Some(later) = Prefix::of(request, rule).filter(|_| !said.conditions.contains(&(rule, condition)))
            else {
                continue;
            };
            if let Some(covering) = earlier.iter().take(MAX_COMPARED).find(|earlier| earlier.covers(&later)) {
                let path = Path::spec().key("http").index(rule).key("match").index(condition);
                let said_of = remark(
                    format!(
                        "The prefix `{}` lies within `{}` of rule {}, which is tried first.",
                        later.start, covering.start, covering.rule
                    ),
                    "Move the rule up, unless other conditions tell the two apart.",
                );
                findings.warning(INEFFECTIVE, source.document.place(&path), said_of);
                said.conditions.insert((rule, condition));
            }
            earlier.push(later);
        }
    }
}

impl<'a> Prefix<'a> {
    fn of(request: &'a HttpMatchRequest, rule: usize) -> Option<Self> {
        let prefix = request.uri.as_ref()?.prefix.as_deref().filter(|prefix| !prefix.is_empty())?;
        // Istio takes a condition without a method for one on GET.
        let method = Some(text(request.method.as_ref())).filter(|method| !method.is_empty());
        Some(Self {
            rule,
            start: prefix,
            port: request.port,
            method: method.unwrap_or_else(|| "exact:GET".to_owned()),
            authority: text(request.authority.as_ref()),
            named: [&request.headers, &request.query_params, &request.without_headers].map(texts),
        })
    }

    fn covers(&self, later: &Self) -> bool {
        let named = self.named.iter().zip(&later.named).all(|(earlier, later)| {
            earlier.len() == later.len()
                && earlier.iter().all(|(name, text)| later.get(name).is_some_and(|later| text.starts_with(later)))
        });
        self.start != later.start
            && later.start.starts_with(self.start)
            && self.port == later.port
            && self.method.starts_with(&later.method)
            && self.authority.starts_with(&later.authority)
            && named
    }
}

/// An exact text or a prefix, marked as which; empty for anything else.
fn text(written: Option<&StringMatch>) -> String {
    match written {
        Some(StringMatch { exact: Some(exact), .. }) if !exact.is_empty() => format!("exact:{exact}"),
        Some(StringMatch { prefix: Some(prefix), .. }) if !prefix.is_empty() => format!("prefix:{prefix}"),
        _ => String::new(),
    }
}

fn texts(written: &BTreeMap<String, Option<StringMatch>>) -> BTreeMap<&str, String> {
    written.iter().map(|(name, value)| (name.as_str(), text(value.as_ref()))).collect()
}

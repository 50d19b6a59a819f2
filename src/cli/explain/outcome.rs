//! What becomes of one request: the answer that its rule gives, or how it leaves for a destination.

use std::io::Write;

use http::HeaderMap;
use serde_json::{Map, Value, json};

use crate::domain::{Abort, Fault, OwnAnswer, format_duration};
use crate::routing::{Head, with_query};
use crate::snapshot::{Action, Route};

/// The part of an explanation that the matched rule's action and edits make.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    /// The status of the rule's own answer.
    pub(super) status: Option<u16>,
    /// Where a redirect leads.
    pub(super) location: Option<String>,
    /// The body of a direct response; what is not UTF-8 of it is replaced.
    pub(super) body: Option<String>,
    /// The headers that the rule and its destination set or add on an answer.
    pub(super) response_headers: Value,
    /// The host, path and headers that an endpoint is sent.
    pub(super) upstream: Value,
    /// The faults that are injected on purpose, null for none.
    pub(super) fault: Value,
    /// What is worth a line: the changes alone.
    changes: Vec<String>,
}

impl Outcome {
    /// What `route` does with `head`, at the place `share` of its split; `None` for a rule that answers itself.
    pub(super) fn of(route: &Route, head: &Head<'_>, share: Option<usize>) -> Self {
        let mut outcome = Self::default();
        let mut response = HeaderMap::new();
        if let Some(edits) = &route.edits {
            edits.edit_response(share, &mut response);
        }
        outcome.response_headers = fields(&response);
        if let Some(fault) = &route.fault {
            outcome.faulty(fault);
        }
        match &route.action {
            Action::Answer(answer) => outcome.answered(route, answer, head),
            Action::Forward(_) => outcome.forwarded(route, head, share.unwrap_or_default()),
        }
        outcome.changes.extend(response.iter().map(|(name, value)| format!("answer's {name}: {value:?}")));
        outcome
    }

    fn faulty(&mut self, fault: &Fault) {
        let abort = |abort| match abort {
            Abort::Http(status) => status.as_u16().to_string(),
            Abort::Grpc(status) => status.name().to_owned(),
        };
        let delay = fault.delay.map(|(share, delay)| (share.percent(), format_duration(delay)));
        let abort = fault.abort.map(|(share, status)| (share.percent(), abort(status)));
        self.changes.extend(delay.iter().map(|(percent, delay)| format!("delays {percent} % by {delay}")));
        self.changes.extend(abort.iter().map(|(percent, status)| format!("aborts {percent} % with {status}")));
        self.fault = json!({
            "delay": delay.map(|(percentage, delay)| json!({ "percentage": percentage, "fixedDelay": delay })),
            "abort": abort.map(|(percentage, status)| json!({ "percentage": percentage, "status": status })),
        });
    }

    fn answered(&mut self, route: &Route, answer: &OwnAnswer, head: &Head<'_>) {
        match answer {
            OwnAnswer::Redirect(redirect) => {
                let location = route.location(redirect, head);
                self.status = Some(redirect.code.as_u16());
                self.changes.push(format!("redirects: {} to {location}", redirect.code.as_u16()));
                self.location = Some(location);
            }
            OwnAnswer::Direct(direct) => {
                self.status = Some(direct.status.as_u16());
                self.changes.push(format!("answers: {} with {} bytes", direct.status.as_u16(), direct.body.len()));
                let body = String::from_utf8_lossy(&direct.body).into_owned();
                self.body = Some(body).filter(|body| !body.is_empty());
            }
        }
    }

    fn forwarded(&mut self, route: &Route, head: &Head<'_>, share: usize) {
        let mut headers = head.headers.clone();
        let mut host = head.authority;
        if let Some(edits) = &route.edits {
            edits.edit_request(share, &mut headers);
            if let Some(rewritten) = edits.authority(share) {
                host = rewritten;
                self.changes.push(format!("authority: {host}"));
            }
        }
        let rewritten = route.rewritten_path(head);
        self.changes.extend(rewritten.iter().map(|path| format!("path: {path}")));
        let path = rewritten.unwrap_or_else(|| with_query(head.path.to_owned(), head.query));
        let changed =
            headers.iter().filter(|(name, value)| !head.headers.get_all(*name).iter().any(|own| own == value));
        self.changes.extend(changed.map(|(name, value)| format!("{name}: {value:?}")));
        let removed = head.headers.keys().filter(|name| !headers.contains_key(*name));
        self.changes.extend(removed.map(|name| format!("without {name}")));
        self.upstream = json!({ "host": host, "path": path, "headers": fields(&headers) });
    }

    /// One line for each change.
    pub(super) fn print(&self, out: &mut impl Write) -> std::io::Result<()> {
        self.changes.iter().try_for_each(|change| writeln!(out, "    {change}"))
    }
}

/// Each header with its values.
fn fields(headers: &HeaderMap) -> Value {
    let values = |name| headers.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes()));
    let pairs = headers.keys().map(|name| (name.to_string(), values(name).collect::<Vec<_>>().into()));
    Value::Object(pairs.collect::<Map<_, _>>())
}

//! What becomes of one request: the answer that its rule gives, or how it leaves for a destination.

use std::io::Write;

use http::{HeaderMap, StatusCode};
use serde_json::{Map, Value, json};

use super::answer::milliseconds;
use crate::domain::{Abort, AbortAnswer, Fault, OwnAnswer, Percentage, format_duration};
use crate::routing::{Cors, Head, with_query};
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
    /// The headers of an answer that the rule, its destination and its CORS policy set or add.
    pub(super) response_headers: HeaderMap,
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
        let mut outcome = Self { fault: route.fault.as_deref().map(described).into(), ..Self::default() };
        let permitted = match route.judge_origin(head.method, head.headers) {
            Cors::Preflight(permission) => {
                outcome.permitted(permission);
                return outcome;
            }
            Cors::Permit(origin) => Some(origin),
            Cors::Pass => None,
        };
        route.edit_answer(share, permitted.as_ref(), &mut outcome.response_headers);
        if let Some(fault) = &route.fault {
            outcome.faulty(fault, head);
        }
        match &route.action {
            Action::Answer(answer) => outcome.answered(route, answer, head),
            Action::Forward(_) if outcome.status.is_some() => {}
            Action::Forward(_) => outcome.forwarded(route, head, share.unwrap_or_default()),
        }
        outcome.list_headers();
        outcome
    }

    /// A preflight is answered with its permission, which no operation on answers changes.
    fn permitted(&mut self, permission: HeaderMap) {
        self.status = Some(StatusCode::OK.as_u16());
        self.changes.push("answers the preflight: 200".to_owned());
        self.response_headers = permission;
        self.list_headers();
    }

    fn list_headers(&mut self) {
        let headers = self.response_headers.iter();
        self.changes.extend(headers.map(|(name, value)| format!("answer's {name}: {value:?}")));
    }

    /// An abort of every request is its answer.
    fn faulty(&mut self, fault: &Fault, head: &Head<'_>) {
        if let Some((share, delay)) = fault.delay {
            self.changes.push(format!("delays {} % by {}", share.percent(), format_duration(delay)));
        }
        if let Some((share, abort)) = fault.abort {
            let status = match abort {
                Abort::Http(status) => status.as_str().to_owned(),
                Abort::Grpc(status) => status.name().to_owned(),
            };
            self.changes.push(format!("aborts {} % with {status}", share.percent()));
            let status = match abort.answer(head.headers) {
                AbortAnswer::Http(status) => status,
                AbortAnswer::Call(_) => StatusCode::OK,
            };
            self.status = (share == Percentage::ALL).then_some(status.as_u16());
        }
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

/// Each fault with its share of the requests.
fn described(fault: &Fault) -> Value {
    let delay = fault
        .delay
        .map(|(share, delay)| json!({ "percentage": share.percent(), "fixed_delay_ms": milliseconds(delay) }));
    let abort = fault.abort.map(|(share, abort)| {
        let (http, grpc) = match abort {
            Abort::Http(status) => (Some(status.as_u16()), None),
            Abort::Grpc(status) => (None, Some(status.name())),
        };
        json!({ "percentage": share.percent(), "http_status": http, "grpc_status": grpc })
    });
    json!({ "delay": delay, "abort": abort })
}

/// Each header with its values.
pub(super) fn fields(headers: &HeaderMap) -> Value {
    let values = |name| headers.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes()));
    let pairs = headers.keys().map(|name| (name.to_string(), values(name).collect::<Vec<_>>().into()));
    Value::Object(pairs.collect::<Map<_, _>>())
}

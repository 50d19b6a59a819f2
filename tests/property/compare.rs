//! What was said of a request, held against what came of it.

use std::fmt::Debug;

use serde_json::{Map, Value, json};

use crate::harness::Reply;

/// What every request is sent on with, whatever the documents say.
const OWN: [&str; 7] =
    ["content-length", "host", "via", "x-envoy-attempt-count", "x-forwarded-for", "x-forwarded-proto", "x-request-id"];

/// Where the answer `reply` is not what `explained` says.
pub(crate) fn differences(explained: &Value, reply: &Reply) -> Vec<String> {
    let mut found = Differences(Vec::new());
    let status = explained["status"].as_u64();
    found.compare("the status", &u64::from(reply.head.status), &status.unwrap_or(200));
    if explained["matched"] == false {
        let reason = reply.head.value("proxy-status");
        found.compare("that nothing matches", &reason.contains("route_not_found"), &true);
        return found.0;
    }
    for (name, values) in explained["response_headers"].as_object().into_iter().flatten() {
        let expected: Vec<&str> = values.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let own = reply.head.fields.iter().filter(|(field, _)| field == name);
        let own: Vec<&str> = own.map(|(_, value)| value.as_str()).collect();
        found.compare(name, &own, &expected);
    }
    if !explained["fault"]["abort"].is_null() && status != Some(200) {
        found.compare("the abort", &reply.head.value("proxy-status").contains("fault_injected"), &true);
    } else if status.is_some() {
        let location = reply.head.field("location");
        found.compare("the location", &location.as_deref(), &explained["location"].as_str());
        found.compare("the body", &reply.text().as_str(), &explained["body"].as_str().unwrap_or_default());
    } else if reply.head.status == 200 {
        found.forwarded(explained, &reply.json());
    }
    found.0
}

struct Differences(Vec<String>);

impl Differences {
    fn compare<T: PartialEq + Debug>(&mut self, what: &str, live: &T, explained: &T) {
        if live != explained {
            self.0.push(format!("{what}: live {live:?}, explained {explained:?}"));
        }
    }

    /// Compares the account that an endpoint gives of what it was sent.
    fn forwarded(&mut self, explained: &Value, account: &Value) {
        let (destination, upstream) = (&explained["destination"], &explained["upstream"]);
        let host = destination["host"].as_str().unwrap_or_default();
        let served = account["upstream"].as_str().unwrap_or_default();
        match destination["subset"].as_str() {
            Some(subset) => self.compare("the endpoint", &served, &format!("{host}/{subset}").as_str()),
            None => self.compare("the endpoint", &served.split('/').next().unwrap_or_default(), &host),
        }
        self.compare("the path", &account["path"], &upstream["path"]);
        let in_field = &account["headers"]["host"][0];
        let authority = if account["authority"].is_null() { in_field } else { &account["authority"] };
        self.compare("the host", authority, &upstream["host"]);
        let mut headers = account["headers"].as_object().cloned().unwrap_or_else(Map::new);
        headers.retain(|name, _| !OWN.contains(&name.as_str()));
        self.compare("the headers", &json!(headers), &upstream["headers"]);
    }
}

//! `HTTPMatchRequest`.

use super::header;
use super::judge::Judge;
use super::names::is_label;
use super::references::{gateways, labels};
use super::spot::Spot;
use super::string_match::{self, EmptyPrefix};

/// One condition of a route.
pub(super) fn judge(judge: &mut Judge<'_>, request: &Spot<'_>) {
    for (name, value) in request.at("headers").entries() {
        header::to_match(judge, name, &value);
        string_match::judge(judge, &value, EmptyPrefix::Refused);
    }
    for (name, value) in request.at("withoutHeaders").entries() {
        header::to_match(judge, name, &value);
        // Here alone `*` is no expression: it asks for presence.
        if value.at("regex").text() != "*" {
            string_match::judge(judge, &value, EmptyPrefix::Refused);
        }
    }
    string_match::judge(judge, &request.at("uri"), EmptyPrefix::Taken);
    for field in ["scheme", "method", "authority"] {
        string_match::judge(judge, &request.at(field), EmptyPrefix::Refused);
    }
    for (_, value) in request.at("queryParams").entries() {
        string_match::judge(judge, &value, EmptyPrefix::Refused);
    }
    let port = request.at("port");
    if port.int() != 0 {
        judge.port(&port);
    }
    labels(judge, &request.at("sourceLabels"));
    gateways(judge, &request.at("gateways"));
    let namespace = request.at("sourceNamespace");
    if !namespace.text().is_empty() && !is_label(namespace.text()) {
        let message = format!("The sourceNamespace `{}` is invalid: it is to be one DNS label.", namespace.text());
        judge.reject(&namespace, message, "Write the name of a namespace.");
    }
}

//! Where spans go, as JSON.

use http::HeaderName;
use serde_json::{Value, json};

use crate::config::checked::{Otlp, Tracing};
use crate::domain::format_duration;

/// The values of headers, which may be secrets, are left out.
pub(super) fn tracing(tracing: &Tracing) -> Value {
    let headers = |otlp: &Otlp| otlp.headers.keys().map(HeaderName::to_string).collect::<Vec<_>>();
    json!({
        "otlp": tracing.otlp.as_ref().map(|otlp| json!({
            "url": otlp.url(),
            "protocol": otlp.protocol.as_str(),
            "headers": headers(otlp),
            "timeout": format_duration(otlp.timeout),
            "tls": otlp.tls.as_ref().map(super::tls::client),
        })),
        "serviceName": tracing.service_name,
    })
}

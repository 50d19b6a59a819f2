//! A request to be explained.

use std::collections::BTreeMap;

use http::header::HOST;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};
use serde::Deserialize;

use super::views::View;
use crate::routing::{Head, normal_uri};

const HTTP: &str = "http";
const HTTPS: &str = "https";

/// A request, and the proxy that it comes to.
pub(super) struct Question {
    method: Method,
    /// `http` or `https`, where the question says so.
    scheme: Option<String>,
    authority: String,
    /// With the path in the normal form.
    target: Uri,
    headers: HeaderMap,
    /// The port that rules are matched by.
    port: u16,
    /// The port that it was sent to, where the question says so.
    pub(super) sent_to: Option<u16>,
    /// The namespace of the workload that asks.
    pub(super) namespace: Option<String>,
}

/// A request as one line of a file has it.
#[derive(Deserialize)]
struct Line {
    #[serde(default)]
    method: Option<String>,
    host: String,
    #[serde(default)]
    path: Option<String>,
    #[serde(default)]
    headers: Option<BTreeMap<String, Values>>,
    #[serde(default)]
    port: Option<u16>,
    #[serde(default)]
    namespace: Option<String>,
    #[serde(default)]
    scheme: Option<String>,
}

/// The values of one header.
#[derive(Deserialize)]
#[serde(untagged)]
enum Values {
    One(String),
    Several(Vec<String>),
}

impl Question {
    /// The question about one request, as a command line has it. Its port is that of the URL, which may be the router's
    /// own, so services are found whatever their ports are. The URL's path is in its normal form.
    pub(super) fn of(method: Method, url: &Uri, headers: Vec<(HeaderName, HeaderValue)>) -> Self {
        let headers: HeaderMap = headers.into_iter().collect();
        let scheme = url.scheme_str().unwrap_or(HTTP).to_owned();
        let named = headers.get(HOST).and_then(|host| host.to_str().ok());
        let authority = named.or(url.authority().map(http::uri::Authority::as_str)).unwrap_or_default().to_owned();
        Self {
            method,
            authority,
            target: url.clone(),
            headers,
            port: url.port_u16().unwrap_or(default_port(&scheme)),
            scheme: Some(scheme),
            sent_to: None,
            namespace: None,
        }
    }

    /// Reads one line of a file of requests.
    ///
    /// # Errors
    /// What is wrong with the line, in words.
    pub(super) fn parse(line: &str) -> Result<Self, String> {
        let line: Line = serde_json::from_str(line).map_err(|error| error.to_string())?;
        let scheme = line.scheme.filter(|scheme| !scheme.is_empty()).map(|scheme| scheme.to_ascii_lowercase());
        let path = line.path.filter(|path| !path.is_empty()).unwrap_or_else(|| "/".to_owned());
        let method = line.method.unwrap_or_else(|| "GET".to_owned());
        let mut headers = HeaderMap::new();
        for (name, values) in line.headers.unwrap_or_default() {
            let key: HeaderName = name.parse().map_err(|_| format!("`{name}` is no header name"))?;
            let values = match values {
                Values::One(value) => vec![value],
                Values::Several(values) => values,
            };
            for value in values {
                let value = HeaderValue::from_str(&value).map_err(|_| format!("{value:?} is no header value"))?;
                headers.append(&key, value);
            }
        }
        let target: PathAndQuery = path.parse().map_err(|_| format!("`{path}` is no path"))?;
        let target = Uri::from(target);
        let normal = normal_uri(&target).map_err(|error| format!("the request is refused: {error}"))?;
        let in_host = line.host.rsplit_once(':').and_then(|(_, port)| port.parse().ok());
        Ok(Self {
            method: method.parse().map_err(|_| format!("`{method}` is no method"))?,
            target: normal.unwrap_or(target),
            authority: line.host,
            headers,
            port: line.port.or(in_host).unwrap_or(default_port(scheme.as_deref().unwrap_or(HTTP))),
            scheme,
            sent_to: line.port,
            namespace: line.namespace.filter(|namespace| !namespace.is_empty()),
        })
    }

    /// The request's head, as it comes to the proxy of `view`: without a scheme, it is what the port's servers speak.
    pub(super) fn head(&self, view: &View) -> Head<'_> {
        let spoken = if view.speaks_tls(self.port) { HTTPS } else { HTTP };
        Head {
            method: &self.method,
            scheme: self.scheme.as_deref().unwrap_or(spoken),
            authority: &self.authority,
            path: self.target.path(),
            query: self.target.query(),
            headers: &self.headers,
            port: self.port,
            server_name: None,
        }
    }
}

fn default_port(scheme: &str) -> u16 {
    if scheme == HTTPS { 443 } else { 80 }
}

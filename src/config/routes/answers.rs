//! Redirects and direct responses, checked as Istio's webhook checks them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::StatusCode;

use crate::config::finding::{DIVERTING, remark};
use crate::config::path::Path;
use crate::config::written::{HttpBody, HttpDirectResponse, HttpRedirect, HttpRoute};
use crate::domain::{DirectResponse, OwnAnswer, Redirect, RedirectPath, RedirectPort};

use super::Reader;

/// What a redirect may answer, of the 3xx codes: Envoy knows no others.
const REDIRECT_CODES: [u32; 5] = [301, 302, 303, 307, 308];

impl Reader<'_, '_> {
    pub(super) fn answer(&mut self, written: &HttpRoute, path: &Path) -> Option<OwnAnswer> {
        let redirect = written.redirect.as_ref().map(|redirect| self.redirect(redirect, &path.key("redirect")));
        let direct = written.direct_response.as_ref();
        let direct = direct.map(|direct| self.direct_response(direct, &path.key("directResponse")));
        redirect.map(OwnAnswer::Redirect).or(direct.map(OwnAnswer::Direct))
    }

    fn redirect(&mut self, written: &HttpRedirect, path: &Path) -> Redirect {
        let given = |text: &str| (!text.is_empty()).then(|| Box::from(text));
        let port_given = written.port.is_some() || written.derive_port.is_some();
        let texts = [&written.uri, &written.prefix_rewrite, &written.authority, &written.scheme];
        if texts.iter().all(|text| text.is_empty()) && !port_given && self.source.intact {
            self.wrong(path, "The redirect changes nothing.", "Set `uri`, `authority`, `scheme` or `port`.");
        }
        if !written.uri.is_empty() && !written.prefix_rewrite.is_empty() {
            self.wrong(path, "The fields uri and prefixRewrite exclude each other.", "Keep one of them.");
        }
        if !matches!(written.scheme.as_str(), "" | "http" | "https") {
            let message = format!("`{}` is no scheme of a redirect.", written.scheme);
            self.wrong(&path.key("scheme"), message, "Write `http` or `https`.");
        }
        let port = written.port.map(u16::try_from).transpose();
        if port.is_err() {
            self.wrong(&path.key("port"), "A port is at most 65535.", "Write a number from 1 to 65535.");
        }
        let port = port.ok().flatten().map(RedirectPort::Number);
        let derived = written.derive_port.as_deref() == Some("FROM_REQUEST_PORT");
        Redirect {
            code: self.redirect_code(written.redirect_code, &path.key("redirectCode")),
            scheme: given(&written.scheme),
            authority: given(&written.authority),
            port: port.or(derived.then_some(RedirectPort::OfRequest)),
            path: given(&written.uri)
                .map(RedirectPath::Whole)
                .or(given(&written.prefix_rewrite).map(RedirectPath::Prefix)),
        }
    }

    fn redirect_code(&mut self, code: u32, path: &Path) -> StatusCode {
        if code != 0 && !(300..=399).contains(&code) {
            let message = format!("{code} is no code of a redirect.");
            self.wrong(path, message, "Write 301, 302, 303, 307 or 308.");
        } else if code != 0 && !REDIRECT_CODES.contains(&code) {
            let said = remark(
                format!("A redirect by {code} is not executed: Istio takes the document, and Envoy cannot do it."),
                "Write 301, 302, 303, 307 or 308.",
            );
            self.findings.error(DIVERTING, self.source.document.place(path), said);
        }
        let code = u16::try_from(code).ok().and_then(|code| StatusCode::from_u16(code).ok());
        code.unwrap_or(StatusCode::MOVED_PERMANENTLY)
    }

    fn direct_response(&mut self, written: &HttpDirectResponse, path: &Path) -> DirectResponse {
        let status = u16::try_from(written.status).ok().filter(|status| (200..=600).contains(status));
        if status.is_none() && self.source.intact {
            let message = format!("The status {} is out of range.", written.status);
            self.wrong(&path.key("status"), message, "Write a status from 200 to 599.");
        }
        let status = status.and_then(|status| StatusCode::from_u16(status).ok()).unwrap_or_default();
        let body = written.body.as_ref().map(|body| self.body(body, &path.key("body"))).unwrap_or_default();
        DirectResponse { status, body }
    }

    fn body(&mut self, written: &HttpBody, path: &Path) -> Bytes {
        let body = match (&written.string, &written.bytes) {
            (Some(text), _) => Bytes::from(text.clone()),
            (None, Some(encoded)) => {
                let decoded = STANDARD.decode(encoded);
                if decoded.is_err() {
                    self.wrong(&path.key("bytes"), "This is not base64.", "Encode it, or write it as `string`.");
                }
                Bytes::from(decoded.unwrap_or_default())
            }
            (None, None) => Bytes::new(),
        };
        body
    }
}

//! Redirects and direct responses.

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::general_purpose::{GeneralPurpose, PAD};
use bytes::Bytes;
use http::StatusCode;

use crate::config::finding::remark;
use crate::config::path::Path;
use crate::config::unexecuted::CODE_OF_REDIRECT;
use crate::config::written::{HttpBody, HttpDirectResponse, HttpRedirect, HttpRoute};
use crate::domain::{DirectResponse, OwnAnswer, Redirect, RedirectPath, RedirectPort};

use super::Reader;

/// What a redirect may answer, of the 3xx codes: Envoy knows no others.
const REDIRECT_CODES: [u32; 5] = [301, 302, 303, 307, 308];

/// Base64 as Go reads it, which lets the bits pass that stand for nothing.
const BASE64: GeneralPurpose = GeneralPurpose::new(&STANDARD, PAD.with_decode_allow_trailing_bits(true));

impl Reader<'_, '_> {
    pub(super) fn answer(&mut self, written: &HttpRoute, path: &Path) -> Option<OwnAnswer> {
        let redirect = written.redirect.as_ref().map(|redirect| self.redirect(redirect, &path.key("redirect")));
        let direct = written.direct_response.as_ref();
        let direct = direct.map(direct_response);
        redirect.map(OwnAnswer::Redirect).or(direct.map(OwnAnswer::Direct))
    }

    fn redirect(&mut self, written: &HttpRedirect, path: &Path) -> Redirect {
        let given = |text: &str| (!text.is_empty()).then(|| Box::from(text));
        let port = written.port.and_then(|port| u16::try_from(port).ok()).map(RedirectPort::Number);
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
        if (300..400).contains(&code) && !REDIRECT_CODES.contains(&code) {
            let said = remark(
                format!("A redirect by {code} is not executed: Istio takes the document, and Envoy cannot do it."),
                "Write 301, 302, 303, 307 or 308.",
            );
            self.findings.not_executed(&CODE_OF_REDIRECT, self.source.document.place(path), said);
        }
        let code = u16::try_from(code).ok().and_then(|code| StatusCode::from_u16(code).ok());
        code.unwrap_or(StatusCode::MOVED_PERMANENTLY)
    }
}

fn direct_response(written: &HttpDirectResponse) -> DirectResponse {
    let status = u16::try_from(written.status).ok().and_then(|status| StatusCode::from_u16(status).ok());
    DirectResponse { status: status.unwrap_or_default(), body: written.body.as_ref().map(body).unwrap_or_default() }
}

fn body(written: &HttpBody) -> Bytes {
    match (&written.string, &written.bytes) {
        (Some(text), _) => Bytes::from(text.clone()),
        (None, Some(encoded)) => Bytes::from(BASE64.decode(encoded).unwrap_or_default()),
        (None, None) => Bytes::new(),
    }
}

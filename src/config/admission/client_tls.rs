//! `ClientTLSSettings`: the certificates of connections to endpoints.

use super::judge::Judge;
use super::spot::Spot;

pub(super) fn judge(judge: &mut Judge<'_>, tls: &Spot<'_>) {
    let (mode, credential) = (tls.at("mode").text(), tls.at("credentialName"));
    let given = |field: &str| !tls.at(field).text().is_empty();
    if let Some(rest) = credential.text().strip_prefix("configmap://") {
        let namespace = rest.split_once('/').map_or(judge.document.namespace.as_str(), |(namespace, _)| namespace);
        if rest.is_empty() || namespace != judge.document.namespace {
            let message = format!("The credentialName `{}` is invalid.", credential.text());
            judge.reject(&credential, message, "Write `configmap://NAME` of the document's own namespace.");
        }
    }
    if tls.at("insecureSkipVerify").is_true() {
        let names = tls.at("subjectAltNames").items().next().is_some();
        let excluded = match mode {
            "SIMPLE" => given("caCertificates") || given("credentialName") || names,
            "MUTUAL" => given("caCertificates") || names,
            _ => false,
        };
        if excluded {
            let message = "`caCertificates`, `credentialName` in SIMPLE mode, and `subjectAltNames` cannot be specified \
                           when `insecureSkipVerify` is true.";
            judge.reject(&tls.at("insecureSkipVerify"), message, "Take it out, so that the endpoint is verified.");
        }
    }
    if matches!(mode, "SIMPLE" | "MUTUAL") && given("credentialName") {
        if ["clientCertificate", "caCertificates", "privateKey", "caCrl"].into_iter().any(given) {
            let message =
                "Client certificates, a CA certificate or a CRL cannot be specified if `credentialName` is set.";
            judge.reject(&credential, message, "Keep the files, or the credential.");
        }
        return;
    }
    if mode == "MUTUAL" {
        for (field, what) in [("clientCertificate", "client certificate"), ("privateKey", "private key")] {
            if !given(field) {
                let message = format!("A {what} is required for mutual TLS.");
                judge.miss(&tls.at(field), message, format!("Add `{field}`, or `credentialName`."));
            }
        }
    }
}

//! `ServerTLSSettings`: where a Gateway's certificates come from.

use std::collections::BTreeSet;

use super::judge::Judge;
use super::spot::Spot;

/// The cipher suites that Istio takes without a warning.
const CIPHER_SUITES: [&str; 15] = [
    "ECDHE-ECDSA-AES128-GCM-SHA256",
    "ECDHE-RSA-AES128-GCM-SHA256",
    "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-RSA-AES256-GCM-SHA384",
    "ECDHE-ECDSA-CHACHA20-POLY1305",
    "ECDHE-RSA-CHACHA20-POLY1305",
    "ECDHE-ECDSA-AES128-SHA",
    "ECDHE-RSA-AES128-SHA",
    "ECDHE-ECDSA-AES256-SHA",
    "ECDHE-RSA-AES256-SHA",
    "AES128-GCM-SHA256",
    "AES256-GCM-SHA384",
    "AES128-SHA",
    "AES256-SHA",
    "DES-CBC3-SHA",
];

/// Whether TLS is not ended here: protobuf's default.
pub(super) fn passes_through(tls: &Spot<'_>) -> bool {
    matches!(tls.at("mode").text(), "" | "PASSTHROUGH" | "AUTO_PASSTHROUGH")
}

pub(super) fn judge(judge: &mut Judge<'_>, tls: &Spot<'_>) {
    versions(judge, tls);
    let mode = tls.at("mode").text();
    let given = |field: &str| !tls.at(field).text().is_empty();
    let listed = |field: &str| tls.at(field).items().next().is_some();
    if mode == "ISTIO_MUTUAL" {
        let texts = ["serverCertificate", "privateKey", "caCertificates", "credentialName"];
        let lists = ["tlsCertificates", "credentialNames"];
        let texts = texts.into_iter().filter(|field| given(field));
        for field in texts.chain(lists.into_iter().filter(|field| listed(field))) {
            let message = "ISTIO_MUTUAL uses Istio's certificates and cannot have its own.";
            judge.reject(&tls.at(field), message, "Take it out.");
        }
        return;
    }
    let certificates = ["caCrl", "serverCertificate", "privateKey", "caCertificates", "credentialName"];
    let lists = ["tlsCertificates", "credentialNames"];
    if passes_through(tls) && (certificates.into_iter().any(given) || lists.into_iter().any(listed)) {
        judge.warn(tls, "TLS passes through here, so that the certificates are ignored.", "Take them out.");
    }
    let sources = [
        given("serverCertificate") && given("privateKey"),
        given("credentialName"),
        listed("credentialNames"),
        listed("tlsCertificates"),
    ];
    if sources.iter().filter(|given| **given).count() > 1 {
        let message = "Only one of credentialName, credentialNames, serverCertificate with privateKey, and \
                       tlsCertificates may be specified.";
        judge.reject(tls, message, "Keep one of them.");
    }
    let ends = matches!(mode, "SIMPLE" | "MUTUAL" | "OPTIONAL_MUTUAL");
    if ends && (given("credentialName") || listed("credentialNames")) {
        return;
    }
    if ends {
        certificates_needed(judge, tls, mode);
    }
    if given("caCrl") && mode == "SIMPLE" {
        judge.reject(
            &tls.at("caCrl"),
            "A list of revoked certificates is not supported with SIMPLE TLS.",
            "Take it out.",
        );
    }
    if given("caCrl") && given("credentialName") {
        let message = "A list of revoked certificates is not supported with credentialName.";
        judge.reject(&tls.at("caCrl"), message, "Put it into the credential.");
    }
}

fn certificates_needed(judge: &mut Judge<'_>, tls: &Spot<'_>, mode: &str) {
    let prefix = if mode == "SIMPLE" { "SIMPLE TLS" } else { "MUTUAL TLS" };
    if mode != "SIMPLE" && tls.at("caCertificates").text().is_empty() {
        let message = format!("{prefix} requires a client CA bundle.");
        judge.miss(&tls.at("caCertificates"), message, "Add `caCertificates`, or `credentialName`.");
    }
    let listed: Vec<Spot<'_>> = tls.at("tlsCertificates").items().collect();
    let pairs = if listed.is_empty() { vec![tls.clone()] } else { listed };
    for pair in pairs {
        for (field, what) in [("serverCertificate", "server certificate"), ("privateKey", "private key")] {
            if pair.at(field).text().is_empty() {
                let message = format!("{prefix} requires a {what}.");
                judge.miss(&pair.at(field), message, format!("Add `{field}`, or `credentialName`."));
            }
        }
    }
}

fn versions(judge: &mut Judge<'_>, tls: &Spot<'_>) {
    let (oldest, suites) = (tls.at("minProtocolVersion"), tls.at("cipherSuites"));
    if matches!(oldest.text(), "TLSV1_0" | "TLSV1_1") && suites.items().next().is_none() {
        let message = "TLS below 1.2 needs cipher suites that are not among the default ones.";
        judge.warn(&oldest, message, "Add `cipherSuites`, or raise the version.");
    }
    let mut seen = BTreeSet::new();
    for suite in suites.items() {
        let text = suite.text();
        // An expression of OpenSSL begins with a sign, and is let through as it is.
        let expression = !text.starts_with(|c: char| c.is_ascii_alphanumeric());
        if !expression && text != "ALL" && !CIPHER_SUITES.contains(&text) {
            judge.warn(&suite, format!("`{text}` is no cipher suite, and is ignored."), "Take it out.");
        } else if !seen.insert(text) {
            judge.warn(&suite, format!("The cipher suite `{text}` stands twice."), "Take one of the two out.");
        }
    }
}

//! The cipher suites of TLS 1.2 by the names that OpenSSL has for them, which Istio's documents use.

use rustls::CipherSuite;

const NAMES: [(&str, CipherSuite); 6] = [
    ("ECDHE-ECDSA-AES128-GCM-SHA256", CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256),
    ("ECDHE-ECDSA-AES256-GCM-SHA384", CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384),
    ("ECDHE-ECDSA-CHACHA20-POLY1305", CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256),
    ("ECDHE-RSA-AES128-GCM-SHA256", CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256),
    ("ECDHE-RSA-AES256-GCM-SHA384", CipherSuite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384),
    ("ECDHE-RSA-CHACHA20-POLY1305", CipherSuite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256),
];

/// The suite of this name; `None` for those that are not spoken.
pub(super) fn named(name: &str) -> Option<CipherSuite> {
    NAMES.iter().find(|(known, _)| *known == name).map(|(_, suite)| *suite)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tls::material::provider;

    #[test]
    fn every_suite_of_tls_1_2_has_a_name() {
        for suite in provider().cipher_suites.iter().filter(|suite| suite.tls13().is_none()) {
            assert!(NAMES.iter().any(|(_, named)| *named == suite.suite()), "{suite:?}");
        }
    }
}

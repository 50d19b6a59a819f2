//! Clients of a gateway: which server they reach, what they must show, and what endpoints are told of them.

use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

use super::Files;
use super::authority::{Authority, Issued, Valid};
use super::harness::{Answer, Client, Connection, Reply, Router, Service, Upstream, Wire};

/// A client that believes `authority` and shows `own`.
fn client(authority: &Authority, own: Option<&Issued>, protocol: &str) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(authority.pem.as_bytes()).expect("PEM")).expect("an authority");
    let builder = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()));
    let builder = builder.with_safe_default_protocol_versions().expect("versions").with_root_certificates(roots);
    let mut config = match own {
        Some(own) => builder.with_client_auth_cert(own.chain(), own.private_key()).expect("a key pair"),
        None => builder.with_no_client_auth(),
    };
    config.alpn_protocols = vec![protocol.as_bytes().to_vec()];
    config
}

/// A gateway on port 443 whose servers are `servers`, a block list indented by two, in front of one endpoint that echoes.
struct Gateway {
    authority: Authority,
    files: Files,
    router: Router,
    _upstream: Upstream,
}

impl Gateway {
    fn new(prepare: impl FnOnce(&Authority, &Files) -> String) -> Self {
        Self::with("", prepare)
    }

    /// With further `settings`, as `name: value` lines indented by two.
    fn with(settings: &str, prepare: impl FnOnce(&Authority, &Files) -> String) -> Self {
        let (authority, files) = (Authority::new("ca"), Files::new());
        let servers = prepare(&authority, &files);
        let upstream = Upstream::start(Wire::H1, Answer::Echo("up".to_owned()));
        let documents = format!(
            "apiVersion: overspill.dev/v1\nkind: Settings\nmetadata: {{name: settings}}\nspec:\n  \
             gateway: {{address: 127.0.0.1, ports: {{'443': 0, '80': 0}}}}\n  secretsFolder: {}\n  \
             istioCertificates: {}\n  workload: {{labels: {{app: front}}}}\n{settings}\
             ---\napiVersion: networking.istio.io/v1\nkind: Gateway\nmetadata: {{name: front}}\nspec:\n  \
             selector: {{app: front}}\n  servers:\n{servers}\
             ---\napiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {{name: front}}\nspec:\n  \
             hosts: ['*']\n  gateways: [front]\n  http:\n  - match: [{{scheme: {{exact: https}}, port: 443}}]\n    \
             name: secured\n    route: [{{destination: {{host: up.example}}}}]\n  \
             - {{name: clear, route: [{{destination: {{host: up.example}}}}]}}\n",
            files.named("secrets"),
            files.named("istio"),
        ) + &Service { host: "up.example", wire: Wire::H1, endpoints: &[upstream.address] }.document();
        let router = files.start(&documents);
        Self { authority, files, router, _upstream: upstream }
    }

    /// Asks over TLS, with `server_name` and for `app.example`.
    fn ask(&self, own: Option<&Issued>, wire: Wire, server_name: &str) -> Result<Reply, String> {
        let protocol = match wire {
            Wire::H1 => "http/1.1",
            Wire::H2 => "h2",
        };
        let config = client(&self.authority, own, protocol);
        let client = Client::connect_tls(self.router.gateway(443), wire, config, server_name);
        let mut client = client.map_err(|error| error.to_string())?;
        let mut call = client.start_empty("GET", "/", &[("x-forwarded-client-cert", "By=forged")]);
        let head = call.try_head().map_err(|error| format!("{error:?}"))?;
        let (body, _) = call.rest().map_err(|error| error.to_string())?;
        Ok(Reply { interim: Vec::new(), head, body, trailers: Vec::new() })
    }
}

/// A secret as Kubernetes mounts it.
fn secret(files: &Files, name: &str, issued: &Issued) {
    files.write(&format!("secrets/{name}/tls.crt"), &issued.certificate);
    files.write(&format!("secrets/{name}/tls.key"), &issued.key);
}

fn server(hosts: &str, tls: &str) -> String {
    let name: String = hosts.chars().filter(char::is_ascii_alphanumeric).collect();
    format!("  - {{port: {{number: 443, name: https-{name}, protocol: HTTPS}}, hosts: [{hosts}], tls: {{{tls}}}}}\n")
}

#[test]
fn a_server_is_chosen_by_server_name_and_its_requests_are_https() {
    let gateway = Gateway::new(|authority, files| {
        secret(files, "app", &authority.issue(&["app.example"], Valid::Now));
        secret(files, "wild", &authority.issue(&["*.wild.example"], Valid::Now));
        server("'*.wild.example'", "mode: SIMPLE, credentialName: wild")
            + &server("app.example", "mode: SIMPLE, credentialName: app")
    });
    for wire in [Wire::H1, Wire::H2] {
        let reply = gateway.ask(None, wire, "app.example").expect("it is served");
        let seen = reply.json();
        assert_eq!(seen["headers"]["x-forwarded-proto"], serde_json::json!(["https"]));
        assert!(
            seen["headers"]["x-forwarded-client-cert"].is_null(),
            "nobody's word is taken for a certificate: {seen}"
        );
    }
    let access = gateway.router.wait_for_access(|line| line.field("route").ends_with("/secured"));
    assert_eq!(access.field("response_code"), "200");

    // The wildcard's certificate is good for its own hosts, and the host asked for is not one of them.
    let reply = gateway.ask(None, Wire::H1, "a.wild.example").expect("the handshake is good");
    assert_eq!(reply.head.status, 404);
    let refused = gateway.ask(None, Wire::H1, "other.example").expect_err("no server has that host");
    assert!(!refused.is_empty());
}

#[test]
fn a_mutual_server_takes_clients_of_its_authority_and_tells_endpoints_who_they_are() {
    for (mode, without) in [("MUTUAL", false), ("OPTIONAL_MUTUAL", true)] {
        let gateway = Gateway::new(|authority, files| {
            secret(files, "app", &authority.issue(&["app.example"], Valid::Now));
            files.write("secrets/app-cacert/cacert", &authority.pem);
            server("'*'", &format!("mode: {mode}, credentialName: app"))
        });
        let own = gateway.authority.issue(&["client.example", "spiffe://mesh/ns/a/sa/b"], Valid::Now);
        let seen = gateway.ask(Some(&own), Wire::H1, "app.example").expect("it is served").json();
        let told = seen["headers"]["x-forwarded-client-cert"][0].as_str().unwrap_or_default().to_owned();
        assert!(told.starts_with("Hash="), "{told}");
        assert!(told.contains(";Cert=\"-----BEGIN%20CERTIFICATE-----%0A"), "{told}");
        assert!(told.ends_with(";Subject=\"CN=test\";URI=spiffe://mesh/ns/a/sa/b;DNS=client.example"), "{told}");

        assert_eq!(gateway.ask(None, Wire::H1, "app.example").is_ok(), without, "{mode} without a certificate");
        let stranger = Authority::new("another").issue(&["client.example"], Valid::Now);
        gateway.ask(Some(&stranger), Wire::H1, "app.example").expect_err("of another authority");
        let expired = gateway.authority.issue(&["client.example"], Valid::Before);
        gateway.ask(Some(&expired), Wire::H1, "app.example").expect_err("expired");
    }
}

#[test]
fn a_secret_may_revoke_clients() {
    let gateway = Gateway::new(|authority, files| {
        secret(files, "app", &authority.issue(&["app.example"], Valid::Now));
        files.write("secrets/app/ca.crt", &authority.pem);
        files.write("secrets/app/ca.crl", &authority.revoke(&[]));
        server("'*'", "mode: MUTUAL, credentialName: app")
    });
    let own = gateway.authority.issue(&["client.example"], Valid::Now);
    assert_eq!(gateway.ask(Some(&own), Wire::H1, "app.example").expect("it is served").head.status, 200);
    gateway.files.write("secrets/app/ca.crl", &gateway.authority.revoke(&[&own]));
    gateway.router.wait_until("the client is revoked", |_| gateway.ask(Some(&own), Wire::H1, "app.example").is_err());
}

#[test]
fn a_mutual_server_may_ask_for_names() {
    let gateway = Gateway::new(|authority, files| {
        let shown = authority.issue(&["app.example"], Valid::Now);
        files.write("istio/cert-chain.pem", &shown.certificate);
        files.write("istio/key.pem", &shown.key);
        files.write("istio/root-cert.pem", &authority.pem);
        server("'*'", "mode: ISTIO_MUTUAL, subjectAltNames: ['spiffe://mesh/good']")
    });
    let good = gateway.authority.issue(&["spiffe://mesh/good"], Valid::Now);
    assert_eq!(gateway.ask(Some(&good), Wire::H2, "app.example").expect("it is served").head.status, 200);
    let bad = gateway.authority.issue(&["spiffe://mesh/bad"], Valid::Now);
    gateway.ask(Some(&bad), Wire::H2, "app.example").expect_err("another name");
}

#[test]
fn a_renewed_certificate_is_shown_to_new_connections_and_open_ones_go_on() {
    let gateway = Gateway::new(|authority, files| {
        secret(files, "app", &authority.issue(&["old.example", "app.example"], Valid::Now));
        server("'*'", "mode: SIMPLE, credentialName: app")
    });
    let config = || client(&gateway.authority, None, "http/1.1");
    let address = gateway.router.gateway(443);
    let mut open = Client::connect_tls(address, Wire::H1, config(), "old.example").expect("the old certificate");
    assert_eq!(open.ask("GET", "/", &[], "").head.status, 200);
    let mark = gateway.router.log_mark();
    secret(&gateway.files, "app", &gateway.authority.issue(&["new.example", "app.example"], Valid::Now));
    gateway.router.wait_until("the new certificate is shown", |_| {
        Client::connect_tls(address, Wire::H1, config(), "new.example").is_ok()
    });
    gateway.router.wait_for_log(mark, |line| line.to_string().contains("certificates read again"));
    assert!(Client::connect_tls(address, Wire::H1, config(), "old.example").is_err());
    assert_eq!(open.ask("GET", "/", &[], "").head.status, 200);
    assert_eq!(gateway.router.generation(), 1);
}

#[test]
fn a_server_without_certificates_serves_nobody_and_leaves_the_others_be() {
    let gateway = Gateway::new(|authority, files| {
        secret(files, "app", &authority.issue(&["app.example"], Valid::Now));
        server("app.example", "mode: SIMPLE, credentialName: app")
            + &server("gone.example", "mode: SIMPLE, credentialName: gone")
            + "  - {port: {number: 80, name: http, protocol: HTTP}, hosts: ['*']}\n"
    });
    assert_eq!(gateway.ask(None, Wire::H1, "app.example").expect("it is served").head.status, 200);
    gateway.ask(None, Wire::H1, "gone.example").expect_err("there is no certificate");
    let dump = gateway.router.admin_get("/config_dump").json();
    let told = dump["problems"].as_array().cloned().unwrap_or_default();
    let about =
        |problem: &serde_json::Value| problem["message"].as_str().is_some_and(|text| text.contains("secrets/gone/"));
    assert!(told.iter().any(|problem| problem["code"] == "OVS301" && about(problem)), "{told:?}");

    let mut clear = Connection::open(gateway.router.gateway(80));
    let reply = clear.ask("GET / HTTP/1.1\r\nhost: app.example\r\nx-forwarded-client-cert: By=forged\r\n\r\n");
    let seen = reply.json();
    assert_eq!(seen["headers"]["x-forwarded-proto"], serde_json::json!(["http"]));
    assert!(seen["headers"]["x-forwarded-client-cert"].is_null(), "{seen}");
}

#[test]
fn versions_and_cipher_suites_are_those_allowed() {
    let gateway = Gateway::new(|authority, files| {
        secret(files, "app", &authority.issue(&["app.example"], Valid::Now));
        server(
            "'*'",
            "mode: SIMPLE, credentialName: app, maxProtocolVersion: TLSV1_2, cipherSuites: [ECDHE-ECDSA-AES128-GCM-SHA256]",
        )
    });
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(gateway.authority.pem.as_bytes()).expect("PEM")).expect("an authority");
    let connect = |suite: rustls::CipherSuite, versions: &[&'static rustls::SupportedProtocolVersion]| {
        let mut provider = rustls::crypto::aws_lc_rs::default_provider();
        provider.cipher_suites.retain(|known| known.tls13().is_some() || known.suite() == suite);
        let builder = ClientConfig::builder_with_provider(Arc::new(provider)).with_protocol_versions(versions);
        let config = builder.expect("versions").with_root_certificates(roots.clone()).with_no_client_auth();
        Client::connect_tls(gateway.router.gateway(443), Wire::H1, config, "app.example").map(|_| ())
    };
    let (allowed, other) = (
        rustls::CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
        rustls::CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
    );
    connect(allowed, &[&rustls::version::TLS12]).expect("both sides have it");
    connect(other, &[&rustls::version::TLS12]).expect_err("a suite that is not allowed");
    connect(allowed, &[&rustls::version::TLS13]).expect_err("a version that is not allowed");
}

#[test]
fn what_is_no_tls_is_turned_away() {
    let gateway = Gateway::new(|authority, files| {
        secret(files, "app", &authority.issue(&["app.example"], Valid::Now));
        server("'*'", "mode: SIMPLE, credentialName: app")
    });
    let mut connection = Connection::open(gateway.router.gateway(443));
    connection.send("GET / HTTP/1.1\r\nhost: app.example\r\n\r\n");
    let read = connection.read_to_end();
    assert!(!String::from_utf8_lossy(&read).contains("HTTP/"), "{read:?}");
}

#[test]
fn a_handshake_that_is_not_finished_is_given_up() {
    let gateway = Gateway::with("  headerTimeout: 300ms\n", |authority, files| {
        secret(files, "app", &authority.issue(&["app.example"], Valid::Now));
        server("'*'", "mode: SIMPLE, credentialName: app")
    });
    let mut silent = Connection::open(gateway.router.gateway(443));
    // The first record of a handshake says that 200 bytes follow; they never do.
    silent.send([0x16, 0x03, 0x01, 0x00, 0xc8]);
    assert_eq!(silent.read_to_end(), b"");
}

//! Connections to endpoints: whom the router believes, what it shows, and what it does when the two do not agree.

use super::authority::{Authority, Issued, Valid};
use super::harness::{Answer, Client, Handshake, Router, Service, Setup, Upstream, Wire, policy, virtual_service};
use super::{Files, ask, refused_for, rule, secured};

const UP: &str = "up";

fn answer() -> Answer {
    Answer::Fixed(200, UP.to_owned())
}

/// A folder that holds the authority's certificate as `ca.pem`.
fn trusting(authority: &Authority) -> Files {
    let files = Files::new();
    files.write("ca.pem", &authority.pem);
    files
}

/// A router with an endpoint that shows `shown`, and a policy that trusts `ca.pem` and says `more`.
fn simple(files: &Files, shown: &Issued, more: &str) -> (Router, Upstream) {
    let upstream = Upstream::start_tls(Wire::H1, answer(), Authority::server(shown, &["http/1.1"]));
    let tls = format!("mode: SIMPLE, caCertificates: {}{more}", files.named("ca.pem"));
    (files.start(&secured(upstream.address, Wire::H1, &tls)), upstream)
}

fn spoke(server_name: Option<&str>, alpn: &str) -> Handshake {
    Handshake { server_name: server_name.map(str::to_owned), alpn: Some(alpn.to_owned()), ..Handshake::default() }
}

#[test]
fn an_endpoint_must_have_a_certificate_for_the_request_s_host() {
    let authority = Authority::new("ca");
    let files = trusting(&authority);
    let (router, upstream) = simple(&files, &authority.issue(&["app.example"], Valid::Now), "");
    let mut client = Client::connect(router.traffic, Wire::H1);
    for method in ["GET", "POST", "GET", "POST"] {
        let reply = client.ask(method, "/", &[], "");
        assert_eq!((reply.head.status, reply.text().as_str()), (200, UP));
    }
    assert_eq!(upstream.seen.handshakes(), [spoke(Some("app.example"), "http/1.1")], "one connection is used again");

    let (router, upstream) = simple(&files, &authority.issue(&["up.example"], Valid::Now), "");
    let mark = router.log_mark();
    assert_eq!(refused_for(&ask(&router)), "upstream_tls_failed");
    assert_eq!(upstream.seen.requests(), 0);
    router.wait_for_log(mark, |line| line.to_string().contains("not valid for name"));
}

#[test]
fn other_authorities_and_expired_certificates_are_not_believed() {
    let authority = Authority::new("ca");
    let files = trusting(&authority);
    let expired = authority.issue(&["app.example"], Valid::Before);
    let of_another = Authority::new("another").issue(&["app.example"], Valid::Now);
    for (shown, told) in [(expired, "expired"), (of_another, "UnknownIssuer")] {
        let (router, upstream) = simple(&files, &shown, "");
        let mark = router.log_mark();
        let reply = ask(&router);
        assert_eq!((reply.head.status, refused_for(&reply).as_str()), (503, "upstream_tls_failed"));
        assert_eq!(upstream.seen.requests(), 0, "nothing of a request goes to an endpoint that is not believed");
        router.wait_for_log(mark, |line| line.to_string().contains(told));
        let access = router.wait_for_access(|line| line.field("reason") == "upstream_tls_failed");
        assert_eq!(access.field("response_flags"), "UF,URX");
    }
}

#[test]
fn names_are_verified_as_istio_verifies_them() {
    let authority = Authority::new("ca");
    let files = trusting(&authority);
    let shown = authority.issue(&["*.models.example", "spiffe://cluster.local/ns/a/sa/b", "127.0.0.1"], Valid::Now);
    for (more, server_name, believed) in [
        (", sni: x.example", "x.example", true),
        (", subjectAltNames: [a.models.example]", "app.example", true),
        (", subjectAltNames: ['127.0.0.1']", "app.example", true),
        (", subjectAltNames: [x, 'spiffe://cluster.local/ns/a/sa/b']", "app.example", true),
        (", subjectAltNames: ['spiffe://cluster.local/ns/a/sa/c']", "app.example", false),
        (", sni: a.models.example, subjectAltNames: [models.example]", "a.models.example", false),
    ] {
        let (router, upstream) = simple(&files, &shown, more);
        assert_eq!(refused_for(&ask(&router)).is_empty(), believed, "{more}");
        let handshakes = upstream.seen.handshakes();
        // Over TLS 1.3 the server may have ended its side before the client judges it.
        assert!(!believed || handshakes == [spoke(Some(server_name), "http/1.1")], "{more}: {handshakes:?}");
    }
}

#[test]
fn revoked_certificates_are_not_believed() {
    let authority = Authority::new("ca");
    let files = trusting(&authority);
    let (shown, another) =
        (authority.issue(&["app.example"], Valid::Now), authority.issue(&["app.example"], Valid::Now));
    let more = format!(", caCrl: {}", files.named("crl.pem"));
    for (revoked, refused) in [(&another, ""), (&shown, "upstream_tls_failed")] {
        files.write("crl.pem", &authority.revoke(&[revoked]));
        let (router, _upstream) = simple(&files, &shown, &more);
        assert_eq!(refused_for(&ask(&router)), refused);
    }
}

#[test]
fn whoever_skips_verification_talks_to_anyone() {
    let upstream = Upstream::start_tls(
        Wire::H1,
        answer(),
        Authority::server(&Authority::new("ca").issue(&["x"], Valid::Before), &["http/1.1"]),
    );
    let files = Files::new();
    let router = files.start(&secured(upstream.address, Wire::H1, "mode: SIMPLE, insecureSkipVerify: true"));
    assert_eq!(ask(&router).text(), UP);
}

#[test]
fn the_system_s_authorities_are_trusted_where_none_are_named() {
    let authority = Authority::new("ca");
    let files = trusting(&authority);
    let shown = authority.issue(&["app.example"], Valid::Now);
    let upstream = Upstream::start_tls(Wire::H1, answer(), Authority::server(&shown, &["http/1.1"]));
    files.write("documents/all.yaml", &secured(upstream.address, Wire::H1, "mode: SIMPLE"));
    let (config, bundle) = (files.documents(), files.path("ca.pem").into_os_string());
    let router = Router::with(&Setup { config: &config, variables: &[("SSL_CERT_FILE", bundle)] });
    assert_eq!(ask(&router).text(), UP);
    let router = super::start(&config);
    assert_eq!(refused_for(&ask(&router)), "upstream_tls_failed", "the machine's own authorities have not signed it");
}

#[test]
fn a_mutual_policy_shows_its_certificate() {
    let authority = Authority::new("ca");
    let files = trusting(&authority);
    let shown = authority.issue(&["app.example"], Valid::Now);
    let own = authority.issue(&["router.example"], Valid::Now);
    let stranger = Authority::new("another").issue(&["router.example"], Valid::Now);
    files.write("own.pem", &own.certificate);
    files.write("own-key.pem", &own.key);
    files.write("stranger.pem", &stranger.certificate);
    files.write("stranger-key.pem", &stranger.key);
    let start = || Upstream::start_tls(Wire::H1, answer(), authority.strict_server(&shown, &["http/1.1"]));
    let ca = files.named("ca.pem");
    let mutual = |who: &str| {
        let (certificate, key) = (files.named(&format!("{who}.pem")), files.named(&format!("{who}-key.pem")));
        format!("mode: MUTUAL, caCertificates: {ca}, clientCertificate: {certificate}, privateKey: {key}")
    };

    let upstream = start();
    let router = files.start(&secured(upstream.address, Wire::H1, &mutual("own")));
    assert_eq!(ask(&router).text(), UP);
    let certificate = upstream.seen.handshakes()[0].certificate.clone();
    assert_eq!(certificate, own.chain().first().map(|leaf| leaf.to_vec()));

    for (policy, wire, protocol) in [
        (mutual("stranger"), Wire::H1, "http/1.1"),
        (mutual("stranger"), Wire::H2, "h2"),
        (format!("mode: SIMPLE, caCertificates: {ca}"), Wire::H1, "http/1.1"),
        (format!("mode: SIMPLE, caCertificates: {ca}"), Wire::H2, "h2"),
    ] {
        let upstream = Upstream::start_tls(wire, answer(), authority.strict_server(&shown, &[protocol]));
        let router = files.start(&secured(upstream.address, wire, &policy));
        let reply = ask(&router);
        assert_eq!(refused_for(&reply), "upstream_tls_failed", "{policy} {wire:?}");
        assert_eq!(upstream.seen.requests(), 0);
    }
}

#[test]
fn http2_is_agreed_on_with_endpoints_that_speak_it() {
    let authority = Authority::new("ca");
    let files = trusting(&authority);
    let shown = authority.issue(&["app.example"], Valid::Now);
    let echo = Answer::Echo(UP.to_owned());
    let upstream = Upstream::start_tls(Wire::H2, echo, Authority::server(&shown, &["h2"]));
    let tls = format!("mode: SIMPLE, caCertificates: {}", files.named("ca.pem"));
    let router = files.start(&secured(upstream.address, Wire::H2, &tls));
    let mut client = Client::connect(router.traffic, Wire::H2);
    for _ in 0..2 {
        let seen = client.ask("POST", "/a?b=c", &[], "body").json();
        assert_eq!((&seen["version"], &seen["body"]), (&"HTTP/2.0".into(), &"body".into()));
        assert_eq!((&seen["authority"], &seen["path"]), (&"app.example".into(), &"/a?b=c".into()));
    }
    assert_eq!(upstream.seen.handshakes(), [spoke(Some("app.example"), "h2")]);

    let other = Upstream::start_tls(Wire::H1, answer(), Authority::server(&shown, &["http/1.1"]));
    let router = files.start(&secured(other.address, Wire::H2, &tls));
    assert_eq!(refused_for(&ask(&router)), "upstream_tls_failed", "an endpoint that agrees to nothing offered");
}

#[test]
fn the_mesh_s_certificates_are_those_that_istio_writes() {
    let authority = Authority::new("mesh");
    let files = Files::new();
    let own = authority.issue(&["spiffe://cluster.local/ns/default/sa/router"], Valid::Now);
    files.write("istio/cert-chain.pem", &own.certificate);
    files.write("istio/key.pem", &own.key);
    files.write("istio/root-cert.pem", &authority.pem);
    let settings = format!(
        "---\napiVersion: overspill.dev/v1\nkind: Settings\nmetadata: {{name: settings}}\nspec: {{istioCertificates: {}}}\n",
        files.named("istio"),
    );
    let shown = authority.issue(&["spiffe://cluster.local/ns/default/sa/up"], Valid::Now);
    for (wire, protocols, agreed) in
        [(Wire::H1, ["istio", "istio-http/1.1"], "istio"), (Wire::H2, ["istio-h2", "h2"], "istio-h2")]
    {
        let upstream = Upstream::start_tls(wire, answer(), authority.strict_server(&shown, &protocols));
        let router = files.start(&(secured(upstream.address, wire, "mode: ISTIO_MUTUAL") + &settings));
        assert_eq!(ask(&router).text(), UP);
        let handshake = upstream.seen.handshakes().remove(0);
        assert_eq!(handshake.server_name.as_deref(), Some("outbound_.80_._.up.example"));
        assert_eq!(handshake.alpn.as_deref(), Some(agreed));
        assert_eq!(handshake.certificate, own.chain().first().map(|leaf| leaf.to_vec()));
    }
    let upstream = Upstream::start_tls(Wire::H1, answer(), authority.strict_server(&shown, &["istio"]));
    let named = "mode: ISTIO_MUTUAL, subjectAltNames: ['spiffe://cluster.local/ns/default/sa/other']";
    let router = files.start(&(secured(upstream.address, Wire::H1, named) + &settings));
    assert_eq!(refused_for(&ask(&router)), "upstream_tls_failed");
}

#[test]
fn a_request_that_cannot_be_secured_spills_whole() {
    let authority = Authority::new("ca");
    let files = trusting(&authority);
    let other = Authority::new("another").issue(&["app.example"], Valid::Now);
    let secure = Upstream::start_tls(Wire::H1, answer(), Authority::server(&other, &["http/1.1"]));
    let clear = Upstream::start(Wire::H1, Answer::Echo("spare".to_owned()));
    let documents =
        secured(secure.address, Wire::H1, &format!("mode: SIMPLE, caCertificates: {}", files.named("ca.pem")))
            + &Service { host: "spare.example", wire: Wire::H1, endpoints: &[clear.address] }.document()
            + &policy("up.example", "spillTo: [{host: spare.example}]");
    let router = files.start(&documents);
    let reply = Client::connect(router.traffic, Wire::H1).ask("POST", "/", &[], "a whole body");
    assert_eq!(reply.json()["body"], "a whole body");
    assert!(reply.head.value("proxy-status").contains("upstream_tls_failed at up.example:80"), "{reply:?}");
}

#[test]
fn sessions_are_resumed() {
    let authority = Authority::new("ca");
    let files = trusting(&authority);
    let (router, upstream) = simple(&files, &authority.issue(&["app.example"], Valid::Now), "");
    let mut client = Client::connect(router.traffic, Wire::H1);
    client.ask("GET", "/", &[], "");
    // Each connection carries one request here, so that the second must open its own.
    let once = files.documents().join("all.yaml");
    let text = std::fs::read_to_string(&once).expect("the documents")
        + "    connectionPool: {http: {maxRequestsPerConnection: 1}}\n";
    let generation = router.generation();
    files.write("documents/all.yaml", &text);
    router.wait_for("the new generation", |_| router.generation() > generation);
    client.ask("GET", "/", &[], "");
    client.ask("GET", "/", &[], "");
    let resumed: Vec<bool> = upstream.seen.handshakes().iter().map(|handshake| handshake.resumed).collect();
    assert_eq!(resumed.first(), Some(&false));
    assert!(resumed.contains(&true), "{resumed:?}");
}

#[test]
fn a_changed_policy_never_uses_a_connection_of_the_old_one() {
    let authority = Authority::new("ca");
    let files = trusting(&authority);
    let shown = authority.issue(&["app.example", "other.example"], Valid::Now);
    let (router, upstream) = simple(&files, &shown, "");
    assert_eq!(ask(&router).text(), UP);
    let generation = router.generation();
    let tls = format!("mode: SIMPLE, caCertificates: {}, sni: other.example", files.named("ca.pem"));
    files.write("documents/all.yaml", &secured(upstream.address, Wire::H1, &tls));
    router.wait_for("the new generation", |_| router.generation() > generation);
    assert_eq!(ask(&router).text(), UP);
    let names: Vec<_> = upstream.seen.handshakes().into_iter().filter_map(|handshake| handshake.server_name).collect();
    assert_eq!(names, ["app.example", "other.example"]);
}

#[test]
fn requests_for_different_hosts_share_no_verified_connection() {
    let authority = Authority::new("ca");
    let files = trusting(&authority);
    let shown = authority.issue(&["app.example"], Valid::Now);
    let upstream = Upstream::start_tls(Wire::H1, answer(), Authority::server(&shown, &["http/1.1"]));
    let to_it = "  - {name: all, route: [{destination: {host: up.example}}]}";
    let documents = virtual_service("app.example", to_it)
        + &virtual_service("not.example", to_it)
        + &Service { host: "up.example", wire: Wire::H1, endpoints: &[upstream.address] }.document()
        + &rule("up.example", &format!("mode: SIMPLE, caCertificates: {}", files.named("ca.pem")));
    let router = files.start(&documents);
    assert_eq!(ask(&router).text(), UP);
    let mut connection = super::harness::Connection::open(router.traffic);
    connection.send("GET / HTTP/1.1\r\nhost: not.example\r\n\r\n");
    assert_eq!(refused_for(&connection.read_reply()), "upstream_tls_failed");
    assert_eq!(upstream.seen.requests(), 1);
}

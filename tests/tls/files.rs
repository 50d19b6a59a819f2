//! Certificates in files: read again as they change, kept where the new ones are wrong, and told of where they are.

use super::authority::{Authority, Issued, Valid};
use super::harness::{Answer, Reply, Router, Upstream, Wire};
use super::{Files, ask, refused_for, secured};
use std::process::Command;

/// A router with a MUTUAL policy whose files are `own.pem`, `own-key.pem` and `ca.pem`, and an endpoint that takes one
/// request a connection.
struct Mutual {
    authority: Authority,
    files: Files,
    upstream: Upstream,
    documents: String,
}

impl Mutual {
    fn new() -> Self {
        let (authority, files) = (Authority::new("ca"), Files::new());
        let shown = authority.issue(&["app.example"], Valid::Now);
        let config = authority.strict_server(&shown, &["http/1.1"]);
        let upstream = Upstream::start_tls(Wire::H1, Answer::Fixed(200, "up".to_owned()), config);
        let tls = format!(
            "mode: MUTUAL, caCertificates: {}, clientCertificate: {}, privateKey: {}",
            files.named("ca.pem"),
            files.named("own.pem"),
            files.named("own-key.pem"),
        );
        let documents =
            secured(upstream.address, Wire::H1, &tls) + "    connectionPool: {http: {maxRequestsPerConnection: 1}}\n";
        files.write("ca.pem", &authority.pem);
        Self { authority, files, upstream, documents }
    }

    fn start(&self) -> Router {
        self.files.start(&self.documents)
    }

    fn write(&self, own: &Issued) {
        self.files.write("own.pem", &own.certificate);
        self.files.write("own-key.pem", &own.key);
    }

    fn issue(&self) -> Issued {
        self.authority.issue(&["router.example"], Valid::Now)
    }

    /// The certificate that the last connection has shown.
    fn shown_last(&self) -> Option<Vec<u8>> {
        self.upstream.seen.handshakes().last().and_then(|handshake| handshake.certificate.clone())
    }
}

fn leaf(issued: &Issued) -> Option<Vec<u8>> {
    issued.chain().first().map(|leaf| leaf.to_vec())
}

/// The findings of `/config_dump` about certificates.
fn told(router: &Router) -> Vec<String> {
    let dump: Reply = router.admin_get("/config_dump");
    let problems = dump.json()["problems"].as_array().cloned().unwrap_or_default();
    let about = problems.into_iter().filter(|problem| problem["code"] == "OVS301");
    about.map(|problem| format!("{}:{} {}", problem["file"], problem["line"], problem["message"])).collect()
}

#[test]
fn new_certificates_are_used_and_bad_ones_are_not() {
    let mutual = Mutual::new();
    let first = mutual.issue();
    mutual.write(&first);
    let router = mutual.start();
    assert_eq!(ask(&router).text(), "up");
    assert_eq!(mutual.shown_last(), leaf(&first));
    assert_eq!(told(&router), Vec::<String>::new());

    let second = mutual.issue();
    let mark = router.log_mark();
    mutual.write(&second);
    router.wait_for_log(mark, |line| line.to_string().contains("certificates read again"));
    router.wait_until("the second certificate is shown", |router| {
        assert_eq!(ask(router).text(), "up", "no request fails while files are exchanged");
        mutual.shown_last() == leaf(&second)
    });
    let generation = router.generation();

    let third = mutual.issue();
    mutual.files.write("own.pem", &third.certificate);
    router.wait_until("the key of another certificate is told of", |router| {
        told(router).iter().any(|told| {
            told.contains("all.yaml")
                && told.contains("own-key.pem")
                && told.contains("does not belong")
                && told.contains("before")
        })
    });
    assert_eq!(router.generation(), generation, "certificates are no documents");
    assert_eq!(ask(&router).text(), "up");
    assert_eq!(mutual.shown_last(), leaf(&second), "what was good before stays in use");

    mutual.files.write("own-key.pem", &third.key);
    router.wait_until("the cure shows", |router| told(router).is_empty());
    assert_eq!(ask(&router).text(), "up");
    assert_eq!(mutual.shown_last(), leaf(&third));
}

#[test]
fn a_missing_file_is_told_of_and_waited_for() {
    let mutual = Mutual::new();
    let router = mutual.start();
    let line = 1 + mutual.documents.lines().position(|line| line.contains("tls:")).expect("the policy is there");
    let found = told(&router);
    assert!(found.iter().any(|told| told.contains("own.pem") && told.contains("no such file")), "{found:?}");
    assert!(found.iter().all(|told| told.contains(&format!(":{line} "))), "{found:?}");
    assert_eq!(refused_for(&ask(&router)), "upstream_tls_failed", "a request never goes in clear instead");
    assert_eq!(mutual.upstream.seen.connections(), 0);
    mutual.write(&mutual.issue());
    router.wait_until("the files are there", |router| told(router).is_empty());
    router.wait_until("the endpoint is asked again", |router| ask(router).text() == "up");
}

#[test]
fn expired_certificates_are_named_with_their_date() {
    let mutual = Mutual::new();
    mutual.write(&mutual.authority.issue(&["router.example"], Valid::Before));
    let router = mutual.start();
    let found = told(&router);
    assert!(found.iter().any(|told| told.contains("own.pem") && told.contains("2002-02-03")), "{found:?}");
    assert_eq!(refused_for(&ask(&router)), "upstream_tls_failed", "the endpoint does not take it");
}

#[test]
fn check_warns_of_files_that_may_be_elsewhere() {
    let mutual = Mutual::new();
    mutual.files.write("documents/all.yaml", &mutual.documents);
    let check = || {
        let program = env!("CARGO_BIN_EXE_overspill");
        let output = Command::new(program).arg("check").arg(mutual.files.documents()).output().expect("it starts");
        (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let (code, text) = check();
    assert_eq!(code, Some(0), "{text}");
    let line = text.lines().find(|line| line.contains("own.pem")).unwrap_or_else(|| panic!("no such finding: {text}"));
    assert!(
        line.contains("all.yaml:") && line.contains("warning OVS301") && line.contains("trafficPolicy.tls"),
        "{line}"
    );
    mutual.write(&mutual.issue());
    assert!(!check().1.contains("OVS301"));
}

use std::fs;
use std::time::Duration;

use rcgen::{CertificateParams, KeyPair as RcgenKeyPair};

use super::*;
use crate::config::{Overrides, SourceFile, load};

/// Documents whose one pool shows `own.pem` of `folder`.
fn checked(folder: &std::path::Path, sni: &str) -> Checked {
    let folder = folder.display();
    let text = format!(
        "apiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {{name: a}}\nspec:\n  hosts: [a.b]\n  \
         location: MESH_INTERNAL\n  resolution: STATIC\n  ports: [{{number: 80, name: http, protocol: HTTP}}]\n  \
         endpoints: [{{address: 10.0.0.1}}]\n---\napiVersion: networking.istio.io/v1\nkind: DestinationRule\n\
         metadata: {{name: a}}\nspec:\n  host: a.b\n  trafficPolicy:\n    tls: {{mode: MUTUAL, sni: {sni}, \
         caCertificates: {folder}/own.pem, clientCertificate: {folder}/own.pem, privateKey: {folder}/own-key.pem}}\n"
    );
    let loaded = load(&[SourceFile { name: "a.yaml".to_owned(), bytes: text.into_bytes() }], &Overrides::default());
    assert_eq!(loaded.problems, []);
    loaded.checked.expect("valid documents")
}

/// A folder with a certificate that is valid for some minutes, and a moment within.
fn folder() -> (tempfile::TempDir, SystemTime) {
    let (folder, now) = (tempfile::tempdir().expect("a temporary folder"), SystemTime::now());
    let mut params = CertificateParams::new(vec!["a.b".to_owned()]).expect("a name");
    params.not_before = (now - Duration::from_mins(5)).into();
    params.not_after = (now + Duration::from_mins(5)).into();
    let key = RcgenKeyPair::generate().expect("a key");
    let certificate = params.self_signed(&key).expect("a certificate").pem();
    fs::write(folder.path().join("own.pem"), certificate).expect("a new file");
    fs::write(folder.path().join("own-key.pem"), key.serialize_pem()).expect("a new file");
    (folder, now)
}

#[test]
fn a_certificate_that_expires_while_it_is_used_is_news() {
    let (folder, now) = folder();
    let (mut keeper, _) = Keeper::new(&[]);
    let clients = keeper.follow(&checked(folder.path(), "a.b"), now);
    assert_eq!(keeper.problems(), []);
    assert!(clients[0].as_ref().is_some_and(|client| client.is_usable()));
    let files = keeper.read();
    assert!(!keeper.is_news(&files, now));
    let later = now + Duration::from_mins(6);
    assert!(keeper.is_news(&files, later));
    keeper.take(files, later);
    let told: Vec<String> = keeper.problems().into_iter().map(|problem| problem.message).collect();
    assert!(
        told.len() == 2 && told.iter().all(|told| told.contains("expired")),
        "of the pair and the authority: {told:?}"
    );
    assert!(!keeper.is_news(&keeper.read(), later), "it is told once");
}

#[test]
fn a_policy_that_goes_on_keeps_its_client_and_a_changed_one_gets_another() {
    let (folder, now) = folder();
    let (mut keeper, _) = Keeper::new(&[]);
    let mut identity = |sni: &str| {
        let clients = keeper.follow(&checked(folder.path(), sni), now);
        clients[0].as_ref().map(|client| client.identity())
    };
    let first = identity("a.b");
    assert!(first.is_some());
    assert_eq!(identity("a.b"), first);
    assert_ne!(identity("c.d"), first);
    assert_ne!(identity("a.b"), first, "connections of a policy that was gone are not met again");
}

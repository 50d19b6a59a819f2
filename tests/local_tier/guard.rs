//! Vectors of two models do not mix: a route says which it accepts, and nothing else of the local model's answers for it.

use std::process::Command;

use super::harness::{Folder, Router, Setup};
use super::{INT8, embed, local_only, model, texts};

/// The policy of every rule of the host.
fn accepting(accepts: &str) -> String {
    format!(
        "---\napiVersion: overspill.dev/v1\nkind: RoutePolicy\nmetadata: {{name: guard, namespace: default}}\n\
         spec: {{virtualService: app-example, localModel: {{accepts: [{accepts}]}}}}\n"
    )
}

const ACCEPTED: &str = "{name: other}, {name: all-MiniLM-L6-v2, dimension: 384, pooling: mean, normalized: true}";

fn documents(accepts: &str) -> String {
    local_only(&model(), "", INT8) + &accepting(accepts)
}

/// What `check` finds.
fn check(documents: &str) -> String {
    let folder = Folder::with(documents);
    let output = Command::new(env!("CARGO_BIN_EXE_overspill")).arg("check").arg(folder.path()).output();
    String::from_utf8(output.expect("the program runs").stdout).expect("text")
}

#[test]
fn a_route_is_answered_from_a_space_that_it_accepts_and_from_no_other() {
    let folder = Folder::with(&documents(ACCEPTED));
    let router = Router::with(&Setup { config: folder.path(), variables: &[] });
    let reply = embed(&router, &texts(1));
    assert_eq!((reply.head.status, &reply.json()["model"]), (200, &"all-MiniLM-L6-v2".into()));
    for other in [
        "{name: bge-m3}",
        "{name: all-MiniLM-L6-v2, dimension: 1024}",
        "{name: all-MiniLM-L6-v2, revision: \"0123\"}",
        "",
    ] {
        let generation = router.generation();
        folder.write("documents.yaml", &documents(other));
        router.wait_until("it is in force", |router| router.generation() > generation);
        let reply = embed(&router, &texts(1));
        assert_eq!(reply.head.status, 503, "{other}: {reply:?}");
        assert!(reply.head.value("proxy-status").contains("local_identity_mismatch at local"), "{other}: {reply:?}");
        assert_eq!(reply.json()["error"]["code"], "local_identity_mismatch", "{other}");
    }
    assert_eq!(embed(&router, &texts(1)).head.status, 503);
}

#[test]
fn a_space_that_is_not_accepted_is_found_by_check_and_said_in_the_log() {
    let wrong = documents("{name: bge-m3, dimension: 1024}");
    let found = check(&wrong);
    assert!(
        found.contains("warning OVS221: spec.localModel.accepts: The local model is `all-MiniLM-L6-v2`"),
        "{found}"
    );
    assert!(!check(&documents(ACCEPTED)).contains("OVS221"));
    let elsewhere = wrong.replace(&format!("{:?}", model().display().to_string()), "/nowhere");
    assert!(!check(&elsewhere).contains("OVS221"), "nothing is said of a folder that is not here");

    let folder = Folder::with(&wrong);
    let router = Router::with(&Setup { config: folder.path(), variables: &[] });
    router.wait_for_log(0, |line| line.to_string().contains("OVS221"));
}

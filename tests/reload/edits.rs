//! The ways in which files change, each seen by the router on its own.

use std::os::unix::fs::symlink;
use std::path::Path;

use super::harness::series::{RELOADS, WEIGHT};
use super::harness::{Answer, ConfigMapVolume, Folder, Router, Setup, Upstream, Wire, virtual_service};
use super::{ask, begin, sending_to, wait_for_newer};

fn named(name: &str) -> Upstream {
    Upstream::start(Wire::H1, Answer::Fixed(200, name.to_owned()))
}

#[test]
fn an_edit_in_place_is_published() {
    let (a, b) = (named("a"), named("b"));
    let addresses = [a.address, b.address];
    let router = Router::start(&sending_to("a.example", addresses));
    for host in ["b", "a", "b"] {
        router.folder().write("documents.yaml", &sending_to(&format!("{host}.example"), addresses));
        // Between the two steps of a write the file is empty, and a machine may be so busy that this is published.
        router.wait_until("the edit is in force", |router| ask(router.traffic) == host);
    }
}

#[test]
fn an_atomic_rename_is_published() {
    let (a, b) = (named("a"), named("b"));
    let addresses = [a.address, b.address];
    let router = Router::start(&sending_to("a.example", addresses));
    for host in ["b", "a", "b"] {
        let generation = router.generation();
        router.folder().replace("documents.yaml", &sending_to(&format!("{host}.example"), addresses));
        wait_for_newer(&router, generation);
        assert_eq!(ask(router.traffic), host);
    }
}

#[test]
fn an_update_of_a_config_map_volume_is_published() {
    let (a, b) = (named("a"), named("b"));
    let addresses = [a.address, b.address];
    let mut volume = ConfigMapVolume::with(&sending_to("a.example", addresses));
    let router = Router::with(&Setup { config: volume.path(), variables: &[] });
    assert_eq!(ask(router.traffic), "a");
    for host in ["b", "a", "b"] {
        let generation = router.generation();
        volume.update(&sending_to(&format!("{host}.example"), addresses));
        wait_for_newer(&router, generation);
        assert_eq!(ask(router.traffic), host);
    }
}

#[test]
fn one_file_of_a_config_map_volume_can_be_the_configuration() {
    let (a, b) = (named("a"), named("b"));
    let addresses = [a.address, b.address];
    let mut volume = ConfigMapVolume::with(&sending_to("a.example", addresses));
    let router = Router::with(&Setup { config: &volume.path().join("documents.yaml"), variables: &[] });
    for host in ["b", "a"] {
        let generation = router.generation();
        volume.update(&sending_to(&format!("{host}.example"), addresses));
        wait_for_newer(&router, generation);
        assert_eq!(ask(router.traffic), host);
    }
}

#[test]
fn a_folder_that_takes_the_place_of_another_is_followed() {
    let (a, b) = (named("a"), named("b"));
    let addresses = [a.address, b.address];
    let root = Folder::with("");
    let (config, next, old) = (root.path().join("config"), root.path().join("next"), root.path().join("old"));
    let write = |folder: &Path, host: &str| {
        std::fs::write(folder.join("documents.yaml"), sending_to(&format!("{host}.example"), addresses))
            .expect("a file in a temporary folder is writable");
    };
    for (folder, host) in [(&config, "a"), (&next, "b")] {
        std::fs::create_dir(folder).expect("a new folder");
        write(folder, host);
    }
    let router = Router::with(&Setup { config: &config, variables: &[] });
    std::fs::rename(&config, &old).expect("a rename within a folder");
    std::fs::rename(&next, &config).expect("a rename within a folder");
    router.wait_until("the new folder is read", |router| ask(router.traffic) == "b");
    write(&config, "a");
    router.wait_until("an edit in the new folder is read", |router| ask(router.traffic) == "a");
}

#[test]
fn the_far_end_of_a_link_is_followed() {
    let (a, b) = (named("a"), named("b"));
    let addresses = [a.address, b.address];
    let (folder, elsewhere) = (Folder::with(""), Folder::with(&sending_to("a.example", addresses)));
    symlink(elsewhere.path().join("documents.yaml"), folder.path().join("linked.yaml")).expect("a link");
    let router = Router::with(&Setup { config: folder.path(), variables: &[] });
    assert_eq!(ask(router.traffic), "a");
    elsewhere.write("documents.yaml", &sending_to("b.example", addresses));
    router.wait_until("the edit is read", |router| ask(router.traffic) == "b");
}

#[test]
fn files_that_come_and_go_are_published() {
    let (a, b) = (named("a"), named("b"));
    let router = Router::start(&sending_to("a.example", [a.address, b.address]));
    let asked_other = || {
        let mut connection = super::harness::Connection::open(router.traffic);
        connection.ask("GET / HTTP/1.1\r\nhost: other.example\r\n\r\n")
    };
    assert_eq!(asked_other().head.status, 404);
    let generation = router.generation();
    let rule = "  - {route: [{destination: {host: b.example}}]}";
    router.folder().replace("other.yaml", &virtual_service("other.example", rule));
    wait_for_newer(&router, generation);
    assert_eq!(asked_other().text(), "b");
    let generation = router.generation();
    std::fs::remove_file(router.folder().path().join("other.yaml")).expect("the file is there");
    wait_for_newer(&router, generation);
    assert_eq!(asked_other().head.status, 404);
}

#[test]
fn sighup_reads_the_documents_again() {
    let (a, b) = (named("a"), named("b"));
    let router = Router::start(&sending_to("a.example", [a.address, b.address]));
    let before = router.metrics().count(RELOADS, &[]);
    router.signal("HUP");
    router.wait_for("the documents are read", |metrics| metrics.count(RELOADS, &[]) > before);
    assert_eq!(ask(router.traffic), "a");
}

#[test]
fn the_weights_in_force_are_in_the_metrics() {
    let (a, b) = (named("a"), named("b"));
    let split = |first: u32, second: u32| {
        sending_to("a.example", [a.address, b.address]).replace(
            "[{destination: {host: a.example}}]",
            &format!(
                "[{{destination: {{host: a.example}}, weight: {first}}}, \
                 {{destination: {{host: b.example}}, weight: {second}}}]"
            ),
        )
    };
    let router = Router::start(&split(95, 5));
    let weight =
        |pool: &str| router.metrics().count(WEIGHT, &[("route", "default/app-example/to-a.example"), ("pool", pool)]);
    assert_eq!((weight("a.example:80"), weight("b.example:80")), (95, 5));
    let generation = router.generation();
    router.folder().replace("documents.yaml", &split(80, 20));
    wait_for_newer(&router, generation);
    assert_eq!((weight("a.example:80"), weight("b.example:80")), (80, 20));
}

#[test]
fn a_request_in_flight_ends_where_it_began() {
    let (a, b) = (Upstream::start(Wire::H1, Answer::Held), named("b"));
    let addresses = [a.address, b.address];
    let router = Router::start(&sending_to("a.example", addresses));
    let mut first = begin(router.traffic);
    let mut exchange = a.next();
    exchange.begin(200, &[]);
    assert!(exchange.send("before "));
    assert_eq!(first.head().status, 200);
    let generation = router.generation();
    // The pool that serves the request in flight is gone altogether.
    router.folder().replace("documents.yaml", &sending_to("b.example", [b.address, b.address]));
    wait_for_newer(&router, generation);
    assert_eq!(ask(router.traffic), "b");
    assert!(exchange.send("after"));
    exchange.finish();
    assert_eq!((first.chunk(), first.chunk()), (Some(b"before ".to_vec()), Some(b"after".to_vec())));
    assert_eq!(first.chunk(), None);
}

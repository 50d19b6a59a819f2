//! Faulty documents: the last good ones go on, and the fault is told where people look.

use super::harness::series::{RELOAD_OK, RELOADS};
use super::harness::{Answer, Router, Upstream, Wire, policy};
use super::{ask, sending_to, wait_for_newer};

struct Serving {
    router: Router,
    good: String,
    _upstreams: [Upstream; 2],
}

fn serving() -> Serving {
    let upstreams = ["a", "b"].map(|name| Upstream::start(Wire::H1, Answer::Fixed(200, name.to_owned())));
    let good = sending_to("a.example", [upstreams[0].address, upstreams[1].address]);
    Serving { router: Router::start(&good), good, _upstreams: upstreams }
}

/// Writes `faulty`, and holds the router to its last good documents and to a log with each of `told` in one line.
fn the_last_good_goes_on(serving: &Serving, faulty: &str, told: &[&[&str]]) {
    let router = &serving.router;
    let (mark, generation) = (router.log_mark(), router.generation());
    router.folder().replace("documents.yaml", faulty);
    router.wait_for("the fault shows in the metrics", |metrics| metrics.count(RELOAD_OK, &[]) == 0);
    for words in told {
        router.wait_for_log(mark, |line| {
            let text = line.to_string();
            words.iter().all(|word| text.contains(word))
        });
    }
    assert_eq!(router.generation(), generation);
    assert_eq!(ask(router.traffic), "a");
    assert_eq!(router.admin_get("/healthz/ready").head.status, 200, "a faulty edit takes no router out of service");
    router.folder().replace("documents.yaml", &serving.good.replace("a.example}}]", "b.example}}]"));
    wait_for_newer(router, generation);
    assert_eq!(router.metrics().count(RELOAD_OK, &[]), 1);
    assert_eq!(ask(router.traffic), "b");
}

#[test]
fn a_text_that_is_not_yaml_leaves_the_last_good_serving() {
    let serving = serving();
    let faulty = format!("{}---\nspec: [unclosed\n", serving.good);
    the_last_good_goes_on(&serving, &faulty, &[&["documents.yaml", "OVS001", "\"line\""]]);
}

#[test]
fn a_destination_that_does_not_exist_is_named_with_its_line_and_cure() {
    let serving = serving();
    let faulty = serving.good.replace("{host: a.example}}", "{host: a.exampel}}");
    let line = 1 + faulty.lines().position(|line| line.contains("a.exampel}}")).expect("the fault is there");
    let line = format!("\"line\":{line}");
    the_last_good_goes_on(&serving, &faulty, &[&["documents.yaml", "IST0101", &line, "a.example"]]);
}

#[test]
fn every_problem_is_told_at_once() {
    let serving = serving();
    let faulty = serving.good.replace("{host: a.example}}", "{host: a.exampel}}")
        + &policy("b.example", "slotsPerEndpoint: 0, tear: gpu");
    let told: [&[&str]; 3] =
        [&["IST0101", "a.exampel"], &["OVS106", "spec.slotsPerEndpoint"], &["OVS106", "spec.tear", "tier"]];
    the_last_good_goes_on(&serving, &faulty, &told);
}

#[test]
fn a_setting_that_needs_a_restart_is_named_and_the_rest_is_published() {
    let serving = serving();
    let router = &serving.router;
    let (mark, generation) = (router.log_mark(), router.generation());
    let settings = "---\napiVersion: overspill.dev/v1\nkind: Settings\nmetadata: {name: settings}\n\
                    spec: {backlog: 77}\n";
    let edited = serving.good.replace("a.example}}]", "b.example}}]") + settings;
    router.folder().replace("documents.yaml", &edited);
    wait_for_newer(router, generation);
    router.wait_for_log(mark, |line| line.to_string().contains("backlog"));
    assert_eq!(ask(router.traffic), "b");
}

#[test]
fn a_fault_shows_until_it_is_cured() {
    let serving = serving();
    let router = &serving.router;
    router.folder().replace("documents.yaml", &(serving.good.clone() + "bad: ["));
    router.wait_for("the fault shows", |metrics| metrics.count(RELOAD_OK, &[]) == 0);
    let read = router.metrics().count(RELOADS, &[]);
    router.signal("HUP");
    let metrics = router.wait_for("the documents are read again", |metrics| metrics.count(RELOADS, &[]) > read);
    assert_eq!(metrics.count(RELOAD_OK, &[]), 0);
    let generation = router.generation();
    router.folder().replace("documents.yaml", &serving.good);
    wait_for_newer(router, generation);
    assert_eq!(router.metrics().count(RELOAD_OK, &[]), 1);
}

#[test]
fn a_folder_that_is_gone_for_a_while_is_a_fault_until_it_is_back() {
    let serving = serving();
    let router = &serving.router;
    let (path, aside) = (router.folder().path(), router.folder().path().with_extension("aside"));
    std::fs::rename(path, &aside).expect("a rename beside it");
    router.wait_for("the fault shows", |metrics| metrics.count(RELOAD_OK, &[]) == 0);
    assert_eq!(ask(router.traffic), "a");
    std::fs::rename(&aside, path).expect("a rename back");
    router.wait_for("the fault is cured", |metrics| metrics.count(RELOAD_OK, &[]) == 1);
    assert_eq!(ask(router.traffic), "a");
}

//! The first answers: at the start, and for names that a reload brings.

use super::harness::{DnsServer, Lookup, Router};
use super::{NAME, Setting, by_place, get, ip, service, upstreams};

#[test]
fn a_router_is_ready_once_its_names_are_answered() {
    let upstreams = upstreams(1, by_place);
    let dns = DnsServer::start();
    dns.tell(NAME, Lookup::Failing);
    let settings = ", startTimeout: 1h";
    let setting = Setting { dns: &dns, port: upstreams[0].address.port(), resolution: "DNS", more: "", settings };
    let (router, _folder) = setting.begin();
    router.wait_until("the name has been asked for", |_| dns.asked(NAME) > 0);
    assert!(!router.is_ready());
    let (status, body) = get(&router, "app.example");
    assert!(status == 503 && body.contains("no_endpoint"), "requests are refused meanwhile: {status} {body}");
    dns.found(NAME, &[ip(0)]);
    router.wait_until("it is ready", Router::is_ready);
    assert_eq!(get(&router, "app.example"), (200, "0".to_owned()));
}

#[test]
fn a_router_does_not_wait_for_ever() {
    let dns = DnsServer::start();
    dns.tell(NAME, Lookup::Silent);
    let settings = ", startTimeout: 100ms";
    let router = Setting { dns: &dns, port: 1, resolution: "DNS", more: "", settings }.router();
    assert!(get(&router, "app.example").1.contains("no_endpoint"));
}

#[test]
fn a_reload_waits_for_the_names_that_it_brings() {
    let upstreams = upstreams(2, by_place);
    let dns = DnsServer::start();
    dns.found(NAME, &[ip(0)]);
    dns.found("other.example", &[ip(1)]);
    let setting = Setting { dns: &dns, port: upstreams[0].address.port(), resolution: "DNS", more: "", settings: "" };
    let router = setting.router();
    let next = setting.documents().replace(NAME, "other.example");
    router.folder().replace("documents.yaml", &next);
    // Whichever is in force, there is an endpoint.
    let mut answers = Vec::new();
    router.wait_until("the other name is in force", |router| {
        answers.push(get(router, "app.example"));
        answers.last().is_some_and(|(_, body)| body == "1")
    });
    assert!(answers.iter().all(|(status, _)| *status == 200), "{answers:?}");
}

#[test]
fn without_servers_names_are_looked_up_as_the_system_does() {
    let upstreams = upstreams(1, by_place);
    let documents = service("localhost", upstreams[0].address.port(), "DNS");
    let router = Router::start(&documents);
    assert_eq!(get(&router, "localhost"), (200, "0".to_owned()));
}

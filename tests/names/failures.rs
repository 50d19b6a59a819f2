//! Names that cannot be resolved, and addresses that do not answer.

use super::harness::{DnsServer, Lookup, Router, log_field};
use super::{NAME, Setting, bodies, by_place, endpoints, get, ip, upstreams};

const LOOKUPS: &str = "overspill_dns_lookups_total";
const ADDRESSES: &str = "overspill_dns_addresses";

fn router(dns: &DnsServer, port: u16) -> Router {
    Setting { dns, port, resolution: "DNS", more: "", settings: "" }.router()
}

/// What `/clusters` says of the last lookup of [`NAME`].
fn failure(router: &Router) -> String {
    let clusters = router.admin_get("/clusters").text();
    let line = clusters.lines().find_map(|line| line.strip_prefix(&format!("dns::{NAME}::failure::")));
    line.expect("a line for the name").to_owned()
}

#[test]
fn a_lookup_that_fails_keeps_the_last_good_addresses_and_is_seen() {
    let upstreams = upstreams(2, by_place);
    let dns = DnsServer::start();
    dns.found(NAME, &[ip(0)]);
    let router = router(&dns, upstreams[0].address.port());
    assert_eq!(failure(&router), "none");
    let metrics = router.metrics();
    assert_eq!(metrics.count(ADDRESSES, &[("host", NAME)]), 1);
    assert_eq!(metrics.count(LOOKUPS, &[("host", NAME), ("result", "failed")]), 0);

    let mark = router.log_mark();
    dns.tell(NAME, Lookup::Failing);
    let line = router.wait_for_log(mark, |line| log_field(line, "name") == NAME);
    assert_eq!(line["level"], "WARN", "{line}");
    router.wait_for("the failure is counted", |metrics| {
        metrics.count(LOOKUPS, &[("host", NAME), ("result", "failed")]) > 1
    });
    assert_ne!(failure(&router), "none");
    assert_eq!(router.metrics().count(ADDRESSES, &[("host", NAME)]), 1);
    assert_eq!(bodies(&router, 2), ["0"; 2]);

    dns.found(NAME, &[ip(1)]);
    router.wait_until("the name is answered again", |router| failure(router) == "none");
    router.wait_until("its new address is in force", |router| bodies(router, 2) == ["1"; 2]);
}

#[test]
fn a_name_that_is_no_more_has_no_endpoint() {
    let upstreams = upstreams(1, by_place);
    let dns = DnsServer::start();
    dns.found(NAME, &[ip(0)]);
    let router = router(&dns, upstreams[0].address.port());
    assert_eq!(get(&router, "app.example").0, 200);
    dns.tell(NAME, Lookup::Absent);
    router.wait_until("the endpoint is gone", |router| endpoints(router).is_empty());
    let (status, body) = get(&router, "app.example");
    assert!(status == 503 && body.contains("no_endpoint"), "{status} {body}");
    let empty = [("host", NAME), ("result", "empty")];
    router.wait_for("it is counted", |metrics| metrics.count(LOOKUPS, &empty) > 0);
    dns.found(NAME, &[ip(0)]);
    router.wait_until("it is back", |router| get(router, "app.example").0 == 200);
}

#[test]
fn an_address_that_refuses_connections_is_ejected_by_itself() {
    let upstreams = upstreams(1, by_place);
    let dns = DnsServer::start();
    // Nobody listens on the second address.
    dns.found(NAME, &[ip(0), ip(1)]);
    let router = router(&dns, upstreams[0].address.port());
    let ejected = [("pool", "pool.example:80"), ("state", "ejected")];
    router.wait_until("the second address is ejected", |router| {
        assert_eq!(bodies(router, 1), ["0"]);
        router.metrics().count("overspill_pool_endpoints", &ejected) == 1
    });
}

#[test]
fn a_name_that_is_not_configured_any_more_is_not_followed() {
    let dns = DnsServer::start();
    dns.found(NAME, &[ip(0)]);
    let router = router(&dns, 1);
    let text = std::fs::read_to_string(router.folder().path().join("documents.yaml")).expect("the documents");
    dns.found("other.example", &[ip(0)]);
    router.folder().replace("documents.yaml", &text.replace(NAME, "other.example"));
    router.wait_for("the other name is followed", |metrics| metrics.has(ADDRESSES, &[("host", "other.example")]));
    let metrics = router.wait_for("nothing is left of the first", |metrics| !metrics.has(ADDRESSES, &[("host", NAME)]));
    assert!(!metrics.has(LOOKUPS, &[("host", NAME)]));
}

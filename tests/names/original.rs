//! Services without endpoints of their own: a request goes where it says.

use super::harness::{DnsServer, Lookup, Router, Service, Wire, policy, virtual_service};
use super::{NAME, Setting, by_place, get, ip, service, upstreams};

/// Hosts below `many.example`, whose endpoints are whatever they resolve to.
fn many(port: u16, resolution: &str) -> String {
    service("*.many.example", port, resolution)
}

fn setting<'a>(dns: &'a DnsServer, more: &'a str) -> Setting<'a> {
    Setting { dns, port: 1, resolution: "DNS", more, settings: "" }
}

/// Names of a server that answers for an hour, so that each is asked for once.
fn tell(dns: &DnsServer, host: &str, place: u8) {
    dns.tell(host, Lookup::Found(vec![ip(place)], 3600));
}

#[test]
fn a_host_below_a_wildcard_goes_to_its_own_address() {
    let upstreams = upstreams(2, by_place);
    for resolution in ["NONE", "DYNAMIC_DNS"] {
        let dns = DnsServer::start();
        dns.found(NAME, &[ip(0)]);
        tell(&dns, "a.many.example", 0);
        tell(&dns, "b.c.many.example", 1);
        tell(&dns, "a.other.example", 1);
        let documents = many(upstreams[0].address.port(), resolution);
        let router = setting(&dns, &documents).router();
        for (host, body) in [("a.many.example", "0"), ("B.c.many.example:8080", "1"), ("a.many.example", "0")] {
            assert_eq!(get(&router, host), (200, body.to_owned()), "{resolution} {host}");
        }
        for host in ["a.other.example", "many.example", ".many.example"] {
            assert_eq!(get(&router, host).0, 404, "{resolution}: {host} is no service's");
        }
        assert_eq!((dns.asked("a.many.example"), dns.asked("a.other.example")), (1, 0), "{resolution}");
        let line = router.wait_for_access(|line| line.field("authority") == "B.c.many.example:8080");
        assert_eq!(line.field("pool"), "*.many.example:80");
        assert_eq!(line.field("endpoint"), upstreams[1].address.to_string());
        let asked = [("host", "*"), ("result", "answered")];
        assert_eq!(router.metrics().count("overspill_dns_lookups_total", &asked), 2, "{resolution}");
    }
}

#[test]
fn hosts_that_nothing_declares_are_served_where_the_settings_allow_any() {
    let upstreams = upstreams(1, by_place);
    let dns = DnsServer::start();
    dns.found(NAME, &[ip(0)]);
    tell(&dns, "elsewhere.test", 0);
    let asked = format!("elsewhere.test:{}", upstreams[0].address.port());
    for (mode, expected) in [("ALLOW_ANY", 200), ("REGISTRY_ONLY", 404)] {
        let router = Router::start(&format!(
            "apiVersion: overspill.dev/v1\nkind: Settings\nmetadata: {{name: overspill}}\n\
             spec: {{dns: {{servers: [\"{}\"]}}, outboundTrafficPolicy: {{mode: {mode}}}}}\n",
            dns.address
        ));
        assert_eq!(get(&router, &asked).0, expected, "{mode}");
    }
}

#[test]
fn a_rule_leads_to_a_wildcard_and_not_to_one_of_its_hosts() {
    let upstreams = upstreams(1, by_place);
    let dns = DnsServer::start();
    dns.found(NAME, &[ip(0)]);
    tell(&dns, "a.many.example", 0);
    let documents = many(upstreams[0].address.port(), "NONE")
        + &virtual_service("a.many.example", "  - {name: a, route: [{destination: {host: \"*.many.example\"}}]}")
        + &virtual_service("one.example", "  - {name: a, route: [{destination: {host: a.many.example}}]}");
    let router = setting(&dns, &documents).router();
    assert_eq!(get(&router, "a.many.example"), (200, "0".to_owned()));
    // As in Istio, the wildcard's service is none of that host alone.
    let (status, body) = get(&router, "one.example");
    assert_eq!((status, body.contains("no_endpoint")), (503, true), "{body}");
    let line = router.wait_for_access(|line| line.field("authority") == "one.example");
    assert_eq!(line.field("pool"), "a.many.example:80");
}

#[test]
fn passthrough_leaves_the_endpoints_aside() {
    let upstreams = upstreams(2, by_place);
    let port = upstreams[0].address.port();
    let dns = DnsServer::start();
    tell(&dns, "static.example", 1);
    dns.found(NAME, &[ip(0)]);
    let endpoints = [upstreams[0].address];
    let documents = Service { host: "static.example", wire: Wire::H1, endpoints: &endpoints }
        .document()
        .replace("number: 80,", &format!("number: 80, targetPort: {port},"))
        + "---\napiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {name: pass, namespace: default}\n\
           spec: {host: static.example, trafficPolicy: {loadBalancer: {simple: PASSTHROUGH}}}\n";
    let router = setting(&dns, &documents).router();
    assert_eq!(get(&router, "static.example"), (200, "1".to_owned()));
}

#[test]
fn a_host_without_an_address_is_another_pools_or_refused() {
    let upstreams = upstreams(1, by_place);
    let port = upstreams[0].address.port();
    let dns = DnsServer::start();
    dns.found(NAME, &[ip(0)]);
    dns.tell("failing.many.example", Lookup::Failing);
    let documents = many(port, "NONE") + &service("*.spilling.example", port, "NONE");
    let spill = policy("spilling.example", &format!("spillTo: [{{host: {NAME}}}]"));
    let documents = documents + &spill.replace("host: spilling.example,", "host: \"*.spilling.example\",");
    let setting = Setting { port, ..setting(&dns, &documents) };
    let router = setting.router();
    for host in ["absent.many.example", "failing.many.example"] {
        let (status, body) = get(&router, host);
        assert!(status == 503 && body.contains("name_not_resolved"), "{host}: {status} {body}");
    }
    let line = router.wait_for_access(|line| line.field("authority") == "absent.many.example");
    assert_eq!(line.field("response_flags"), "DF");
    assert_eq!(get(&router, "a.spilling.example"), (200, "0".to_owned()));
}

#[test]
fn a_destination_that_fails_leaves_the_others_alone() {
    let upstreams = upstreams(1, by_place);
    let dns = DnsServer::start();
    dns.found(NAME, &[ip(0)]);
    tell(&dns, "up.many.example", 0);
    // Nobody listens there.
    tell(&dns, "down.many.example", 1);
    let documents = many(upstreams[0].address.port(), "NONE");
    let router = setting(&dns, &documents).router();
    for _ in 0..5 {
        let (status, body) = get(&router, "down.many.example");
        assert!(status == 503 && body.contains("connect_failed"), "{status} {body}");
        assert_eq!(get(&router, "up.many.example").0, 200);
    }
}

#[test]
fn a_request_that_would_come_back_is_refused() {
    let dns = DnsServer::start();
    dns.found(NAME, &[ip(0)]);
    tell(&dns, "loop.many.example", 0);
    let documents = many(1, "NONE");
    let setting = setting(&dns, &documents);
    let router = setting.router();
    let text = setting.documents();
    for (generation, own) in [(2, router.traffic), (3, router.admin)] {
        router.folder().replace("documents.yaml", &text.replace(&documents, &many(own.port(), "NONE")));
        router.wait_until("the port is in force", |router: &Router| router.generation() == generation);
        let (status, body) = get(&router, "loop.many.example");
        assert!(status == 502 && body.contains("loop_detected"), "{own}: {status} {body}");
    }
}

#[test]
fn a_service_is_called_by_its_addresses_too() {
    let upstreams = upstreams(1, by_place);
    let dns = DnsServer::start();
    dns.found(NAME, &[ip(0)]);
    let endpoints = [upstreams[0].address];
    let document = Service { host: "static.example", wire: Wire::H1, endpoints: &endpoints }.document();
    let documents =
        document.replace("  resolution:", "  addresses: [240.0.0.1, 10.0.0.0/8, \"2001:db8::1/128\"]\n  resolution:");
    let router = setting(&dns, &documents).router();
    for (host, status) in [("240.0.0.1", 200), ("[2001:db8::1]:80", 200), ("10.0.0.1", 404)] {
        assert_eq!(get(&router, host).0, status, "{host}");
    }
}

#[test]
fn a_host_that_is_asked_for_is_looked_up_again_when_its_time_is_over() {
    let upstreams = upstreams(2, by_place);
    let dns = DnsServer::start();
    dns.found(NAME, &[ip(0)]);
    dns.found("a.many.example", &[ip(0)]);
    let documents = many(upstreams[0].address.port(), "NONE");
    let router = setting(&dns, &documents).router();
    assert_eq!(get(&router, "a.many.example"), (200, "0".to_owned()));
    dns.found("a.many.example", &[ip(1)]);
    router.wait_until("its new address is in force", |router| get(router, "a.many.example").1 == "1");
    dns.tell("a.many.example", Lookup::Failing);
    let asked = dns.asked("a.many.example");
    router.wait_until("a lookup has failed", |router| {
        get(router, "a.many.example").0 == 200 && dns.asked("a.many.example") > asked
    });
    assert_eq!(get(&router, "a.many.example"), (200, "1".to_owned()), "the last good address stays");
}

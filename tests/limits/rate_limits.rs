//! Rate limits of a `RoutePolicy`.

use super::application;
use super::harness::{Connection, Reply, Router, Upstream, series};

/// A policy for all rules of `app.example`; `limits` is its `rateLimits`, in flow style.
fn policy(limits: &str) -> String {
    format!(
        "---\napiVersion: overspill.dev/v1\nkind: RoutePolicy\nmetadata: {{name: app, namespace: default}}\n\
         spec: {{virtualService: app-example, rateLimits: {limits}}}\n"
    )
}

fn limited(limits: &str) -> (Router, Upstream) {
    let (upstream, documents) = application();
    (Router::start(&(documents + &policy(limits))), upstream)
}

fn ask(router: &Router, path: &str, fields: &str) -> Reply {
    let request = format!("GET {path} HTTP/1.1\r\nhost: app.example\r\n{fields}\r\n");
    Connection::open(router.traffic).ask(&request)
}

fn statuses<const N: usize>(router: &Router, fields: [&str; N]) -> [u16; N] {
    fields.map(|fields| ask(router, "/", fields).head.status)
}

#[test]
fn what_is_over_the_limit_is_refused_and_says_when_to_come_again() {
    let (router, upstream) = limited("[{requests: 100, unit: HOUR, burst: 2}]");
    for left in ["r=1;t=36", "r=0;t=72"] {
        let head = ask(&router, "/", "").head;
        assert_eq!((head.status, head.value("ratelimit-policy")), (200, "\"default\";q=100;w=3600".to_owned()));
        assert_eq!(head.value("ratelimit"), format!("\"default\";{left}"));
        assert_eq!(head.field("retry-after"), None);
    }
    let refused = ask(&router, "/", "x-request-id: over\r\n");
    let wait: u64 = refused.head.value("retry-after").parse().expect("seconds");
    assert!((1..=36).contains(&wait), "one request comes back every 36 s, and {wait} s are said");
    assert_eq!(refused.head.value("ratelimit"), format!("\"default\";r=0;t={wait}"));
    assert_eq!((refused.head.status, &refused.json()["error"]["code"]), (429, &"rate_limited".into()));
    assert!(refused.head.value("proxy-status").contains("error=http_request_denied; details=\"rate_limited: "));
    assert_eq!(upstream.seen.requests(), 2);
    let line = router.access_of("over");
    assert_eq!((line.field("reason"), line.field("response_flags")), ("rate_limited".to_owned(), "RL".to_owned()));
    let metrics = router.metrics();
    let labels = [("policy", "default/app"), ("limit", "default")];
    assert_eq!(metrics.count("overspill_rate_limited_requests_total", &labels), 1);
    assert_eq!(metrics.count(series::REFUSED, &[("route", "default/app-example/all"), ("reason", "rate_limited")]), 1);
    assert_eq!(metrics.count("overspill_rate_limit_keys", &[]), 0);
}

#[test]
fn each_value_of_a_header_has_a_bucket() {
    let (router, _upstream) = limited("[{name: user, requests: 1, unit: DAY, key: {httpHeaderName: X-User}}]");
    let (one, other) = ("x-user: one\r\n", "x-user: other\r\n");
    assert_eq!(statuses(&router, [one, other, one, other, "", ""]), [200, 200, 429, 429, 200, 429]);
    assert_eq!(router.metrics().count("overspill_rate_limit_keys", &[]), 3);
}

#[test]
fn each_client_has_a_bucket() {
    let (router, _upstream) = limited("[{requests: 2, unit: DAY, key: {useSourceIp: true}}]");
    assert_eq!(statuses(&router, ["", "", ""]), [200, 200, 429]);
}

#[test]
fn what_one_limit_refuses_uses_up_nothing_of_another() {
    let (router, _upstream) = limited(
        "[{name: all, requests: 3, unit: DAY}, {name: user, requests: 1, unit: DAY, key: {httpHeaderName: x-user}}]",
    );
    let greedy = "x-user: greedy\r\n";
    assert_eq!(statuses(&router, [greedy, greedy, greedy, greedy]), [200, 429, 429, 429]);
    let admitted = ask(&router, "/", "x-user: b\r\n").head;
    assert_eq!(admitted.value("ratelimit-policy"), "\"all\";q=3;w=86400, \"user\";q=1;w=86400");
    assert_eq!(admitted.value("ratelimit"), "\"all\";r=1;t=57600, \"user\";r=0;t=86400");
    assert_eq!(statuses(&router, ["x-user: c\r\n", "x-user: d\r\n"]), [200, 429]);
}

/// Whichever limit refuses, the answer names each of them with what is left of it, and the longest wait.
#[test]
fn a_refusal_names_every_limit_with_what_truly_remains() {
    let (router, upstream) = limited(
        "[{name: first, requests: 5, unit: DAY}, {name: user, requests: 1, unit: HOUR, key: {httpHeaderName: x-user}}, \
          {name: agent, requests: 2, unit: DAY, key: {httpHeaderName: x-agent}}, {name: last, requests: 10, unit: DAY}]",
    );
    let one = "x-user: one\r\nx-agent: a\r\n";
    let every = ["first", "user", "agent", "last"];
    let standings = |head: &super::harness::Head| {
        let told = head.value("ratelimit");
        let items = told.split(", ").map(|item| item.split_once(";t=").map_or(item, |(left, _)| left).to_owned());
        items.collect::<Vec<String>>()
    };
    let with = |left: [u32; 4]| -> Vec<String> {
        every.iter().zip(left).map(|(name, left)| format!("\"{name}\";r={left}")).collect()
    };
    let admitted = ask(&router, "/", one).head;
    assert_eq!((admitted.status, standings(&admitted)), (200, with([4, 0, 1, 9])));
    for _ in 0..3 {
        let refused = ask(&router, "/", one).head;
        assert_eq!((refused.status, standings(&refused)), (429, with([4, 0, 1, 9])));
        assert_eq!(refused.value("ratelimit-policy"), admitted.value("ratelimit-policy"));
        let wait: u64 = refused.value("retry-after").parse().expect("seconds");
        assert!((1..=3600).contains(&wait) && refused.value("ratelimit").contains(&format!("\"user\";r=0;t={wait}, ")));
    }
    assert_eq!(ask(&router, "/", "x-user: two\r\nx-agent: a\r\n").head.status, 200);
    // Two of them have none now: a client that comes again after the shorter wait would be refused again.
    let refused = ask(&router, "/", one).head;
    assert_eq!((refused.status, standings(&refused)), (429, with([3, 0, 0, 8])));
    let wait: u64 = refused.value("retry-after").parse().expect("seconds");
    assert!(
        (3601..=43_200).contains(&wait) && refused.value("ratelimit").contains(&format!("\"agent\";r=0;t={wait}, "))
    );
    assert_eq!(upstream.seen.requests(), 2);
}

/// The rules that a policy is for are counted together, whoever answers; a preflight is not counted.
#[test]
fn a_rule_that_answers_itself_is_limited_too() {
    let (router, upstream) = limited("[{requests: 2, unit: DAY}]");
    let preflight = "OPTIONS / HTTP/1.1\r\nhost: app.example\r\norigin: http://a\r\n\
                     access-control-request-method: GET\r\n\r\n";
    assert_eq!(Connection::open(router.traffic).ask(preflight).head.status, 200);
    let answer = ask(&router, "/own", "").head;
    assert_eq!((answer.status, answer.value("ratelimit")), (204, "\"default\";r=1;t=43200".to_owned()));
    assert_eq!(statuses(&router, ["", ""]), [200, 429]);
    assert_eq!(ask(&router, "/own", "").head.status, 429);
    assert_eq!(upstream.seen.requests(), 1);
}

/// Another rule of the same documents changes, and later the limit itself.
#[test]
fn a_reload_keeps_the_tokens_of_a_limit_that_it_leaves_as_it_was() {
    let (_upstream, documents) = application();
    let limits =
        "[{name: all, requests: 2, unit: DAY}, {name: user, requests: 1, unit: DAY, key: {httpHeaderName: x-user}}]";
    let router = Router::start(&(documents.clone() + &policy(limits)));
    let one = "x-user: one\r\n";
    assert_eq!(statuses(&router, [one, one]), [200, 429]);
    let publish = |text: &str| {
        let generation = router.generation();
        router.folder().replace("documents.yaml", text);
        router.wait_for("the edit is published", |metrics| metrics.count(series::GENERATION, &[]) > generation);
    };
    publish(&(documents.replace("status: 204", "status: 200") + &policy(limits)));
    assert_eq!(statuses(&router, [one, "x-user: two\r\n", "x-user: three\r\n"]), [429, 200, 429]);
    publish(&(documents + &policy(&limits.replace("requests: 2", "requests: 3"))));
    assert_eq!(statuses(&router, [one, "x-user: three\r\n"]), [429, 200]);
}

/// With places for eight keys, a thousand others free nobody who is refused.
#[test]
fn a_flood_of_keys_frees_nobody() {
    let (upstream, documents) = application();
    let settings = "---\napiVersion: overspill.dev/v1\nkind: Settings\nmetadata: {name: s}\nspec: {limits: {maxRateLimitKeys: 8}}\n";
    let limits = "[{requests: 2, unit: DAY, key: {httpHeaderName: x-user}}]";
    let router = Router::start(&(documents + &policy(limits) + settings));
    let greedy = "x-user: greedy\r\n";
    assert_eq!(statuses(&router, [greedy, greedy, greedy]), [200, 200, 429]);
    let mut flood = Connection::open(router.traffic);
    for number in 0..1000 {
        let request = format!("GET /own HTTP/1.1\r\nhost: app.example\r\nx-user: {number}\r\n\r\n");
        assert_eq!(flood.ask(&request).head.status, 204);
    }
    assert_eq!(statuses(&router, [greedy]), [429]);
    let metrics = router.metrics();
    assert_eq!(metrics.count("overspill_rate_limit_keys", &[]), 8);
    assert!(metrics.count("overspill_rate_limit_evicted_keys_total", &[]) > 900);
    assert_eq!(upstream.seen.requests(), 2);
}

//! `advise`: the runbook, by the metrics of routers.

use std::process::Output;

use super::harness::{Answer, Router, Service, Upstream, Wire, closed_port, virtual_service};
use super::{json, overspill};

const POOL: &str = "embeddings-gpu.inference.svc.cluster.local:80";

/// A router whose pool has `replicas` that carry 10 requests each and are asked for `concurrency`.
fn told(replicas: u32, concurrency: u32) -> Upstream {
    let text = format!(
        "overspill_pool_endpoints{{pool=\"{POOL}\",state=\"admitting\"}} {replicas}\n\
         overspill_pool_target_concurrency{{pool=\"{POOL}\",tier=\"gpu\"}} 10\n\
         overspill_pool_concurrency{{pool=\"{POOL}\",tier=\"gpu\"}} {concurrency}\n\
         overspill_pool_latency_objective_seconds{{pool=\"{POOL}\",tier=\"gpu\"}} 0.2\n\
         overspill_min_replicas{{pool=\"{POOL}\",tier=\"gpu\"}} 2\n\
         overspill_max_replicas{{pool=\"{POOL}\",tier=\"gpu\"}} 20\n"
    );
    Upstream::start(Wire::H1, Answer::Fixed(200, text))
}

/// What is said of routers, with the runbook's times in milliseconds for its minutes.
fn advise(routers: &[String], output: &str) -> Output {
    let hurried =
        ["--for", "200ms", "--every", "20ms", "--busy-for", "100ms", "--idle-for", "100ms", "--output", output];
    let routers = routers.iter().flat_map(|url| ["--router", url]);
    overspill(&["advise"].into_iter().chain(routers).chain(hurried).collect::<Vec<_>>())
}

fn url(router: &Upstream) -> String {
    format!("http://{}/metrics", router.address)
}

#[test]
fn a_pool_that_is_short_is_scaled_up_by_half() {
    // Each router sees its own half of the requests, and all of the replicas.
    let (one, other) = (told(5, 25), told(5, 20));
    let said = advise(&[url(&one), url(&other)], "text");
    let text = String::from_utf8_lossy(&said.stdout);
    assert_eq!(said.status.code(), Some(0), "{said:?}");
    assert!(text.starts_with(&format!("{POOL}: scale up by half, from 5 to 8\n  use has been over 80 %")), "{text}");
    assert!(text.contains("kubectl --namespace inference scale deployment/embeddings-gpu --replicas=8\n"), "{text}");
    let half = json(&advise(&[url(&one)], "json"));
    assert_eq!((&half["pools"][0]["advice"], &half["pools"][0]["used"]), (&"keep".into(), &0.5.into()), "{half}");
}

#[test]
fn a_pool_that_is_idle_is_scaled_down_by_30_percent() {
    let idle = json(&advise(&[url(&told(10, 20))], "json"));
    let pool = &idle["pools"][0];
    assert_eq!(
        (&pool["advice"], &pool["replicas"], &pool["to"]),
        (&"scale_down".into(), &10.into(), &7.into()),
        "{idle}"
    );
    assert_eq!(pool["command"], "kubectl --namespace inference scale deployment/embeddings-gpu --replicas=7");
    let fewest = json(&advise(&[url(&told(2, 0))], "json"));
    assert_eq!(fewest["pools"][0]["advice"], "keep", "{fewest}");
}

#[test]
fn a_router_that_does_not_answer_is_named_and_the_others_are_read() {
    let (_socket, nobody) = closed_port();
    let nobody = format!("http://{nobody}/metrics");
    let said = json(&advise(&[url(&told(5, 45)), nobody.clone()], "json"));
    assert_eq!(said["pools"][0]["advice"], "scale_up", "{said}");
    assert!(said["faults"][0].as_str().is_some_and(|fault| fault.contains(&nobody)), "{said}");
    let none = advise(&[nobody], "json");
    assert_eq!(none.status.code(), Some(1), "{none:?}");
    assert!(String::from_utf8_lossy(&none.stderr).contains("no connection"), "{none:?}");
}

#[test]
fn the_program_itself_is_read() {
    let upstream = Upstream::start(Wire::H1, Answer::Fixed(200, "ok".to_owned()));
    let service = Service { host: "up.example", wire: Wire::H1, endpoints: &[upstream.address] }.document();
    let rule = "  - {route: [{destination: {host: up.example}}]}";
    let router = Router::start(&(virtual_service("app.example", rule) + &service));
    let said = json(&advise(&[format!("http://{}/metrics", router.admin)], "json"));
    let pool = &said["pools"][0];
    assert_eq!((&pool["pool"], &pool["replicas"]), (&"up.example:80".into(), &1.into()), "{said}");
    assert_eq!(pool["objective_seconds"], 0.5, "what --objective says by default");
}

#[test]
fn wrong_usage_is_exit_code_2() {
    for usage in [
        &["advise"][..],
        &["advise", "--router", "nowhere"],
        &["advise", "--router", "http://a", "--prometheus", "http://b"],
    ] {
        assert_eq!(overspill(usage).status.code(), Some(2), "{usage:?}");
    }
}

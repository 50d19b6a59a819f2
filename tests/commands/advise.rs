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
    let perhaps_idle = json(&advise(&[url(&told(10, 20)), nobody.clone()], "json"));
    assert_eq!(perhaps_idle["pools"][0]["advice"], "keep", "what the other one does is not known: {perhaps_idle}");
    let none = advise(&[nobody], "json");
    assert_eq!(none.status.code(), Some(1), "{none:?}");
    assert!(String::from_utf8_lossy(&none.stderr).contains("no connection"), "{none:?}");
}

#[test]
fn the_command_scales_what_the_pools_document_names() {
    let pool = "agent.agents.svc.cluster.local:80";
    for (api_version, kind, name, expected) in [
        ("apps/v1", "Deployment", "agent", "deployment/agent"),
        ("apps/v1", "StatefulSet", "agent-set", "statefulset/agent-set"),
        ("argoproj.io/v1alpha1", "Rollout", "agent-roll", "rollout.v1alpha1.argoproj.io/agent-roll"),
    ] {
        let text = format!(
            "overspill_pool_endpoints{{pool=\"{pool}\",state=\"admitting\"}} 4\n\
             overspill_pool_target_concurrency{{pool=\"{pool}\",tier=\"gpu\"}} 10\n\
             overspill_pool_concurrency{{pool=\"{pool}\",tier=\"gpu\"}} 39\n\
             overspill_pool_scale_target_info{{pool=\"{pool}\",target_api_version=\"{api_version}\",\
             target_kind=\"{kind}\",target_namespace=\"models\",target_name=\"{name}\"}} 1\n"
        );
        let router = Upstream::start(Wire::H1, Answer::Fixed(200, text));
        let said = json(&advise(&[url(&router)], "json"));
        let expected = format!("kubectl --namespace models scale {expected} --replicas=6");
        assert_eq!(said["pools"][0]["command"], expected, "{said}");
    }
}

#[test]
fn a_prometheus_that_does_not_know_says_so_in_its_own_words() {
    for (status, body, said) in [
        (200, r#"{"status":"error","errorType":"execution","error":"out of memory"}"#, "out of memory"),
        (503, r#"{"status":"error","errorType":"timeout","error":"query timed out"}"#, "query timed out"),
        (200, "<html>", "it is no answer of Prometheus"),
    ] {
        let prometheus = Upstream::start(Wire::H1, Answer::Fixed(status, body.to_owned()));
        let output = overspill(&["advise", "--prometheus", &format!("http://{}", prometheus.address)]);
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        assert!(String::from_utf8_lossy(&output.stderr).contains(said), "{output:?}");
    }
}

#[test]
fn a_prometheus_that_knows_no_pool_gives_no_advice() {
    let nothing = r#"{"status":"success","data":{"resultType":"matrix","result":[]}}"#;
    let prometheus = Upstream::start(Wire::H1, Answer::Fixed(200, nothing.to_owned()));
    let output = overspill(&["advise", "--prometheus", &format!("http://{}", prometheus.address)]);
    assert_eq!(String::from_utf8_lossy(&output.stdout), "no pool is known there yet\n", "{output:?}");
}

#[test]
fn the_program_itself_is_read() {
    let upstream = Upstream::start(Wire::H1, Answer::Fixed(200, "ok".to_owned()));
    let service = Service { host: "up.example", wire: Wire::H1, endpoints: &[upstream.address] }.document();
    let rule = "  - {route: [{destination: {host: up.example}}]}";
    let policy = "---\napiVersion: overspill.dev/v1\nkind: PoolPolicy\nmetadata: {name: up, namespace: agents}\n\
                  spec: {host: up.example, scaling: {scaleTargetRef: {name: upper, kind: StatefulSet}}}\n";
    let router = Router::start(&(virtual_service("app.example", rule) + &service + policy));
    let target = ["apps/v1", "StatefulSet", "default", "upper"];
    let names = ["target_api_version", "target_kind", "target_namespace", "target_name"];
    let labels: Vec<(&str, &str)> = names.into_iter().zip(target).collect();
    assert!(router.metrics().has("overspill_pool_scale_target_info", &labels), "what the command is made of");
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

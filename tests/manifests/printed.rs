//! `overspill manifests` over configurations that are not the repository's: twenty pools, long and strange names, several pools
//! of one workload, and documents that are wrong.

use std::fmt::Write as _;
use std::fs;
use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::files::{root, yaml};
use super::tools::{all, overspill, silent, tool};

/// A service with one pool a port, and what its `PoolPolicy` says of scaling.
fn service(host: &str, ports: &[u16], scaling: &str) -> String {
    let ports: Vec<String> =
        ports.iter().map(|port| format!("{{number: {port}, name: http-{port}, protocol: HTTP}}")).collect();
    format!(
        "---\napiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {{name: one, namespace: agents}}\n\
         spec:\n  hosts: [\"{host}\"]\n  ports: [{}]\n  resolution: DNS\n  endpoints: [{{address: pods.example.com}}]\n\
         ---\napiVersion: overspill.dev/v1\nkind: PoolPolicy\nmetadata: {{name: one, namespace: agents}}\n\
         spec:\n  host: \"{host}\"\n  tier: gpu\n  slotsPerEndpoint: 8\n  scaling: {{{scaling}}}\n",
        ports.join(", ")
    )
}

/// A folder of documents: these services, a rule that has a destination at each port, and the router's own namespace.
fn folder(services: &[(String, &[u16], String)]) -> TempDir {
    let mut text = "apiVersion: overspill.dev/v1\nkind: Settings\nmetadata: {name: overspill}\n\
                    spec: {workload: {name: router, namespace: agents}}\n"
        .to_owned();
    let mut rules = String::new();
    for (at, (host, ports, scaling)) in services.iter().enumerate() {
        text += &service(host, ports, scaling).replace("name: one", &format!("name: service-{at}"));
        for port in *ports {
            write!(
                rules,
                "  - match: [{{uri: {{prefix: /{at}/{port}/}}}}]\n    route: [{{destination: {{host: \"{host}\", port: {{number: {port}}}}}}}]\n"
            )
            .expect("a string takes all text");
        }
    }
    write!(
        text,
        "---\napiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {{name: all, namespace: agents}}\n\
         spec:\n  hosts: [agents.example.com]\n  http:\n{rules}"
    )
    .expect("a string takes all text");
    let folder = TempDir::new().expect("a temporary folder");
    fs::write(folder.path().join("all.yaml"), text).expect("a temporary folder is writable");
    folder
}

fn printed(folder: &TempDir, arguments: &str) -> String {
    silent(overspill().arg("manifests").arg("--config").arg(folder.path()).args(arguments.split_whitespace()))
}

/// What is printed is valid by Kubernetes' and KEDA's schemas.
fn hold(text: &str) {
    let Some(validator) = tool("kubernetes-validate") else { return };
    let folder = TempDir::new().expect("a temporary folder");
    let file = folder.path().join("objects.yaml");
    fs::write(&file, text).expect("a temporary folder is writable");
    let mut validate = Command::new(validator.with_file_name("python"));
    validate.current_dir(root()).arg("tests/manifests/validate.py").arg(format!("printed={}", file.display()));
    let output = validate.output().expect("python starts");
    assert!(output.status.success(), "{}", all(&output));
}

fn of_kind<'o>(objects: &'o [Value], kind: &str) -> Vec<&'o Value> {
    objects.iter().filter(|object| object["kind"] == kind).collect()
}

/// The recipes of agents, of `../shared/reference/operations.md`: replicas, CPU, memory, requests a second.
const AGENTS: [(u32, u32, u32, u32, u32); 4] =
    [(2, 10, 70, 80, 30), (2, 8, 75, 85, 25), (1, 6, 80, 90, 20), (1, 5, 70, 80, 15)];

fn twenty() -> TempDir {
    let services: Vec<(String, &[u16], String)> = (0..20)
        .map(|number| {
            let (least, most, cpu, memory, rate) = AGENTS[number % 4];
            let scaling = format!(
                "minReplicas: {least}, maxReplicas: {most}, targets: {{cpu: {cpu}, memory: {memory}, requestsPerSecond: {rate}}}"
            );
            (format!("agent-{number}.agents.svc.cluster.local"), &[80_u16][..], scaling)
        })
        .collect();
    folder(&services)
}

#[test]
fn each_of_twenty_pools_has_the_figures_of_its_own_document() {
    let folder = twenty();
    for trigger in ["prometheus", "metrics-api", "external", "external-push"] {
        let text = printed(&folder, &format!("--preset online --trigger {trigger}"));
        let objects = yaml("printed", &text);
        assert_eq!(objects.len(), 43, "two for each pool, the scrape, the rules and the dashboard");
        for number in 0..20 {
            let (least, most, cpu, memory, rate) = AGENTS[number % 4];
            let name = format!("agent-{number}");
            let find = |kind| {
                let found = of_kind(&objects, kind).into_iter().find(|object| object["metadata"]["name"] == *name);
                &found.unwrap_or_else(|| panic!("{kind} {name}"))["spec"]
            };
            let (horizontal, scaled) = (find("HorizontalPodAutoscaler"), find("ScaledObject"));
            assert_eq!((&horizontal["minReplicas"], &horizontal["maxReplicas"]), (&json!(least), &json!(most)));
            let targets: Vec<&Value> = horizontal["metrics"].as_array().expect("metrics").iter().collect();
            assert_eq!(targets[0]["resource"]["target"]["averageUtilization"], cpu);
            assert_eq!(targets[1]["resource"]["target"]["averageUtilization"], memory);
            assert_eq!(targets[2]["external"]["metric"]["name"], "overspill_requests_per_second");
            assert_eq!(targets[2]["external"]["target"]["averageValue"], rate.to_string());
            assert_eq!((&scaled["minReplicaCount"], &scaled["maxReplicaCount"]), (&json!(least), &json!(most)));
            let triggers = scaled["triggers"].to_string();
            for figure in [cpu, memory, rate] {
                assert!(triggers.contains(&format!("\"{figure}\"")), "{name}: {figure} in {triggers}");
            }
        }
    }
    hold(&printed(&folder, "--preset online"));
}

#[test]
fn rules_and_dashboard_name_the_workloads_of_the_configuration() {
    let text = printed(&twenty(), "--only rules,dashboard");
    assert!(!text.contains("embeddings"), "nothing of the repository's own pools is left");
    let objects = yaml("printed", &text);
    let rules = of_kind(&objects, "PrometheusRule")[0];
    let expression = |alert: &str| {
        let groups = rules["spec"]["groups"].as_array().expect("groups").iter();
        let mut all = groups.flat_map(|group| group["rules"].as_array().expect("rules"));
        all.find(|rule| rule["alert"] == *alert).expect("an alert")["expr"].as_str().expect("text").to_owned()
    };
    for alert in ["OverspillPodNotReady", "OverspillPodMemoryHigh", "OverspillAutoscalerAtMaximum"] {
        assert!(expression(alert).contains("router|agent-0|agent-1|agent-10|"), "{alert}: {}", expression(alert));
    }
    let Some(promtool) = tool("promtool") else { return };
    let folder = TempDir::new().expect("a temporary folder");
    fs::write(folder.path().join("rules.yaml"), rules["spec"].to_string()).expect("it is writable");
    // Of pods that are not ready, one of an agent's is told of, and one of somebody else's is not.
    let tests = r#"
rule_files: [rules.yaml]
tests:
  - interval: 15s
    input_series:
      - { series: 'kube_pod_status_ready{namespace="agents",pod="agent-19-x",condition="false"}', values: 1+0x60 }
      - { series: 'kube_pod_status_ready{namespace="agents",pod="other-x",condition="false"}', values: 1+0x60 }
    promql_expr_test:
      - expr: count by (pod) (ALERTS{alertname="OverspillPodNotReady",alertstate="firing"})
        eval_time: 5m
        exp_samples: [{ labels: '{pod="agent-19-x"}', value: 1 }]
"#;
    fs::write(folder.path().join("tests.yaml"), tests).expect("it is writable");
    for arguments in [["check", "rules", "rules.yaml"], ["test", "rules", "tests.yaml"]] {
        let output = Command::new(&promtool).args(arguments).current_dir(folder.path()).output().expect("it starts");
        assert!(output.status.success(), "{}", all(&output));
    }
}

#[test]
fn the_repositorys_own_rules_are_what_is_printed_for_its_pools() {
    let text = silent(overspill().args([
        "manifests",
        "--config",
        "manifests/base/router/config",
        "--only",
        "rules,dashboard",
    ]));
    let printed = yaml("printed", &text);
    let file = yaml("rules", &super::files::text("manifests/base/monitoring/rules.yaml")).remove(0);
    assert_eq!(printed[0]["spec"], file["spec"]);
    let dashboard = super::files::text("manifests/base/monitoring/dashboard.json");
    assert_eq!(printed[1]["data"]["overspill.json"], dashboard);
}

#[test]
fn pools_of_one_workload_are_added_up() {
    let services = [(
        "agent.agents.svc.cluster.local".to_owned(),
        &[80_u16, 8080][..],
        "targets: {requestsPerSecond: 2.5}".to_owned(),
    )];
    let folder = folder(&services);
    let objects = yaml("printed", &printed(&folder, "--only hpa,scaled-object"));
    assert_eq!(objects.len(), 2, "{objects:?}");
    let external: Vec<&Value> = objects[0]["spec"]["metrics"]
        .as_array()
        .expect("metrics")
        .iter()
        .filter(|one| one["type"] == "External")
        .collect();
    let [rate] = *external else { panic!("{external:?}") };
    // Kubernetes adds up what one metric selects, and takes the largest of several metrics.
    let keys = ["agent_agents_svc_cluster_local_80", "agent_agents_svc_cluster_local_8080"];
    let expected = json!([{ "key": "pool", "operator": "In", "values": keys }]);
    assert_eq!(rate["external"]["metric"]["selector"]["matchExpressions"], expected);
    assert_eq!(rate["external"]["target"]["averageValue"], "2500m");
    let modifiers = &objects[1]["spec"]["advanced"]["scalingModifiers"];
    assert_eq!(modifiers["target"], "1");
    assert_eq!(
        modifiers["formula"],
        "max((needed_replicas_1 + needed_replicas_2) / 1, (arrivals_per_second_1 + arrivals_per_second_2) / 2.5)"
    );
    let triggers = objects[1]["spec"]["triggers"].as_array().expect("triggers");
    let names: Vec<&str> = triggers.iter().filter_map(|trigger| trigger["name"].as_str()).collect();
    let formula = modifiers["formula"].as_str().expect("text");
    assert!(names.len() == 4 && names.iter().all(|name| formula.contains(name)), "{names:?}");
    let query = printed(&folder, "--only scaled-object --trigger prometheus");
    assert!(!query.contains("scalingModifiers"), "its queries add up themselves");
}

#[test]
fn long_and_strange_names_give_objects_that_kubernetes_takes() {
    let long = format!("{}.agents.svc.cluster.local", "a".repeat(63));
    let external = format!("{0}.{0}.{0}.example.com", "b".repeat(60));
    let services = [
        (long, &[80_u16][..], "targets: {pendingRequests: 5}".to_owned()),
        (external, &[443], String::new()),
        ("1st.agents.svc.cluster.local".to_owned(), &[80], String::new()),
        ("*.anywhere.example.com".to_owned(), &[80], String::new()),
        ("*.there.example.com".to_owned(), &[80], "scaleTargetRef: {name: there, kind: StatefulSet}".to_owned()),
    ];
    let text = printed(&folder(&services), "");
    hold(&text);
    let comment = "# Left out: *.anywhere.example.com:80. Kubernetes has no Deployment called `*.anywhere.example.com`; name what is \
                   scaled in the PoolPolicy's spec.scaling.scaleTargetRef.\n";
    assert!(text.starts_with(comment), "{}", text.lines().next().unwrap_or_default());
    let objects = yaml("printed", &text);
    let scaled = of_kind(&objects, "ScaledObject");
    assert_eq!((scaled.len(), of_kind(&objects, "HorizontalPodAutoscaler").len()), (4, 4));
    for object in scaled {
        // KEDA makes a label of the name, which is no longer than that.
        let name = object["metadata"]["name"].as_str().expect("a name");
        assert!(name.len() <= 63, "{name}");
        assert_eq!(
            object["spec"]["advanced"]["horizontalPodAutoscalerConfig"]["name"],
            object["spec"]["scaleTargetRef"]["name"],
            "it takes the autoscaler over that is called so"
        );
    }
    // A selector's values are labels: a key that is too long is told by its parts.
    let values = text
        .lines()
        .filter_map(|line| line.trim().strip_prefix("host: "))
        .chain(text.lines().filter_map(|line| line.trim().strip_prefix("service: ")));
    assert!(values.clone().count() > 0 && values.into_iter().all(|value| value.len() <= 63), "{text}");
}

#[test]
fn what_is_wrong_is_told() {
    let wrong =
        folder(&[("a.agents.svc.cluster.local".to_owned(), &[80], "scaleTargetRef: {name: My_Agent}".to_owned())]);
    let broken = TempDir::new().expect("a temporary folder");
    fs::write(broken.path().join("a.yaml"), "a: [").expect("it is writable");
    let (wrong, broken) = (wrong.path().display().to_string(), broken.path().display().to_string());
    for (arguments, code, said) in [
        (vec!["--config", &wrong], 1, "`My_Agent` is no name of an object"),
        (vec!["--config", &broken], 1, "a.yaml:2:1: error OVS001: This is not YAML"),
        (vec!["--config", "nowhere"], 1, "No such file or directory"),
        (vec!["--config", &wrong, "--preset", "fast"], 2, "[possible values: online, batch, custom, cost]"),
        (vec![], 2, "--config <PATH>"),
    ] {
        let output = overspill().arg("manifests").args(&arguments).output().expect("the program starts");
        assert_eq!((output.status.code(), output.stdout.is_empty()), (Some(code), true), "{}", all(&output));
        assert!(all(&output).contains(said), "{arguments:?}: {}", all(&output));
    }
}

//! What a cluster is given works together: policies let in who must come in and nobody else, every selector finds its pods, every
//! autoscaler its workload, and pods start, spread and stop as operators have it.

use std::process::Command;

use serde_json::{Value, json};

use super::files::{root, yaml};
use super::tools::{silent, tool};

const OVERLAYS: [&str; 6] = ["canary", "gateway", "keda", "metrics-api", "production", "sidecar"];

/// The objects of an overlay; `None` without kubectl.
fn built(overlay: &str) -> Option<Vec<Value>> {
    let kubectl = tool("kubectl")?;
    let folder = format!("manifests/overlays/{overlay}");
    Some(yaml(&folder, &silent(Command::new(kubectl).args(["kustomize", &folder]).current_dir(root()))))
}

fn of_kind<'o>(objects: &'o [Value], kind: &str) -> Vec<&'o Value> {
    objects.iter().filter(|object| object["kind"] == kind).collect()
}

fn named<'o>(objects: &'o [Value], kind: &str, name: &str) -> &'o Value {
    let found = of_kind(objects, kind).into_iter().find(|object| object["metadata"]["name"] == name);
    found.unwrap_or_else(|| panic!("there is no {kind} {name}"))
}

/// Whether `labels` are what a selector of labels wants; an empty one selects all.
fn selects(selector: &Value, labels: &Value) -> bool {
    assert!(selector["matchExpressions"].is_null(), "{selector}: only matchLabels are understood here");
    selector["matchLabels"].as_object().into_iter().flatten().all(|(key, value)| &labels[key] == value)
}

/// Who sends, or is sent to: the labels of the namespace (`None` is that of the policies), and of the pod; `Null` is no pod.
type Peer = (Option<Value>, Value);

fn is_peer(rule: &Value, (namespace, pod): &Peer) -> bool {
    match (&rule["namespaceSelector"], &rule["podSelector"]) {
        (Value::Null, pods) => namespace.is_none() && pod.is_object() && selects(pods, pod),
        (namespaces, pods) => {
            let inside = json!({ "kubernetes.io/metadata.name": "inference" });
            selects(namespaces, namespace.as_ref().unwrap_or(&inside)) && (pods.is_null() || selects(pods, pod))
        }
    }
}

/// Whether the policies for pods with these labels let a connection through; with `direction` ingress or egress.
fn passes(objects: &[Value], pod: &Value, (direction, peer, port): (&str, &Peer, u16)) -> bool {
    let kind = if direction == "ingress" { "Ingress" } else { "Egress" };
    let side = if direction == "ingress" { "from" } else { "to" };
    let policies = of_kind(objects, "NetworkPolicy").into_iter().filter(|policy| {
        let types = policy["spec"]["policyTypes"].as_array().expect("policyTypes");
        selects(&policy["spec"]["podSelector"], pod) && types.contains(&kind.into())
    });
    let policies: Vec<&Value> = policies.collect();
    assert!(!policies.is_empty(), "nothing limits {direction} of {pod}");
    let mut rules = policies.iter().flat_map(|policy| policy["spec"][direction].as_array().into_iter().flatten());
    rules.any(|rule| {
        let peers = rule[side].as_array();
        peers.is_none_or(|peers| peers.iter().any(|one| is_peer(one, peer)))
            && rule["ports"].as_array().expect("ports").iter().any(|one| one["port"] == port)
    })
}

#[test]
fn policies_let_in_who_must_come_in_and_nobody_else() {
    let space = |name: &str| Some(json!({ "kubernetes.io/metadata.name": name }));
    let (router, pool) = (json!({ "app": "overspill" }), json!({ "app.kubernetes.io/component": "pool" }));
    let sidecar = json!({ "app": "search", "overspill.dev/router": "true" });
    let client = Some(json!({ "kubernetes.io/metadata.name": "shop", "overspill.dev/client": "true" }));
    let (prometheus, keda, stranger) = (
        (space("monitoring"), json!({ "app": "prometheus" })),
        (space("keda"), json!({ "app": "keda-operator" })),
        (space("shop"), json!({ "app": "shop" })),
    );
    let beside = (None, json!({ "app": "shop" }));
    let api_server = (space("kube-system"), Value::Null);
    let labelled = (client, json!({ "app": "shop" }));
    let (routers, pools) = ((None, router.clone()), (None, pool.clone()));
    let dns = (space("kube-system"), json!({ "k8s-app": "kube-dns" }));
    let table: [(&str, &Value, &str, &Peer, u16, bool); 23] = [
        ("gateway", &router, "ingress", &beside, 8080, true),
        ("gateway", &router, "ingress", &labelled, 8080, true),
        ("gateway", &router, "ingress", &stranger, 8080, false),
        ("gateway", &router, "ingress", &routers, 15000, true),
        ("gateway", &router, "ingress", &prometheus, 15000, true),
        ("gateway", &router, "ingress", &keda, 15000, true),
        ("gateway", &router, "ingress", &beside, 15000, false),
        ("gateway", &router, "ingress", &stranger, 15000, false),
        ("gateway", &router, "ingress", &keda, 9090, false),
        ("gateway", &router, "ingress", &api_server, 6443, false),
        ("keda", &router, "ingress", &keda, 9090, true),
        ("keda", &router, "ingress", &stranger, 9090, false),
        ("metrics-api", &router, "ingress", &api_server, 6443, true),
        ("gateway", &router, "egress", &dns, 53, true),
        ("gateway", &router, "egress", &pools, 8080, true),
        ("gateway", &router, "egress", &routers, 15000, true),
        ("gateway", &router, "egress", &stranger, 443, false),
        (
            "gateway",
            &pool,
            "ingress",
            &(None, json!({ "app": "overspill", "overspill.dev/router": "true" })),
            8080,
            true,
        ),
        ("gateway", &pool, "ingress", &(None, sidecar), 8080, true),
        ("gateway", &pool, "ingress", &prometheus, 8080, true),
        ("gateway", &pool, "ingress", &beside, 8080, false),
        ("canary", &pool, "ingress", &stranger, 8080, false),
        ("production", &router, "ingress", &prometheus, 15000, true),
    ];
    for (overlay, pod, direction, peer, port, expected) in table {
        let Some(objects) = built(overlay) else { return };
        let passes = passes(&objects, pod, (direction, peer, port));
        assert_eq!(passes, expected, "{overlay}: {direction} of {pod}, {peer:?}, port {port}");
    }
}

#[test]
fn every_selector_finds_pods_and_every_port_is_theirs() {
    for overlay in OVERLAYS {
        let Some(objects) = built(overlay) else { return };
        let workloads = of_kind(&objects, "Deployment");
        let found = |labels: &Value| -> Vec<&Value> {
            let template = |workload: &&&Value| selects(labels, &workload["spec"]["template"]["metadata"]["labels"]);
            workloads.iter().filter(template).copied().collect()
        };
        for workload in &workloads {
            assert_eq!(
                found(&workload["spec"]["selector"]),
                [*workload],
                "{overlay}: a selector of its own pods alone"
            );
        }
        for service in of_kind(&objects, "Service") {
            let pods = found(&json!({ "matchLabels": service["spec"]["selector"] }));
            let place = format!("{overlay}: Service {}", service["metadata"]["name"]);
            assert_eq!(pods.len(), 1, "{place}");
            let spec = &pods[0]["spec"]["template"]["spec"];
            let containers =
                ["initContainers", "containers"].map(|list| spec[list].as_array().cloned().unwrap_or_default());
            let ports: Vec<Value> = containers
                .concat()
                .iter()
                .flat_map(|one| one["ports"].as_array().cloned().unwrap_or_default())
                .collect();
            for port in service["spec"]["ports"].as_array().expect("ports") {
                let target = &port["targetPort"];
                let is_there = ports.iter().any(|one| &one["name"] == target || &one["containerPort"] == target);
                assert!(is_there, "{place}: {target} is none of {ports:?}");
            }
        }
        for budget in of_kind(&objects, "PodDisruptionBudget") {
            assert_eq!(
                (budget["spec"]["minAvailable"].as_u64(), found(&budget["spec"]["selector"]).len()),
                (Some(2), 1)
            );
        }
        for kind in ["HorizontalPodAutoscaler", "ScaledObject", "VerticalPodAutoscaler"] {
            for object in of_kind(&objects, kind) {
                let target = if object["spec"]["targetRef"].is_null() { "scaleTargetRef" } else { "targetRef" };
                let target = &object["spec"][target];
                named(&objects, target["kind"].as_str().expect("a kind"), target["name"].as_str().expect("a name"));
            }
        }
    }
}

#[test]
fn the_gateway_and_its_pools_start_spread_and_stop_as_operators_have_it() {
    let Some(objects) = built("gateway") else { return };
    for workload in of_kind(&objects, "Deployment") {
        let (name, pod) = (&workload["metadata"]["name"], &workload["spec"]["template"]["spec"]);
        let zone = "topology.kubernetes.io/zone";
        assert_eq!(pod["terminationGracePeriodSeconds"], 60, "{name}");
        assert_eq!(pod["topologySpreadConstraints"][0]["topologyKey"], zone, "{name}");
        let apart = &pod["affinity"]["podAntiAffinity"]["preferredDuringSchedulingIgnoredDuringExecution"];
        assert_eq!(apart[0]["podAffinityTerm"]["topologyKey"], zone, "{name}");
        let container = &pod["containers"][0];
        for probe in ["startupProbe", "readinessProbe", "livenessProbe"] {
            assert!(container[probe].is_object(), "{name}: {probe}");
        }
        let stop = container["lifecycle"]["preStop"]["exec"]["command"].to_string();
        assert!(stop.contains("/shutdown") && stop.contains("10"), "{name}: {stop}");
        let models = pod["volumes"].as_array().expect("volumes").iter().any(|volume| volume["name"] == "models");
        assert_eq!(models, name != "overspill", "{name}: the model's files are on a volume that pods share");
    }
    let gpu = &named(&objects, "Deployment", "embeddings-gpu")["spec"]["template"]["spec"]["containers"][0];
    assert_eq!(gpu["resources"]["limits"]["nvidia.com/gpu"], 1);
    for (service, port) in [("embeddings", "http"), ("embeddings-gpu", "http"), ("embeddings-cpu", "http")] {
        let ports = &named(&objects, "Service", service)["spec"]["ports"];
        assert_eq!((&ports[0]["name"], &ports[0]["port"]), (&port.into(), &80.into()), "{service}");
    }
}

#[test]
fn the_sidecar_is_native_and_its_ports_are_kept_from_the_mesh() {
    let Some(objects) = built("sidecar") else { return };
    let template = &named(&objects, "Deployment", "search")["spec"]["template"];
    let (sidecar, annotations) = (&template["spec"]["initContainers"][0], &template["metadata"]["annotations"]);
    assert_eq!((&sidecar["name"], &sidecar["restartPolicy"]), (&"overspill".into(), &"Always".into()));
    for probe in ["startupProbe", "readinessProbe"] {
        assert_eq!(sidecar[probe]["httpGet"]["path"], "/healthz/ready", "{probe}");
    }
    let settings = &named(&objects, "ConfigMap", "overspill-sidecar")["data"]["settings.yaml"];
    let settings = yaml("settings", settings.as_str().expect("a document")).remove(0);
    let port = |field: &str| {
        settings["spec"][field].as_str().and_then(|address| address.rsplit(':').next()).map(str::to_owned)
    };
    let (traffic, admin) = (port("listen").expect("a port"), port("admin").expect("a port"));
    let excluded = annotations["traffic.sidecar.istio.io/excludeInboundPorts"].as_str().expect("ports");
    for port in [&traffic, &admin] {
        assert!(excluded.split(',').any(|one| one == port), "{port} is none of {excluded}");
        assert!(!(15000..=15090).contains(&port.parse::<u16>().expect("a port")), "{port} is one of istio-proxy's");
    }
    assert_eq!(annotations["traffic.sidecar.istio.io/excludeOutboundPorts"], "8080", "where the pools listen");
    let application = &template["spec"]["containers"][0];
    assert!(application["env"][0]["value"].as_str().is_some_and(|url| url.contains(&format!("127.0.0.1:{traffic}/"))));
}

#[test]
fn the_metrics_api_is_found_trusted_and_read_by_who_needs_it() {
    let Some(objects) = built("metrics-api") else { return };
    let service = named(&objects, "Service", "overspill-metrics");
    let certificate = named(&objects, "Certificate", "overspill-metrics");
    assert_eq!(certificate["spec"]["dnsNames"], json!(["overspill-metrics.inference.svc"]));
    let issuer = named(&objects, "Issuer", certificate["spec"]["issuerRef"]["name"].as_str().expect("a name"));
    let authority = named(&objects, "Certificate", "overspill-metrics-authority");
    assert_eq!(issuer["spec"]["ca"]["secretName"], authority["spec"]["secretName"]);
    assert_eq!(authority["spec"]["isCA"], true);
    for api in of_kind(&objects, "APIService") {
        let asked = &api["spec"]["service"];
        assert_eq!(
            (&asked["name"], &asked["port"]),
            (&service["metadata"]["name"], &service["spec"]["ports"][0]["port"])
        );
        let injected = &api["metadata"]["annotations"]["cert-manager.io/inject-ca-from"];
        assert_eq!(injected, "inference/overspill-metrics");
        assert!(api["spec"]["insecureSkipTLSVerify"].is_null(), "the certificate is looked at");
    }
    for role in of_kind(&objects, "ClusterRole") {
        for rule in role["rules"].as_array().expect("rules") {
            assert!(!rule.to_string().contains('*'), "{rule}");
            let verbs = rule["verbs"].as_array().expect("verbs");
            assert!(verbs.iter().all(|verb| verb == "get" || verb == "list"), "{rule}");
        }
    }
    let subjects = &named(&objects, "ClusterRoleBinding", "overspill-metrics-reader")["subjects"];
    let controller =
        json!([{ "kind": "ServiceAccount", "name": "horizontal-pod-autoscaler", "namespace": "kube-system" }]);
    assert_eq!(subjects, &controller);
}

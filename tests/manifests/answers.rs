//! What autoscalers of `manifests/` ask for, asked of a router with the documents of `manifests/`: the HPAs' external metrics,
//! the metrics-api triggers' values, the gRPC triggers' pools.

use std::fs;
use std::net::SocketAddr;
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use serde_json::Value;
use tempfile::TempDir;

use super::authority::{Authority, Valid};
use super::files::{below, name, text, yaml};
use super::harness::{Client, Router, Setup, Wire, log_field};

const AUTOSCALING: &str = "manifests/base/autoscaling";
const SETTINGS: &str = "manifests/components/metrics-api/config/settings.yaml";

/// A router as the pods of the gateway have it, with ports and files of the test's own.
struct Deployed {
    router: Router,
    serving: Authority,
    front: Authority,
    _folder: TempDir,
}

impl Deployed {
    fn start() -> Self {
        let (serving, front) = (Authority::new("serving"), Authority::new("front"));
        let folder = TempDir::new().expect("a temporary folder");
        let write = |name: &str, text: &str| {
            fs::write(folder.path().join(name), text).expect("a temporary folder is writable");
        };
        let own = serving.issue(&["overspill-metrics.inference.svc"], Valid::Now);
        write("tls.crt", &own.certificate);
        write("tls.key", &own.key);
        write("requestheader-client-ca-file", &front.pem);
        let mut settings = yaml(SETTINGS, &text(SETTINGS)).remove(0);
        let scaling = &mut settings["spec"]["scaling"];
        scaling["externalScaler"] = "127.0.0.1:0".into();
        scaling["metricsApi"]["address"] = "127.0.0.1:0".into();
        for file in ["certificate", "privateKey", "clientCa"] {
            let mounted = scaling["metricsApi"][file].as_str().expect("a path");
            let mounted = mounted.strip_prefix("/etc/overspill-metrics/").expect("where the component mounts it");
            scaling["metricsApi"][file] = folder.path().join(mounted).display().to_string().into();
        }
        // There is no DNS of a cluster here, and no pool needs an address to be asked for.
        scaling["peers"] = Value::Array(Vec::new());
        settings["spec"]["dns"] = serde_json::json!({ "startTimeout": "1ms" });
        fs::create_dir(folder.path().join("documents")).expect("a new folder");
        write("documents/settings.yaml", &settings.to_string());
        for file in ["routes.yaml", "pools.yaml", "policies.yaml"] {
            write(&format!("documents/{file}"), &text(format!("manifests/base/router/config/{file}")));
        }
        let router = Router::with(&Setup { config: &folder.path().join("documents"), variables: &[] });
        Self { router, serving, front, _folder: folder }
    }

    fn address(&self, message: &str) -> SocketAddr {
        let line = self.router.wait_for_log(0, |line| log_field(line, "message") == message);
        log_field(&line, "address").as_str().and_then(|text| text.parse().ok()).expect("the log says where")
    }

    /// Asks for metrics as Kubernetes' API server does.
    fn metrics(&self, path: &str) -> Value {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(self.serving.pem.as_bytes()).expect("PEM")).expect("an authority");
        let proxy = self.front.issue_as("front-proxy-client", &[], Valid::Now);
        let builder = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()));
        let builder = builder.with_safe_default_protocol_versions().expect("versions").with_root_certificates(roots);
        let mut config = builder.with_client_auth_cert(proxy.chain(), proxy.private_key()).expect("a key pair");
        config.alpn_protocols = vec![b"h2".to_vec()];
        let address = self.address("listening as an API of metrics");
        let client = Client::connect_tls(address, Wire::H2, config, "overspill-metrics.inference.svc");
        let reply = client.expect("it is let in").ask("GET", path, &[("x-remote-user", "hpa")], "");
        assert_eq!(reply.head.status, 200, "{path}: {}", reply.text());
        reply.json()
    }
}

/// The objects of this kind below the folder of autoscalers, with the file that each is in.
fn objects(kind: &str) -> Vec<(String, Value)> {
    let files = below(AUTOSCALING).into_iter().filter(|path| path.extension().is_some_and(|ending| ending == "yaml"));
    let objects = files.flat_map(|path| {
        let name = name(&path);
        let objects = yaml(&name, &text(&name));
        objects.into_iter().map(move |object| (name.clone(), object))
    });
    objects.filter(|(_, object)| object["kind"] == kind).collect()
}

/// The metadata of the triggers of one type, with the file that each is in.
fn triggers(kind: &str) -> Vec<(String, Value)> {
    let found = objects("ScaledObject").into_iter().flat_map(|(file, object)| {
        let triggers = object["spec"]["triggers"].as_array().expect("triggers").clone();
        triggers.into_iter().map(move |trigger| (file.clone(), trigger))
    });
    found
        .filter(|(_, trigger)| trigger["type"] == kind)
        .map(|(file, trigger)| (file, trigger["metadata"].clone()))
        .collect()
}

fn as_text<'v>(value: &'v Value, key: &str) -> &'v str {
    value[key].as_str().unwrap_or_else(|| panic!("{key} in {value}"))
}

#[test]
fn the_metric_apis_have_what_autoscalers_select() {
    let deployed = Deployed::start();
    let mut asked = 0;
    for (file, object) in objects("HorizontalPodAutoscaler") {
        for metric in
            object["spec"]["metrics"].as_array().expect("metrics").iter().filter(|one| one["type"] == "External")
        {
            let metric = &metric["external"]["metric"];
            let labels = metric["selector"]["matchLabels"].as_object().expect("labels");
            let labels: Vec<String> = labels
                .iter()
                .map(|(label, value)| format!("{label}%3D{}", value.as_str().expect("a label's value")))
                .collect();
            let path = format!(
                "/apis/external.metrics.k8s.io/v1beta1/namespaces/inference/{}?labelSelector={}",
                as_text(metric, "name"),
                labels.join("%2C"),
            );
            let list = deployed.metrics(&path);
            assert_eq!(list["items"].as_array().map(Vec::len), Some(1), "{file}: {path}: {list}");
            assert_eq!(list["items"][0]["value"], "0", "{file}: {path}");
            asked += 1;
        }
    }
    assert!(asked >= 2, "{asked} external metrics were found");
    for (file, service) in objects("APIService") {
        let (group, version) = (as_text(&service["spec"], "group"), as_text(&service["spec"], "version"));
        assert_eq!(deployed.metrics(&format!("/apis/{group}/{version}"))["groupVersion"], format!("{group}/{version}"));
        assert_eq!(as_text(&service["metadata"], "name"), format!("{version}.{group}"), "{file}");
    }
    let (_, role) = objects("ClusterRole").remove(0);
    for rule in role["rules"].as_array().expect("rules") {
        let group = rule["apiGroups"][0].as_str().expect("a group");
        let version = if group.starts_with("external") { "v1beta1" } else { "v1beta2" };
        let mut served: Vec<Value> = deployed.metrics(&format!("/apis/{group}/{version}"))["resources"]
            .as_array()
            .expect("resources")
            .iter()
            .map(|resource| resource["name"].clone())
            .collect();
        let mut allowed = rule["resources"].as_array().expect("resources").clone();
        for names in [&mut served, &mut allowed] {
            names.sort_by_key(Value::to_string);
        }
        assert_eq!(allowed, served, "{group}");
    }
}

#[test]
fn the_scalers_of_keda_have_what_triggers_name() {
    let deployed = Deployed::start();
    let found = triggers("metrics-api");
    assert!(!found.is_empty());
    for (file, trigger) in found {
        let (host, path) = as_text(&trigger, "url").split_once(":15000").expect("the admin port");
        assert_eq!(host, "http://overspill-admin.inference.svc", "{file}");
        let figures = deployed.router.admin_get(path).json();
        let at = as_text(&trigger, "valueLocation");
        let value = at.split('.').fold(&figures, |value, key| &value[key]);
        assert!(value.is_number(), "{file}: {at}: {value}");
    }
    let scaler = deployed.address("listening for KEDA as an external scaler");
    let found: Vec<_> = ["external", "external-push"].into_iter().flat_map(triggers).collect();
    assert!(found.len() >= 4, "{} triggers were found", found.len());
    for (file, trigger) in found {
        let pool = as_text(&trigger, "pool");
        // ScaledObjectRef.scalerMetadata, field 3, a map's entry: `pool`.
        let entry = format!("\x0a\x04pool\x12{}{pool}", length(pool));
        let message = format!("\x1a{}{entry}", length(&entry));
        let body = format!("\0\0\0\0{}{message}", length(&message));
        let fields = [("content-type", "application/grpc"), ("te", "trailers")];
        let mut client = Client::connect(scaler, Wire::H2);
        let reply = client.ask("POST", "/externalscaler.ExternalScaler/GetMetricSpec", &fields, &body);
        assert_eq!(reply.head.status, 200, "{file}");
        assert_eq!(reply.head.field("overspill-warning"), None, "{file}: {pool}");
        assert!(reply.text().contains("desired_replicas"), "{file}: {}", reply.text());
    }
}

/// The length of a text as a byte of protobuf and of gRPC's frame, which for short ones is ASCII.
fn length(text: &str) -> char {
    u8::try_from(text.len()).ok().filter(u8::is_ascii).map(char::from).expect("a short text")
}

#[test]
fn ports_and_mounts_are_those_of_the_settings() {
    let settings = yaml(SETTINGS, &text(SETTINGS)).remove(0);
    let scaling = &settings["spec"]["scaling"];
    let port = |address: &str| address.rsplit_once(':').and_then(|(_, port)| port.parse::<u16>().ok());
    let base = yaml("settings", &text("manifests/base/router/config/settings.yaml")).remove(0);
    assert_eq!(scaling["externalScaler"], base["spec"]["scaling"]["externalScaler"]);
    assert_eq!(scaling["peers"], base["spec"]["scaling"]["peers"]);
    let scaler = port(as_text(scaling, "externalScaler"));
    let metrics = port(as_text(&scaling["metricsApi"], "address"));
    let target = |file: &str| {
        let service = yaml(file, &text(file)).remove(0);
        service["spec"]["ports"][0]["targetPort"].as_u64().and_then(|port| u16::try_from(port).ok())
    };
    for folder in ["keda-external", "keda-external-push"] {
        assert_eq!(target(&format!("{AUTOSCALING}/{folder}/service.yaml")), scaler, "{folder}");
    }
    assert_eq!(target(&format!("{AUTOSCALING}/metrics-api/service.yaml")), metrics);
    let mount = yaml("mount", &text("manifests/components/metrics-api/mount.yaml")).remove(0);
    let pod = &mount["spec"]["template"]["spec"];
    assert_eq!(pod["containers"][0]["ports"][0]["containerPort"].as_u64(), metrics.map(u64::from));
    let folder = as_text(&pod["containers"][0]["volumeMounts"][0], "mountPath");
    for file in ["certificate", "privateKey", "clientCa"] {
        assert!(as_text(&scaling["metricsApi"], file).starts_with(folder), "{file}");
    }
}

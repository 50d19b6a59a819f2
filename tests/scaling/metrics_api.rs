//! Kubernetes' metric APIs, asked over TLS as its API server asks.

use std::fs;
use std::net::SocketAddr;
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::authority::{Authority, Issued, Valid};
use super::harness::{Answer, Client, Connection, Folder, Reply, Router, Setup, Upstream, Wire, log_field};
use super::{KEY, POOL, begin, documents};

const EXTERNAL: &str = "/apis/external.metrics.k8s.io/v1beta1";
const CUSTOM: &str = "/apis/custom.metrics.k8s.io/v1beta2";
const USER: (&str, &str) = ("x-remote-user", "system:serviceaccount:kube-system:horizontal-pod-autoscaler");

/// A router that serves the API, and what its clients need.
struct Api {
    router: Router,
    address: SocketAddr,
    /// Whose certificate the router shows.
    serving: Authority,
    /// The front proxy's.
    front: Authority,
    files: TempDir,
    _folder: Folder,
}

impl Api {
    fn start(endpoints: &[SocketAddr], policy: &str, peers: &str) -> Self {
        let (serving, front) = (Authority::new("serving"), Authority::new("front"));
        let files = TempDir::new().expect("a temporary folder");
        let own = serving.issue(&["overspill-metrics.inference.svc"], Valid::Now);
        let path = |name: &str| files.path().join(name).display().to_string();
        for (name, text) in [("tls.crt", &own.certificate), ("tls.key", &own.key), ("ca.crt", &front.pem)] {
            fs::write(path(name), text).expect("a temporary folder is writable");
        }
        let settings = format!(
            "scaling: {{metricsApi: {{address: '127.0.0.1:0', certificate: {}, privateKey: {}, clientCa: {}, \
             allowedNames: [front-proxy-client]}}{peers}}}",
            path("tls.crt"),
            path("tls.key"),
            path("ca.crt"),
        );
        let folder = Folder::with(&documents(&settings, endpoints, policy));
        let router = Router::with(&Setup { config: folder.path(), variables: &[] });
        let line = router.wait_for_log(0, |line| log_field(line, "message") == "listening as an API of metrics");
        let address = log_field(&line, "address").as_str().and_then(|text| text.parse().ok());
        let address = address.expect("the log says where");
        Self { router, address, serving, front, files, _folder: folder }
    }

    /// The certificate of a front proxy.
    fn proxy(&self) -> Issued {
        self.front.issue_as("front-proxy-client", &[], Valid::Now)
    }

    fn connect(&self, own: Option<&Issued>, wire: Wire) -> Client {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(self.serving.pem.as_bytes()).expect("PEM")).expect("an authority");
        let builder = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()));
        let builder = builder.with_safe_default_protocol_versions().expect("versions").with_root_certificates(roots);
        let mut config = match own {
            Some(own) => builder.with_client_auth_cert(own.chain(), own.private_key()).expect("a key pair"),
            None => builder.with_no_client_auth(),
        };
        config.alpn_protocols = vec![if wire == Wire::H2 { b"h2".to_vec() } else { b"http/1.1".to_vec() }];
        Client::connect_tls(self.address, wire, config, "overspill-metrics.inference.svc").expect("everybody gets in")
    }

    /// Asks as the API server does, on a connection of its own.
    fn get(&self, path: &str) -> Reply {
        self.connect(Some(&self.proxy()), Wire::H2).ask("GET", path, &[USER], "")
    }

    /// Asks for what must be there.
    fn found(&self, path: &str) -> Value {
        let reply = self.get(path);
        assert_eq!(
            (reply.head.status, reply.head.value("content-type")),
            (200, "application/json".to_owned()),
            "{path}"
        );
        reply.json()
    }
}

/// What a quantity stands for.
fn number(quantity: &Value) -> f64 {
    let text = quantity.as_str().expect("a quantity is a text");
    let (digits, unit) = text.strip_suffix('m').map_or((text, 1.0), |digits| (digits, 0.001));
    digits.parse::<f64>().expect("digits, and an m for thousandths") * unit
}

/// Holds `reply` against the `Status` object that it must be.
#[track_caller]
fn assert_status(reply: &Reply, code: u16, reason: &str, said: &str) {
    let status = reply.json();
    assert_eq!((reply.head.status, &status["code"]), (code, &code.into()), "{status}");
    assert_eq!(
        (&status["kind"], &status["apiVersion"], &status["status"], &status["reason"]),
        (&"Status".into(), &"v1".into(), &"Failure".into(), &reason.into()),
        "{status}"
    );
    assert!(status["message"].as_str().is_some_and(|message| message.contains(said)), "{said}: {status}");
}

#[test]
fn there_is_what_discovery_names() {
    let api = Api::start(&[], "", "");
    for wire in [Wire::H1, Wire::H2] {
        let mut client = api.connect(Some(&api.proxy()), wire);
        let groups = client.ask("GET", "/apis", &[USER], "").json();
        assert_eq!(groups["kind"], "APIGroupList");
        let versions: Vec<&Value> = groups["groups"]
            .as_array()
            .expect("groups")
            .iter()
            .map(|group| &group["preferredVersion"]["groupVersion"])
            .collect();
        assert_eq!(versions, ["external.metrics.k8s.io/v1beta1", "custom.metrics.k8s.io/v1beta2"]);
    }
    assert_eq!(api.found("/apis/custom.metrics.k8s.io")["kind"], "APIGroup");
    for (path, below, kind) in [(EXTERNAL, "", "ExternalMetricValueList"), (CUSTOM, "services/", "MetricValueList")] {
        let list = api.found(path);
        assert_eq!((&list["kind"], &list["groupVersion"]), (&"APIResourceList".into(), &path["/apis/".len()..].into()));
        let resources = list["resources"].as_array().expect("resources");
        assert_eq!(resources.len(), 4);
        for resource in resources {
            assert_eq!((&resource["namespaced"], &resource["kind"]), (&true.into(), &kind.into()));
            let name = resource["name"].as_str().and_then(|name| name.strip_prefix(below)).expect("a metric's name");
            // Each can be asked for.
            let asked = if below.is_empty() {
                format!("{path}/namespaces/any/{name}")
            } else {
                format!("{path}/namespaces/example/services/gpu/{name}")
            };
            assert_eq!(api.found(&asked)["kind"], kind);
        }
    }
    assert_status(&api.get("/openapi/v2"), 404, "NotFound", "/openapi/v2");
    let reply = api.connect(Some(&api.proxy()), Wire::H1).ask("DELETE", "/apis", &[USER], "");
    assert_status(&reply, 405, "MethodNotAllowed", "GET");
}

#[test]
fn values_are_those_of_the_pools_that_are_selected() {
    let gpu = Upstream::start(Wire::H1, Answer::Held);
    let api =
        Api::start(&[gpu.address], "tier: gpu, scaling: {minReplicas: 0, maxReplicas: 9, targetConcurrency: 2}", "");
    let _clients: Vec<_> = (0..3).map(|_| begin(api.router.traffic)).collect();
    let exchanges: Vec<_> = (0..3).map(|_| gpu.next()).collect();
    let pending = format!("{EXTERNAL}/namespaces/inference/overspill_pending_requests");
    let selected = format!("{pending}?labelSelector=pool%3D{KEY}");
    api.router.wait_until("three requests are pending", |_| api.found(&selected)["items"][0]["value"] == "3");
    let reply = api.get(&selected);
    assert_eq!(reply.head.value("overspill-routers"), "answered=1, asked=1");
    let list = reply.json();
    assert_eq!(
        (&list["kind"], &list["apiVersion"]),
        (&"ExternalMetricValueList".into(), &"external.metrics.k8s.io/v1beta1".into())
    );
    let item = &list["items"][0];
    assert_eq!((&item["metricName"], &item["window"]), (&"overspill_pending_requests".into(), &0.into()));
    let labels = json!({
        "pool": KEY, "host": "gpu.example", "service": "gpu", "namespace": "example", "port": "80", "tier": "gpu",
        "routers": "1",
    });
    assert_eq!(item["metricLabels"], labels);
    let time = item["timestamp"].as_str().expect("a text");
    assert!(time.parse::<jiff::Timestamp>().is_ok() && time.ends_with('Z'), "{time}");
    // Three requests, two to each replica: a mean over the window that comes close to one and a half.
    let desired = format!("{EXTERNAL}/namespaces/a/overspill_desired_replicas?labelSelector=pool+in+({KEY}),tier");
    api.router.wait_until("more than one replica is desired", |_| {
        (1.01..=9.0).contains(&number(&api.found(&desired)["items"][0]["value"]))
    });
    assert_eq!(api.found(&desired)["items"][0]["window"], 60);

    let service = format!("{CUSTOM}/namespaces/example/services");
    let list = api.found(&format!("{service}/gpu/overspill_pending_requests?metricLabelSelector=port%3D80"));
    assert_eq!(
        (&list["kind"], &list["apiVersion"]),
        (&"MetricValueList".into(), &"custom.metrics.k8s.io/v1beta2".into())
    );
    let item = &list["items"][0];
    let object = json!({ "kind": "Service", "namespace": "example", "name": "gpu", "apiVersion": "v1" });
    assert_eq!((&item["describedObject"], &item["value"]), (&object, &"3".into()));
    assert_eq!((&item["metric"]["name"], &item["windowSeconds"]), (&"overspill_pending_requests".into(), &0.into()));
    assert_eq!(item["metric"]["selector"]["matchExpressions"][0]["values"], json!(["80"]));
    assert_eq!(api.found(&format!("{service}/*/overspill_concurrency"))["items"][0]["describedObject"], object);

    for (query, code, reason, said) in [
        ("pool%3Dnone", 404, "NotFound", KEY),
        ("!tier", 404, "NotFound", "no pool"),
        ("tier!%3Dcpu", 200, "", ""),
        ("pool%3D%3D%3Da", 400, "BadRequest", "labelSelector"),
        ("pool+in+(a", 400, "BadRequest", "parenthesis"),
        ("%zz", 400, "BadRequest", "encoded"),
    ] {
        let reply = api.get(&format!("{pending}?labelSelector={query}"));
        if code == 200 {
            assert_eq!((reply.head.status, &reply.json()["items"][0]["value"]), (200, &"3".into()));
        } else {
            assert_status(&reply, code, reason, said);
        }
    }
    assert_status(
        &api.get(&format!("{EXTERNAL}/namespaces/a/overspill_cpu")),
        404,
        "NotFound",
        "overspill_concurrency",
    );
    assert_status(&api.get(&format!("{service}/none/overspill_concurrency")), 404, "NotFound", "example/none");
    let pods = format!("{CUSTOM}/namespaces/example/pods/*/overspill_concurrency?labelSelector=app%3Dgpu");
    assert_status(&api.get(&pods), 404, "NotFound", "pods have no metrics here");
    for exchange in exchanges {
        exchange.answer(200, "");
    }
}

#[test]
fn only_the_front_proxy_is_answered_and_others_are_told_why() {
    let api = Api::start(&[], "", "");
    let stranger = Authority::new("stranger");
    for (own, code, reason, said) in [
        (None, 401, "Unauthorized", "shows no certificate"),
        (Some(stranger.issue_as("front-proxy-client", &[], Valid::Now)), 401, "Unauthorized", "UnknownIssuer"),
        (Some(api.front.issue_as("front-proxy-client", &[], Valid::Before)), 401, "Unauthorized", "expired"),
        (Some(api.front.issue_as("kubelet", &[], Valid::Now)), 401, "Unauthorized", "`kubelet`"),
    ] {
        for wire in [Wire::H1, Wire::H2] {
            let reply = api.connect(own.as_ref(), wire).ask("GET", "/apis", &[USER], "");
            assert_status(&reply, code, reason, said);
        }
        let probe = api.connect(own.as_ref(), Wire::H1).ask("GET", "/readyz", &[], "");
        assert_eq!((probe.head.status, probe.text()), (200, "ok".to_owned()));
    }
    for fields in [&[][..], &[("x-remote-user", "")], &[("x-remote-group", "system:masters")]] {
        let reply = api.connect(Some(&api.proxy()), Wire::H2).ask("GET", "/apis", fields, "");
        assert_status(&reply, 403, "Forbidden", "X-Remote-User");
    }
    // Nothing of this stops it, nor does what is no TLS at all.
    let mut plain = Connection::open(api.address);
    plain.send("GET /apis HTTP/1.1\r\nhost: a\r\n\r\n");
    plain.read_to_end();
    assert_eq!(api.get("/apis").head.status, 200);
}

#[test]
fn changed_files_are_in_force_without_a_restart() {
    let api = Api::start(&[], "", "");
    let next = Authority::new("next");
    let proxy = next.issue_as("front-proxy-client", &[], Valid::Now);
    let status = || api.connect(Some(&proxy), Wire::H2).ask("GET", "/apis", &[USER], "").head.status;
    assert_eq!(status(), 401);
    let (path, fresh) = (api.files.path().join("ca.crt"), api.files.path().join("ca.new"));
    fs::write(&fresh, &next.pem).expect("a temporary folder is writable");
    fs::rename(fresh, path).expect("a rename within a folder");
    api.router.signal("HUP");
    api.router.wait_until("the next authority is believed", |_| status() == 200);
    assert_eq!(api.get("/apis").head.status, 401, "the one before is not");
}

#[test]
fn it_answers_for_all_routers() {
    let gpu = Upstream::start(Wire::H1, Answer::Held);
    let other = Router::start(&documents("", &[gpu.address], "tier: gpu"));
    let api = Api::start(&[gpu.address], "tier: gpu", &format!(", peers: ['{}']", other.admin));
    let _clients = [begin(other.traffic), begin(api.router.traffic)];
    let exchanges = [gpu.next(), gpu.next()];
    let path = format!("{EXTERNAL}/namespaces/a/overspill_pending_requests?labelSelector=pool%3D{KEY}");
    api.router.wait_until("both routers' requests are pending", |_| {
        let item = &api.found(&path)["items"][0];
        item["value"] == "2" && item["metricLabels"]["routers"] == "2"
    });
    for exchange in exchanges {
        exchange.answer(200, "");
    }
}

#[test]
fn a_certificate_that_is_missing_is_a_warning_and_the_rest_is_served() {
    let settings = "scaling: {metricsApi: {address: '127.0.0.1:0', certificate: /nowhere/tls.crt, \
                    privateKey: /nowhere/tls.key, clientCa: /nowhere/ca.crt}}";
    let router = Router::start(&documents(settings, &[], ""));
    for file in ["/nowhere/tls.crt", "/nowhere/ca.crt"] {
        router.wait_for_log(0, |line| line.to_string().contains(file));
    }
    let figures: Value = serde_json::from_str(&router.admin_get("/scaling").text()).expect("it is JSON");
    assert_eq!(figures["pools"][KEY]["pool"], POOL);
}

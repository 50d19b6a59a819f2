//! Locality load balancing: which endpoints are near, and what happens when they fail.

use std::fmt::Write as _;

use super::harness::{Answer, Connection, Router, Upstream, Wire, policy, virtual_service};
use super::{bodies, rule, upstreams};

/// A router at `caller` before `upstreams`, each at one of `places`, with this `trafficPolicy` for the whole service.
fn router(caller: &str, upstreams: &[Upstream], places: &[&str], policy: &str) -> Router {
    Router::start(&documents(caller, upstreams, places, policy))
}

/// `places` are the fields of a `WorkloadEntry`, in flow style.
fn documents(caller: &str, upstreams: &[Upstream], places: &[&str], policy: &str) -> String {
    let mut service = "---\napiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {name: pool, namespace: \
                       default}\nspec:\n  hosts: [pool.example]\n  resolution: STATIC\n  ports: [{number: 80, name: http, \
                       protocol: HTTP}]\n  endpoints:\n"
        .to_owned();
    for (upstream, place) in upstreams.iter().zip(places) {
        let (ip, port) = (upstream.address.ip(), upstream.address.port());
        writeln!(service, "  - {{address: {ip}, ports: {{http: {port}}}, {place}}}").expect("a string takes all text");
    }
    let settings = format!(
        "---\napiVersion: overspill.dev/v1\nkind: Settings\nmetadata: {{name: overspill}}\nspec: {{workload: {caller}}}\n"
    );
    let routes = virtual_service("app.example", "  - {name: all, route: [{destination: {host: pool.example}}]}");
    routes + &service + &rule(&format!("trafficPolicy: {policy}")) + &settings
}

/// Upstreams of which those before `failing` answer 503.
fn partly_failing(failing: usize, count: usize) -> Vec<Upstream> {
    let answer = |place: usize| if place < failing { (503, "failed".to_owned()) } else { (200, place.to_string()) };
    let start = |(status, body)| Upstream::start(Wire::H1, Answer::Fixed(status, body));
    (0..count).map(|place| start(answer(place))).collect()
}

const DETECTION: &str = "outlierDetection: {consecutive5xxErrors: 1, maxEjectionPercent: 100, baseEjectionTime: 1h}";
const PLACES: [&str; 3] = ["locality: r/near/s", "locality: r/far", "locality: q"];

#[test]
fn the_mesh_wide_default_goes_to_the_nearest_that_works() {
    let caller = "{locality: r/near/s}";
    let ours = upstreams(3);
    let near_first = router(caller, &ours, &PLACES, &format!("{{{DETECTION}}}"));
    assert_eq!(bodies(&near_first, 30, ""), ["0"; 30]);

    let failing = partly_failing(2, 3);
    let router = router(caller, &failing, &PLACES, &format!("{{loadBalancer: {{simple: ROUND_ROBIN}}, {DETECTION}}}"));
    assert_eq!(bodies(&router, 6, ""), ["failed", "failed", "2", "2", "2", "2"]);
    assert_eq!(failing.iter().map(|upstream| upstream.seen.requests()).collect::<Vec<_>>(), [1, 1, 4]);
}

#[test]
fn without_outlier_detection_or_switched_off_every_locality_is_alike() {
    for policy in [
        "{loadBalancer: {simple: ROUND_ROBIN}}".to_owned(),
        format!("{{loadBalancer: {{simple: ROUND_ROBIN, localityLbSetting: {{enabled: false}}}}, {DETECTION}}}"),
    ] {
        let ours = upstreams(3);
        let router = router("{locality: r/near/s}", &ours, &PLACES, &policy);
        assert_eq!(bodies(&router, 6, ""), ["0", "1", "2", "0", "1", "2"], "{policy}");
    }
}

#[test]
fn a_region_fails_over_to_the_one_that_is_named() {
    let failing = partly_failing(1, 3);
    let places = ["locality: here/a", "locality: there/a", "locality: elsewhere/a"];
    let setting = "localityLbSetting: {failover: [{from: here, to: elsewhere}]}";
    let policy = format!("{{loadBalancer: {{{setting}}}, {DETECTION}}}");
    let router = router("{locality: here/a}", &failing, &places, &policy);
    assert_eq!(bodies(&router, 5, ""), ["failed", "2", "2", "2", "2"]);
}

#[test]
fn labels_decide_where_a_rule_says_so() {
    let failing = partly_failing(1, 4);
    let places = [
        "labels: {version: v2}, network: n1, locality: r",
        "labels: {version: v1}, network: n1, locality: r",
        "labels: {version: v2}, network: n2, locality: r",
        "labels: {version: v1}, network: n2, locality: r",
    ];
    let setting = "localityLbSetting: {failoverPriority: [topology.istio.io/network, version=v2]}";
    let policy = format!("{{loadBalancer: {{{setting}}}, {DETECTION}}}");
    let caller = "{labels: {topology.istio.io/network: n1, version: v1}}";
    let router = router(caller, &failing, &places, &policy);
    assert_eq!(bodies(&router, 5, ""), ["failed", "1", "1", "1", "1"]);
}

#[test]
fn requests_are_distributed_by_percentages() {
    let ours = upstreams(3);
    let setting =
        "localityLbSetting: {distribute: [{from: q/*, to: {q: 100}}, {from: r/*, to: {r/near/*: 80, r/far: 20}}]}";
    let policy = format!("{{loadBalancer: {{{setting}}}}}");
    let router = router("{locality: r/near/s}", &ours, &PLACES, &policy);
    bodies(&router, 1000, "");
    let [near, far, other] = [0, 1, 2].map(|place: usize| ours[place].seen.requests());
    assert_eq!((near + far, other), (1000, 0), "what is not named gets nothing");
    // Six standard deviations of a binomial draw.
    assert!(far.abs_diff(200) < 76, "{far} of 1000");
}

#[test]
fn a_full_locality_leaves_its_requests_to_the_next() {
    let held = Upstream::start(Wire::H1, Answer::Held);
    let ours: Vec<Upstream> = [held].into_iter().chain(upstreams(1)).collect();
    let documents = documents("{locality: r/near/s}", &ours, &PLACES, &format!("{{{DETECTION}}}"));
    let router = Router::start(&(documents + &policy("pool.example", "slotsPerEndpoint: 1")));
    let mut first = Connection::open(router.traffic);
    first.send("GET / HTTP/1.1\r\nhost: app.example\r\n\r\n");
    let held = ours[0].next();
    assert_eq!(bodies(&router, 1, ""), ["0"], "the name of the far upstream, the first of its own");
    held.answer(200, "near");
    assert_eq!(first.read_reply().text(), "near");
}

//! Several routers that answer for all.

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};

use serde_json::Value;

use super::harness::{Answer, RawUpstream, Router, Upstream, Wire, closed_port, get, log_field};
use super::{KEY, begin, documents};

fn figures(router: &Router, query: &str) -> Value {
    serde_json::from_str(&router.admin_get(&format!("/scaling{query}")).text()).expect("it is JSON")
}

fn settings(peers: &[SocketAddr]) -> String {
    let peers: Vec<String> = peers.iter().map(|peer| format!("'{peer}'")).collect();
    format!("scaling: {{peers: [{}]}}", peers.join(", "))
}

const POLICY: &str = "scaling: {minReplicas: 0, targetConcurrency: 1}";

#[test]
fn routers_add_up_what_is_asked_of_all_of_them() {
    let gpu = Upstream::start(Wire::H1, Answer::Held);
    let alone = Router::start(&documents("", &[gpu.address], POLICY));
    // It asks the other one and itself, as by the name of a headless Service.
    let (tell, itself) = leading_to_what_is_told();
    let both = Router::start(&documents(&settings(&[alone.admin, itself.address]), &[gpu.address], POLICY));
    tell.set(both.admin).expect("it is told once");
    let _clients = [begin(alone.traffic), begin(alone.traffic), begin(both.traffic)];
    let exchanges: Vec<_> = (0..3).map(|_| gpu.next()).collect();
    both.wait_until("three requests are known of", |router| {
        let known = figures(router, "");
        known["pools"][KEY]["in_flight"] == 3
            && known["pools"][KEY]["desired_replicas"] == 3
            && (&known["routers"]["asked"], &known["routers"]["answered"]) == (&2.into(), &2.into())
    });
    assert_eq!(figures(&both, "?scope=own")["pools"][KEY]["in_flight"], 1);
    assert_eq!(figures(&alone, "")["pools"][KEY]["in_flight"], 2);
    for exchange in exchanges {
        exchange.answer(200, "");
    }
}

#[test]
fn a_broken_peer_is_left_out_and_counted() {
    let gpu = Upstream::start(Wire::H1, Answer::Held);
    let (_socket, refusing) = closed_port();
    let strange = Upstream::start(Wire::H1, Answer::Fixed(200, "no figures".to_owned()));
    let silent = Upstream::start(Wire::H1, Answer::Held);
    let peers = settings(&[refusing, strange.address, silent.address]);
    let router = Router::start(&documents(&peers, &[gpu.address], POLICY));
    let _client = begin(router.traffic);
    let exchange = gpu.next();
    router.wait_until("one of four has answered", |router| {
        let known = figures(router, "");
        known["routers"]["asked"] == 4 && known["routers"]["answered"] == 1 && known["pools"][KEY]["in_flight"] == 1
    });
    let faults = figures(&router, "")["routers"]["faults"].as_array().expect("a list").len();
    assert_eq!(faults, 3);
    router.wait_for_log(0, |line| log_field(line, "peer") == &Value::from(refusing.to_string()));
    assert_eq!(router.metrics().count("overspill_scaling_routers", &[("state", "answered")]), 1);
    exchange.answer(200, "");
}

#[test]
fn what_one_peer_says_is_heard_while_another_is_silent() {
    let gpu = Upstream::start(Wire::H1, Answer::Held);
    let silent = Upstream::start(Wire::H1, Answer::Held);
    let other = Router::start(&documents("", &[gpu.address], POLICY));
    // The silent one is waited for longer than this test takes at most.
    let peers = format!("scaling: {{peerTimeout: 2m, peers: ['{}', '{}']}}", silent.address, other.admin);
    let router = Router::start(&documents(&peers, &[gpu.address], POLICY));
    let _asked = silent.next();
    let _client = begin(other.traffic);
    let exchange = gpu.next();
    router.wait_until("the other one's request is known of", |router| {
        figures(router, "")["pools"][KEY]["in_flight"] == 1
    });
    exchange.answer(200, "");
}

#[test]
fn figures_that_no_router_has_are_a_fault_of_who_says_them() {
    let lies = [
        r#"{"router": 7, "pools": {"gpu.example:80": {"load": {"active": true, "concurrency": -50}}}}"#,
        r#"{"router": 8, "pools": {"gpu.example:80": {"load": {"active": true, "concurrency": 1e300}}}}"#,
        r#"{"router": 9, "pools": {"gpu.example:80": {"load": {"concurrency": NaN}}}}"#,
    ];
    let liars = lies.map(|lie| Upstream::start(Wire::H1, Answer::Fixed(200, lie.to_owned())));
    let addresses: Vec<SocketAddr> = liars.iter().map(|liar| liar.address).collect();
    let router = Router::start(&documents(&settings(&addresses), &[], POLICY));
    router.wait_until("each of them is a fault", |router| {
        figures(router, "")["routers"]["faults"].as_array().is_some_and(|faults| faults.len() == 3)
    });
    let known = figures(&router, "");
    assert_eq!((&known["routers"]["answered"], &known["pools"][KEY]["active"]), (&1.into(), &false.into()), "{known}");
}

/// An address that leads to the admin API whose own address is told later, since its port is drawn when it starts.
fn leading_to_what_is_told() -> (Arc<OnceLock<SocketAddr>>, RawUpstream) {
    let told = Arc::new(OnceLock::new());
    let admin = Arc::clone(&told);
    let upstream = RawUpstream::start(move |mut visitor, _| {
        while let Some((line, _)) = visitor.head() {
            let Some(admin) = admin.get() else { return };
            let path = line.split(' ').nth(1).expect("a request line has a target");
            let reply = get(*admin, path);
            let head = format!("HTTP/1.1 {} Told\r\ncontent-length: {}\r\n\r\n", reply.head.status, reply.body.len());
            visitor.write([head.as_bytes(), &reply.body].concat());
        }
    });
    (told, upstream)
}

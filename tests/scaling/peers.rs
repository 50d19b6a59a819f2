//! Several routers that answer for all.

use std::net::{Ipv4Addr, SocketAddr};

use serde_json::Value;

use super::harness::{Answer, Folder, Router, Setup, Upstream, Wire, closed_port, log_field};
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
    let own = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()));
    let folder = Folder::with(&documents(&settings(&[alone.admin, own]), &[gpu.address], POLICY));
    let variables = [("OVERSPILL_ADMIN", own.to_string().into())];
    let both = Router::with(&Setup { config: folder.path(), variables: &variables });
    let _clients = [begin(alone.traffic), begin(alone.traffic), begin(both.traffic)];
    let exchanges: Vec<_> = (0..3).map(|_| gpu.next()).collect();
    both.wait_until("three requests are known of", |router| {
        let known = figures(router, "");
        known["pools"][KEY]["in_flight"] == 3 && known["pools"][KEY]["desired_replicas"] == 3
    });
    let all = figures(&both, "");
    assert_eq!((&all["routers"]["asked"], &all["routers"]["answered"]), (&2.into(), &2.into()), "{all}");
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

fn free_port() -> u16 {
    let socket = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    socket.local_addr().expect("it is bound").port()
}

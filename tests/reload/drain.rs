//! The router's end: unready first, requests in flight to their end, then exit 0.

use std::net::{SocketAddr, TcpStream};

use super::begin;
use super::harness::{
    Answer, Client, Connection, Exchange, Router, Service, Upstream, Wire, log_field, virtual_service,
};

fn router_with(settings: &str, wire: Wire, endpoint: SocketAddr) -> Router {
    let settings = format!(
        "---\napiVersion: overspill.dev/v1\nkind: Settings\nmetadata: {{name: settings}}\nspec: {{{settings}}}\n"
    );
    let service = Service { host: "up.example", wire, endpoints: &[endpoint] }.document();
    let rule = "  - {route: [{destination: {host: up.example}}]}";
    Router::start(&(virtual_service("app.example", rule) + &service + &settings))
}

fn post_shutdown(router: &Router) {
    let mut connection = Connection::open(router.admin);
    let reply = connection.ask("POST /shutdown HTTP/1.1\r\nhost: admin\r\ncontent-length: 0\r\n\r\n");
    assert!((200..300).contains(&reply.head.status), "{reply:?}");
}

fn wait_until_unready(router: &Router) {
    router.wait_until("it is unready", |router| router.admin_get("/healthz/ready").head.status == 503);
}

fn finishes_what_is_in_flight(end: impl Fn(&Router)) {
    let upstream = Upstream::start(Wire::H1, Answer::Held);
    let mut router = router_with("drain: {timeout: 60s}", Wire::H1, upstream.address);
    let mut waiting = begin(router.traffic);
    let held: Exchange = upstream.next();
    let mut streaming = begin(router.traffic);
    let mut half: Exchange = upstream.next();
    half.begin(200, &[]);
    assert!(half.send("half "));
    assert_eq!(streaming.head().status, 200);
    assert_eq!(streaming.chunk().as_deref(), Some(&b"half "[..]));
    end(&router);
    wait_until_unready(&router);
    assert_eq!(router.admin_get("/livez").head.status, 200, "a router that drains is alive");
    router.wait_until("no connection is accepted", |router| TcpStream::connect(router.traffic).is_err());
    assert!(!router.has_ended(), "requests are in flight");
    held.answer(200, "held");
    let reply = waiting.read_reply();
    assert_eq!((reply.head.status, reply.text().as_str()), (200, "held"));
    assert_eq!(reply.head.value("connection"), "close", "nothing more is asked over it");
    assert!(half.send("and half"));
    half.finish();
    assert_eq!(streaming.chunk().as_deref(), Some(&b"and half"[..]));
    assert_eq!(streaming.chunk(), None);
    let exit = router.wait_for_end();
    assert_eq!(exit.status.code(), Some(0));
    assert_eq!(exit.access.len(), 2, "each request has its line");
}

#[test]
fn sigterm_lets_requests_in_flight_finish() {
    finishes_what_is_in_flight(|router| router.signal("TERM"));
}

#[test]
fn post_shutdown_lets_requests_in_flight_finish() {
    finishes_what_is_in_flight(post_shutdown);
}

#[test]
fn http2_streams_in_flight_finish_too() {
    let upstream = Upstream::start(Wire::H2, Answer::Held);
    let router = router_with("drain: {timeout: 60s}", Wire::H2, upstream.address);
    let mut client = Client::connect(router.traffic, Wire::H2);
    let mut call = client.start_empty("GET", "/", &[]);
    let held = upstream.next();
    router.signal("TERM");
    wait_until_unready(&router);
    held.answer(200, "held");
    assert_eq!(call.head().status, 200);
    assert_eq!(call.rest().expect("the answer is whole").0, b"held");
    assert_eq!(router.wait_for_end().status.code(), Some(0));
}

#[test]
fn idle_connections_do_not_hold_the_end() {
    let upstream = Upstream::start(Wire::H1, Answer::Fixed(200, "ok".to_owned()));
    let router = router_with("drain: {timeout: 10m}", Wire::H1, upstream.address);
    let mut idle = begin(router.traffic);
    assert_eq!(idle.read_reply().text(), "ok");
    let _fresh = Connection::open(router.traffic);
    let mut http2 = Client::connect(router.traffic, Wire::H2);
    assert_eq!(http2.ask("GET", "/", &[], "").head.status, 200);
    let exit = router.stop();
    assert_eq!(exit.status.code(), Some(0));
    assert_eq!(idle.read_to_end(), b"", "the connection is closed, not answered");
}

#[test]
fn a_drain_ends_at_its_deadline() {
    let upstream = Upstream::start(Wire::H1, Answer::Held);
    let router = router_with("drain: {timeout: 100ms}", Wire::H1, upstream.address);
    let _stuck = begin(router.traffic);
    let _held = upstream.next();
    let exit = router.stop();
    assert_eq!(exit.status.code(), Some(0));
    let reasons: Vec<String> = exit.access.iter().map(|line| line.field("reason")).collect();
    assert_eq!(reasons, ["drain_timeout"], "the client had not gone away");
}

#[test]
fn a_second_signal_ends_at_once() {
    let upstream = Upstream::start(Wire::H1, Answer::Held);
    let router = router_with("drain: {delay: 10m, timeout: 10m}", Wire::H1, upstream.address);
    let _stuck = begin(router.traffic);
    let _held = upstream.next();
    router.signal("TERM");
    wait_until_unready(&router);
    router.wait_for_log(0, |line| log_field(line, "message") == "draining");
    router.signal("TERM");
    let exit = router.wait_for_end();
    assert_eq!(exit.status.code(), Some(0));
    let reasons: Vec<String> = exit.access.iter().map(|line| line.field("reason")).collect();
    assert_eq!(reasons, ["drain_timeout"], "what is cut off is recorded");
}

#[test]
fn a_router_is_unready_before_it_stops_accepting() {
    let upstream = Upstream::start(Wire::H1, Answer::Fixed(200, "ok".to_owned()));
    let router = router_with("drain: {delay: 10m, timeout: 10m}", Wire::H1, upstream.address);
    router.signal("TERM");
    wait_until_unready(&router);
    assert_eq!(begin(router.traffic).read_reply().text(), "ok");
    // A second signal ends what load balancers would be waited for.
    assert_eq!(router.stop().status.code(), Some(0));
}

/// Kubernetes sends SIGTERM once a `preStop` hook has ended, also where the hook has asked for the drain already.
#[test]
fn a_hook_and_the_signal_behind_it_are_one_wish() {
    let upstream = Upstream::start(Wire::H1, Answer::Held);
    let mut router = router_with("drain: {timeout: 60s}", Wire::H1, upstream.address);
    let mut waiting = begin(router.traffic);
    let held = upstream.next();
    post_shutdown(&router);
    wait_until_unready(&router);
    router.signal("TERM");
    // What this asks is served by the thread that the signal wakes.
    assert_eq!(router.admin_get("/livez").head.status, 200);
    assert!(!router.has_ended(), "a request is in flight");
    held.answer(200, "held");
    assert_eq!(waiting.read_reply().text(), "held");
    assert_eq!(router.wait_for_end().status.code(), Some(0));
}

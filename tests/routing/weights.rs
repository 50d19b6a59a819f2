//! Weighted splits: exact per request, whatever connection the requests share.

use super::harness::{Answer, Client, Router, Service, Upstream, Wire, virtual_service};

const REQUESTS: u32 = 4_000;

fn split(weights: [u32; 3]) -> (Router, Vec<Upstream>) {
    let [a, b, c] = weights;
    let mut documents = virtual_service(
        "app.example",
        &format!(
            "  - route:\n    - {{destination: {{host: a.example}}, weight: {a}}}\n    \
             - {{destination: {{host: b.example}}, weight: {b}}}\n    \
             - {{destination: {{host: c.example}}, weight: {c}}}\n"
        ),
    );
    let upstreams: Vec<_> = ["a", "b", "c"]
        .iter()
        .map(|name| {
            let upstream = Upstream::start(Wire::H1, Answer::Fixed(200, (*name).to_owned()));
            let host = format!("{name}.example");
            documents += &Service { host: &host, wire: Wire::H1, endpoints: &[upstream.address] }.document();
            upstream
        })
        .collect();
    (Router::start(&documents), upstreams)
}

/// Whether `count` of `REQUESTS` is within five standard deviations of a binomial draw with `share`: a right router
/// fails this once in about two million runs.
fn is_fair(count: u64, share: f64) -> bool {
    let n = f64::from(REQUESTS);
    let sigma = (n * share * (1.0 - share)).sqrt();
    (f64::from(u32::try_from(count).expect("a small count")) - n * share).abs() <= 5.0 * sigma
}

fn weights_hold_over_one_connection(wire: Wire) {
    let (router, upstreams) = split([70, 30, 0]);
    let mut client = Client::connect(router.traffic, wire);
    for _ in 0..REQUESTS {
        assert_eq!(client.ask("GET", "/", &[], "").head.status, 200);
    }
    let [a, b, c] = [0, 1, 2].map(|index: usize| upstreams[index].seen.requests());
    assert_eq!((a + b, c), (u64::from(REQUESTS), 0), "a weight of zero gets nothing");
    assert!(is_fair(a, 0.7) && is_fair(b, 0.3), "70/30 became {a}/{b}");
}

#[test]
fn weights_hold_over_one_kept_alive_connection() {
    weights_hold_over_one_connection(Wire::H1);
}

#[test]
fn weights_hold_over_one_http2_connection() {
    weights_hold_over_one_connection(Wire::H2);
}

#[test]
fn a_share_is_the_weight_over_the_sum() {
    let (router, upstreams) = split([1, 2, 5]);
    let mut client = Client::connect(router.traffic, Wire::H1);
    for _ in 0..REQUESTS {
        assert_eq!(client.ask("GET", "/", &[], "").head.status, 200);
    }
    for (upstream, share) in upstreams.iter().zip([0.125, 0.25, 0.625]) {
        assert!(is_fair(upstream.seen.requests(), share), "{share} became {}", upstream.seen.requests());
    }
}

use std::num::NonZeroU32;

use http::{HeaderMap, HeaderName, Method};

use super::*;
use crate::config::{self, Checked, Endpoint, PoolIndex, Queue, RouteMatch, Share, VirtualHost};
use crate::domain::{
    Address, Headers, Host, HostPattern, Locality, Moment, PoolKey, Protocol, QueueOrder, Reason, StringMatch,
    TrafficPolicy,
};
use crate::routing::Head;

/// Two pools, `gpu` (spilling to `cpu`) and `cpu`, with as many endpoints as given, and rules on `a.example`.
fn checked(gpu: usize, cpu: usize, routes: Vec<config::Route>) -> Checked {
    let one = NonZeroU32::MIN;
    let pool = |name: &str, endpoints: usize, spill_to: Vec<PoolIndex>| config::Pool {
        key: PoolKey { host: Host::parse(name).expect("a host"), subset: None, port: 80 },
        tier: None,
        protocol: Protocol::Http1,
        endpoints: (1..=endpoints)
            .map(|port| Endpoint {
                address: Address::Socket(([127, 0, 0, 1], u16::try_from(port).expect("few endpoints")).into()),
                weight: one,
                labels: Arc::default(),
                locality: Locality::default(),
            })
            .collect(),
        original: None,
        slots_per_endpoint: one,
        slots_per_pool: None,
        adaptive_slots: None,
        queue: Queue { max_pending: 0, timeout: Duration::ZERO, order: QueueOrder::Fifo },
        spill_to,
        local_model: name == "gpu",
        latency_objective: None,
        scaling: None,
        hold: None,
        upkeep: crate::domain::Upkeep::default(),
        hedge: None,
        connect_timeout: Duration::from_secs(1),
        tls_place: config::Place::default(),
        traffic: TrafficPolicy::default(),
        service: ServiceIdentity::default(),
    };
    let defaults = config::load(&[], &config::Overrides::default()).checked.expect("no documents are the defaults");
    Checked {
        virtual_hosts: vec![VirtualHost {
            entry: config::Entry::Mesh,
            hosts: vec![HostPattern::parse("a.example").expect("a host")],
            routes,
        }],
        pools: vec![pool("gpu", gpu, vec![PoolIndex(1)]), pool("cpu", cpu, vec![])],
        ..defaults
    }
}

fn rule(name: &str, matches: Vec<RouteMatch>, weights: [u32; 2]) -> config::Route {
    let split = (0..)
        .map(PoolIndex)
        .zip(weights)
        .map(|(pool, weight)| Share { pool, weight, headers: Headers::default() })
        .collect();
    config::Route {
        name: name.to_owned(),
        origin: "routes.yaml:1".to_owned(),
        matches,
        split,
        ..config::Route::default()
    }
}

fn with_head<T>(host: &str, header: Option<&'static str>, look: impl FnOnce(&Head<'_>) -> T) -> T {
    let mut headers = HeaderMap::new();
    if let Some(value) = header {
        headers.insert("x-latency-sensitive", http::HeaderValue::from_static(value));
    }
    look(&Head {
        method: &Method::GET,
        scheme: "http",
        authority: host,
        path: "/",
        query: None,
        headers: &headers,
        port: 80,
        server_name: None,
    })
}

fn latency_sensitive() -> RouteMatch {
    let name = HeaderName::from_static("x-latency-sensitive");
    RouteMatch { headers: vec![(name, StringMatch::Exact("true".into()))], ..RouteMatch::default() }
}

fn names<'s>(snapshot: &'s Snapshot, decision: &Decision<'s>) -> (Option<&'s str>, Vec<&'s str>) {
    match decision {
        Decision::Forward { route, candidates, .. } => (
            Some(&snapshot.route(*route).name),
            candidates.iter().map(|candidate| snapshot.pool(*candidate).key.host.as_str()).collect(),
        ),
        Decision::Answer { route, .. } => (Some(&snapshot.route(*route).name), vec!["itself"]),
        Decision::Local { route, .. } => (Some(&snapshot.route(*route).name), vec!["local"]),
        Decision::Refuse { reason, .. } => (None, vec![reason.code()]),
    }
}

#[test]
fn the_first_rule_that_matches_wins_and_the_split_is_by_draw() {
    let routes = vec![rule("fast", vec![latency_sensitive()], [1, 0]), rule("rest", vec![], [70, 30])];
    let snapshot = compile(&checked(1, 1, routes), &Resolved::default(), None);
    let decide = |host, header, draw| {
        with_head(host, header, |head| {
            let decision = choose(&snapshot, head, draw);
            let (route, pools) = names(&snapshot, &decision);
            (route.map(str::to_owned), pools.join(" "))
        })
    };
    let some = |name: &str| Some(name.to_owned());
    assert_eq!(decide("a.example:80", Some("true"), u64::MAX), (some("fast"), "gpu cpu".to_owned()));
    assert_eq!(decide("a.example", Some("no"), 0), (some("rest"), "gpu cpu".to_owned()));
    assert_eq!(decide("a.example", None, u64::MAX), (some("rest"), "cpu".to_owned()));
    assert_eq!(decide("b.example", None, 0), (None, "route_not_found".to_owned()));
}

#[test]
fn pools_without_endpoints_leave_the_local_model_or_a_refusal() {
    let snapshot = compile(&checked(0, 0, vec![rule("all", vec![], [1, 1])]), &Resolved::default(), None);
    with_head("a.example", None, |head| {
        assert_eq!(names(&snapshot, &choose(&snapshot, head, 0)), (Some("all"), vec!["local"]));
        assert_eq!(names(&snapshot, &choose(&snapshot, head, u64::MAX)), (None, vec![Reason::NoEndpoint.code()]));
    });
}

#[test]
fn endpoint_state_carries_over_by_pool_and_address() {
    let routes = || vec![rule("all", vec![], [1, 1])];
    let first = compile(&checked(2, 1, routes()), &Resolved::default(), None);
    let (gpu, _) = first.pools().next().expect("a pool");
    let (_, slot) = first.pool(gpu).take(Moment::from_nanos(1), 0, &[1]).expect("a free slot");
    let second = compile(&checked(3, 1, routes()), &Resolved::default(), Some(&first));
    assert_eq!((first.generation(), second.generation()), (1, 2));
    assert_eq!(second.pool(gpu).endpoints[0].state.in_flight(), 1);
    drop(slot);
    assert_eq!(second.pool(gpu).in_flight(), 0);
}

#[test]
fn a_trace_says_what_the_choice_says_and_why() {
    let routes = vec![rule("fast", vec![latency_sensitive()], [1, 0]), rule("rest", vec![], [70, 30])];
    let snapshot = compile(&checked(1, 1, routes), &Resolved::default(), None);
    with_head("a.example", None, |head| {
        let trace = trace(&snapshot, head);
        let failed: Vec<_> = trace.considered[0].alternatives.iter().flatten().map(ToString::to_string).collect();
        assert_eq!(failed, [r#"header x-latency-sensitive exact "true""#]);
        assert!(
            matches!(choose(&snapshot, head, 0), Decision::Forward { route, .. } if Some(route) == trace.matched())
        );
    });
    assert!(with_head("b.example", None, |head| !trace(&snapshot, head).host_known));
}

#[test]
fn a_name_has_an_endpoint_for_each_address_and_what_is_decided_stays() {
    let name = |text: &str| Host::parse(text).expect("a host");
    let mut checked = checked(1, 2, vec![rule("all", vec![], [1, 1])]);
    let (one, two) = (name("one.example"), name("two.example"));
    checked.pools[0].endpoints[0].address = Address::Logical(one.clone(), 8080);
    checked.pools[1].endpoints[0].address = Address::Name(one.clone(), 8080);
    checked.pools[1].endpoints[1].address = Address::Name(two.clone(), 8080);
    let endpoints = |snapshot: &Snapshot| -> Vec<Vec<String>> {
        let shown = |endpoint: &crate::pool::Endpoint| format!("{} {:?}", endpoint.name, endpoint.socket);
        snapshot.pools().map(|(_, pool)| pool.endpoints.iter().map(shown).collect()).collect()
    };
    let first = compile(&checked, &Resolved::default(), None);
    assert!(endpoints(&first).iter().all(Vec::is_empty), "a name without addresses has no endpoint");

    let mut resolved = Resolved::default();
    let ips = |last: &[u8]| Addresses::new(&last.iter().map(|last| [10, 0, 0, *last].into()).collect::<Vec<_>>());
    resolved.set(one, ips(&[2, 1, 2]));
    resolved.set(two, ips(&[2, 3]));
    let second = resolve(&checked, &resolved, &first);
    let sockets =
        |last: &[u8]| last.iter().map(|last| format!("10.0.0.{last}:8080 Some(10.0.0.{last}:8080)")).collect();
    let logical = vec!["one.example:8080 Some(10.0.0.2:8080)".to_owned()];
    assert_eq!(endpoints(&second), [logical, sockets(&[1, 2, 3])], "an address of two names is one endpoint");
    assert_eq!(second.generation(), first.generation());
    let decided = with_head("a.example", None, |head| choose(&second, head, 0));
    assert_eq!(names(&second, &decided).1, ["gpu", "cpu"], "the rules are those of before");

    let state =
        |snapshot: &Snapshot, pool: u32, place: usize| Arc::clone(&snapshot.pool(PoolId(pool)).endpoints[place].state);
    resolved.set(name("one.example"), ips(&[4]));
    let third = resolve(&checked, &resolved, &second);
    assert!(Arc::ptr_eq(&state(&second, 0, 0), &state(&third, 0, 0)), "one endpoint, whichever its address");
    assert!(Arc::ptr_eq(&state(&second, 1, 1), &state(&third, 1, 1)), "the address is still another name's");
    assert_eq!(endpoints(&third)[1], {
        let all: Vec<String> = sockets(&[4, 2, 3]);
        all
    });

    let assumed = compile(&checked, &Resolved::assumed(), None);
    assert_eq!(assumed.pools().map(|(_, pool)| pool.endpoints.len()).collect::<Vec<_>>(), [1, 2]);
}

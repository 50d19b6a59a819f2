use super::*;
use crate::domain::{Host, OutlierDetection, Warmup};

fn pool(count: usize, slots: u32) -> Pool {
    let key = PoolKey { host: Host::parse("gpu.example").expect("a host"), subset: None, port: 80 };
    let endpoints = fixtures::endpoints(&vec![1; count]);
    Pool {
        name: key.to_string().into(),
        key,
        next_hop: HeaderValue::from_static("gpu"),
        tier: Some(Tier::Gpu),
        protocol: Protocol::Http1,
        uses_client_protocol: false,
        connections: ConnectionSettings::default(),
        choice: Choice::Even(Balancer::least_request(&endpoints)),
        endpoints: endpoints.into(),
        slots_per_endpoint: NonZeroU32::new(slots).expect("at least one slot"),
        adaptive_slots: None,
        load: Arc::default(),
        measures: false,
        max_pending: 0,
        queue: Arc::default(),
        queue_order: QueueOrder::Fifo,
        queue_timeout: Duration::ZERO,
        retry_limit: RetryLimit::Default,
        retries: Arc::default(),
        local_model: false,
        latency_objective: None,
        demand: Arc::default(),
        hold: None,
        held: Arc::default(),
        scaling: None,
        connect_timeout: Duration::from_secs(1),
        hash_key: None,
        max_requests_per_connection: None,
        warmup: None,
        max_requests: None,
        outlier_detection: None,
        upkeep: Arc::default(),
        latency_decay: None,
        hedge: None,
        latencies: Arc::default(),
        load_reports: Reports::PassedOn,
        ejections: Arc::default(),
        original: None,
    }
}

const START: Moment = Moment::from_nanos(1);

#[test]
fn every_slot_is_taken_once_and_comes_back() {
    let pool = pool(3, 2);
    let mut random = fastrand::Rng::with_seed(1);
    for _ in 0..50 {
        let held: Vec<_> = (0..6).map(|_| pool.take(START, random.u64(..), &[]).expect("a free slot")).collect();
        assert_eq!(pool.in_flight(), 6);
        assert_eq!(pool.take(START, random.u64(..), &[]).err(), Some(Reason::SlotsTaken));
        drop(held);
        assert_eq!(pool.in_flight(), 0);
    }
}

#[test]
fn slots_never_exceed_the_limit_from_many_threads() {
    let pool = pool(2, 5);
    std::thread::scope(|scope| {
        for seed in 0..4 {
            let pool = &pool;
            scope.spawn(move || {
                let mut random = fastrand::Rng::with_seed(seed);
                for _ in 0..20_000 {
                    let held = pool.take(START, random.u64(..), &[]);
                    assert!(pool.endpoints.iter().all(|endpoint| endpoint.state.in_flight() <= 5));
                    drop(held);
                }
            });
        }
    });
    assert_eq!(pool.in_flight(), 0);
}

#[test]
fn the_less_loaded_of_two_is_taken() {
    let pool = pool(2, 100);
    let mut random = fastrand::Rng::with_seed(3);
    let held: Vec<_> = (0..100).map(|_| pool.take(START, random.u64(..), &[]).expect("a free slot")).collect();
    let loads: Vec<_> = pool.endpoints.iter().map(|endpoint| endpoint.state.in_flight()).collect();
    assert!(loads.iter().all(|load| (40..=60).contains(load)), "{loads:?}");
    drop(held);
}

#[test]
fn an_endpoint_that_refuses_connections_is_ejected_probed_and_admitted_again() {
    let pool = pool(1, 10);
    let health = &pool.endpoints[0].state.health;
    assert!(!health.failed_to_connect(START) && !health.failed_to_connect(START));
    assert!(health.failed_to_connect(START), "the third failure in a row ejects");
    assert_eq!(pool.take(START, 0, &[]).err(), Some(Reason::NoEndpoint));

    let later = START.after(Duration::from_secs(1));
    assert_eq!(health.admission(later), Admission::Probing);
    let probe = pool.take(later, 0, &[]).expect("one probe");
    assert_eq!(pool.take(later, 0, &[]).err(), Some(Reason::NoEndpoint), "one probe at a time");
    assert!(health.failed_to_connect(later));
    drop(probe);
    assert_eq!(health.admission(later.after(Duration::from_millis(1_900))), Admission::Ejected, "longer each time");

    let much_later = later.after(Duration::from_secs(2));
    let (_, probe) = pool.take(much_later, 0, &[]).expect("a probe again");
    assert!(health.connected());
    drop(probe);
    assert_eq!(health.admission(much_later), Admission::Admitting);
    assert_eq!(pool.in_flight(), 0);
}

#[test]
fn a_probe_that_is_given_up_lets_the_next_one_through() {
    let pool = pool(1, 10);
    for _ in 0..3 {
        pool.endpoints[0].state.health.failed_to_connect(START);
    }
    let later = START.after(Duration::from_secs(1));
    drop(pool.take(later, 0, &[]).expect("a probe"));
    assert!(pool.take(later, 0, &[]).is_ok());
}

#[test]
fn tried_endpoints_are_left_out() {
    let pool = pool(2, 10);
    for draw in [0, u64::MAX, 1 << 40] {
        assert_eq!(pool.take(START, draw, &[0]).map(|(place, _)| place), Ok(1));
    }
    assert_eq!(pool.take(START, 0, &[0, 1]).err(), Some(Reason::NoEndpoint));
}

/// A pool of `count` endpoints that ejects at the first error.
fn detecting(count: usize, max_ejection_percent: u32, min_health_percent: u32) -> Pool {
    let outlier_detection = Some(OutlierDetection {
        consecutive_5xx_errors: Some(NonZeroU32::MIN),
        consecutive_gateway_errors: None,
        consecutive_local_origin_failures: None,
        interval: Duration::from_secs(10),
        base_ejection_time: Duration::from_secs(30),
        max_ejection_percent,
        min_health_percent,
    });
    Pool { outlier_detection, ..pool(count, 10) }
}

#[test]
fn no_more_endpoints_are_ejected_than_the_policy_allows() {
    for (endpoints, percent, expected) in [(9, 10, 0), (10, 10, 1), (19, 10, 1), (3, 34, 1), (3, 100, 3), (1, 99, 0)] {
        let pool = detecting(endpoints, percent, 0);
        let ejected = (0..endpoints)
            .filter(|place| pool.note(*place, Outcome::Answered(500), || START) == Some(Admission::Ejected));
        assert_eq!(ejected.count(), expected, "{percent} percent of {endpoints}");
        assert_eq!(pool.take(START, 0, &[]).is_ok(), expected < endpoints);
        assert!(pool.take(START.after(Duration::from_secs(30)), 0, &[]).is_ok(), "ejections end by themselves");
    }
}

#[test]
fn health_is_not_heeded_where_too_few_are_healthy() {
    let pool = detecting(4, 100, 50);
    let takes = |place: usize| {
        let others: Vec<usize> = (0..4).filter(|other| *other != place).collect();
        pool.take(START, 0, &others).is_ok()
    };
    assert_eq!(pool.note(0, Outcome::Answered(500), || START), Some(Admission::Ejected));
    assert_eq!(pool.note(1, Outcome::Reset, || START), Some(Admission::Ejected));
    assert!(!takes(0) && takes(2), "half is enough");
    assert_eq!(pool.note(2, Outcome::ConnectFailed, || START), Some(Admission::Ejected));
    assert!(takes(0) && takes(3), "a quarter is too few");
}

#[test]
fn a_new_endpoint_gets_its_share_by_and_by() {
    let warmup = Some(Warmup { duration: Duration::from_secs(100), minimum_percent: 10.0, aggression: 1.0 });
    for round_robin in [true, false] {
        let mut pool = Pool { warmup, ..pool(2, 1) };
        if round_robin {
            pool.choice = Choice::Even(Balancer::round_robin(&pool.endpoints));
        }
        assert_eq!(pool.endpoints[0].state.age(START), Duration::ZERO);
        let mut random = fastrand::Rng::with_seed(5);
        let born = START.after(Duration::from_secs(100));
        let mut share = |age: u64| {
            let now = born.after(Duration::from_secs(age));
            let to_new = (0..10_000).filter(|_| pool.take(now, random.u64(..), &[]).is_ok_and(|(place, _)| place == 1));
            to_new.count()
        };
        // A round robin hands the turns that are not taken to the next; others are drawn again.
        let expected = if round_robin { [500, 2_500, 5_000] } else { [909, 3_333, 5_000] };
        for (age, expected) in [0, 50, 100].into_iter().zip(expected) {
            // Five standard deviations are 250 at most.
            let found = share(age);
            assert!(found.abs_diff(expected) < 250, "{found} of 10,000 after {age} s, round robin: {round_robin}");
        }
    }
}

#[test]
fn a_new_endpoint_takes_what_nothing_else_can() {
    let warmup = Some(Warmup { duration: Duration::from_secs(100), minimum_percent: 0.0, aggression: 1.0 });
    let pool = Pool { warmup, ..pool(2, 1) };
    let mut random = fastrand::Rng::with_seed(5);
    let held: Vec<_> = (0..2).map(|_| pool.take(START, random.u64(..), &[]).expect("a free slot")).collect();
    assert_eq!(pool.take(START, random.u64(..), &[]).err(), Some(Reason::SlotsTaken));
    drop(held);
}

#[path = "probes/tests.rs"]
mod probes;

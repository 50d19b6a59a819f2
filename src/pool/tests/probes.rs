//! Ejections and what ends them, from many threads at once.

use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use super::*;

const AFTER_EJECTION: Duration = Duration::from_secs(30);
const THREADS: usize = 8;

/// How many of a thousand requests, from eight threads at the same moment, find an endpoint. None is given back before all
/// have asked.
fn admitted(pool: &Pool, now: Moment) -> usize {
    let (start, admitted) = (Barrier::new(THREADS), AtomicUsize::new(0));
    thread::scope(|scope| {
        for seed in 0..THREADS as u64 {
            let (start, admitted) = (&start, &admitted);
            scope.spawn(move || {
                let mut random = fastrand::Rng::with_seed(seed);
                start.wait();
                let held: Vec<_> = (0..125).filter_map(|_| pool.take(now, random.u64(..), &[]).ok()).collect();
                admitted.fetch_add(held.len(), Ordering::SeqCst);
                start.wait();
            });
        }
    });
    admitted.into_inner()
}

#[test]
fn one_probe_of_a_thousand_requests_is_let_through() {
    for round in 0..50 {
        let by_answers = Pool { slots_per_endpoint: NonZeroU32::MAX, ..detecting(1, 100, 0) };
        assert_eq!(by_answers.note(0, Outcome::Answered(500), || START), Some(Admission::Ejected));
        assert_eq!(admitted(&by_answers, START), 0);
        assert_eq!(admitted(&by_answers, START.after(AFTER_EJECTION)), 1, "by answers, round {round}");

        let by_connections = pool(1, u32::MAX);
        for _ in 0..3 {
            by_connections.note(0, Outcome::ConnectFailed, || START);
        }
        assert_eq!(admitted(&by_connections, START), 0);
        assert_eq!(admitted(&by_connections, START.after(AFTER_EJECTION)), 1, "by connections, round {round}");
    }
}

#[test]
fn a_probe_decides_whether_the_others_follow() {
    let pool = Pool { slots_per_endpoint: NonZeroU32::MAX, ..detecting(1, 100, 0) };
    let health = &pool.endpoints[0].state.health;
    pool.note(0, Outcome::Answered(500), || START);
    let half_open = START.after(AFTER_EJECTION);
    let probe = pool.take(half_open, 0, &[]).expect("a probe");
    assert_eq!(pool.note(0, Outcome::Answered(503), || half_open), Some(Admission::Ejected), "one error is enough");
    drop(probe);
    assert_eq!(health.admission(half_open.after(AFTER_EJECTION)), Admission::Ejected, "twice as long");
    let half_open = half_open.after(AFTER_EJECTION * 2);
    let _streams = pool.take(half_open, 0, &[]).expect("a probe");
    assert_eq!(pool.note(0, Outcome::Answered(200), || half_open), Some(Admission::Admitting));
    assert_eq!(admitted(&pool, half_open), 1000, "the answer's body need not end first");
}

#[test]
fn what_was_sent_before_an_ejection_does_not_end_it() {
    let pool = detecting(1, 100, 0);
    pool.note(0, Outcome::Answered(500), || START);
    assert_eq!(pool.note(0, Outcome::Answered(200), || START), None);
    assert_eq!(pool.endpoints[0].state.health.admission(START), Admission::Ejected);
}

#[test]
fn an_endpoint_that_has_not_proved_itself_counts_as_ejected() {
    let pool = detecting(2, 50, 0);
    assert_eq!(pool.note(0, Outcome::Answered(500), || START), Some(Admission::Ejected));
    let half_open = START.after(AFTER_EJECTION);
    assert_eq!(pool.note(1, Outcome::Answered(500), || half_open), None, "half of the pool is the most");
    assert_eq!(pool.note(0, Outcome::Answered(200), || half_open), Some(Admission::Admitting));
    assert_eq!(pool.note(1, Outcome::Answered(500), || half_open), Some(Admission::Ejected));
}

#[test]
fn threads_that_eject_at_once_keep_to_the_cap() {
    for _ in 0..200 {
        let pool = detecting(8, 50, 0);
        let start = Barrier::new(THREADS);
        thread::scope(|scope| {
            for place in 0..THREADS {
                let (pool, start) = (&pool, &start);
                scope.spawn(move || {
                    start.wait();
                    pool.note(place, Outcome::Answered(500), || START);
                });
            }
        });
        let ejected = || {
            let admission = |endpoint: &Endpoint| endpoint.state.health.admission(START);
            pool.endpoints.iter().filter(|endpoint| admission(endpoint) == Admission::Ejected).count()
        };
        assert!(ejected() <= 4, "{} of 8", ejected());
        // Whoever could not decide meanwhile does so at its next error.
        for place in 0..8 {
            pool.note(place, Outcome::Answered(500), || START);
        }
        assert_eq!(ejected(), 4);
    }
}

//! Buckets on a clock of the tests' own.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use governor::clock::FakeRelativeClock;
use http::{HeaderMap, HeaderName, HeaderValue};

use super::limit::{Limit, Standing};
use super::table::Table;
use crate::domain::{RateLimit, RateLimitKey};

const USER: HeaderName = HeaderName::from_static("x-user");

fn count(number: u32) -> NonZeroU32 {
    NonZeroU32::new(number).expect("a test's number is not zero")
}

fn limit(requests: u32, window: Duration, burst: u32, key: Option<RateLimitKey>) -> RateLimit {
    RateLimit { name: "default".into(), requests: count(requests), window, burst: count(burst), key }
}

fn keyed(capacity: u32, requests: u32, burst: u32) -> (Limit<FakeRelativeClock>, FakeRelativeClock, Arc<Table>) {
    let (table, clock) = (Arc::new(Table::new(capacity)), FakeRelativeClock::default());
    let settings = limit(requests, Duration::from_mins(1), burst, Some(RateLimitKey::Header(USER)));
    (Limit::with_clock(settings, Some(Arc::clone(&table)), clock.clone()), clock, table)
}

fn user(limit: &Limit<FakeRelativeClock>, name: &str) -> u64 {
    let value = HeaderValue::try_from(name).expect("a test's name is a header value");
    limit.key(&HeaderMap::from_iter([(USER, value)]), [127, 0, 0, 1].into())
}

fn passes(limit: &Limit<FakeRelativeClock>, key: u64) -> bool {
    matches!(limit.take(key), Standing::Open { .. })
}

#[test]
fn a_bucket_lets_its_burst_through_and_then_what_comes_back() {
    let clock = FakeRelativeClock::default();
    let limit = Limit::with_clock(limit(100, Duration::from_mins(1), 100, None), None, clock.clone());
    assert_eq!(limit.policy(), "\"default\";q=100;w=60");
    for left in (0..100).rev() {
        assert_eq!(limit.take(0), Standing::Open { left });
    }
    assert_eq!(limit.standing(Standing::Open { left: 50 }), "\"default\";r=50;t=30");
    assert_eq!(limit.take(0), Standing::Empty { wait: 1 });
    clock.advance(Duration::from_millis(599));
    assert_eq!(limit.take(0), Standing::Empty { wait: 1 });
    clock.advance(Duration::from_millis(1));
    assert_eq!(limit.take(0), Standing::Open { left: 0 });
    clock.advance(Duration::from_mins(2));
    assert_eq!(limit.take(0), Standing::Open { left: 99 });
}

#[test]
fn a_wait_is_rounded_up_to_seconds_and_said_twice() {
    for (window, wait) in [(90, 90), (3600, 3600), (86_400, 86_400)] {
        let limit =
            Limit::with_clock(limit(1, Duration::from_secs(window), 1, None), None, FakeRelativeClock::default());
        assert!(passes(&limit, 0));
        assert_eq!(limit.take(0), Standing::Empty { wait });
        assert_eq!(limit.standing(limit.take(0)), format!("\"default\";r=0;t={wait}"));
    }
    let fast = limit(1, Duration::from_millis(1500), 1, None);
    let fast = Limit::with_clock(fast, None, FakeRelativeClock::default());
    assert!(passes(&fast, 0));
    assert_eq!((fast.take(0), fast.policy()), (Standing::Empty { wait: 2 }, "\"default\";q=1;w=2".to_owned()));
}

#[test]
fn what_is_given_back_can_be_taken_again() {
    let lone = Limit::with_clock(limit(1, Duration::from_mins(1), 1, None), None, FakeRelativeClock::default());
    let (many, _, _) = keyed(8, 1, 1);
    for limit in [lone, many] {
        let key = user(&limit, "a");
        assert!(passes(&limit, key) && !passes(&limit, key));
        limit.give_back(key);
        assert!(passes(&limit, key) && !passes(&limit, key));
    }
}

#[test]
fn a_look_takes_nothing_and_forgets_nobody() {
    let lone = Limit::with_clock(limit(60, Duration::from_mins(1), 2, None), None, FakeRelativeClock::default());
    let (many, clock, table) = keyed(8, 60, 2);
    for limit in [&lone, &many] {
        let key = user(limit, "a");
        for left in [2, 1] {
            assert_eq!([limit.look(key), limit.look(key)], [Standing::Open { left }; 2]);
            assert_eq!(limit.take(key), Standing::Open { left: left - 1 });
        }
        assert_eq!([limit.look(key), limit.take(key)], [Standing::Empty { wait: 1 }; 2]);
        limit.give_back(key);
        assert_eq!(limit.look(key), Standing::Open { left: 1 });
    }
    for number in 0..100 {
        assert_eq!(many.look(user(&many, &format!("other-{number}"))), Standing::Open { left: 2 });
    }
    assert_eq!((table.tracked(), table.evicted()), (1, 0));
    clock.advance(Duration::from_mins(1));
    assert_eq!(many.look(user(&many, "a")), Standing::Open { left: 2 });
}

#[test]
fn keys_are_counted_apart_and_clients_by_what_they_cannot_choose() {
    let (limit, _, _) = keyed(64, 1, 1);
    assert!(passes(&limit, user(&limit, "a")) && passes(&limit, user(&limit, "b")));
    assert!(!passes(&limit, user(&limit, "a")));
    let (none, somewhere) = (HeaderMap::new(), [127, 0, 0, 1].into());
    assert_eq!(limit.key(&none, somewhere), limit.key(&none, [10, 0, 0, 1].into()), "those without it are one");
    let by_client = self::limit(1, Duration::from_mins(1), 1, Some(RateLimitKey::SourceIp));
    let by_client = Limit::with_clock(by_client, Some(Arc::new(Table::new(64))), FakeRelativeClock::default());
    let key = |text: &str| by_client.key(&none, text.parse().expect("a test's address"));
    assert_eq!(key("2001:db8::1"), key("2001:db8::ffff:1"));
    assert_eq!(key("10.0.0.1"), key("::ffff:10.0.0.1"));
    assert_ne!(key("2001:db8::1"), key("2001:db8:0:1::1"));
    assert_ne!(key("10.0.0.1"), key("10.0.0.2"));
}

/// However many keys come by, the table stays as large as it is, and a key that is refused stays so.
#[test]
fn a_flood_of_keys_takes_no_memory_and_frees_nobody() {
    let (limit, clock, table) = keyed(64, 1, 10);
    let greedy = user(&limit, "greedy");
    for _ in 0..10 {
        assert!(passes(&limit, greedy));
    }
    for number in 0..100_000 {
        assert!(passes(&limit, user(&limit, &format!("flood-{number}"))), "a key that is new has its burst");
    }
    assert!(!passes(&limit, greedy), "the flood has freed a key that had used up its burst");
    assert_eq!((table.tracked(), table.capacity()), (64, 64));
    assert!(table.evicted() > 90_000);
    clock.advance(Duration::from_mins(1));
    assert!(passes(&limit, greedy));
}

/// A key whose bucket is full again is forgotten first, and counts as nothing lost.
#[test]
fn a_full_bucket_is_the_first_to_go() {
    let (limit, clock, table) = keyed(8, 60, 2);
    for number in 0..8 {
        assert!(passes(&limit, user(&limit, &format!("early-{number}"))));
    }
    clock.advance(Duration::from_secs(1));
    for number in 0..8 {
        let late = user(&limit, &format!("late-{number}"));
        assert!(passes(&limit, late) && passes(&limit, late));
    }
    assert_eq!((table.tracked(), table.evicted()), (8, 0));
}

#[test]
fn a_table_is_no_larger_than_it_may_be() {
    for (asked, holds) in [(0, 8), (8, 8), (15, 8), (16, 16), (65_536, 65_536)] {
        assert_eq!((Table::capacity_for(asked), Table::new(asked).capacity()), (holds, holds));
    }
}

/// A limit's tokens are the same however many threads take them.
#[test]
fn threads_share_buckets_exactly() {
    let (limit, _, _) = keyed(8, 1, 1000);
    let key = user(&limit, "shared");
    let taken: usize = std::thread::scope(|scope| {
        let take = || (0..500).filter(|_| passes(&limit, key)).count();
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(take)).collect();
        threads.into_iter().map(|thread| thread.join().expect("the thread has not panicked")).sum()
    });
    assert_eq!(taken, 1000);
}

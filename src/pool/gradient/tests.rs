use super::*;

const SERVICE: Duration = Duration::from_millis(10);

fn bounds(initial: u32, min: u32, max: u32) -> Bounds {
    let number = |number| NonZeroU32::new(number).expect("not zero");
    Bounds { initial: number(initial), range: AdaptiveSlots { min: number(min), max: number(max) } }
}

/// Answers of an endpoint that computes `places` at once, kept as busy as the limit lets it be for `span`, with its time for
/// one request; the time that it is then.
fn saturate(
    gradient: &Gradient,
    bounds: Bounds,
    (places, service): (u32, Duration),
    (from, span): (Moment, Duration),
) -> Moment {
    let mut now = from;
    while now.since(from) < span {
        let limit = gradient.limit(bounds).get();
        let latency = service * limit.max(places) / places;
        gradient.answered(bounds, (latency, limit), now);
        now = now.after(service / places.min(limit));
    }
    now
}

const START: Moment = Moment::from_nanos(1);

#[test]
fn a_limit_begins_where_it_is_told_and_stays_within_its_bounds() {
    for (initial, expected) in [(5, 5), (1, 2), (100, 30)] {
        let gradient = Gradient::default();
        let bounds = bounds(initial, 2, 30);
        assert_eq!(gradient.limit(bounds).get(), expected);
        saturate(&gradient, bounds, (1000, SERVICE), (START, Duration::from_secs(5)));
        assert_eq!(gradient.limit(bounds).get(), 30, "nothing ever queues");
        saturate(&gradient, bounds, (1, SERVICE * 100), (START.after(Duration::from_secs(5)), Duration::from_mins(1)));
        assert!(gradient.limit(bounds).get() >= 2);
    }
}

#[test]
fn a_limit_settles_a_little_above_what_the_endpoint_computes_at_once() {
    for (initial, places) in [(4, 11), (200, 11), (20, 1), (20, 64)] {
        let gradient = Gradient::default();
        let bounds = bounds(initial, 1, 1000);
        // Several measurements of the least latency, so that one taken under a queue does not last.
        saturate(&gradient, bounds, (places, SERVICE), (START, Duration::from_mins(5)));
        let (least, limit) = (f64::from(places), gradient.steady_limit(bounds));
        let most = (least * TOLERANCE).sqrt().mul_add(2.0, least * TOLERANCE + 4.0);
        assert!((least..=most).contains(&limit), "{places} places from {initial}: {limit}, of {least} to {most}");
    }
}

#[test]
fn the_least_latency_does_not_drift_under_a_load_that_never_ends() {
    let gradient = Gradient::default();
    let bounds = bounds(20, 1, 1000);
    let mut now = START;
    for _ in 0..20 {
        now = saturate(&gradient, bounds, (8, SERVICE), (now, Duration::from_mins(1)));
        let least = Duration::from_nanos(gradient.least.load(Ordering::Relaxed));
        assert!(least <= SERVICE * 5 / 4, "{least:?}");
    }
}

#[test]
fn a_limit_recovers_once_an_endpoint_is_as_slow_for_good_as_it_was_under_a_queue() {
    let gradient = Gradient::default();
    let bounds = bounds(20, 1, 1000);
    let now = saturate(&gradient, bounds, (16, SERVICE), (START, Duration::from_mins(1)));
    let before = gradient.steady_limit(bounds);
    let now = saturate(&gradient, bounds, (16, SERVICE * 4), (now, Duration::from_secs(10)));
    let now = saturate(&gradient, bounds, (16, SERVICE * 4), (now, Duration::from_mins(2)));
    let after = gradient.steady_limit(bounds);
    assert!(after >= before * 0.7, "{before} before, {after} after");
    saturate(&gradient, bounds, (16, SERVICE), (now, Duration::from_mins(1)));
    assert!(gradient.steady_limit(bounds) >= before * 0.7);
}

#[test]
fn an_endpoint_that_turns_requests_away_is_given_fewer() {
    let gradient = Gradient::default();
    let bounds = bounds(100, 1, 1000);
    gradient.turned_away(bounds);
    gradient.turned_away(bounds);
    assert_eq!(gradient.limit(bounds).get(), 90, "once a window");
}

#[test]
fn a_limit_that_is_not_used_does_not_grow() {
    let gradient = Gradient::default();
    let bounds = bounds(20, 1, 1000);
    let mut now = START;
    for _ in 0..10_000 {
        gradient.answered(bounds, (SERVICE, 3), now);
        now = now.after(SERVICE);
    }
    assert!(gradient.steady_limit(bounds) <= 20.0);
}

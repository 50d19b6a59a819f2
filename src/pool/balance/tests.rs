use super::*;

/// Load is the same at every moment where nothing is remembered.
const NOW: Moment = Moment::from_nanos(1);
use crate::pool::fixtures::endpoints;

/// The place first asked at each of `count` choices.
fn first(balancer: &Balancer, endpoints: &[Endpoint], count: u64) -> Vec<usize> {
    (0..count).map(|draw| balancer.order(endpoints, mix(draw), NOW).next().expect("an endpoint")).collect()
}

fn times(places: &[usize], count: usize) -> Vec<usize> {
    (0..count).map(|place| places.iter().filter(|other| **other == place).count()).collect()
}

#[test]
fn a_round_robin_spreads_the_turns_of_each_endpoint() {
    let cases: [(&[u32], &[usize]); 5] = [
        (&[1, 1, 1], &[0, 1, 2, 0, 1, 2]),
        (&[7, 7], &[0, 1, 0, 1]),
        (&[2, 1], &[0, 1, 0, 0, 1, 0]),
        (&[5, 1, 1], &[0, 0, 1, 0, 2, 0, 0]),
        (&[3], &[0, 0]),
    ];
    for (weights, expected) in cases {
        let endpoints = endpoints(weights);
        let balancer = Balancer::round_robin(&endpoints);
        assert_eq!(first(&balancer, &endpoints, expected.len() as u64), expected, "{weights:?}");
    }
}

#[test]
fn weights_of_any_size_make_a_short_schedule() {
    let endpoints = endpoints(&[u32::MAX, 1, u32::MAX / 2]);
    let Balancer::RoundRobin(turns) = Balancer::round_robin(&endpoints) else { panic!("a round robin") };
    let places: Vec<usize> = turns.schedule.iter().map(|place| *place as usize).collect();
    assert_eq!(times(&places, 3), [2730, 1, 1365]);
}

#[test]
fn draws_respect_the_weights() {
    let endpoints = endpoints(&[1, 2, 5]);
    for balancer in [Balancer::random(&endpoints), Balancer::least_request(&endpoints)] {
        let counts = times(&first(&balancer, &endpoints, 80_000), 3);
        for (count, expected) in counts.iter().zip([10_000, 20_000, 50_000]) {
            // Over five standard deviations of a binomial draw, the widest of which is 139.
            assert!(count.abs_diff(expected) < 700, "{balancer:?} {counts:?}");
        }
    }
}

#[test]
fn every_order_names_every_place() {
    let endpoints = endpoints(&[3, 1, 4, 1, 5]);
    for balancer in
        [Balancer::least_request(&endpoints), Balancer::random(&endpoints), Balancer::round_robin(&endpoints)]
    {
        for draw in (0..200).map(mix) {
            let mut places: Vec<usize> = balancer.order(&endpoints, draw, NOW).collect();
            places.sort_unstable();
            places.dedup();
            assert_eq!(places, [0, 1, 2, 3, 4], "{balancer:?}");
        }
    }
}

#[test]
fn without_endpoints_there_is_no_order() {
    for balancer in [Balancer::least_request(&[]), Balancer::random(&[]), Balancer::round_robin(&[])] {
        assert_eq!(balancer.order(&[], 7, NOW).next(), None, "{balancer:?}");
    }
}

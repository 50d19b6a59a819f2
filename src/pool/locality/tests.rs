use super::*;
use crate::domain::OutlierDetection;
use crate::pool::fixtures::endpoints;

const NOW: Moment = Moment::from_nanos(1);

/// Groups of so many endpoints each, by priority and weight, with so many of each group's endpoints ejected.
fn pool(groups: &[(u32, u64, usize, usize)]) -> (Vec<Endpoint>, Groups) {
    let count = groups.iter().map(|(_, _, total, _)| total).sum();
    let endpoints = endpoints(&vec![1; count]);
    let detection = OutlierDetection {
        consecutive_5xx_errors: None,
        consecutive_gateway_errors: None,
        consecutive_local_origin_failures: None,
        interval: std::time::Duration::from_secs(10),
        base_ejection_time: std::time::Duration::from_secs(30),
        max_ejection_percent: 100,
        min_health_percent: 0,
    };
    let mut first = 0;
    let groups = groups.iter().map(|(priority, weight, total, ejected)| {
        let places = first..first + total;
        first += total;
        endpoints[places.clone()][..*ejected]
            .iter()
            .for_each(|endpoint| endpoint.state.health.outlier.eject(&detection, NOW));
        let balancer = Balancer::least_request(&endpoints[places.clone()]);
        Group { rank: Rank { priority: *priority, weight: *weight }, places, balancer }
    });
    let groups = Groups::new(groups.collect());
    (endpoints, groups)
}

/// How often each of the groups is the first to be asked, in percent of many draws.
fn shares(endpoints: &[Endpoint], groups: &Groups, least_percent: u32) -> Vec<u64> {
    const DRAWS: u64 = 6_000;
    let view = View { endpoints, now: NOW, least_percent };
    let starts: Vec<usize> = groups.0.iter().flatten().map(|group| group.places.start).collect();
    let mut counts = vec![0_u64; starts.len()];
    for draw in (0..DRAWS).map(mix) {
        let first = groups.order(view, draw).next().expect("a group").group.places.start;
        let place = starts.iter().rposition(|start| *start == first).expect("one of the groups");
        counts[place] += 1;
    }
    counts.iter().map(|count| (count * 100 + DRAWS / 2) / DRAWS).collect()
}

/// Within two percent: over three standard deviations of a binomial draw, the widest of which is 0.65 percent.
fn assert_near(found: &[u64], expected: &[u64], what: &str) {
    let near = found.len() == expected.len() && found.iter().zip(expected).all(|(one, two)| one.abs_diff(*two) <= 2);
    assert!(near, "{what}: {found:?}, not {expected:?}");
}

#[test]
fn load_goes_to_the_next_priority_as_the_first_fails() {
    // Healthy endpoints of a hundred in each priority, and each priority's load: the tables of Envoy's documentation.
    let cases: [(&[usize], &[u64]); 12] = [
        (&[100, 100], &[100, 0]),
        (&[72, 100], &[100, 0]),
        (&[71, 100], &[99, 1]),
        (&[50, 100], &[70, 30]),
        (&[25, 100], &[35, 65]),
        (&[0, 100], &[0, 100]),
        (&[25, 25], &[50, 50]),
        (&[50, 50], &[70, 30]),
        (&[0, 0], &[100, 0]),
        (&[25, 25, 100], &[35, 35, 30]),
        (&[25, 25, 20], &[36, 36, 28]),
        (&[0, 50, 100], &[0, 70, 30]),
    ];
    for (healthy, loads) in cases {
        let groups: Vec<_> = (0..).zip(healthy).map(|(priority, healthy)| (priority, 1, 100, 100 - healthy)).collect();
        let (endpoints, groups) = pool(&groups);
        assert_near(&shares(&endpoints, &groups, 0), loads, &format!("{healthy:?} healthy"));
    }
}

#[test]
fn localities_of_one_priority_keep_their_weights_until_they_fail() {
    // Healthy endpoints of a hundred in the lighter of two localities, and its share: Envoy's table.
    for (healthy, share) in [(100, 33), (72, 33), (69, 33), (50, 26), (25, 15), (0, 0)] {
        let (endpoints, groups) = pool(&[(0, 1, 100, 100 - healthy), (0, 2, 10, 0)]);
        assert_near(&shares(&endpoints, &groups, 0), &[share, 100 - share], &format!("{healthy} healthy"));
    }
}

#[test]
fn health_is_not_heeded_where_no_priority_can_bear_the_load() {
    // Sizes and ejected endpoints of two priorities, the least healthy percentage, and whether each panics, and its load.
    let cases = [
        ([(10, 0), (10, 10)], [false, false], [100, 0]),
        ([(10, 9), (10, 10)], [true, true], [50, 50]),
        ([(10, 9), (30, 29)], [true, true], [25, 75]),
        ([(20, 19), (20, 7)], [true, false], [7, 93]),
    ];
    for (sizes, panicking, loads) in cases {
        let [near, far] =
            [0, 1].map(|priority: u32| (priority, 1, sizes[priority as usize].0, sizes[priority as usize].1));
        let (endpoints, groups) = pool(&[near, far]);
        let mut panics: Vec<_> = groups
            .order(View { endpoints: &endpoints, now: NOW, least_percent: 50 }, 0)
            .map(|candidate| (candidate.group.rank.priority, candidate.panics))
            .collect();
        panics.sort_unstable();
        assert_eq!(panics, [(0, panicking[0]), (1, panicking[1])], "{sizes:?}");
        assert_near(&shares(&endpoints, &groups, 50), &loads, &format!("{sizes:?}"));
    }
}

#[test]
fn every_group_is_asked_in_the_end() {
    let (endpoints, groups) = pool(&[(0, 1, 2, 2), (0, 1, 2, 0), (1, 1, 2, 0), (2, 5, 2, 0), (2, 0, 2, 0)]);
    let view = View { endpoints: &endpoints, now: NOW, least_percent: 0 };
    for draw in (0..100).map(mix) {
        let order: Vec<_> = groups.order(view, draw).map(|candidate| candidate.group.places.start).collect();
        let mut priorities: Vec<_> = groups.order(view, draw).map(|candidate| candidate.group.rank.priority).collect();
        priorities.dedup();
        assert_eq!(priorities.len(), 3, "groups of one priority stand together: {order:?}");
        let mut all = order.clone();
        all.sort_unstable();
        assert_eq!(all, [0, 2, 4, 6, 8], "{order:?}");
    }
}

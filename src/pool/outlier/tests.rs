use super::*;

const START: Moment = Moment::from_nanos(1);

fn detection(limits: [u32; 3]) -> OutlierDetection {
    let [server, gateway, local] = limits.map(NonZeroU32::new);
    OutlierDetection {
        consecutive_5xx_errors: server,
        consecutive_gateway_errors: gateway,
        consecutive_local_origin_failures: local,
        interval: Duration::from_secs(10),
        base_ejection_time: Duration::from_secs(30),
        max_ejection_percent: 100,
        min_health_percent: 0,
    }
}

#[test]
fn errors_in_a_row_eject() {
    use Outcome::{Answered, ConnectFailed, Reset, TimedOut};
    // Limits of 5xx, gateway errors and failures of local origin; outcomes; at which of them the endpoint is ejected.
    let cases: [([u32; 3], &[Outcome], &[usize]); 11] = [
        ([2, 0, 0], &[Answered(500), Answered(501)], &[1]),
        ([2, 0, 0], &[Answered(500), Answered(499), Answered(500)], &[]),
        ([2, 0, 0], &[Answered(500); 5], &[1, 3]),
        ([2, 0, 0], &[ConnectFailed, Reset], &[1]),
        ([0, 2, 0], &[Answered(503), Answered(500), Answered(502), Answered(504)], &[3]),
        ([0, 0, 0], &[Answered(500); 20], &[]),
        ([1, 0, 2], &[ConnectFailed, Answered(200), Reset, ConnectFailed], &[3]),
        ([0, 2, 0], &[TimedOut, Reset], &[1]),
        ([1, 0, 2], &[TimedOut, TimedOut], &[1]),
        ([0, 0, 1], &[Answered(503), Reset], &[1]),
        ([5, 1, 0], &[Answered(504)], &[0]),
    ];
    for (limits, outcomes, expected) in cases {
        let (outlier, detection) = (Outlier::default(), detection(limits));
        let ejected = outcomes.iter().enumerate().filter(|(_, outcome)| outlier.count(&detection, **outcome));
        assert_eq!(ejected.map(|(at, _)| at).collect::<Vec<_>>(), expected, "{limits:?} {outcomes:?}");
    }
}

#[test]
fn ejections_grow_longer_and_are_forgiven() {
    let (outlier, detection) = (Outlier::default(), detection([1, 0, 0]));
    let mut now = START;
    // For how long the endpoint serves before each ejection, and how long that lasts, in seconds.
    for (served, lasts) in [(0, 30), (0, 60), (9, 90), (10, 90), (20, 60), (1_000, 30)] {
        now = now.after(Duration::from_secs(served));
        assert!(!outlier.is_ejected(now));
        outlier.eject(&detection, now);
        now = now.after(Duration::from_secs(lasts));
        assert!(outlier.is_ejected(Moment::from_nanos(now.as_nanos() - 1)), "after {served} s");
        assert!(!outlier.is_ejected(now), "after {served} s");
    }
}

#[test]
fn no_ejection_is_longer_than_the_longest() {
    let (outlier, mut detection) = (Outlier::default(), detection([1, 0, 0]));
    (0..20).for_each(|_| outlier.eject(&detection, START));
    assert!(!outlier.is_ejected(START.after(MAX_EJECTION)));
    detection.base_ejection_time = MAX_EJECTION * 2;
    outlier.eject(&detection, START);
    assert!(outlier.is_ejected(START.after(MAX_EJECTION)));
}

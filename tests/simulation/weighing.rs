//! Waiting or spilling, case by case: what was measured of two full pools, the objective, and what becomes of a request.

use std::time::Duration;

use overspill::domain::{Moment, Priority, Reason};
use overspill::pool::Slot;
use overspill::snapshot::{Full, PoolId, Snapshot, Urgency};

use super::documents::{documents, routes, snapshot};

const RULE: &str = "  - route: [{destination: {host: gpu.example}}]";

/// Takes the only slot of a pool twice: for `took`, where its answers are measured, and then for good.
fn fill(snapshot: &Snapshot, pool: PoolId, took: Option<Duration>) -> Slot {
    let (pool, start) = (snapshot.pool(pool), Moment::from_nanos(1));
    if let Some(took) = took {
        let (_, mut slot) = pool.take(start, 0, &[]).expect("a free slot");
        slot.complete(start.after(took));
    }
    pool.take(start, 0, &[]).expect("a free slot").1
}

#[test]
fn a_full_pool_is_waited_for_where_that_alone_keeps_the_objective() {
    let ms = Duration::from_millis;
    let too_long = Full::Spills(Reason::WaitTooLong);
    let taken = Full::Spills(Reason::SlotsTaken);
    // What gpu and cpu take, the objective; what becomes of a request at the gpu, and where one waits that both turned away.
    // With one slot each the wait is as long as the answer.
    let cases = [
        (Some(ms(100)), Some(ms(20)), ms(60), too_long, "cpu"),
        (Some(ms(100)), Some(ms(20)), ms(500), taken, "gpu"),
        (Some(ms(100)), Some(ms(400)), ms(500), Full::Waits, "gpu"),
        (Some(ms(100)), Some(ms(400)), ms(150), too_long, "gpu"),
        (Some(ms(400)), Some(ms(100)), ms(150), too_long, "cpu"),
        (None, Some(ms(400)), ms(150), taken, "cpu"),
        (Some(ms(100)), None, ms(500), taken, "gpu"),
        (None, None, ms(500), taken, "gpu"),
    ];
    for (gpu, cpu, left, expected, place) in cases {
        let gpu_policy = "slotsPerEndpoint: 1, spillTo: [{host: cpu.example}], latencyObjective: 1s";
        let text = documents((1, gpu_policy), (1, "slotsPerEndpoint: 1"), &routes(RULE));
        let snapshot = snapshot(text, None);
        let chosen = snapshot.pools().find(|(_, pool)| &*pool.name == "gpu.example:80").expect("the pool").0;
        let [first, second] = snapshot.overflow(chosen) else { panic!("two pools") };
        let _held = [fill(&snapshot, *first, gpu), fill(&snapshot, *second, cpu)];
        let urgency = Urgency { priority: Priority::Standard, left, now: Moment::from_nanos(2) };
        let case = format!("gpu {gpu:?}, cpu {cpu:?}, {left:?} left");
        assert_eq!(snapshot.weigh(*first, &[*second], urgency), expected, "{case}");
        assert_eq!(
            snapshot.weigh(*first, &[], urgency),
            if expected == Full::Waits { taken } else { expected },
            "{case}"
        );
        let waits = snapshot.place_to_wait(&[*first, *second], urgency).expect("a place");
        assert!(snapshot.pool(waits).name.starts_with(place), "{case}: {}", snapshot.pool(waits).name);
        // Nobody waits for either.
        let waits = snapshot.place_to_wait(&[*first, *second], Urgency { left: Duration::ZERO, ..urgency });
        assert_eq!(waits, Some(*first), "{case}, without an objective");
    }
}

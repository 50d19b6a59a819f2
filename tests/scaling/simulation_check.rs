//! Half an hour of steady load before two autoscalers.

use super::simulation::{Day, Kind, play};

const HALF_AN_HOUR: u32 = 30 * 60;

#[test]
fn a_steady_load_takes_no_more_replicas_than_by_cpu_and_keeps_its_objective() {
    let days = Day::synthetic();
    let steady = days.first().expect("there are days");
    let [cpu, own, again] = [Kind::Cpu, Kind::Own, Kind::Own].map(|kind| play(steady, kind, HALF_AN_HOUR, 7));
    assert!(own.replica_hours <= cpu.replica_hours, "{} and {}", own.replica_hours, cpu.replica_hours);
    assert!(own.failed() < 0.01 && own.requests > 300_000, "{} of {}", own.failed(), own.requests);
    assert_eq!((own.requests, own.late), (again.requests, again.late), "the same seed is the same day");
}

//! Short days of load before three autoscalers, the same whenever they are played.

use super::simulation::{Day, Kind, Outcome, play};

const HALF_AN_HOUR: u32 = 30 * 60;

fn played(name: &str, seconds: u32) -> [Outcome; 3] {
    let days = Day::synthetic();
    let day = days.iter().find(|day| day.name == name).expect("there is such a day");
    Kind::ALL.map(|kind| play(day, kind, seconds, 7))
}

#[test]
fn a_steady_load_takes_no_more_replicas_than_by_cpu_and_keeps_its_objective() {
    let [cpu, _, own] = played("steady", HALF_AN_HOUR);
    assert!(own.replica_hours <= cpu.replica_hours, "{} and {}", own.replica_hours, cpu.replica_hours);
    assert!(own.failed() < 0.001 && own.requests > 300_000, "{} of {}", own.failed(), own.requests);
    let days = Day::synthetic();
    let again = play(days.first().expect("there are days"), Kind::Own, HALF_AN_HOUR, 7);
    assert_eq!((own.requests, own.late), (again.requests, again.late), "the same seed is the same day");
}

#[test]
fn a_surge_that_comes_again_finds_its_replicas_there() {
    // Twice, an hour apart: nobody foresees the first.
    let [cpu, pending, own] = played("spike", 4 * HALF_AN_HOUR);
    for peer in [&cpu, &pending] {
        assert!(own.failed() < 0.8 * peer.failed(), "{} and {}", own.failed(), peer.failed());
        assert!(own.replica_hours <= 1.05 * peer.replica_hours, "{} and {}", own.replica_hours, peer.replica_hours);
    }
}

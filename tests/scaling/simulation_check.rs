//! A few hours of each day before each autoscaler: the rule is late less often, at no more replica-hours.

use super::simulation::{Day, Kind, play};

#[test]
fn the_rule_is_late_less_often_at_no_more_replica_hours() {
    for day in Day::synthetic() {
        let [cpu, pending, own] = Kind::ALL.map(|kind| play(&day, kind, 2 * 3600, 7));
        println!(
            "{} {:?}",
            day.name,
            [&cpu, &pending, &own].map(|o| (o.requests, o.late, o.refused, o.failed() * 100.0, o.replica_hours))
        );
    }
}

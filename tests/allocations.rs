//! A decision allocates nothing, whatever rule takes the request: the cases of `benches/matching.rs`, over fewer hosts.

#![allow(dead_code, reason = "the bench uses more of what it shares with this test")]
#![allow(clippy::expect_used, reason = "a step that cannot go on fails its test, and says why")]

#[path = "../benches/matching/documents.rs"]
mod documents;
#[path = "../benches/matching/requests.rs"]
mod requests;

use std::hint::black_box;

use documents::{compiled, crowd, estate, expressions, read};
use overspill::snapshot::{Snapshot, choose, trace};
use requests::{Case, of_crowd, of_estate, of_expressions};

/// As many hosts as it takes for wildcards to be among them.
const HOSTS: usize = 30;
/// As many rules of one host as it takes for them to be found by an index.
const RULES: usize = 100;

#[test]
fn decisions_allocate_nothing() {
    let sets = [
        (estate(HOSTS), of_estate(HOSTS)),
        (expressions(), of_expressions()),
        (crowd(RULES), of_crowd(RULES)),
        // So few that they are tried one by one.
        (crowd(4), of_crowd(4)),
    ];
    for (documents, cases) in sets {
        let snapshot = compiled(&read(&documents));
        for case in &cases {
            decide(case, &snapshot);
            // An expression serves the thread that used it first in another way than the rest.
            std::thread::scope(|scope| scope.spawn(|| decide(case, &snapshot)).join()).expect("no decision allocates");
        }
    }
}

fn decide(case: &Case, snapshot: &Snapshot) {
    let heads = case.warm_up(snapshot);
    let allocated = allocation_counter::measure(|| {
        for head in &heads {
            black_box(choose(snapshot, head, u64::MAX));
        }
    });
    assert_eq!(allocated.count_total, 0, "{}", case.name);
}

/// What the other test relies on: explaining a decision keeps what was tried, in memory that is counted.
#[test]
fn allocations_are_counted() {
    let snapshot = compiled(&read(&crowd(4)));
    let case = of_crowd(4).remove(0);
    let heads = case.warm_up(&snapshot);
    let allocated = allocation_counter::measure(|| drop(black_box(trace(&snapshot, &heads[0]))));
    assert!(allocated.count_total > 0);
}

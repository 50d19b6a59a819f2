use super::*;
use std::net::IpAddr;

fn host(text: &str) -> Host {
    Host::parse(text).expect("a host")
}

fn found(addresses: &[[u8; 4]], ttl: u64) -> Answer {
    let addresses = addresses.iter().map(|bytes| IpAddr::from(*bytes)).collect();
    Answer { addresses, ttl: Duration::from_secs(ttl) }
}

const ONE: [u8; 4] = [10, 0, 0, 1];
const TWO: [u8; 4] = [10, 0, 0, 2];

#[test]
fn a_name_is_looked_up_again_when_its_time_is_over() {
    let (start, name) = (Instant::now(), host("a.example"));
    for (ttl, wait) in [(30, 30), (0, 1), (86_400, 300)] {
        let mut table = Table::default();
        table.add(&name, Use::Every, start);
        assert_eq!(table.take_due(start), Some(name.clone()));
        assert_eq!((table.take_due(start), table.next_due()), (None, None), "it is being looked up");
        assert_eq!(table.note(&name, Ok(found(&[ONE], ttl)), start, 0.0), Change::Addresses);
        assert_eq!(table.next_due(), Some(start + Duration::from_secs(wait)), "a TTL of {ttl} s");
        assert_eq!(table.take_due(start + Duration::from_millis(wait * 1000 - 1)), None);
        table.add(&name, Use::Every, start);
        assert_eq!(table.take_due(start + Duration::from_secs(wait)), Some(name.clone()), "it is not begun anew");
    }
}

#[test]
fn failures_keep_the_addresses_and_are_tried_again_less_and_less_often() {
    let (start, name) = (Instant::now(), host("a.example"));
    let mut table = Table::default();
    table.add(&name, Use::Every, start);
    table.note(&name, Ok(found(&[ONE], 1)), start, 0.0);
    let mut waits = Vec::new();
    for _ in 0..7 {
        table.note(&name, Err("timed out".to_owned()), start, 1.0);
        waits.push(table.next_due().expect("a retry").duration_since(start).as_secs());
    }
    assert_eq!(waits, [1, 2, 4, 8, 16, 30, 30]);
    assert_eq!(table.statuses()[0].failure.as_deref(), Some("timed out"));
    assert_eq!(table.addresses(&name).map(|known| known.all().len()), Some(1));
    table.note(&name, Err("timed out".to_owned()), start, 0.0);
    assert_eq!(table.next_due(), Some(start + Duration::from_secs(15)), "half of it at least");

    assert_eq!(
        table.note(&name, Ok(found(&[ONE], 1)), start, 0.0),
        Change::Recovered,
        "nothing has changed in the end"
    );
    table.note(&name, Err("refused".to_owned()), start, 1.0);
    assert_eq!(table.next_due(), Some(start + FIRST_RETRY), "an answer ends the row");
}

#[test]
fn what_changes_depends_on_how_a_name_is_used() {
    // What is found in the place of one and two; whether that is a change to each use, and how many addresses it leaves.
    let cases: [(&[[u8; 4]], _); 4] = [
        (&[ONE, TWO], [(Use::Every, false, 2), (Use::Newest, false, 2)]),
        (&[TWO, ONE, TWO], [(Use::Every, false, 2), (Use::Newest, true, 2)]),
        (&[TWO], [(Use::Every, true, 1), (Use::Newest, true, 1)]),
        (&[], [(Use::Every, true, 0), (Use::Newest, false, 2)]),
    ];
    for (addresses, uses) in cases {
        for (used, changes, count) in uses {
            let (start, name) = (Instant::now(), host("a.example"));
            let mut table = Table::default();
            table.add(&name, used, start);
            table.note(&name, Ok(found(&[ONE, TWO], 1)), start, 0.0);
            let expected = if changes { Change::Addresses } else { Change::None };
            assert_eq!(table.note(&name, Ok(found(addresses, 1)), start, 0.0), expected, "{used:?} {addresses:?}");
            assert_eq!(table.addresses(&name).map_or(0, |known| known.all().len()), count, "{used:?} {addresses:?}");
        }
    }
}

#[test]
fn a_wait_is_over_with_an_answer_or_where_that_is_enough_a_try() {
    let (start, name) = (Instant::now(), host("a.example"));
    let mut table = Table::default();
    table.add(&name, Use::Every, start);
    let settled = |table: &Table| [Until::Answered, Until::Tried].map(|until| table.is_settled(&name, until));
    assert_eq!(settled(&table), [false, false]);
    assert_eq!(table.note(&name, Err("refused".to_owned()), start, 0.0), Change::Failed);
    assert_eq!(settled(&table), [false, true]);
    table.note(&name, Ok(found(&[], 1)), start, 0.0);
    assert_eq!(settled(&table), [true, true], "that there is no such name is an answer");
    table.retain(|_| false);
    assert!(table.statuses().is_empty() && settled(&table) == [true, true], "nobody follows it");
}

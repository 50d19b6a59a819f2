use super::*;
use crate::pool::fixtures::endpoints;

const KINDS: [HashTable; 2] = [HashTable::Ring(1024), HashTable::Maglev(65_537)];

fn place(table: &Table, hash: u64) -> u32 {
    table.places()[table.entry(hash)]
}

#[test]
fn hashes_are_those_of_every_other_process() {
    assert_eq!(stable_hash(*b""), mix(0xcbf2_9ce4_8422_2325));
    assert_eq!(stable_hash(*b"a"), mix(0xaf63_dc4c_8601_ec8c), "FNV-1a's own test vector, mixed");
}

#[test]
fn shares_are_near_the_weights() {
    let endpoints = endpoints(&[1, 1, 2, 4]);
    for (kind, tolerance) in KINDS.into_iter().zip([0.25, 0.02]) {
        let table = Table::new(kind, &endpoints);
        let mut counts = [0_u32; 4];
        (0..80_000).for_each(|hash| counts[place(&table, mix(hash)) as usize] += 1);
        for (count, expected) in counts.into_iter().zip([10_000.0, 10_000.0, 20_000.0, 40_000.0]) {
            assert!((f64::from(count) / expected - 1.0).abs() < tolerance, "{kind:?}: {counts:?}");
        }
    }
}

#[test]
fn an_endpoint_that_goes_takes_few_requests_of_the_others_with_it() {
    let before = endpoints(&[1; 10]);
    let after = &before[..9];
    for kind in KINDS {
        let (one, other) = (Table::new(kind, &before), Table::new(kind, after));
        let kept = (0..10_000).map(mix).filter(|hash| place(&one, *hash) < 9);
        let moved = kept.filter(|hash| place(&one, *hash) != place(&other, *hash)).count();
        // The ring has as many points as before, so that the others gain a tenth, as Envoy's do.
        assert!(moved < 1_000, "{kind:?}: {moved} of 9,000 moved");
    }
}

#[test]
fn tables_have_the_size_asked_for() {
    let cases: [(HashTable, &[u32], usize); 8] = [
        (HashTable::Ring(1024), &[1, 1], 1024),
        (HashTable::Ring(10), &[1, 1, 1], 12),
        (HashTable::Ring(4), &[1, 9], 10),
        (HashTable::Ring(1024), &[], 0),
        (HashTable::Maglev(7), &[1, 1, 1], 7),
        (HashTable::Maglev(7), &[u32::MAX, 1], 7),
        (HashTable::Maglev(1), &[1, 1], 1),
        (HashTable::Maglev(7), &[], 0),
    ];
    for (kind, weights, size) in cases {
        assert_eq!(Table::new(kind, &endpoints(weights)).places().len(), size, "{kind:?} {weights:?}");
    }
    let wide = Table::new(HashTable::Ring(1024), &endpoints(&[1, u32::MAX]));
    assert!(wide.places().len() as u64 <= MAX_RING_SIZE + 2, "{}", wide.places().len());
}

#[test]
fn every_hash_enters_within_the_table() {
    let endpoints = endpoints(&[1, 1, 1]);
    for kind in [HashTable::Ring(1), HashTable::Ring(1024), HashTable::Maglev(1), HashTable::Maglev(65_537)] {
        let table = Table::new(kind, &endpoints);
        for hash in [0, 1, u64::MAX - 1, u64::MAX].into_iter().chain((0..1000).map(mix)) {
            assert!(table.entry(hash) < table.places().len(), "{kind:?} {hash}");
        }
    }
}

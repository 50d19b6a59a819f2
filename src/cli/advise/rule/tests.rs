use super::*;

const WINDOWS: Windows = Windows {
    latency: Duration::from_mins(10),
    busy: Duration::from_mins(15),
    idle: Duration::from_mins(30),
    worse: Duration::from_mins(5),
    watch: Duration::from_mins(30),
};

/// So many minutes of the same: p99 in milliseconds, use and errors in percent, replicas.
type Spell = (u64, f64, f64, f64, u32);

/// Readings every 15 s, one spell after another.
fn history(spells: &[Spell]) -> History {
    let mut readings = Vec::new();
    let mut at = Duration::ZERO;
    for (minutes, p99, used, errors, replicas) in spells {
        for _ in 0..minutes * 4 {
            readings.push(Reading {
                at,
                p99: Some(p99 / 1e3),
                errors: Some(errors / 1e2),
                used: Some(used / 1e2),
                replicas: *replicas,
            });
            at += Duration::from_secs(15);
        }
    }
    // The end of the last spell.
    readings.extend(readings.last().map(|last| Reading { at, ..*last }));
    History { objective: 0.5, bounds: (None, None), target: None, readings }
}

fn step(spells: &[Spell]) -> (Step, u32) {
    let advice = advise(&history(spells), &WINDOWS);
    (advice.step, advice.to)
}

#[test]
fn the_runbook_is_followed() {
    let table: [(&str, &[Spell], (Step, u32)); 16] = [
        ("all is well", &[(40, 100.0, 60.0, 0.0, 5)], (Step::Keep, 5)),
        ("late for 10 minutes", &[(5, 100.0, 60.0, 0.0, 5), (10, 600.0, 60.0, 0.0, 5)], (Step::Up, 8)),
        ("late for 9 minutes", &[(5, 100.0, 60.0, 0.0, 5), (9, 600.0, 60.0, 0.0, 5)], (Step::Keep, 5)),
        ("late until a minute ago", &[(20, 600.0, 60.0, 0.0, 5), (1, 400.0, 60.0, 0.0, 5)], (Step::Keep, 5)),
        ("just at the objective", &[(20, 500.0, 60.0, 0.0, 5)], (Step::Keep, 5)),
        ("busy for 15 minutes", &[(15, 100.0, 85.0, 0.0, 4)], (Step::Up, 6)),
        ("busy for 14 minutes", &[(14, 100.0, 85.0, 0.0, 4)], (Step::Keep, 4)),
        ("one replica", &[(15, 600.0, 60.0, 0.0, 1)], (Step::Up, 2)),
        ("idle for 30 minutes", &[(30, 100.0, 20.0, 0.0, 10)], (Step::Down, 7)),
        ("idle for 20 minutes", &[(20, 100.0, 20.0, 0.0, 10)], (Step::Keep, 10)),
        ("idle, and late", &[(9, 600.0, 20.0, 0.0, 10)], (Step::Keep, 10)),
        ("idle, and faulty", &[(30, 100.0, 20.0, 5.0, 10)], (Step::Keep, 10)),
        ("the last one stays", &[(30, 100.0, 5.0, 0.0, 1)], (Step::Keep, 1)),
        ("worse after a step down", &[(30, 100.0, 40.0, 0.0, 10), (5, 200.0, 57.0, 0.0, 7)], (Step::Undo, 10)),
        ("worse for 4 minutes", &[(30, 100.0, 40.0, 0.0, 10), (4, 200.0, 57.0, 0.0, 7)], (Step::Keep, 7)),
        ("worse, but the change is long ago", &[(9, 100.0, 60.0, 0.0, 10), (40, 200.0, 60.0, 0.0, 7)], (Step::Keep, 7)),
    ];
    for (name, spells, expected) in table {
        assert_eq!(step(spells), expected, "{name}");
    }
}

#[test]
fn errors_undo_a_step_up_and_more_demand_does_not() {
    let before = (20, 600.0, 90.0, 0.0, 4);
    assert_eq!(step(&[before, (5, 700.0, 60.0, 4.0, 6)]), (Step::Undo, 4), "new replicas fail");
    assert_eq!(step(&[before, (5, 700.0, 60.0, 0.0, 6)]), (Step::Undo, 4), "slower, with less to carry");
    assert_eq!(step(&[before, (10, 700.0, 100.0, 0.0, 6)]), (Step::Up, 9), "slower, with more to carry");
    assert_eq!(step(&[before, (5, 600.0, 90.0, 0.1, 6)]), (Step::Up, 9), "errors that come and go are not worse");
}

#[test]
fn a_change_is_watched_before_the_next_step_down() {
    let idle = |minutes, replicas| (minutes, 100.0, 20.0, 0.0, replicas);
    assert_eq!(step(&[idle(60, 10), idle(29, 7)]), (Step::Keep, 7));
    assert_eq!(step(&[idle(60, 10), idle(31, 7)]), (Step::Down, 5));
}

#[test]
fn what_is_left_after_a_step_down_is_not_short() {
    let idle = |used, replicas| step(&[(30, 100.0, used, 0.0, replicas)]);
    for (used, replicas, expected) in [
        (20.0, 2, (Step::Down, 1)),
        (45.0, 2, (Step::Keep, 2)),
        (20.0, 3, (Step::Down, 2)),
        (20.0, 4, (Step::Down, 3)),
        (49.0, 5, (Step::Down, 4)),
        (49.0, 100, (Step::Down, 70)),
        (0.0, 5, (Step::Down, 4)),
    ] {
        assert_eq!(idle(used, replicas), expected, "{used} % of {replicas}");
    }
}

#[test]
fn bounds_are_kept() {
    let bounded = |spells: &[Spell], fewest, most| {
        let advice = advise(&History { bounds: (Some(fewest), Some(most)), ..history(spells) }, &WINDOWS);
        (advice.step, advice.to, advice.because)
    };
    let (late, idle) = ([(15, 600.0, 60.0, 0.0, 18)], [(30, 100.0, 20.0, 0.0, 6)]);
    assert!(matches!(bounded(&late, 5, 20), (Step::Up, 20, Because::Latency(_))));
    assert_eq!(bounded(&late, 5, 18), (Step::Keep, 18, Because::AtMaximum));
    assert!(matches!(bounded(&idle, 5, 20), (Step::Down, 5, Because::Idle(_))));
    assert_eq!(bounded(&idle, 6, 20), (Step::Keep, 6, Because::AtMinimum));
}

#[test]
fn what_was_not_read_is_not_known() {
    assert_eq!(advise(&History::default(), &WINDOWS).because, Because::Unknown);
    let mut gap = history(&[(20, 600.0, 90.0, 0.0, 5)]);
    // Nobody read for a while: what was before does not count.
    for reading in gap.readings.iter_mut().skip(60) {
        reading.at += Duration::from_mins(4);
    }
    assert_eq!(advise(&gap, &WINDOWS).step, Step::Keep);
    let mut silent = history(&[(20, 600.0, 60.0, 0.0, 5)]);
    silent.readings.iter_mut().skip(70).for_each(|reading| reading.p99 = None);
    assert_eq!(advise(&silent, &WINDOWS).step, Step::Keep);
}

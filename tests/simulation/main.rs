//! The pure layers under chance: pools, queues, adaptive limits and the choice among them, on a clock of their own.
//!
//! Each scenario is run with 256 seeds and sweeps its invariants at each step; `SIMULATION_SEED=N` runs one seed alone.

#![allow(clippy::expect_used, clippy::panic, reason = "a step that cannot go on fails its test, and says why")]

mod adaptive;
mod documents;
mod orders;
mod queue;
mod sharing;
mod station;
mod table;
mod weighing;

use std::panic::{AssertUnwindSafe, catch_unwind};

/// The variable that names the one seed to run.
const SEED: &str = "SIMULATION_SEED";

/// Runs `scenario` with each seed, and says which one failed.
fn for_each_seed(scenario: impl Fn(u64)) {
    let only = std::env::var(SEED).ok().map(|seed| seed.parse::<u64>().expect("SIMULATION_SEED is a number"));
    let seeds = only.map_or(0..256, |seed| seed..seed + 1);
    for seed in seeds {
        let ended = catch_unwind(AssertUnwindSafe(|| scenario(seed)));
        assert!(ended.is_ok(), "seed {seed} fails, as above: replay it with {SEED}={seed}");
    }
}

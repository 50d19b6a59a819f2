//! The edges of the request durations: one stands exactly on each objective, so that the share of answers within it is
//! exact.

use std::sync::Arc;

use crate::snapshot::Snapshot;
use crate::telemetry::names;

/// Objectives that edges are made for. Of more, each scrape would be many times as long as the figures are worth; the
/// counters of answers within the objective are exact for all.
const MOST_OBJECTIVES: usize = 32;

/// The edges in force.
#[derive(Debug, Default)]
pub(super) struct Edges {
    /// The newest generation whose objectives are among them.
    generation: u64,
    /// What was added so far; an edge stays once it stands, so that few series are begun anew.
    objectives: Vec<f64>,
}

impl Edges {
    /// The edges to have from `snapshot` on, where they are others than before.
    pub(super) fn follow(&mut self, snapshot: &Snapshot) -> Option<Arc<[f64]>> {
        if snapshot.generation() <= self.generation {
            return None;
        }
        self.generation = snapshot.generation();
        let before = self.objectives.len();
        for objective in snapshot.pools().map(|(_, pool)| pool.objective().as_secs_f64()) {
            let stands = |edges: &[f64]| edges.iter().any(|edge| edge.total_cmp(&objective).is_eq());
            if !stands(names::DURATION_EDGES) && !stands(&self.objectives) && self.objectives.len() < MOST_OBJECTIVES {
                self.objectives.push(objective);
            }
        }
        (self.objectives.len() > before).then(|| {
            let mut edges = [names::DURATION_EDGES, &self.objectives].concat();
            edges.sort_by(f64::total_cmp);
            edges.into()
        })
    }
}

//! The `HorizontalPodAutoscaler`'s algorithm (Kubernetes, Horizontal Pod Autoscaling: algorithm details, scaling policies,
//! stabilization window): recommendations, tolerance, stabilization, policies, bounds.

use overspill::domain::{Change, Recipe, ScalingRules, SelectPolicy};

/// No change while the ratio is as near to 1 as this.
pub(super) const TOLERANCE: f64 = 0.1;

/// The memory of one autoscaler.
pub(super) struct Hpa {
    recipe: Recipe,
    /// When what was recommended.
    recommended: Vec<(f64, u32)>,
    /// When by how much the replicas changed.
    changes: Vec<(f64, i64)>,
}

impl Hpa {
    pub(super) fn new(recipe: Recipe) -> Self {
        Self { recipe, recommended: Vec::new(), changes: Vec::new() }
    }

    /// The replicas from `now` on, in seconds, where there are `current` and the metrics recommend `wanted`.
    pub(super) fn decide(&mut self, now: f64, current: u32, wanted: u32) -> u32 {
        let Recipe { min_replicas, max_replicas, scale_up, scale_down, .. } = self.recipe;
        let wanted = wanted.clamp(min_replicas, max_replicas);
        self.recommended.push((now, wanted));
        self.recommended.retain(|(at, _)| now - at <= 3600.0);
        let within = |rules: &ScalingRules| {
            let since = now - rules.stabilization.as_secs_f64();
            self.recommended.iter().filter(move |(at, _)| *at >= since).map(|(_, wanted)| *wanted)
        };
        // Upwards the least of the window holds, downwards the most.
        let least = within(&scale_up).min().unwrap_or(wanted);
        let most = within(&scale_down).max().unwrap_or(wanted);
        let stable = current.max(least).min(most);
        let next = if stable > current {
            stable.min(self.limit(now, current, &scale_up, Direction::Up)).max(current)
        } else {
            stable.max(self.limit(now, current, &scale_down, Direction::Down)).min(current)
        };
        let next = next.clamp(min_replicas, max_replicas);
        if next != current {
            self.changes.push((now, i64::from(next) - i64::from(current)));
        }
        self.changes.retain(|(at, _)| now - at <= 1800.0);
        next
    }

    /// How far the policies let the replicas go.
    fn limit(&self, now: f64, current: u32, rules: &ScalingRules, direction: Direction) -> u32 {
        let limits = rules.policies.iter().map(|policy| {
            let since = now - policy.period.as_secs_f64();
            let recent = self.changes.iter().filter(|(at, change)| *at > since && direction.is_of(*change));
            let changed: i64 = recent.map(|(_, change)| change).sum();
            let start = u32::try_from(i64::from(current) - changed).unwrap_or(0);
            direction.limit(start, policy.change)
        });
        let (farthest, nearest): (Vec<u32>, Vec<u32>) = limits.map(|limit| (limit, limit)).unzip();
        match (rules.select, direction) {
            (SelectPolicy::Max, Direction::Up) | (SelectPolicy::Min, Direction::Down) => farthest.into_iter().max(),
            (SelectPolicy::Max, Direction::Down) | (SelectPolicy::Min, Direction::Up) => nearest.into_iter().min(),
        }
        .unwrap_or(current)
    }
}

#[derive(Clone, Copy)]
enum Direction {
    Up,
    Down,
}

impl Direction {
    const fn is_of(self, change: i64) -> bool {
        match self {
            Self::Up => change > 0,
            Self::Down => change < 0,
        }
    }

    /// Upwards a part of a pod is a pod; downwards what is left is.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "few replicas, not below zero")]
    fn limit(self, start: u32, change: Change) -> u32 {
        let part = |percent: u32| f64::from(start) * f64::from(percent) / 100.0;
        match (self, change) {
            (Self::Up, Change::Pods(pods)) => start + pods,
            (Self::Up, Change::Percent(percent)) => (f64::from(start) + part(percent)).ceil() as u32,
            (Self::Down, Change::Pods(pods)) => start.saturating_sub(pods),
            (Self::Down, Change::Percent(percent)) => (f64::from(start) - part(percent)).max(0.0) as u32,
        }
    }
}

//! The `HorizontalPodAutoscaler`'s algorithm (Kubernetes, Horizontal Pod Autoscaling: algorithm details, scaling policies,
//! stabilization window): recommendations, tolerance, stabilization, policies, bounds.
//!
//! It looks every 15 s (`simulation`); what a metric recommends, tolerance included, is `autoscaler`'s.

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
        self.recommended.retain(|(at, _)| now - at <= 3600.0);
        let within = |rules: &ScalingRules| {
            let since = now - rules.stabilization.as_secs_f64();
            let earlier = self.recommended.iter().filter(move |(at, _)| *at > since).map(|(_, wanted)| *wanted);
            earlier.chain([wanted])
        };
        // Upwards the least of the window holds, downwards the most.
        let least = within(&scale_up).min().unwrap_or(wanted);
        let most = within(&scale_down).max().unwrap_or(wanted);
        self.recommended.push((now, wanted));
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

    /// How far the policies let the replicas go, each from what there was when its period began.
    fn limit(&self, now: f64, current: u32, rules: &ScalingRules, direction: Direction) -> u32 {
        let limits = rules.policies.iter().map(|policy| {
            let since = now - policy.period.as_secs_f64();
            let recent = self.changes.iter().filter(|(at, _)| *at > since);
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

#[cfg(test)]
mod tests {
    use overspill::domain::Preset;

    use super::super::PERIOD;
    use super::*;

    /// The replicas after each look, `wanted` being what the metrics recommend at it, from `start` on.
    fn follow(preset: Preset, start: u32, wanted: &[u32]) -> Vec<u32> {
        let recipe = Recipe { min_replicas: 1, max_replicas: 100, ..preset.recipe() };
        let (mut hpa, mut current, mut now) = (Hpa::new(recipe), start, 0.0);
        let mut look = |wanted: &u32| {
            now += f64::from(PERIOD);
            current = hpa.decide(now, current, *wanted);
            current
        };
        wanted.iter().map(&mut look).collect()
    }

    #[test]
    fn upwards_the_larger_of_a_hundred_percent_and_four_pods_in_fifteen_seconds() {
        assert_eq!(follow(Preset::Online, 2, &[50; 5]), [6, 12, 24, 48, 50]);
        assert_eq!(follow(Preset::Online, 10, &[12, 11]), [12, 12]);
    }

    #[test]
    fn downwards_the_most_of_five_minutes_holds() {
        let replicas = follow(Preset::Online, 5, &[[8; 1].as_slice(), &[5; 30]].concat());
        // The recommendation of 8 is 300 s old at the twentieth look after it, and then no longer counted.
        assert_eq!((replicas[19], replicas[20]), (8, 7));
    }

    #[test]
    fn downwards_the_smaller_of_ten_percent_and_two_pods_in_a_minute() {
        let replicas = follow(Preset::Online, 40, &[1; 9]);
        assert_eq!(replicas, [38, 38, 38, 38, 36, 36, 36, 36, 34], "two pods are less than a tenth");
        let replicas = follow(Preset::Online, 15, &[1; 9]);
        assert_eq!(replicas, [13, 13, 13, 13, 11, 11, 11, 11, 9], "what is left of nine tenths is cut to whole pods");
        assert_eq!(follow(Preset::Online, 8, &[1; 5]), [7, 7, 7, 7, 6]);
    }

    #[test]
    fn a_period_begins_with_the_replicas_that_there_were_whichever_way_they_went() {
        // Ten lost two, and six came within the minute: what may go next is counted from the ten.
        let recipe = Recipe { min_replicas: 1, max_replicas: 100, ..Preset::Cost.recipe() };
        let mut hpa = Hpa::new(recipe);
        hpa.changes = vec![(100.0, -2), (110.0, 6)];
        assert_eq!(hpa.decide(120.0, 14, 1), 5, "half of the ten");
        assert_eq!(hpa.changes.last(), Some(&(120.0, -9)));
    }

    #[test]
    fn upwards_the_least_of_a_window_holds_where_there_is_one() {
        // The batch preset waits a minute on its way up, and may then add half, or two pods.
        assert_eq!(follow(Preset::Batch, 4, &[4, 9, 9, 9, 9, 9]), [4, 4, 4, 4, 6, 6]);
    }

    #[test]
    fn the_bounds_hold_whatever_is_recommended() {
        let mut hpa = Hpa::new(Preset::Online.recipe());
        assert_eq!(hpa.decide(15.0, 18, 90), 20);
        assert_eq!(Hpa::new(Preset::Online.recipe()).decide(15.0, 5, 0), 5);
    }
}

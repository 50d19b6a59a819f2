//! How many replicas a pool may have, and what its autoscaler goes by: the figures of a `PoolPolicy`'s `scaling` and of the
//! presets that it can name.

use std::num::NonZeroU32;
use std::time::Duration;

/// The recipes that a pool can name in place of figures of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Preset {
    /// For requests that somebody waits for: many replicas, up at once, down slowly.
    Online,
    /// For work that can wait: few replicas, well used.
    Batch,
    /// By requests that wait for an answer rather than by CPU alone.
    Custom,
    /// As few replicas as can be.
    Cost,
}

impl Preset {
    /// Each of them.
    pub const ALL: [Self; 4] = [Self::Online, Self::Batch, Self::Custom, Self::Cost];

    /// Its name in documents and on the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Online => "online",
            Self::Batch => "batch",
            Self::Custom => "custom",
            Self::Cost => "cost",
        }
    }

    /// The preset of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|preset| preset.as_str() == name)
    }

    /// Its figures.
    pub const fn recipe(self) -> Recipe {
        match self {
            Self::Online => ONLINE,
            Self::Batch => BATCH,
            Self::Custom => CUSTOM,
            Self::Cost => COST,
        }
    }
}

/// The figures of a `HorizontalPodAutoscaler` (`autoscaling/v2`).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Recipe {
    /// The fewest replicas; zero only where something starts them at zero.
    pub min_replicas: u32,
    /// The most replicas, at least 1 and no less than the fewest.
    pub max_replicas: u32,
    /// What each replica is to be kept at.
    pub targets: Targets,
    /// How fast replicas may be added.
    pub scale_up: ScalingRules,
    /// How fast replicas may be taken away.
    pub scale_down: ScalingRules,
}

/// What each replica is to be kept at; `None` is not gone by.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Targets {
    /// CPU in use, in percent of what the pod requests.
    pub cpu: Option<u32>,
    /// Memory in use, in percent of what the pod requests.
    pub memory: Option<u32>,
    /// Requests in a second.
    pub requests_per_second: Option<f64>,
    /// Requests that were accepted and are not yet answered.
    pub pending_requests: Option<u32>,
}

/// `HPAScalingRules` for one direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScalingRules {
    /// How long the most cautious of the recommendations is kept to.
    pub stabilization: Duration,
    /// Which of the policies holds.
    pub select: SelectPolicy,
    /// The changes that are allowed, at least one.
    pub policies: &'static [ScalingPolicy],
}

/// `selectPolicy` of `HPAScalingRules`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SelectPolicy {
    /// The one that allows the largest change.
    Max,
    /// The one that allows the smallest change.
    Min,
}

impl SelectPolicy {
    /// Its name in Kubernetes.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Max => "Max",
            Self::Min => "Min",
        }
    }
}

/// `HPAScalingPolicy`: the most that replicas may change by within a period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScalingPolicy {
    /// By how much.
    pub change: Change,
    /// Within how long: whole seconds, up to half an hour.
    pub period: Duration,
}

/// A change of the number of replicas.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// By so many percent of them.
    Percent(u32),
    /// By so many.
    Pods(u32),
}

const fn percent(change: u32, seconds: u64) -> ScalingPolicy {
    ScalingPolicy { change: Change::Percent(change), period: Duration::from_secs(seconds) }
}

const fn pods(change: u32, seconds: u64) -> ScalingPolicy {
    ScalingPolicy { change: Change::Pods(change), period: Duration::from_secs(seconds) }
}

const fn rules(stabilization: u64, select: SelectPolicy, policies: &'static [ScalingPolicy]) -> ScalingRules {
    ScalingRules { stabilization: Duration::from_secs(stabilization), select, policies }
}

const fn targets(cpu: u32, memory: Option<u32>, pending_requests: Option<u32>) -> Targets {
    Targets { cpu: Some(cpu), memory, requests_per_second: None, pending_requests }
}

const ONLINE: Recipe = Recipe {
    min_replicas: 5,
    max_replicas: 20,
    targets: targets(60, Some(70), None),
    scale_up: rules(0, SelectPolicy::Max, &[percent(100, 15), pods(4, 15)]),
    scale_down: rules(300, SelectPolicy::Min, &[percent(10, 60), pods(2, 60)]),
};

const BATCH: Recipe = Recipe {
    min_replicas: 2,
    max_replicas: 10,
    targets: targets(80, Some(85), None),
    scale_up: rules(60, SelectPolicy::Max, &[percent(50, 60), pods(2, 60)]),
    scale_down: rules(600, SelectPolicy::Min, &[percent(20, 120), pods(1, 120)]),
};

const CUSTOM: Recipe = Recipe {
    min_replicas: 3,
    max_replicas: 15,
    targets: targets(70, None, Some(50)),
    scale_up: rules(30, SelectPolicy::Max, &[percent(100, 15)]),
    scale_down: rules(300, SelectPolicy::Max, &[percent(10, 60)]),
};

/// Upwards as Kubernetes does it by default.
const COST: Recipe = Recipe {
    min_replicas: 1,
    max_replicas: 10,
    targets: targets(50, None, None),
    scale_up: rules(0, SelectPolicy::Max, &[percent(100, 15), pods(4, 15)]),
    scale_down: rules(300, SelectPolicy::Max, &[percent(50, 300)]),
};

/// `PoolPolicy.scaling`, as it is written: what is `None` is the preset's.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scaling {
    /// The recipe; `None` leaves it to whoever asks.
    pub preset: Option<Preset>,
    /// The fewest replicas.
    pub min_replicas: Option<u32>,
    /// The most replicas, at least 1.
    pub max_replicas: Option<u32>,
    /// The requests at once that one replica carries; `None` learns it from what is measured.
    pub target_concurrency: Option<f64>,
    /// How long a replica takes from being asked for to its first answer; `None` is [`COLD_START`].
    pub cold_start: Option<Duration>,
    /// What each replica is to be kept at.
    pub targets: Targets,
    /// What is scaled.
    pub scale_target: ScaleTarget,
}

/// The cold start of a pool that does not say: loading a model takes 30 to 60 s.
pub const COLD_START: Duration = Duration::from_secs(45);

/// The latency that users of a pool expect where it does not say: the one that operators alert on.
pub const LATENCY_OBJECTIVE: Duration = Duration::from_millis(500);

/// The bounds of a pool's waiting room: `PoolPolicy.holdAtZero`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hold {
    /// Requests that wait at most.
    pub max_requests: NonZeroU32,
    /// Bytes of bodies that these are to send at most.
    pub max_bytes: u64,
    /// How long one waits at most.
    pub timeout: Duration,
}

/// `PoolPolicy.scaling.scaleTargetRef`: the object whose replicas the pool's endpoints are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ScaleTarget {
    /// Its API group and version; `None` is `apps/v1`.
    pub api_version: Option<String>,
    /// Its kind; `None` is `Deployment`.
    pub kind: Option<String>,
    /// Its name; `None` is the name of the pool's service.
    pub name: Option<String>,
}

impl ScaleTarget {
    /// What is scaled for a pool of the service called `service`: its API group and version, its kind and its name.
    pub fn of<'t>(&'t self, service: &'t str) -> (&'t str, &'t str, &'t str) {
        let Self { api_version, kind, name } = self;
        let api_version = api_version.as_deref().unwrap_or("apps/v1");
        (api_version, kind.as_deref().unwrap_or("Deployment"), name.as_deref().unwrap_or(service))
    }
}

/// The longest name that Kubernetes takes for an object, in characters.
const LONGEST_NAME: usize = 253;

/// Whether Kubernetes takes `name` for an object: a subdomain of RFC 1123, in lower case.
pub fn is_object_name(name: &str) -> bool {
    let sound = |one: char| one.is_ascii_lowercase() || one.is_ascii_digit();
    let is_part = |part: &str| {
        part.starts_with(sound) && part.ends_with(sound) && part.chars().all(|one| sound(one) || one == '-')
    };
    name.len() <= LONGEST_NAME && name.split('.').all(is_part)
}

impl Scaling {
    /// The figures in force: those written, and the preset's, else `default`'s, where nothing is. The fewest replicas of a
    /// preset are no more than the most that were written, and its most no less than the fewest.
    pub fn recipe(&self, default: Preset) -> Recipe {
        let recipe = self.preset.unwrap_or(default).recipe();
        let max_replicas = self.max_replicas.unwrap_or(recipe.max_replicas).max(1);
        let max_replicas = self.max_replicas.unwrap_or(max_replicas.max(self.min_replicas.unwrap_or(0)));
        Recipe {
            min_replicas: self.min_replicas.unwrap_or(recipe.min_replicas).min(max_replicas),
            max_replicas,
            targets: Targets {
                cpu: self.targets.cpu.or(recipe.targets.cpu),
                memory: self.targets.memory.or(recipe.targets.memory),
                requests_per_second: self.targets.requests_per_second.or(recipe.targets.requests_per_second),
                pending_requests: self.targets.pending_requests.or(recipe.targets.pending_requests),
            },
            ..recipe
        }
    }

    /// How long a replica takes from being asked for to its first answer.
    pub fn cold_start(&self) -> Duration {
        self.cold_start.unwrap_or(COLD_START)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_kubernetes_refuses_are_known() {
        let (longest, longer) = ("a.".repeat(126) + "a", "a.".repeat(126) + "aa");
        for (name, expected) in [
            ("gpu", true),
            ("1gpu", true),
            ("gpu.example.com", true),
            (&*longest, true),
            (&*longer, false),
            ("", false),
            ("GPU", false),
            ("my_gpu", false),
            ("-gpu", false),
            ("gpu-", false),
            ("gpu..b", false),
            ("*.example.com", false),
            ("gpü", false),
        ] {
            assert_eq!(is_object_name(name), expected, "{name}");
        }
    }

    #[test]
    fn what_is_written_goes_before_the_preset() {
        let bounds = |preset, min_replicas, max_replicas| {
            let recipe = Scaling { preset, min_replicas, max_replicas, ..Scaling::default() }.recipe(Preset::Batch);
            (recipe.min_replicas, recipe.max_replicas)
        };
        assert_eq!(bounds(None, None, None), (2, 10));
        assert_eq!(bounds(Some(Preset::Online), None, None), (5, 20));
        assert_eq!(bounds(Some(Preset::Online), Some(0), None), (0, 20));
        assert_eq!(bounds(Some(Preset::Online), None, Some(3)), (3, 3));
        assert_eq!(bounds(Some(Preset::Cost), Some(30), None), (30, 30));
    }

    #[test]
    fn a_written_target_leaves_the_others_to_the_preset() {
        let targets = Targets { cpu: Some(75), requests_per_second: Some(25.0), ..Targets::default() };
        let recipe = Scaling { targets, ..Scaling::default() }.recipe(Preset::Online);
        assert_eq!(recipe.targets, Targets { memory: Some(70), ..targets });
    }

    #[test]
    fn every_preset_can_be_carried_out() {
        for preset in Preset::ALL {
            let recipe = preset.recipe();
            assert_eq!(Preset::named(preset.as_str()), Some(preset));
            assert!(recipe.min_replicas <= recipe.max_replicas);
            for rules in [recipe.scale_up, recipe.scale_down] {
                assert!(!rules.policies.is_empty() && rules.stabilization <= Duration::from_hours(1));
                assert!(rules.policies.iter().all(|policy| policy.period <= Duration::from_mins(30)));
            }
        }
    }
}

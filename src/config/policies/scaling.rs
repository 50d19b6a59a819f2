//! `PoolPolicy.scaling` into what a pool is scaled by.

use std::num::NonZeroU32;
use std::time::Duration;

use crate::config::finding::{Remark, remark};
use crate::config::settings::duration;
use crate::config::written::{HoldAtZero, PoolScaling, ScaleTargetRef, ScalingTargets};
use crate::domain::{Hold, Preset, ScaleTarget, Scaling, Targets, is_object_name, parse_duration};

/// As many as the serving limits of one instance allow at once.
const HELD_REQUESTS: u32 = 100;
/// As much as the largest body by default.
const HELD_BYTES: u64 = 10_485_760;
/// As long as a model takes to load.
const HELD_FOR: Duration = Duration::from_mins(1);

/// The room for requests to a pool without endpoints.
pub(super) fn hold(written: &HoldAtZero) -> Hold {
    Hold {
        max_requests: NonZeroU32::new(written.max_requests.unwrap_or(HELD_REQUESTS)).unwrap_or(NonZeroU32::MIN),
        max_bytes: written.max_bytes.unwrap_or(HELD_BYTES),
        timeout: duration(written.timeout.as_deref(), HELD_FOR),
    }
}

/// What is written, once it is known not to contradict itself.
///
/// # Errors
/// The field that does, by its path below `scaling`, and why.
pub(super) fn resolve(written: &PoolScaling) -> Result<Scaling, (&'static str, Remark)> {
    if let (Some(min), Some(max)) = (written.min_replicas, written.max_replicas)
        && min > max
    {
        let said = remark(
            format!("There cannot be at least {min} replicas and at most {max}."),
            "Write `minReplicas` no larger than `maxReplicas`.",
        );
        return Err(("minReplicas", said));
    }
    let ScalingTargets { cpu, memory, requests_per_second, pending_requests } = written.targets;
    let ScaleTargetRef { api_version, kind, name } = &written.scale_target_ref;
    if let Some(name) = name.as_deref().filter(|name| !is_object_name(name)) {
        let said = remark(
            format!("`{name}` is no name of an object: it is to be a lowercase RFC 1123 subdomain."),
            "Write the name of what is scaled: at most 253 lowercase letters, digits, `-` and `.`.",
        );
        return Err(("scaleTargetRef.name", said));
    }
    Ok(Scaling {
        preset: written.preset.as_deref().and_then(Preset::named),
        min_replicas: written.min_replicas,
        max_replicas: written.max_replicas,
        target_concurrency: written.target_concurrency,
        cold_start: written.cold_start.as_deref().and_then(|text| parse_duration(text).ok()),
        targets: Targets { cpu, memory, requests_per_second, pending_requests },
        scale_target: ScaleTarget { api_version: api_version.clone(), kind: kind.clone(), name: name.clone() },
    })
}

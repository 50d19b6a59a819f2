//! `PoolPolicy.scaling` into what a pool is scaled by.

use crate::config::finding::{Remark, remark};
use crate::config::written::{PoolScaling, ScaleTargetRef, ScalingTargets};
use crate::domain::{Preset, ScaleTarget, Scaling, Targets, parse_duration};

/// What is written, once it is known not to contradict itself.
///
/// # Errors
/// The field that does, and why.
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

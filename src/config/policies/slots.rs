//! How many requests a pool takes at once, and which of those that wait comes first.

use std::num::NonZeroU32;

use crate::config::finding::{Remark, remark};
use crate::config::written::PoolPolicy;
use crate::domain::{AdaptiveSlots, QueueOrder};

/// Where an adaptive limit begins that is not told: the default of Netflix's concurrency-limits.
const BEGIN: NonZeroU32 = NonZeroU32::new(20).expect("20 is not zero");
/// The least that an adaptive limit falls to by default: with one request at a time nothing is learned of two.
const MIN: NonZeroU32 = NonZeroU32::new(2).expect("2 is not zero");
/// The most that it rises to by default, Envoy's `max_requests`.
const MAX: NonZeroU32 = NonZeroU32::new(1024).expect("1024 is not zero");

/// The slots of each endpoint, where an adaptive limit begins; `None` leaves them to the default.
pub(super) fn begin(policy: &PoolPolicy) -> Option<NonZeroU32> {
    let written = policy.slots_per_endpoint.and_then(NonZeroU32::new);
    written.or(is_adaptive(policy).then_some(BEGIN))
}

/// The bounds of an adaptive limit, where the policy asks for one.
///
/// # Errors
/// The field of `slots` that is wrong, and why.
pub(super) fn resolve(policy: &PoolPolicy) -> Result<Option<AdaptiveSlots>, (&'static str, Remark)> {
    let Some(slots) = &policy.slots else { return Ok(None) };
    if !is_adaptive(policy) {
        let bound = slots.min.map(|_| "min").or(slots.max.map(|_| "max"));
        let cure = "Write `mode: Adaptive`, or `slotsPerEndpoint` alone.";
        return bound.map_or(Ok(None), |field| Err((field, remark("A fixed limit has no bounds.", cure))));
    }
    let max = slots.max.and_then(NonZeroU32::new).unwrap_or(MAX);
    let min = slots.min.and_then(NonZeroU32::new).unwrap_or(MIN.min(max));
    if min > max {
        let message = format!("The least limit, {min}, is above the most, {max}.");
        return Err(("min", remark(message, "Write a `min` that is not above `max`.")));
    }
    Ok(Some(AdaptiveSlots { min, max }))
}

/// The order of its queue.
pub(super) fn order(policy: &PoolPolicy) -> QueueOrder {
    let known = |order: &QueueOrder| Some(order.as_str()) == policy.queue.order.as_deref();
    QueueOrder::ALL.into_iter().find(known).unwrap_or_default()
}

fn is_adaptive(policy: &PoolPolicy) -> bool {
    policy.slots.as_ref().and_then(|slots| slots.mode.as_deref()) == Some("Adaptive")
}

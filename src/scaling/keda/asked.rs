//! What a trigger asks for, by its metadata, and what is answered.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use super::messages::{
    GetMetricSpecResponse, GetMetricsRequest, GetMetricsResponse, IsActiveResponse, MetricSpec, MetricValue,
    ScaledObjectRef,
};
use crate::scaling::{Metric, PoolReport, Report};

/// Warnings that are remembered, so that each is logged once.
const MOST_WARNINGS: usize = 1024;
/// Of a longer name the beginning is shown, in characters.
const LONGEST_SHOWN: usize = 128;

/// An answer, with what is wrong with the question.
pub(super) struct Answered<M> {
    pub(super) message: M,
    pub(super) warning: Option<String>,
}

/// One trigger.
#[derive(Clone, Debug)]
pub(super) struct Trigger {
    pool: String,
    metric: Option<String>,
    target: Option<String>,
    object: String,
}

impl Trigger {
    /// The trigger of `asking`: `pool` in its metadata, `metric` and `targetValue` where it wants others than the default.
    pub(super) fn of(asking: Option<&ScaledObjectRef>) -> Self {
        let text = |key: &str| asking.and_then(|asking| asking.scaler_metadata.get(key)).cloned();
        Self {
            pool: text("pool").unwrap_or_default(),
            metric: text("metric"),
            target: text("targetValue"),
            object: asking.map(|asking| format!("{}/{}", asking.namespace, asking.name)).unwrap_or_default(),
        }
    }

    pub(super) fn is_active(&self, report: &Report) -> Answered<IsActiveResponse> {
        let pool = self.pool(report);
        let result = pool.as_ref().is_ok_and(|pool| pool.load.active);
        Answered { message: IsActiveResponse { result }, warning: pool.err() }
    }

    /// Never without a spec: KEDA would be left without any.
    pub(super) fn spec(&self, report: &Report) -> Answered<GetMetricSpecResponse> {
        let (metric, mut warning) = self.metric("");
        let written = self.target.as_deref().map(str::parse::<f64>);
        let target = match (written, self.pool(report)) {
            (Some(Ok(target)), _) if target.is_finite() && target > 0.0 => target,
            (written, pool) => {
                warning =
                    warning.or_else(|| written.is_some().then(|| self.wrong("targetValue", "no number over zero")));
                warning = warning.or_else(|| pool.as_ref().err().cloned());
                pool.map_or(1.0, |pool| metric.target(pool))
            }
        };
        let spec = MetricSpec {
            metric_name: metric.as_str().to_owned(),
            target_size: whole(target).max(1),
            target_size_float: target,
        };
        Answered { message: GetMetricSpecResponse { metric_specs: vec![spec] }, warning }
    }

    /// The value of the metric that `asking` names, under the name that it uses.
    pub(super) fn metrics(&self, asking: &GetMetricsRequest, report: &Report) -> Answered<GetMetricsResponse> {
        let (metric, warning) = self.metric(&asking.metric_name);
        let pool = self.pool(report);
        let value = pool.as_ref().map_or(0.0, |pool| metric.value(pool));
        let name = if asking.metric_name.is_empty() { metric.as_str() } else { &asking.metric_name };
        let value = MetricValue { metric_name: name.to_owned(), metric_value: whole(value), metric_value_float: value };
        Answered { message: GetMetricsResponse { metric_values: vec![value] }, warning: warning.or(pool.err()) }
    }

    fn pool<'r>(&self, report: &'r Report) -> Result<&'r PoolReport, String> {
        report.pool(&self.pool).ok_or_else(|| self.wrong("pool", "no pool of this router's configuration"))
    }

    /// The metric named in the request, else in the metadata, else the default.
    fn metric(&self, requested: &str) -> (Metric, Option<String>) {
        let written = self.metric.as_deref().map(Metric::named);
        let metric = Metric::named(requested).or(written.flatten()).unwrap_or(Metric::DesiredReplicas);
        (metric, matches!(written, Some(None)).then(|| self.wrong("metric", "no metric of this router")))
    }

    fn wrong(&self, field: &str, why: &str) -> String {
        let value = match field {
            "pool" => &self.pool,
            "metric" => self.metric.as_deref().unwrap_or_default(),
            _ => self.target.as_deref().unwrap_or_default(),
        };
        format!("{field} \"{}\" of the trigger of {} is {why}", shown(value), shown(&self.object))
    }
}

/// A client's text as metadata can hold it: visible ASCII, and its beginning alone where it is long. Clients of gRPC take
/// 8 KiB of metadata in all.
fn shown(text: &str) -> String {
    let end = text.char_indices().nth(LONGEST_SHOWN).map_or(text.len(), |(end, _)| end);
    let rest = if end < text.len() { "..." } else { "" };
    format!("{}{rest}", text[..end].escape_default())
}

/// Up to the next whole number: what is needed in part is needed.
#[expect(clippy::cast_possible_truncation, reason = "figures of requests and replicas are far below 2^63")]
fn whole(value: f64) -> i64 {
    (value - 1e-6).ceil() as i64
}

/// Logs each warning once.
#[derive(Clone, Debug, Default)]
pub(super) struct Warnings(Arc<Mutex<BTreeSet<String>>>);

impl Warnings {
    pub(super) fn note(&self, warning: &str) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() < MOST_WARNINGS && known.insert(warning.to_owned()) {
            tracing::warn!(
                warning,
                "an external scaler's trigger cannot be answered; it is told that nothing is asked for"
            );
        }
    }
}

//! Readings from a Prometheus: `query_range` over the past that the runbook looks at.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::Uri;
use serde_json::Value;

use super::routers::whole;
use super::rule::{History, Reading};
use super::{AdviseArgs, Known, PATIENCE};
use crate::cli::fetch::{Asking, FetchError};

/// What is asked, by pool. Requests of all routers add up; what each of them knows of the pool is the same.
const QUERIES: [&str; 7] = [
    "histogram_quantile(0.99, sum by (pool, le) (rate(overspill_request_duration_seconds_bucket[1m])))",
    "(sum by (pool) (rate(overspill_requests_total{response_code=~\"5..\"}[1m])) or \
     0 * sum by (pool) (rate(overspill_requests_total[1m]))) / sum by (pool) (rate(overspill_requests_total[1m]))",
    "sum by (pool) (overspill_pool_concurrency) / (max by (pool) (overspill_pool_target_concurrency) \
     * on (pool) max by (pool) (overspill_pool_endpoints{state=\"admitting\"}))",
    "max by (pool) (overspill_pool_endpoints{state=\"admitting\"})",
    "max by (pool) (overspill_pool_latency_objective_seconds)",
    "max by (pool) (overspill_min_replicas)",
    "max by (pool) (overspill_max_replicas)",
];

/// The values of one query at one moment, in milliseconds since 1970, by pool.
type Series = BTreeMap<(String, u64), f64>;

/// What the Prometheus at `url` knows of every pool.
///
/// # Errors
/// [`FetchError`] where it does not answer, or not as a Prometheus does.
pub(super) async fn read(url: &Uri, args: &AdviseArgs) -> Result<Known, FetchError> {
    let mut all: Vec<Series> = Vec::new();
    for query in QUERIES {
        let url = range(url, query, args)?;
        let body = Asking::get(url.clone(), PATIENCE).send().await?;
        all.push(series(&body).ok_or_else(|| wrong(&url, "it is no answer of Prometheus"))?);
    }
    Ok(Known { pools: histories(&all, args.objective.as_secs_f64()), faults: Vec::new() })
}

fn wrong(url: &Uri, why: &str) -> FetchError {
    FetchError::Http { url: url.clone(), why: why.into() }
}

/// The URL of one range query.
fn range(base: &Uri, query: &str, args: &AdviseArgs) -> Result<Uri, FetchError> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let start = now.saturating_sub(args.span());
    let encode = |byte: u8| {
        if byte.is_ascii_alphanumeric() { char::from(byte).to_string() } else { format!("%{byte:02X}") }
    };
    let query: String = query.bytes().map(encode).collect();
    let base_text = base.to_string();
    let text = format!(
        "{}/api/v1/query_range?query={query}&start={}&end={}&step={}",
        base_text.trim_end_matches('/'),
        start.as_secs_f64(),
        now.as_secs_f64(),
        args.every.as_secs_f64().max(0.1),
    );
    text.parse().map_err(|_| wrong(base, "the URL cannot be asked for a range"))
}

/// The samples of an answer; values that are no number, as those of a pool without answers, are left out.
fn series(body: &[u8]) -> Option<Series> {
    let answer: Value = serde_json::from_slice(body).ok()?;
    let mut found = Series::new();
    for one in answer["data"]["result"].as_array()? {
        let pool = one["metric"]["pool"].as_str().unwrap_or_default();
        if pool.is_empty() || pool == "local" {
            continue;
        }
        for sample in one["values"].as_array()? {
            let at = Duration::try_from_secs_f64(sample[0].as_f64()?).ok()?;
            let value: f64 = sample[1].as_str()?.parse().ok()?;
            if value.is_finite() {
                found.insert((pool.to_owned(), u64::try_from(at.as_millis()).ok()?), value);
            }
        }
    }
    Some(found)
}

/// Readings wherever the endpoints are known.
fn histories(all: &[Series], objective: f64) -> BTreeMap<String, History> {
    let [p99, errors, used, replicas, objectives, fewest, most] = all else { return BTreeMap::new() };
    let mut pools: BTreeMap<String, History> = BTreeMap::new();
    for (key, count) in replicas {
        let history = pools.entry(key.0.clone()).or_default();
        let of = |series: &Series| series.get(key).copied();
        history.objective = of(objectives).unwrap_or(objective);
        history.bounds = (of(fewest).map(whole), of(most).map(whole));
        history.readings.push(Reading {
            at: Duration::from_millis(key.1),
            p99: of(p99),
            errors: of(errors),
            used: of(used),
            replicas: whole(*count),
        });
    }
    pools
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_become_readings() {
        let answer = |values: &str| {
            let text = format!(
                r#"{{"status":"success","data":{{"resultType":"matrix","result":[{{"metric":{{"pool":"gpu:80"}},"values":{values}}}]}}}}"#
            );
            series(text.as_bytes()).expect("an answer")
        };
        let nothing = || answer("[]");
        let all = [
            answer(r#"[[10,"0.7"],[25,"NaN"]]"#),
            answer(r#"[[10,"0.01"]]"#),
            nothing(),
            answer(r#"[[10,"4"],[25,"5"]]"#),
            nothing(),
            answer(r#"[[25,"2"]]"#),
            nothing(),
        ];
        let pools = histories(&all, 0.5);
        let history = &pools["gpu:80"];
        assert_eq!((history.bounds, history.readings.len()), ((Some(2), None), 2));
        let first =
            Reading { at: Duration::from_secs(10), p99: Some(0.7), errors: Some(0.01), used: None, replicas: 4 };
        assert_eq!(history.readings[0], first);
        assert_eq!((history.readings[1].p99, history.readings[1].replicas), (None, 5));
        assert!(series(b"<html>").is_none() && series(b"{}").is_none());
    }
}

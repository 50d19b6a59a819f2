//! Readings from a Prometheus: `query_range` over the past that the runbook looks at.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::Uri;
use serde_json::Value;

use super::rule::{History, Reading, Target, whole};
use super::{AdviseArgs, Known, PATIENCE};
use crate::cli::fetch::{Asking, FetchError};

/// The pool that the local model's series name.
const LOCAL: &str = "local";

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

/// What is scaled for each pool.
const TARGETS: &str = "max by (pool, target_api_version, target_kind, target_namespace, target_name) \
                       (overspill_pool_scale_target_info)";

/// The values of one query at one moment, in milliseconds since 1970, by pool.
type Series = BTreeMap<(String, u64), f64>;

/// What the Prometheus at `url` knows of every pool.
///
/// # Errors
/// [`FetchError`] where it does not answer, or not as a Prometheus does.
pub(super) async fn read(url: &Uri, args: &AdviseArgs) -> Result<Known, FetchError> {
    let mut all: Vec<Series> = Vec::new();
    // One end for all of them: samples belong together by their moment.
    let end = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    for query in QUERIES {
        all.push(series(&ask(url, query, (args, end)).await?));
    }
    let targets = targets(&ask(url, TARGETS, (args, end)).await?);
    let mut pools = histories(&all, args.objective.as_secs_f64());
    for (pool, history) in &mut pools {
        history.target = targets.get(pool).map(|(_, target)| target.clone());
    }
    Ok(Known { pools, faults: Vec::new() })
}

/// The series that `query` gives over the past.
async fn ask(base: &Uri, query: &str, span: (&AdviseArgs, Duration)) -> Result<Vec<Value>, FetchError> {
    let url = range(base, query, span)?;
    let body = Asking::get(url.clone(), PATIENCE).send().await?;
    result(&body).map_err(|why| wrong(&url, &why))
}

/// The series of an answer, or why there are none.
fn result(body: &[u8]) -> Result<Vec<Value>, String> {
    let answer: Value = serde_json::from_slice(body).unwrap_or_default();
    match (&answer["data"]["result"], answer["error"].as_str()) {
        (Value::Array(series), _) => Ok(series.clone()),
        (_, Some(error)) => Err(error.to_owned()),
        _ => Err("it is no answer of Prometheus".to_owned()),
    }
}

fn wrong(url: &Uri, why: &str) -> FetchError {
    FetchError::Http { url: url.clone(), why: why.into() }
}

/// The URL of one query over the time that ends at `end`, since 1970.
fn range(base: &Uri, query: &str, (args, end): (&AdviseArgs, Duration)) -> Result<Uri, FetchError> {
    let start = end.saturating_sub(args.span());
    let encode = |byte: u8| {
        if byte.is_ascii_alphanumeric() { char::from(byte).to_string() } else { format!("%{byte:02X}") }
    };
    let query: String = query.bytes().map(encode).collect();
    let base_text = base.to_string();
    let text = format!(
        "{}/api/v1/query_range?query={query}&start={}&end={}&step={}",
        base_text.trim_end_matches('/'),
        start.as_secs_f64(),
        end.as_secs_f64(),
        args.every.as_secs_f64().max(0.1),
    );
    text.parse().map_err(|_| wrong(base, "the URL cannot be asked for a range"))
}

/// The pool of a series; the local model has no endpoints to scale.
fn pool_of(one: &Value) -> Option<&str> {
    one["metric"]["pool"].as_str().filter(|pool| !pool.is_empty() && *pool != LOCAL)
}

/// The moments and values of a series; those that are no number, as of a pool without answers, are left out.
fn samples(one: &Value) -> impl Iterator<Item = (u64, f64)> {
    let sample = |sample: &Value| {
        let at = Duration::try_from_secs_f64(sample[0].as_f64()?).ok()?;
        let value: f64 = sample[1].as_str()?.parse().ok()?;
        value.is_finite().then_some((u64::try_from(at.as_millis()).ok()?, value))
    };
    one["values"].as_array().into_iter().flatten().filter_map(sample)
}

/// The samples of an answer.
fn series(result: &[Value]) -> Series {
    let of = |one| pool_of(one).into_iter().flat_map(move |pool| samples(one).map(move |it| (pool, it)));
    result.iter().flat_map(of).map(|(pool, (at, value))| ((pool.to_owned(), at), value)).collect()
}

/// What is scaled for each pool, with when it was last said: the newest where that has changed.
fn targets(result: &[Value]) -> BTreeMap<String, (u64, Target)> {
    let mut found: BTreeMap<String, (u64, Target)> = BTreeMap::new();
    for one in result {
        let Some((pool, (at, _))) = pool_of(one).zip(samples(one).last()) else { continue };
        let target = Target::read(|label| one["metric"][label].as_str().unwrap_or_default());
        if found.get(pool).is_none_or(|(known, _)| *known < at) {
            found.insert(pool.to_owned(), (at, target));
        }
    }
    found
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
    use serde_json::json;

    use super::*;

    #[test]
    fn answers_become_readings() {
        let answer = |values: &str| {
            let text = format!(
                r#"{{"status":"success","data":{{"resultType":"matrix","result":[{{"metric":{{"pool":"gpu:80"}},"values":{values}}}]}}}}"#
            );
            series(&result(text.as_bytes()).expect("an answer"))
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
    }

    #[test]
    fn what_is_no_answer_is_told_in_its_own_words() {
        let strange = Err("it is no answer of Prometheus".to_owned());
        assert_eq!((result(b"<html>"), result(b"{}")), (strange.clone(), strange));
        let failed = br#"{"status":"error","errorType":"timeout","error":"query timed out"}"#;
        assert_eq!(result(failed), Err("query timed out".to_owned()));
    }

    #[test]
    fn the_newest_target_counts() {
        let one = |name: &str, at: u32| {
            json!({
                "metric": { "pool": "gpu:80", "target_api_version": "apps/v1", "target_kind": "Deployment",
                    "target_namespace": "agents", "target_name": name },
                "values": [[10, "1"], [at, "1"]],
            })
        };
        for all in [[one("old", 25), one("new", 40)], [one("new", 40), one("old", 25)]] {
            assert_eq!(targets(&all)["gpu:80"].1.name, "new");
        }
    }
}

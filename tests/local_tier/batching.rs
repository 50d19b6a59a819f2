//! What waits, what is computed together, and what is refused because it would come too late.

use super::harness::{Client, Metrics, Router, Wire, get};
use super::{INT8, embed, local_only, model, send, texts};

const BATCHED: &str = "overspill_local_model_batch_size_sum";
const QUEUED: &str = "overspill_local_model_queue_size";
const ERRORS: &str = "overspill_local_model_inference_errors_total";
const GIVEN_UP: [(&str, &str); 1] = [("reason", "client_disconnected")];
const CACHE: &str = "overspill_local_model_tokenizer_cache_total";

fn start(rule: &str, settings: &str) -> Router {
    Router::start(&local_only(&model(), rule, &format!("{INT8}, {settings}")))
}

/// A rule's time in which a thousand texts can be computed, however busy the machine is: else they would be refused at once.
const PATIENT: &str = "timeout: 1h,";

/// The texts that were computed.
fn computed(metrics: &Metrics) -> u64 {
    metrics.count(BATCHED, &[])
}

#[test]
fn what_cannot_be_answered_in_time_is_refused_at_once_with_the_time_it_would_take() {
    let router = start("timeout: 2s,", "");
    let reply = embed(&router, &texts(2000));
    assert_eq!(reply.head.status, 429, "{reply:?}");
    let status = reply.head.value("proxy-status");
    assert!(status.contains("local_too_late at local (it would take ") && status.contains(" s)"), "{status}");
    assert!(reply.head.value("retry-after").parse::<u32>().expect("seconds") > 1, "{reply:?}");
    assert_eq!(reply.json()["error"]["code"], "local_too_late");
    let message = reply.json()["error"]["message"].to_string();
    assert!(message.contains("it would take ") && message.contains(" s"), "{message}");
    assert_eq!(computed(&router.metrics()), 0, "nothing was computed for it");
    assert_eq!(embed(&router, &texts(1)).head.status, 200);
}

#[test]
fn one_text_is_not_kept_waiting_by_a_thousand() {
    let router = start(PATIENT, "");
    let mut thousand = send(router.traffic, &texts(1000));
    router.wait_for("the thousand wait", |metrics| metrics.count(QUEUED, &[]) > 500);
    for _ in 0..5 {
        assert_eq!(embed(&router, &texts(1)).head.status, 200);
    }
    assert!(router.metrics().count(QUEUED, &[]) > 100, "behind the thousand they would have found none waiting");
    let reply = thousand.read_reply();
    assert_eq!(reply.head.status, 200, "{reply:?}");
    let data = reply.json();
    let data = data["data"].as_array().expect("vectors");
    assert!(data.len() == 1000 && data.iter().enumerate().all(|(index, one)| one["index"] == index));
    assert_eq!(computed(&router.metrics()), 1005);
}

#[test]
fn what_its_client_gave_up_is_not_computed() {
    let router = start(PATIENT, "");
    let gone = send(router.traffic, &texts(1000));
    router.wait_for("the thousand wait", |metrics| metrics.count(QUEUED, &[]) > 500);
    drop(gone);
    router.wait_for("the queue is empty", |metrics| metrics.count(QUEUED, &[]) == 0);
    assert!(computed(&router.metrics()) < 500);
    assert_eq!(embed(&router, &texts(1)).head.status, 200);
    router.wait_for("it is counted", |metrics| metrics.count(ERRORS, &GIVEN_UP) == 1);
}

#[test]
fn a_stream_of_http2_that_is_reset_is_given_up_and_its_connection_goes_on() {
    let router = start(PATIENT, "");
    let body = serde_json::json!({ "model": "any", "input": texts(1000) }).to_string();
    let mut client = Client::connect(router.traffic, Wire::H2);
    let fields = [("content-type", "application/json")];
    let mut call = client.start("POST", "/v1/embeddings", &fields);
    call.send(&body);
    call.finish();
    router.wait_for("the thousand wait", |metrics| metrics.count(QUEUED, &[]) > 500);
    call.cancel();
    router.wait_for("it is given up", |metrics| metrics.count(ERRORS, &GIVEN_UP) == 1);
    router.wait_for("the queue is empty", |metrics| metrics.count(QUEUED, &[]) == 0);
    assert!(computed(&router.metrics()) < 500);
    let one = serde_json::json!({ "model": "any", "input": "one" }).to_string();
    assert_eq!(client.ask("POST", "/v1/embeddings", &fields, &one).head.status, 200);
}

#[test]
fn large_bodies_are_read_and_written_as_small_ones_are() {
    let router = start("", "");
    let reply = embed(&router, &["x".repeat(1 << 20)]);
    assert_eq!(reply.head.status, 200, "{reply:?}");
    let reply = embed(&router, &["x".repeat(1 << 16), String::new()]);
    assert_eq!((reply.head.status, &reply.json()["error"]["type"]), (400, &"invalid_request_error".into()));
    let many = embed(&router, &texts(40)).json();
    for (index, text) in texts(40).iter().enumerate() {
        let alone = embed(&router, std::slice::from_ref(text)).json();
        let cosine = |one: &serde_json::Value, other: &serde_json::Value| -> f64 {
            let numbers = |vector: &serde_json::Value| -> Vec<f64> {
                vector.as_array().into_iter().flatten().filter_map(serde_json::Value::as_f64).collect()
            };
            numbers(one).iter().zip(numbers(other)).map(|(one, other)| one * other).sum()
        };
        let found = cosine(&many["data"][index]["embedding"], &alone["data"][0]["embedding"]);
        // The quantised model's vectors depend on what is computed with them.
        assert!(found > 0.9, "{index}: {found}");
    }
    assert_eq!(many["usage"]["total_tokens"].as_u64().map(|tokens| tokens > 400), Some(true));
}

#[test]
fn the_queue_is_bounded_in_texts_in_tokens_and_in_bytes() {
    for bound in ["queue: 20", "queueTokens: 600", "queueBytes: 2000"] {
        let router = start(PATIENT, bound);
        let first = send(router.traffic, &texts(1000));
        router.wait_for("the first waits", |metrics| metrics.count(QUEUED, &[]) > 500);
        assert_eq!(embed(&router, &texts(1)).head.status, 200, "{bound}: one of a thousand leaves room");
        let second = send(router.traffic, &texts(1000));
        router.wait_for("the second waits", |metrics| metrics.count(QUEUED, &[]) > 1100);
        let reply = embed(&router, &texts(1000));
        assert_eq!(reply.head.status, 429, "{bound}: {}", reply.head.value("proxy-status"));
        assert!(reply.head.value("proxy-status").contains("local_queue_full"), "{bound}: {reply:?}");
        assert_eq!(embed(&router, &texts(1)).head.status, 200, "{bound}: large ones leave room for a small one");
        drop((first, second));
    }
}

#[test]
fn texts_that_came_before_are_not_tokenised_again() {
    let router = start("", "tokenizerCache: 3");
    let of = |result| router.metrics().count(CACHE, &[("result", result)]);
    let first = embed(&router, &texts(1)).json();
    for (asked, hits, misses) in [(2, 1, 2), (2, 3, 2), (1, 4, 2)] {
        assert_eq!(embed(&router, &texts(asked)).head.status, 200);
        assert_eq!((of("hit"), of("miss")), (hits, misses));
    }
    assert!(first == embed(&router, &texts(1)).json(), "remembered tokens give the same answer");
}

#[test]
fn a_batch_holds_as_many_texts_and_tokens_as_the_settings_say() {
    for (settings, least) in [("maxBatch: 4", 24 / 4), ("maxBatch: 64, maxBatchTokens: 64", 24 / 2)] {
        let router = start("", settings);
        assert_eq!(embed(&router, &texts(24)).head.status, 200);
        let metrics = router.metrics();
        assert_eq!(computed(&metrics), 24);
        let batches = metrics.count("overspill_local_model_batch_size_count", &[]);
        assert!(batches >= least, "{settings}: {batches} batches");
    }
}

#[test]
fn the_settings_are_shown_as_they_are_in_force() {
    let router = start("", "batchWindow: 20ms, maxBatchTokens: 1024, queueTokens: 5000, tokenizerCache: 0");
    let dump = get(router.admin, "/config_dump").json();
    let batching = &dump["config"]["localModel"]["batching"];
    assert_eq!(
        (&batching["batchWindow"], &batching["maxBatchTokens"], &batching["queueTokens"], &batching["tokenizerCache"]),
        (&"20ms".into(), &1024.into(), &5000.into(), &0.into()),
        "{dump:#}"
    );
}

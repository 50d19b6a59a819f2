//! Every metric name, label and bucket edge. Nothing else in the crate writes one.
//!
//! Units are base units (seconds, bytes), except where Istio's own series say otherwise.

/// The media type of the text exposition, version 0.0.4.
pub const CONTENT_TYPE: &str = prometheus::TEXT_FORMAT;

/// What a family of series is called and labelled by.
#[derive(Debug)]
pub(super) struct Definition<const N: usize> {
    pub(super) name: &'static str,
    pub(super) help: &'static str,
    pub(super) labels: [&'static str; N],
}

const fn define<const N: usize>(name: &'static str, labels: [&'static str; N], help: &'static str) -> Definition<N> {
    Definition { name, help, labels }
}

/// `namespace/virtual-service/rule`; empty where no route matched.
pub(super) const ROUTE: &str = "route";
/// `host:port` or `host:port/subset`, [`LOCAL`] for the local model; empty where no route matched.
pub(super) const POOL: &str = "pool";
const TIER: &str = "tier";
const REASON: &str = "reason";

/// The value of [`POOL`] for answers of the local model. No pool can have it: theirs hold a colon.
pub(super) const LOCAL: &str = "local";
/// The value of Istio's labels for whatever is not known.
pub(super) const UNKNOWN: &str = "unknown";

/// Upper edges of request durations, in seconds, beside those at the objectives of pools. 0.5 is the objective that
/// operators alert on, and the rest keep a quantile within half of itself from 1 ms to 60 s.
pub(super) const DURATION_EDGES: &[f64] = &[
    0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.015, 0.02, 0.025, 0.03, 0.04, 0.05, 0.075, 0.1, 0.15, 0.2, 0.25, 0.3,
    0.4, 0.5, 0.75, 1.0, 1.5, 2.5, 5.0, 10.0, 20.0, 30.0, 60.0,
];
/// Upper edges of waits in a queue, in seconds.
pub(super) const WAIT_EDGES: &[f64] =
    &[0.0001, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0];
/// Upper edges of the texts in one inference.
pub(super) const BATCH_EDGES: &[f64] = &[1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0];
/// Upper edges of the tokens in one inference, padding among them.
pub(super) const TOKEN_EDGES: &[f64] = &[16.0, 64.0, 256.0, 1024.0, 4096.0, 16384.0];
/// Istio's upper edges, in milliseconds (Envoy's default histogram buckets).
pub(super) const ISTIO_EDGES: &[f64] = &[
    0.5,
    1.0,
    5.0,
    10.0,
    25.0,
    50.0,
    100.0,
    250.0,
    500.0,
    1000.0,
    2500.0,
    5000.0,
    10000.0,
    30000.0,
    60000.0,
    300_000.0,
    600_000.0,
    1_800_000.0,
    3_600_000.0,
];

pub(super) const REQUEST_DURATION: Definition<4> = define(
    "overspill_request_duration_seconds",
    [ROUTE, POOL, TIER, "response_class"],
    "Time from a request's head to the end of its answer, by who answered.",
);
pub(super) const REQUESTS: Definition<5> = define(
    "overspill_requests_total",
    [ROUTE, POOL, TIER, "response_code", REASON],
    "Requests answered; reason is empty where an endpoint or the local model answered whole.",
);
pub(super) const REQUEST_BYTES: Definition<2> =
    define("overspill_request_bytes_total", [POOL, TIER], "Bytes of request bodies read.");
pub(super) const RESPONSE_BYTES: Definition<2> =
    define("overspill_response_bytes_total", [POOL, TIER], "Bytes of answers' bodies sent.");
pub(super) const SPILLED: Definition<3> = define(
    "overspill_spilled_requests_total",
    [POOL, TIER, REASON],
    "Requests that left this pool unserved for a later tier.",
);
pub(super) const REFUSED: Definition<2> =
    define("overspill_refused_requests_total", [ROUTE, REASON], "Requests that the router answered itself, unserved.");
pub(super) const LIMITS: Definition<1> = define(
    "overspill_limits_exceeded_total",
    ["limit"],
    "Times that a client, or all of them together, came to a limit on connections.",
);
pub(super) const RATE_LIMITED: Definition<2> = define(
    "overspill_rate_limited_requests_total",
    ["policy", "limit"],
    "Requests that a rate limit of a RoutePolicy refused.",
);
pub(super) const RATE_LIMIT_KEYS: Definition<0> =
    define("overspill_rate_limit_keys", [], "Keys of rate limits that are counted now, over all limits.");
pub(super) const RATE_LIMIT_KEYS_EVICTED: Definition<0> = define(
    "overspill_rate_limit_evicted_keys_total",
    [],
    "Keys of rate limits that were forgotten for others before their buckets were full again.",
);
pub(super) const ATTEMPTS: Definition<1> = define(
    "overspill_upstream_attempts_total",
    [POOL],
    "Connections that requests were sent on or that were opened for them in vain.",
);
pub(super) const RETRIES: Definition<1> =
    define("overspill_upstream_retries_total", [POOL], "Requests that were sent again because a try had failed.");
pub(super) const RETRIES_ENDED: Definition<2> = define(
    "overspill_upstream_retries_ended_total",
    [POOL, "cause"],
    "Requests that failed and were not sent again: as often as their rule allows, as many as their pool allows, or too large.",
);
pub(super) const MIRRORED: Definition<2> = define(
    "overspill_mirrored_requests_total",
    [POOL, "result"],
    "Copies of requests for this pool: answered, failed, or dropped for want of room.",
);
pub(super) const HEDGED: Definition<2> = define(
    "overspill_hedged_requests_total",
    [POOL, "result"],
    "Requests that were slow to be answered: the second try won, lost, or was refused for want of budget or slots.",
);
pub(super) const QUEUE_WAIT: Definition<1> =
    define("overspill_queue_wait_seconds", [POOL], "Time in the pool's queue, of the requests that waited.");

pub(super) const ARRIVALS: Definition<2> = define(
    "overspill_pool_arrivals_total",
    [POOL, TIER],
    "Requests that a route sent to this pool, wherever they were served.",
);
pub(super) const REFUSALS: Definition<2> = define(
    "overspill_pool_refusals_total",
    [POOL, TIER],
    "Requests that a route sent to this pool and that nothing served, for want of room or of an endpoint.",
);
pub(super) const ANSWERS: Definition<3> = define(
    "overspill_pool_answers_total",
    [POOL, TIER, "objective"],
    "The pool's own answers but for failures, by whether they met its latency objective or missed it.",
);
pub(super) const SPILLED_AWAY: Definition<2> = define(
    "overspill_spilled_away_requests",
    [POOL, TIER],
    "Requests that left this pool for want of room and are served elsewhere now.",
);
pub(super) const CONCURRENCY: Definition<2> = define(
    "overspill_pool_concurrency",
    [POOL, TIER],
    "Requests at once that want this pool, in flight, queued and spilled, weighted by time over a minute. Adds up over routers.",
);
pub(super) const DEMAND: Definition<2> = define(
    "overspill_pool_demand",
    [POOL, TIER],
    "The concurrency to have replicas for once one that is asked for now has started. Adds up over routers.",
);
pub(super) const TARGET_CONCURRENCY: Definition<2> = define(
    "overspill_pool_target_concurrency",
    [POOL, TIER],
    "The concurrency that one replica carries while its p99 meets the objective.",
);
pub(super) const LATENCY: Definition<3> = define(
    "overspill_pool_latency_seconds",
    [POOL, TIER, "percentile"],
    "Quantiles of the pool's own answers over a minute, of all routers that answer each other. Does not add up.",
);
pub(super) const DESIRED_REPLICAS: Definition<2> = define(
    "overspill_desired_replicas",
    [POOL, TIER],
    "The replicas that the pool should have, by all routers that answer each other. Does not add up.",
);
pub(super) const MIN_REPLICAS: Definition<2> =
    define("overspill_min_replicas", [POOL, TIER], "The fewest replicas that the pool may have.");
pub(super) const MAX_REPLICAS: Definition<2> =
    define("overspill_max_replicas", [POOL, TIER], "The most replicas that the pool may have.");
pub(super) const SCALE_TARGET: Definition<5> = define(
    "overspill_pool_scale_target_info",
    [POOL, "target_api_version", "target_kind", "target_namespace", "target_name"],
    "What is scaled for the pool; no series where no document says how it scales.",
);
pub(super) const ROUTERS: Definition<1> = define(
    "overspill_scaling_routers",
    ["state"],
    "Routers whose figures are asked for, this one among them, and those that answered.",
);

pub(super) const IN_FLIGHT: Definition<2> =
    define("overspill_requests_in_flight", [POOL, TIER], "Requests that hold a slot now.");
pub(super) const QUEUED: Definition<2> =
    define("overspill_queued_requests", [POOL, TIER], "Requests that wait for a slot now.");
pub(super) const PENDING: Definition<2> = define(
    "overspill_pending_requests",
    [POOL, TIER],
    "Requests accepted and not yet answered: in flight and queued together.",
);
pub(super) const SLOTS: Definition<2> =
    define("overspill_pool_slots", [POOL, TIER], "Requests that the pool's admitting endpoints take at once.");
pub(super) const OBJECTIVE: Definition<2> = define(
    "overspill_pool_latency_objective_seconds",
    [POOL, TIER],
    "The latency that the pool's users expect; no series where its document names none.",
);
pub(super) const ENDPOINTS: Definition<2> = define(
    "overspill_pool_endpoints",
    [POOL, "state"],
    "Endpoints that are admitting, ejected, probing, unchecked, unhealthy or warming.",
);
pub(super) const ROUTE_WEIGHT: Definition<2> = define(
    "overspill_route_weight",
    [ROUTE, POOL],
    "Weights in force, as written; a destination of weight 0 has no series.",
);

pub(super) const GENERATION: Definition<0> =
    define("overspill_config_generation", [], "How often a configuration has been published, the first among them.");
pub(super) const RELOADS: Definition<1> =
    define("overspill_config_reloads_total", ["result"], "Times that the configuration was read.");
pub(super) const LAST_RELOAD_SUCCESSFUL: Definition<0> = define(
    "overspill_config_last_reload_successful",
    [],
    "1 where the configuration was usable when it was last read, else 0.",
);
pub(super) const LAST_RELOAD: Definition<0> =
    define("overspill_config_last_reload_timestamp_seconds", [], "When the configuration was last read.");
pub(super) const LAST_SUCCESS: Definition<0> =
    define("overspill_config_last_success_timestamp_seconds", [], "When a usable configuration was last read.");
pub(super) const PROBLEMS: Definition<1> =
    define("overspill_config_problems", ["severity"], "Problems of the configuration that was last read.");

pub(super) const HEALTH_CHECKS: Definition<2> = define(
    "overspill_health_checks_total",
    [POOL, "result"],
    "Health checks of endpoints: passed, failed by what the endpoint said, or lost without an answer.",
);
pub(super) const WARMUPS: Definition<2> =
    define("overspill_warmup_requests_total", [POOL, "result"], "Warm-up requests to endpoints: answered or failed.");
pub(super) const LOAD_PAGES: Definition<2> = define(
    "overspill_load_page_reads_total",
    [POOL, "result"],
    "Times that an endpoint's page of metrics was read for its load: answered, or failed to tell.",
);

/// A name that is looked up.
pub(super) const HOST: &str = "host";
/// The value of [`HOST`] for hosts that requests bring along.
pub(super) const ANY_HOST: &str = "*";

pub(super) const DNS_LOOKUPS: Definition<2> = define(
    "overspill_dns_lookups_total",
    [HOST, "result"],
    "Lookups of endpoints' names: answered, empty (the name has no address) or failed.",
);
pub(super) const DNS_ADDRESSES: Definition<1> =
    define("overspill_dns_addresses", [HOST], "Addresses that the name has, or had when it was last answered.");

pub(super) const LOCAL_READY: Definition<0> =
    define("overspill_local_model_ready", [], "1 while the local model answers, else 0.");
pub(super) const LOCAL_DIMENSIONS: Definition<0> =
    define("overspill_local_model_embedding_dimensions", [], "Length of the local model's vectors.");
pub(super) const LOCAL_PROVIDER_FALLBACK: Definition<0> = define(
    "overspill_local_model_execution_provider_fallback",
    [],
    "1 where an execution provider that the settings prefer cannot be used, else 0.",
);
pub(super) const LOCAL_QUEUE_SIZE: Definition<0> =
    define("overspill_local_model_queue_size", [], "Requests that wait for the local model now.");
pub(super) const LOCAL_BATCH_SIZE: Definition<0> =
    define("overspill_local_model_batch_size", [], "Texts in one inference.");
pub(super) const LOCAL_BATCH_TOKENS: Definition<0> =
    define("overspill_local_model_batch_tokens", [], "Tokens in one inference, padding among them.");
pub(super) const LOCAL_QUEUE_WAIT: Definition<0> =
    define("overspill_local_model_queue_wait_seconds", [], "Time that a request waited for the local model.");
pub(super) const LOCAL_INFERENCE: Definition<0> =
    define("overspill_local_model_inference_duration_seconds", [], "Time of one inference.");
pub(super) const LOCAL_REQUESTS: Definition<1> = define(
    "overspill_local_model_inference_requests_total",
    [VERSION],
    "Requests to the local model, failed ones among them.",
);
pub(super) const LOCAL_ERRORS: Definition<2> = define(
    "overspill_local_model_inference_errors_total",
    [REASON, VERSION],
    "Requests that the local model did not answer.",
);
/// A version of the local model.
const VERSION: &str = "version";
pub(super) const LOCAL_LOAD_TIME: Definition<0> =
    define("overspill_local_model_load_duration_seconds", [], "Time that loading the local model took.");
pub(super) const LOCAL_MEMORY: Definition<1> = define(
    "overspill_local_model_memory_bytes",
    [VERSION],
    "Resident memory that loading the local model took; other work of the process at that moment is in it.",
);
pub(super) const LOCAL_SHARE: Definition<1> = define(
    "overspill_local_model_traffic_percentage",
    [VERSION],
    "Share of the local model's requests that a version in force takes, of a hundred.",
);
pub(super) const LOCAL_INFO: Definition<6> = define(
    "overspill_local_model_info",
    [VERSION, "model", "revision", "dimension", "pooling", "normalized"],
    "Always 1; the labels say what vectors of a version in force come from.",
);
pub(super) const LOCAL_TOKENIZED: Definition<1> = define(
    "overspill_local_model_tokenizer_cache_total",
    ["result"],
    "Texts whose tokens were remembered (hit), and those that had to be tokenised (miss).",
);

pub(super) const LOCAL_LOADS: Definition<1> = define(
    "overspill_local_model_loads_total",
    ["result"],
    "Times that the local model was loaded: succeeded or failed.",
);

pub(super) const MEMORY: Definition<0> = define("overspill_memory_usage_bytes", [], "Resident memory of the process.");
pub(super) const MEMORY_LIMIT: Definition<0> = define(
    "overspill_memory_limit_bytes",
    [],
    "Memory that the process may have: its control group's limit, or else what the machine has.",
);
pub(super) const BUILD: Definition<1> =
    define("overspill_build_info", ["version"], "Always 1; the label says what runs.");
pub(super) const ACCESS_LOG_DROPPED: Definition<0> = define(
    "overspill_access_log_dropped_total",
    [],
    "Access log lines dropped because whatever reads them was too slow or gone.",
);
pub(super) const TRACE_SPANS: Definition<1> =
    define("overspill_trace_spans_total", ["outcome"], "Spans of sampled requests: exported, dropped or failed.");
pub(super) const CLIENT_CONNECTIONS: Definition<0> =
    define("overspill_client_connections", [], "Client connections that are open now.");

/// The labels of Istio's standard metrics (istio.io/latest/docs/reference/config/metrics), in that page's order.
pub(super) const ISTIO_LABELS: [&str; 25] = [
    "reporter",
    "source_workload",
    "source_workload_namespace",
    "source_principal",
    "source_app",
    "source_version",
    "source_cluster",
    DESTINATION_WORKLOAD,
    "destination_workload_namespace",
    "destination_principal",
    "destination_app",
    DESTINATION_VERSION,
    "destination_cluster",
    DESTINATION_SERVICE,
    "destination_service_name",
    "destination_service_namespace",
    "request_protocol",
    "response_code",
    "grpc_response_status",
    "response_flags",
    "connection_security_policy",
    "source_canonical_service",
    "source_canonical_revision",
    "destination_canonical_service",
    "destination_canonical_revision",
];
pub(super) const DESTINATION_WORKLOAD: &str = "destination_workload";
pub(super) const DESTINATION_VERSION: &str = "destination_version";
pub(super) const DESTINATION_SERVICE: &str = "destination_service";

pub(super) const ISTIO_REQUESTS: Definition<25> =
    define("istio_requests_total", ISTIO_LABELS, "Requests, in the labels of Istio's standard metrics.");
pub(super) const ISTIO_DURATION: Definition<25> = define(
    "istio_request_duration_milliseconds",
    ISTIO_LABELS,
    "Request durations, in the labels of Istio's standard metrics.",
);

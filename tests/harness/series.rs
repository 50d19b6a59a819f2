//! The names of the series that tests look at, in one place.

/// The generation in force.
pub const GENERATION: &str = "overspill_config_generation";
/// Times that the configuration was read, by `result`.
pub const RELOADS: &str = "overspill_config_reloads_total";
/// Whether the last reload was published: 1 or 0.
pub const RELOAD_OK: &str = "overspill_config_last_reload_successful";
/// Requests over, by `route`, `pool`, `tier`, `response_code` and `reason`.
pub const REQUESTS: &str = "overspill_requests_total";
/// Requests that the router answered itself, by `route` and `reason`.
pub const REFUSED: &str = "overspill_refused_requests_total";
/// Requests that left a pool for a later tier, by `pool`, `tier` and `reason`.
pub const SPILLED: &str = "overspill_spilled_requests_total";
/// Requests that hold a slot, by `pool` and `tier`.
pub const IN_FLIGHT: &str = "overspill_requests_in_flight";
/// Requests that wait for a slot, by `pool` and `tier`.
pub const QUEUED: &str = "overspill_queued_requests";
/// Requests in flight and queued together.
pub const PENDING: &str = "overspill_pending_requests";
/// Whether the local model answers: 1 or 0.
pub const LOCAL_READY: &str = "overspill_local_model_ready";
/// Weights in force, by `route` and `pool`.
pub const WEIGHT: &str = "overspill_route_weight";
/// The latency histogram.
pub const DURATION: &str = "overspill_request_duration_seconds";
/// Open client connections.
pub const CLIENT_CONNECTIONS: &str = "overspill_client_connections";
/// Requests that were sent again, by `pool`.
pub const RETRIES: &str = "overspill_upstream_retries_total";
/// Requests that failed and were not sent again, by `pool` and `cause`.
pub const RETRIES_ENDED: &str = "overspill_upstream_retries_ended_total";
/// Copies of requests, by `pool` and `result`.
pub const MIRRORED: &str = "overspill_mirrored_requests_total";

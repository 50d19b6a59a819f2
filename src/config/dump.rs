//! A configuration as JSON, for `/config_dump`: the documents' own names, hosts and durations as text.

mod connections;
mod local_model;
mod resending;
mod route_policy;
mod scaling;
mod tls;
mod tracing;
mod upkeep;

use serde_json::{Value, json};

use super::checked::{
    Checked, Endpoint, Entry, Limits, Pool, Protocol, Route, RouteMatch, Startup, VirtualHost, Workload,
};
use crate::domain::{
    Abort, Balancing, ConsistentHash, CorsPolicy, Failover, Fault, HashKey, HashTable, HeaderOps, Headers,
    LocalityBalancing, LocalityPattern, Original, OriginalBy, OutlierDetection, OwnAnswer, PathRewrite, RedirectPath,
    RedirectPort, StringMatch, UnmatchedPreflights, format_duration,
};

/// The whole of `checked`; the names stay as they are, new ones may be added.
pub fn dump(checked: &Checked) -> Value {
    json!({
        "limits": limits(&checked.limits),
        "startup": startup(&checked.startup),
        "localModel": checked.local_model.as_ref().map(local_model::dump),
        "virtualHosts": checked.virtual_hosts.iter().map(|host| virtual_host(host, &checked.pools)).collect::<Vec<_>>(),
        "pools": checked.pools.iter().map(|one| pool(one, &checked.pools)).collect::<Vec<_>>(),
    })
}

fn limits(limits: &Limits) -> Value {
    json!({
        "maxBodyBytes": limits.max_body_bytes,
        "maxRateLimitKeys": limits.max_rate_limit_keys,
        "maxConnections": limits.max_connections,
        "maxHeaders": limits.max_headers,
        "maxRetryBufferBytes": limits.max_retry_buffer_bytes,
        "http2": {
            "maxConcurrentStreams": limits.http2.max_concurrent_streams,
            "maxResetsPerSecond": limits.http2.max_resets_per_second,
            "maxControlFramesPerSecond": limits.http2.max_control_frames_per_second,
            "maxEmptyFramesPerSecond": limits.http2.max_empty_frames_per_second,
            "maxContinuationFrames": limits.http2.max_continuation_frames,
        },
        "requestTimeout": format_duration(limits.request_timeout),
        "streamIdleTimeout": format_duration(limits.stream_idle_timeout),
        "trustForwardedProto": limits.trust_forwarded_proto,
        "traceSamplingPercentage": limits.trace_sampling.percent(),
    })
}

fn startup(startup: &Startup) -> Value {
    json!({
        "listen": startup.listen.map(|listen| listen.to_string()),
        "listeners": startup.listeners.iter().map(tls::listener).collect::<Vec<_>>(),
        "admin": startup.admin.to_string(),
        "workers": startup.workers,
        "backlog": startup.backlog,
        "keepalive": format_duration(startup.keepalive),
        "maxConnectionAge": startup.max_connection_age.map(format_duration),
        "headerTimeout": format_duration(startup.header_timeout),
        "maxHeaderBytes": startup.max_header_bytes,
        "drain": {
            "delay": format_duration(startup.drain_delay),
            "timeout": format_duration(startup.drain_timeout),
        },
        "accessLog": startup.access_log,
        "log": startup.log,
        "workload": workload(&startup.workload),
        "dns": {
            "servers": startup.dns.servers.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "timeout": format_duration(startup.dns.timeout),
            "startTimeout": format_duration(startup.dns.start_timeout),
        },
        "scaling": scaling::autoscaling(&startup.scaling),
        "tracing": tracing::tracing(&startup.tracing),
    })
}

fn workload(workload: &Workload) -> Value {
    json!({
        "name": workload.name,
        "namespace": workload.namespace,
        "labels": workload.labels,
        "locality": workload.locality.to_string(),
    })
}

fn virtual_host(host: &VirtualHost, pools: &[Pool]) -> Value {
    json!({
        "entry": entry(&host.entry),
        "hosts": host.hosts.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "routes": host.routes.iter().map(|one| route(one, pools)).collect::<Vec<_>>(),
    })
}

fn entry(entry: &Entry) -> Value {
    match entry {
        Entry::Mesh => json!("mesh"),
        Entry::Gateway { port, server_names } => {
            let names: Vec<String> = server_names.iter().map(ToString::to_string).collect();
            json!({ "port": port, "serverNames": names })
        }
    }
}

fn route(route: &Route, pools: &[Pool]) -> Value {
    let split = route.split.iter().filter_map(|share| {
        pools.get(share.pool.0).map(
            |pool| json!({ "pool": pool.key.to_string(), "weight": share.weight, "headers": headers(&share.headers) }),
        )
    });
    json!({
        "name": route.name,
        "origin": route.origin,
        "match": route.matches.iter().map(conditions).collect::<Vec<_>>(),
        "route": split.collect::<Vec<_>>(),
        "headers": headers(&route.headers),
        "rewrite": (!route.rewrite.is_empty()).then(|| json!({
            "authority": route.rewrite.authority,
            "uri": match &route.rewrite.path {
                Some(PathRewrite::Matched(uri)) => Some(uri),
                _ => None,
            },
            "uriRegexRewrite": match &route.rewrite.path {
                Some(PathRewrite::Regex { pattern, substitution }) => {
                    Some(json!({ "match": pattern.as_str(), "rewrite": substitution }))
                }
                _ => None,
            },
        })),
        "answer": route.answer.as_ref().map(answer),
        "corsPolicy": route.cors.as_ref().map(cors),
        "fault": route.fault.as_ref().map(fault),
        "timeout": route.timeout.map(format_duration),
        "retries": route.retries.as_ref().map(resending::retries),
        "mirrors": route.mirrors.iter().map(|one| resending::mirror(one, pools)).collect::<Vec<_>>(),
        "policy": route.policy.as_deref().map(route_policy::dump),
    })
}

fn cors(policy: &CorsPolicy) -> Value {
    let list = |value: &Option<http::HeaderValue>| value.as_ref().map(|value| text(value.as_bytes()));
    json!({
        "allowOrigins": policy.allow_origins.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "allowMethods": list(&policy.allow_methods),
        "allowHeaders": list(&policy.allow_headers),
        "exposeHeaders": list(&policy.expose_headers),
        "maxAge": list(&policy.max_age),
        "allowCredentials": policy.allow_credentials,
        "unmatchedPreflights": match policy.unmatched {
            UnmatchedPreflights::Forward => "FORWARD",
            UnmatchedPreflights::Ignore => "IGNORE",
        },
    })
}

fn fault(fault: &Fault) -> Value {
    json!({
        "delay": fault.delay.map(|(share, delay)| {
            json!({ "percentage": share.percent(), "fixedDelay": format_duration(delay) })
        }),
        "abort": fault.abort.map(|(share, abort)| {
            let (status, grpc) = match abort {
                Abort::Http(status) => (Some(status.as_u16()), None),
                Abort::Grpc(status) => (None, Some(status.name())),
            };
            json!({ "percentage": share.percent(), "httpStatus": status, "grpcStatus": grpc })
        }),
    })
}

fn headers(headers: &Headers) -> Option<Value> {
    let pairs = |pairs: &[(http::HeaderName, http::HeaderValue)]| {
        pairs.iter().map(|(name, value)| json!([name.as_str(), text(value.as_bytes())])).collect::<Vec<_>>()
    };
    let ops = |ops: &HeaderOps| {
        let removed: Vec<_> = ops.remove.iter().map(http::HeaderName::as_str).collect();
        json!({ "remove": removed, "set": pairs(&ops.set), "add": pairs(&ops.add) })
    };
    (!headers.is_empty()).then(|| {
        json!({
            "authority": headers.authority,
            "request": ops(&headers.request),
            "response": ops(&headers.response),
        })
    })
}

fn answer(answer: &OwnAnswer) -> Value {
    match answer {
        OwnAnswer::Redirect(redirect) => json!({
            "redirect": redirect.code.as_u16(),
            "scheme": redirect.scheme,
            "authority": redirect.authority,
            "port": redirect.port.map(|port| match port {
                RedirectPort::Number(number) => number.to_string(),
                RedirectPort::OfRequest => "FROM_REQUEST_PORT".to_owned(),
                RedirectPort::Kept => "kept".to_owned(),
            }),
            "uri": match &redirect.path {
                Some(RedirectPath::Whole(path)) => Some(path),
                _ => None,
            },
            "prefixRewrite": match &redirect.path {
                Some(RedirectPath::Prefix(prefix)) => Some(prefix),
                _ => None,
            },
        }),
        OwnAnswer::Direct(direct) => json!({ "directResponse": direct.status.as_u16(), "bytes": direct.body.len() }),
    }
}

/// What is not UTF-8 of `bytes` is replaced.
fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn conditions(one: &RouteMatch) -> Value {
    let text = |pattern: &Option<StringMatch>| pattern.as_ref().map(ToString::to_string);
    let headers = |headers: &[(http::HeaderName, StringMatch)], claims: &[(String, StringMatch)]| {
        let headers = headers.iter().map(|(name, pattern)| (name.to_string(), Value::from(pattern.to_string())));
        let claims = claims.iter().map(|(name, pattern)| (name.clone(), Value::from(pattern.to_string())));
        Value::Object(headers.chain(claims).collect())
    };
    let query = one.query_params.iter().map(|(name, pattern)| (name.clone(), Value::from(pattern.to_string())));
    json!({
        "name": one.name,
        "uri": text(&one.uri),
        "ignoreUriCase": one.ignore_uri_case,
        "scheme": text(&one.scheme),
        "method": text(&one.method),
        "authority": text(&one.authority),
        "port": one.port,
        "headers": headers(&one.headers, &one.claims),
        "withoutHeaders": headers(&one.without_headers, &one.without_claims),
        "queryParams": Value::Object(query.collect()),
    })
}

fn pool(pool: &Pool, pools: &[Pool]) -> Value {
    let spill_to = pool.spill_to.iter().filter_map(|place| pools.get(place.0)).map(|pool| pool.key.to_string());
    json!({
        "name": pool.key.to_string(),
        "host": pool.key.host.as_str(),
        "subset": pool.key.subset,
        "port": pool.key.port,
        "tier": pool.tier.map(crate::domain::Tier::as_str),
        "protocol": match pool.protocol { Protocol::Http1 => "HTTP", Protocol::Http2 => "HTTP2" },
        "endpoints": pool.endpoints.iter().map(endpoint).collect::<Vec<_>>(),
        "originalDestination": pool.original.as_ref().map(original),
        "slotsPerEndpoint": pool.slots_per_endpoint,
        "slotsPerPool": pool.slots_per_pool,
        "slots": match pool.adaptive_slots {
            Some(range) => json!({ "mode": "Adaptive", "min": range.min, "max": range.max }),
            None => json!({ "mode": "Fixed" }),
        },
        "queue": {
            "maxPending": pool.queue.max_pending,
            "timeout": format_duration(pool.queue.timeout),
            "order": pool.queue.order.as_str(),
        },
        "spillTo": spill_to.collect::<Vec<_>>(),
        "localModel": if pool.local_model { "Allow" } else { "Deny" },
        "latencyObjective": pool.latency_objective.map(format_duration),
        "scaling": pool.scaling.as_ref().map(scaling::scaling),
        "holdAtZero": pool.hold.as_ref().map(scaling::hold),
        "healthCheck": pool.upkeep.health_check.as_ref().map(upkeep::health_check),
        "warmupRequest": pool.upkeep.warmup_request.as_ref().map(upkeep::warmup_request),
        "loadReports": upkeep::load_reports(&pool.upkeep.load),
        "hedge": pool.hedge.as_ref().map(upkeep::hedge),
        "connectTimeout": format_duration(pool.connect_timeout),
        "loadBalancer": balancing(&pool.traffic.load_balancer.balancing),
        "localityLbSetting": locality(&pool.traffic.load_balancer.locality),
        "warmup": pool.traffic.load_balancer.warmup.map(|warmup| format_duration(warmup.duration)),
        "maxConnections": pool.traffic.connection_pool.max_connections,
        "maxRequestsPerConnection": pool.traffic.connection_pool.max_requests_per_connection,
        "http2MaxRequests": pool.traffic.connection_pool.max_requests,
        "connections": connections::connections(&pool.traffic.connection_pool),
        "retries": connections::retries(&pool.traffic),
        "tls": pool.traffic.tls.as_ref().map(tls::client),
        "outlierDetection": pool.traffic.outlier_detection.as_ref().map(outlier_detection),
        "service": {
            "host": pool.service.host,
            "name": pool.service.name,
            "namespace": pool.service.namespace,
            "workload": pool.service.workload,
            "version": pool.service.version,
        },
    })
}

fn original(original: &Original) -> Value {
    json!({
        "by": match original.by { OriginalBy::Address => "address", OriginalBy::Host => "host" },
        "hosts": original.hosts.to_string(),
        "port": original.port,
    })
}

fn balancing(balancing: &Balancing) -> Value {
    match balancing {
        Balancing::LeastRequest => Value::from("LEAST_REQUEST"),
        Balancing::PeakEwma(decay) => json!({ "peakEwma": { "latencyDecay": format_duration(*decay) } }),
        Balancing::RoundRobin => Value::from("ROUND_ROBIN"),
        Balancing::Random => Value::from("RANDOM"),
        Balancing::Passthrough => Value::from("PASSTHROUGH"),
        Balancing::ConsistentHash(ConsistentHash { key, table }) => json!({
            "hash": key.as_ref().map(hash_key),
            "table": match table { HashTable::Ring(_) => "RING_HASH", HashTable::Maglev(_) => "MAGLEV" },
            "size": match table { HashTable::Ring(size) | HashTable::Maglev(size) => size },
        }),
    }
}

/// `null` where there is no rule of its own, so that the mesh-wide default holds.
fn locality(balancing: &LocalityBalancing) -> Value {
    match balancing {
        LocalityBalancing::Off => json!({ "enabled": false }),
        LocalityBalancing::Distribute(rules) => {
            let to = |to: &[(LocalityPattern, u32)]| -> Value {
                to.iter().map(|(to, percent)| (to.to_string(), Value::from(*percent))).collect()
            };
            let rules = rules.iter().map(|rule| json!({ "from": rule.from.to_string(), "to": to(&rule.to) }));
            json!({ "distribute": rules.collect::<Vec<_>>() })
        }
        LocalityBalancing::Failover(failover) if *failover == Failover::default() => Value::Null,
        LocalityBalancing::Failover(Failover { labels, regions }) => {
            let label = |(label, value): &(Box<str>, Option<Box<str>>)| {
                value.as_ref().map_or_else(|| label.to_string(), |value| format!("{label}={value}"))
            };
            let regions = regions.iter().map(|(from, to)| json!({ "from": from, "to": to }));
            json!({
                "failoverPriority": labels.iter().map(label).collect::<Vec<_>>(),
                "failover": regions.collect::<Vec<_>>(),
            })
        }
    }
}

fn hash_key(key: &HashKey) -> Value {
    match key {
        HashKey::Header(name) => json!({ "header": name.as_str() }),
        HashKey::Cookie(cookie) => {
            json!({ "cookie": cookie.name, "path": cookie.path, "ttl": cookie.ttl.map(format_duration) })
        }
        HashKey::SourceIp => Value::from("sourceIp"),
        HashKey::QueryParameter(name) => json!({ "queryParameter": name }),
    }
}

fn outlier_detection(detection: &OutlierDetection) -> Value {
    json!({
        "consecutive5xxErrors": detection.consecutive_5xx_errors,
        "consecutiveGatewayErrors": detection.consecutive_gateway_errors,
        "consecutiveLocalOriginFailures": detection.consecutive_local_origin_failures,
        "interval": format_duration(detection.interval),
        "baseEjectionTime": format_duration(detection.base_ejection_time),
        "maxEjectionPercent": detection.max_ejection_percent,
        "minHealthPercent": detection.min_health_percent,
    })
}

fn endpoint(endpoint: &Endpoint) -> Value {
    json!({
        "address": endpoint.address.to_string(),
        "weight": endpoint.weight,
        "labels": *endpoint.labels,
        "locality": endpoint.locality.to_string(),
    })
}

//! `PoolPolicy.healthCheck`, `warmupRequest`, `loadReports` and `hedge` into what the router asks of endpoints.

use std::num::NonZeroU32;
use std::time::Duration;

use bytes::Bytes;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};

use super::Reader;
use crate::config::finding::{OWN_SCHEMA, remark};
use crate::config::path::Path;
use crate::config::settings::duration;
use crate::config::written::upkeep::{self as written, RequestOfOwn};
use crate::domain::{
    CheckKind, HealthCheck, Hedge, HedgeAfter, HedgedMethods, LoadSources, MetricsPage, OwnRequest, Reports, Upkeep,
    WarmupRequest, parse_duration,
};

const CHECK_INTERVAL: Duration = Duration::from_secs(5);
const CHECK_TIMEOUT: Duration = Duration::from_secs(1);
const UNHEALTHY_THRESHOLD: u32 = 3;
const HEALTHY_THRESHOLD: u32 = 2;
/// A model may be compiled by its first request.
const WARMUP_TIMEOUT: Duration = Duration::from_mins(1);
const WARMUP_BACKOFF: Duration = Duration::from_secs(1);
const METRICS_PATH: &str = "/metrics";
const METRICS_INTERVAL: Duration = Duration::from_secs(1);
/// How long requests of a pool remember latency, unless it is written.
const LATENCY_DECAY: Duration = Duration::from_secs(10);

impl Reader<'_> {
    pub(super) fn upkeep(&mut self) -> Upkeep {
        let spec = &self.source.spec;
        let (check, warmup, reports) =
            (spec.health_check.as_ref(), spec.warmup_request.as_ref(), spec.load_reports.as_ref());
        Upkeep {
            health_check: check.and_then(|check| self.health_check(check)),
            warmup_request: warmup.and_then(|warmup| self.warmup_request(warmup)),
            load: reports.map(|reports| self.load_sources(reports)).unwrap_or_default(),
        }
    }

    /// The memory of latency that the pool's balancer goes by; `None` leaves the choice to the `DestinationRule`.
    pub(super) fn peak_ewma(&self) -> Option<Duration> {
        let spec = &self.source.spec;
        (spec.load_balancer.as_deref() == Some("PeakEwma"))
            .then(|| duration(spec.latency_decay.as_deref(), LATENCY_DECAY))
    }

    pub(super) fn hedge(&mut self) -> Option<Hedge> {
        let written = self.source.spec.hedge.as_ref()?;
        let delay = written.delay.as_deref().and_then(|text| parse_duration(text).ok()).map(HedgeAfter::Delay);
        let after = delay.or(written.percentile.map(HedgeAfter::Percentile));
        if after.is_none() && self.source.intact {
            let said = remark("Nothing says when a request is sent twice.", "Add `delay` or `percentile`.");
            self.error(OWN_SCHEMA, &Path::spec().key("hedge"), said);
        }
        let methods = match written.methods.as_deref() {
            Some("All") => HedgedMethods::All,
            _ => HedgedMethods::Idempotent,
        };
        after.map(|after| Hedge { after, methods })
    }

    fn health_check(&mut self, written: &written::HealthCheck) -> Option<HealthCheck> {
        let path = Path::spec().key("healthCheck");
        let kind = match (&written.http, &written.grpc) {
            (Some(http), _) => {
                let request = Box::new(self.request(http, &path.key("http"))?);
                let expected = statuses(&http.expected_statuses);
                let expected = if expected.is_empty() { vec![StatusCode::OK] } else { expected };
                CheckKind::Http { request, expected, retriable: statuses(&http.retriable_statuses) }
            }
            (None, Some(grpc)) => CheckKind::Grpc { service: grpc.service.clone(), authority: grpc.authority.clone() },
            (None, None) => {
                if self.source.intact {
                    self.error(OWN_SCHEMA, &path, remark("Nothing is asked here.", "Add `http` or `grpc`."));
                }
                return None;
            }
        };
        let interval = duration(written.interval.as_deref(), CHECK_INTERVAL);
        Some(HealthCheck {
            kind,
            interval,
            unhealthy_interval: duration(written.unhealthy_interval.as_deref(), interval),
            no_traffic_interval: written.no_traffic_interval.as_deref().and_then(|text| parse_duration(text).ok()),
            timeout: duration(written.timeout.as_deref(), CHECK_TIMEOUT),
            unhealthy_threshold: count(written.unhealthy_threshold, UNHEALTHY_THRESHOLD),
            healthy_threshold: count(written.healthy_threshold, HEALTHY_THRESHOLD),
        })
    }

    fn warmup_request(&mut self, written: &RequestOfOwn) -> Option<WarmupRequest> {
        Some(WarmupRequest {
            request: self.request(written, &Path::spec().key("warmupRequest"))?,
            expected: statuses(&written.expected_statuses),
            timeout: duration(written.timeout.as_deref(), WARMUP_TIMEOUT),
            attempts: written.attempts.and_then(NonZeroU32::new),
            backoff: duration(written.backoff.as_deref(), WARMUP_BACKOFF),
        })
    }

    fn load_sources(&mut self, written: &written::LoadReports) -> LoadSources {
        let path = Path::spec().key("loadReports").key("metrics").key("path");
        LoadSources {
            orca: if written.orca.as_deref() == Some("Read") { Reports::Read } else { Reports::PassedOn },
            metrics: written.metrics.as_ref().and_then(|page| {
                Some(MetricsPage {
                    path: self.path(page.path.as_deref().unwrap_or(METRICS_PATH), &path)?,
                    port: page.port,
                    interval: duration(page.interval.as_deref(), METRICS_INTERVAL),
                })
            }),
        }
    }

    fn request(&mut self, written: &RequestOfOwn, path: &Path) -> Option<OwnRequest> {
        if written.path.is_empty() && !self.source.intact {
            return None;
        }
        let headers = self.headers(written, &path.key("headers"));
        let body = Bytes::from(written.body.clone().unwrap_or_default());
        let default = if body.is_empty() { Method::GET } else { Method::POST };
        let method = match written.method.as_deref().map(|text| (text, Method::from_bytes(text.as_bytes()))) {
            None => default,
            Some((_, Ok(method))) if method != Method::CONNECT => method,
            Some((text, _)) => {
                let said = remark(format!("`{text}` is no method for this."), "Write one such as GET or POST.");
                self.error(OWN_SCHEMA, &path.key("method"), said);
                return None;
            }
        };
        if let Some(host) = written.host.as_ref().filter(|host| host.parse::<http::uri::Authority>().is_err()) {
            let said = remark(format!("`{host}` is no host."), "Write a host, and a port if there is one.");
            self.error(OWN_SCHEMA, &path.key("host"), said);
        }
        Some(OwnRequest {
            method,
            path: self.path(&written.path, &path.key("path"))?,
            host: written.host.clone(),
            headers,
            body,
        })
    }

    fn path(&mut self, text: &str, path: &Path) -> Option<PathAndQuery> {
        let parsed = text.starts_with('/').then(|| text.parse().ok()).flatten();
        if parsed.is_none() {
            let said = remark(format!("`{text}` is no path."), "Write one that begins with `/`.");
            self.error(OWN_SCHEMA, path, said);
        }
        parsed
    }

    fn headers(&mut self, written: &RequestOfOwn, path: &Path) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in &written.headers {
            let field = HeaderName::from_bytes(name.as_bytes()).ok().zip(HeaderValue::from_str(value).ok());
            if let Some((name, value)) = field {
                headers.append(name, value);
            } else {
                let said = remark(format!("`{name}: {value}` is no header field."), "Write a name and a value.");
                self.error(OWN_SCHEMA, &path.key(name), said);
            }
        }
        headers
    }
}

fn statuses(written: &[u16]) -> Vec<StatusCode> {
    written.iter().filter_map(|status| StatusCode::from_u16(*status).ok()).collect()
}

fn count(written: Option<u32>, default: u32) -> NonZeroU32 {
    NonZeroU32::new(written.unwrap_or(default)).unwrap_or(NonZeroU32::MIN)
}

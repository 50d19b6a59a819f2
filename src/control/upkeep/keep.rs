//! The life of one endpoint as the router's own requests see it: unchecked, perhaps unhealthy, warming, ready.

use std::future::pending;
use std::rc::Rc;
use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until};

use super::endpoint::Endpoint;
use crate::domain::{HealthCheck, MetricsPage, WarmupRequest};
use crate::pool::{CheckResult, CheckTally, Readiness};

/// Looks after `endpoint` until it is dropped.
pub(super) async fn keep(endpoint: Rc<Endpoint>) {
    let ready = async {
        if endpoint.upkeep.holds_back() {
            keep_ready(&endpoint).await;
        }
    };
    let informed = async {
        if let Some(page) = &endpoint.upkeep.load.metrics {
            keep_informed(&endpoint, page).await;
        }
    };
    tokio::join!(ready, informed);
}

/// What an endpoint is waited to become.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wanted {
    Healthy,
    Unhealthy,
}

/// The health checks of one endpoint, one after the other.
struct Checker<'e> {
    endpoint: &'e Endpoint,
    tally: CheckTally,
    next: Instant,
}

impl Checker<'_> {
    /// Checks until the endpoint is what is wanted. Without checks it is healthy, always.
    async fn until(&mut self, wanted: Wanted) {
        let Some(check) = &self.endpoint.upkeep.health_check else {
            if wanted == Wanted::Unhealthy {
                pending::<()>().await;
            }
            return;
        };
        while self.tally.is_healthy() != (wanted == Wanted::Healthy) {
            sleep_until(self.next).await;
            let result = self.endpoint.check(check).await;
            self.tally.note(check, result);
            self.next = Instant::now() + interval(self.endpoint, check, &self.tally);
            self.endpoint.common.metrics.health_checked(&self.endpoint.pool_name, result);
            note(self.endpoint, result, &self.tally);
        }
    }
}

/// How long to wait for the next check.
fn interval(endpoint: &Endpoint, check: &HealthCheck, tally: &CheckTally) -> Duration {
    let idle = check.no_traffic_interval.filter(|_| {
        let live = endpoint.common.publisher.current();
        let mut pools = live.snapshot.pools();
        !pools.any(|(_, pool)| pool.key == endpoint.pool && pool.is_used())
    });
    idle.unwrap_or(if tally.is_healthy() { check.interval } else { check.unhealthy_interval })
}

/// What one result means for an endpoint that stays as it is.
fn note(endpoint: &Endpoint, result: CheckResult, tally: &CheckTally) {
    let health = &endpoint.state.health;
    if !tally.is_healthy() && health.readiness() == Readiness::Unchecked {
        tracing::warn!(pool = %endpoint.pool_name, endpoint = %endpoint.address, ?result, "endpoint fails its first check");
        now_is(endpoint, Readiness::Unhealthy);
    }
    let live = endpoint.common.publisher.current();
    if result == CheckResult::Passed && tally.is_healthy() && health.passed_check(live.now()) {
        tracing::info!(pool = %endpoint.pool_name, endpoint = %endpoint.address, "ejection ended by a health check");
        wake(endpoint);
    }
}

async fn keep_ready(endpoint: &Endpoint) {
    let begun_as = endpoint.state.health.readiness();
    let tally = match begun_as {
        Readiness::Unchecked if endpoint.upkeep.health_check.is_some() => CheckTally::UNCHECKED,
        Readiness::Unhealthy if endpoint.upkeep.health_check.is_some() => CheckTally::UNHEALTHY,
        _ => CheckTally::HEALTHY,
    };
    let mut checker = Checker { endpoint, tally, next: Instant::now() };
    let mut is_new = begun_as != Readiness::Ready;
    loop {
        checker.until(Wanted::Healthy).await;
        if let Some(warmup) = endpoint.upkeep.warmup_request.as_ref().filter(|_| is_new) {
            now_is(endpoint, Readiness::Warming);
            let warmed = tokio::select! {
                () = warm_up(endpoint, warmup) => true,
                () = checker.until(Wanted::Unhealthy) => false,
            };
            if !warmed {
                now_is(endpoint, Readiness::Unhealthy);
                continue;
            }
        }
        if is_new {
            // Its slow start begins with its first request.
            endpoint.state.begin_anew();
            now_is(endpoint, Readiness::Ready);
            tracing::info!(pool = %endpoint.pool_name, endpoint = %endpoint.address, "endpoint is ready");
        }
        checker.until(Wanted::Unhealthy).await;
        tracing::warn!(pool = %endpoint.pool_name, endpoint = %endpoint.address, "endpoint is unhealthy");
        now_is(endpoint, Readiness::Unhealthy);
        // What comes back may be another process, which is as cold as a new endpoint.
        is_new = true;
    }
}

/// Sends the warm-up request until it is answered, or has been sent often enough.
async fn warm_up(endpoint: &Endpoint, warmup: &WarmupRequest) {
    for attempt in 1.. {
        let warmed = endpoint.warm_up(warmup).await;
        endpoint.common.metrics.warmed_up(&endpoint.pool_name, warmed);
        if warmed {
            return;
        }
        let gives_up = warmup.attempts.is_some_and(|most| attempt >= most.get());
        tracing::warn!(pool = %endpoint.pool_name, endpoint = %endpoint.address, attempt, gives_up, "warm-up request failed");
        if gives_up {
            return;
        }
        sleep(warmup.wait_after(attempt)).await;
    }
}

/// Reads the page of metrics now and then.
async fn keep_informed(endpoint: &Endpoint, page: &MetricsPage) {
    loop {
        let next = Instant::now() + page.interval;
        let report = endpoint.read(page).await;
        endpoint.common.metrics.load_read(&endpoint.pool_name, report.is_some());
        if let Some(report) = report {
            let now = endpoint.common.publisher.current().now();
            endpoint.state.load.note_page(report, now.after(page.interval.saturating_mul(MetricsPage::STALE)));
        }
        sleep_until(next).await;
    }
}

/// Puts `readiness` in force, and tells whoever waits for it.
fn now_is(endpoint: &Endpoint, readiness: Readiness) {
    endpoint.state.health.set_readiness(readiness);
    endpoint.common.progress.send_replace(());
    wake(endpoint);
}

/// Has requests that wait for a slot of the pool ask again.
fn wake(endpoint: &Endpoint) {
    let live = endpoint.common.publisher.current();
    let pools = live.snapshot.pools().filter(|(_, pool)| pool.key == endpoint.pool);
    pools.for_each(|(id, _)| live.admits(id));
}

//! Following the names of endpoints, and what is told of them.

use std::sync::Arc;

use crate::admin::Admin;
use crate::config::Dns;
use crate::control::{Names, Until, Waiter};
use crate::live::Publisher;
use crate::snapshot::names;
use crate::telemetry::Metrics;

/// Follows the names of what is in force, on this runtime, for as long as it runs.
pub(super) fn follow(settings: Dns, publisher: Arc<Publisher>, metrics: Arc<Metrics>, admin: Arc<Admin>) -> Waiter {
    let (names, waiter) = Names::new(settings, publisher);
    tokio::spawn(names.follow(move |name, result, statuses| {
        metrics.looked_up(name, result, statuses);
        admin.resolved(statuses.to_vec());
    }));
    waiter
}

/// Waits for the first answers to every name of what is in force, no longer than the settings say: requests that came
/// before them would find no endpoint.
pub(super) async fn first_answers(waiter: Waiter, settings: &Dns, publisher: &Publisher) {
    let wanted = names(&publisher.current().checked).into_keys().cloned().collect();
    waiter.wait_for(wanted, Until::Answered, settings.start_timeout).await;
}

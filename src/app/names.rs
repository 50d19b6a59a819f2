//! Following the names of endpoints, and what is told of them.

use std::net::SocketAddr;
use std::sync::Arc;

use crate::admin::Admin;
use crate::config::Dns;
use crate::control::{Names, Report, RequestedNames, Until, Waiter};
use crate::live::{Destinations, Publisher};
use crate::proxy::Originals;
use crate::snapshot::names;
use crate::telemetry::Metrics;

/// What finds the destinations that requests bring along, but for those among `own`, where this router listens. Hosts are
/// looked up on this runtime, for as long as any thread may ask.
pub(super) fn originals(settings: &Dns, metrics: &Arc<Metrics>, own: Arc<[SocketAddr]>) -> Originals {
    let (destinations, asked) = Destinations::new();
    let (names, metrics) = (RequestedNames::new(settings.clone(), asked), Arc::clone(metrics));
    tokio::spawn(names.serve(move |result| metrics.looked_up_for_request(result)));
    Originals { destinations, own }
}

/// Follows the names of what is in force, on this runtime, for as long as it runs.
pub(super) fn follow(settings: Dns, publisher: Arc<Publisher>, metrics: Arc<Metrics>, admin: Arc<Admin>) -> Waiter {
    let (names, waiter) = Names::new(settings, publisher);
    tokio::spawn(names.follow(move |report| match report {
        Report::LookedUp(name, result) => metrics.looked_up(name, result),
        Report::Known(statuses) => {
            metrics.resolved(statuses);
            admin.resolved(statuses.to_vec());
        }
    }));
    waiter
}

/// Waits for the first answers to every name of what is in force, no longer than the settings say: requests that came
/// before them would find no endpoint.
pub(super) async fn first_answers(waiter: Waiter, settings: &Dns, publisher: &Publisher) {
    let wanted = names(&publisher.current().checked).into_keys().cloned().collect();
    waiter.wait_for(wanted, Until::Answered, settings.start_timeout).await;
}

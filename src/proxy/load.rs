//! ORCA load reports: asked for where a pool reads them, read from answers, and kept from clients that did not ask.

use std::time::Duration;

use http::{HeaderMap, HeaderValue};

use super::exchange::Exchange;
use crate::domain::{LOAD_METRICS, LOAD_METRICS_BIN, LOAD_METRICS_FORMAT, LoadReport, Reports};

/// How long a report counts: endpoints send one with each answer.
const VALID: Duration = Duration::from_secs(10);

const TEXT: HeaderValue = HeaderValue::from_static("TEXT");

/// Asks for a report where the pool reads them, in the client's own words where it asks itself.
pub(super) fn ask(exchange: &mut Exchange, reports: Reports, headers: &mut HeaderMap) {
    match reports {
        Reports::Read => {
            if ask_unless_asked(reports, headers) {
                exchange.asks_for_load(true);
            }
        }
        // Another pool was tried before, which reads them.
        Reports::PassedOn if exchange.asked_for_load() => {
            headers.remove(LOAD_METRICS_FORMAT);
            exchange.asks_for_load(false);
        }
        Reports::PassedOn => {}
    }
}

/// The same for a request that is sent beside the one that an exchange records; whether it was not asked for yet.
pub(super) fn ask_unless_asked(reports: Reports, headers: &mut HeaderMap) -> bool {
    let asks = reports == Reports::Read && !headers.contains_key(LOAD_METRICS_FORMAT);
    if asks {
        headers.insert(LOAD_METRICS_FORMAT, TEXT);
    }
    asks
}

/// Reads what an answer's head or trailers report, and takes it out where the client did not ask for it.
pub(super) fn read(exchange: &Exchange, fields: &mut HeaderMap) {
    let Some((pool, place)) = exchange.tried() else { return };
    let (live, pool) = (exchange.live(), exchange.snapshot().pool(pool));
    if pool.load_reports == Reports::PassedOn {
        return;
    }
    if let Some(report) = LoadReport::from_fields(fields) {
        pool.endpoints[place].state.load.note_answer(report, live.now().after(VALID));
    }
    if exchange.asked_for_load() {
        fields.remove(LOAD_METRICS);
        fields.remove(LOAD_METRICS_BIN);
    }
}

//! The figures of a span of time, and how they are written.

use std::fmt::Write;
use std::time::Duration;

use super::observation::{Observation, TierCounts};
use crate::domain::Tier;

/// What one tier, or all of them together, did in a span of time.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Row {
    answered: f64,
    p50: Option<f64>,
    p99: Option<f64>,
    share: f64,
    in_flight: f64,
    spilled: f64,
    refused: f64,
}

/// What every tier did between two readings.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Table {
    tiers: [Row; 3],
    all: Row,
    seconds: f64,
}

impl Table {
    /// The difference of two readings that are `span` apart.
    pub(super) fn between(before: &Observation, now: &Observation, span: Duration) -> Self {
        let tiers = Tier::ALL.map(|tier| difference(&before.tier(tier), &now.tier(tier)));
        let mut all = tiers.iter().fold(TierCounts::default(), |mut sum, tier| {
            sum.answered += tier.answered;
            sum.spilled += tier.spilled;
            sum.in_flight += tier.in_flight;
            sum.latency.merge(&tier.latency);
            sum
        });
        all.refused = now.refusals() - before.refusals();
        let seconds = span.as_secs_f64().max(1e-3);
        Self { tiers: tiers.map(|tier| row(&tier, all.answered)), all: row(&all, all.answered), seconds }
    }

    /// The table with rates a second, one line a tier and one for all.
    pub(super) fn live(&self) -> Vec<String> {
        let head = "tier   requests/s        p50        p99   share  in flight  spilled/s  refused/s";
        let line = |(name, row): (&str, &Row)| {
            format!(
                "{name:<5} {:>11.1} {:>10} {:>10} {:>5.1} % {:>10} {:>10.1} {:>10.1}",
                row.answered / self.seconds,
                milliseconds(row.p50),
                milliseconds(row.p99),
                row.share * 100.0,
                row.in_flight,
                row.spilled / self.seconds,
                row.refused / self.seconds,
            )
        };
        std::iter::once(head.to_owned()).chain(self.named().map(line)).collect()
    }

    /// The same in one line, for where nothing can be redrawn.
    pub(super) fn line(&self) -> String {
        let mut text = String::new();
        for (name, row) in self.named() {
            // Writing to a string cannot fail.
            let _ = write!(
                text,
                "{}{name} {:.0}/s p50 {} p99 {} share {:.0} % in flight {} spilled {:.0}/s refused {:.0}/s",
                if text.is_empty() { "" } else { " | " },
                row.answered / self.seconds,
                milliseconds(row.p50),
                milliseconds(row.p99),
                row.share * 100.0,
                row.in_flight,
                row.spilled / self.seconds,
                row.refused / self.seconds,
            );
        }
        text
    }

    /// The table with totals instead of rates, for the end.
    pub(super) fn summary(&self) -> Vec<String> {
        let head = "tier     answered        p50        p99   share    spilled    refused";
        let line = |(name, row): (&str, &Row)| {
            format!(
                "{name:<5} {:>11} {:>10} {:>10} {:>5.1} % {:>10} {:>10}",
                row.answered,
                milliseconds(row.p50),
                milliseconds(row.p99),
                row.share * 100.0,
                row.spilled,
                row.refused,
            )
        };
        std::iter::once(head.to_owned()).chain(self.named().map(line)).collect()
    }

    fn named(&self) -> impl Iterator<Item = (&'static str, &Row)> {
        let tiers = Tier::ALL.into_iter().map(Tier::as_str).zip(&self.tiers);
        tiers.chain(std::iter::once(("all", &self.all)))
    }
}

fn difference(before: &TierCounts, now: &TierCounts) -> TierCounts {
    TierCounts {
        answered: now.answered - before.answered,
        refused: now.refused - before.refused,
        spilled: now.spilled - before.spilled,
        in_flight: now.in_flight,
        latency: now.latency.since(&before.latency),
    }
}

fn row(counts: &TierCounts, all: f64) -> Row {
    Row {
        answered: counts.answered,
        p50: counts.latency.quantile(0.5),
        p99: counts.latency.quantile(0.99),
        share: if all > 0.0 { counts.answered / all } else { 0.0 },
        in_flight: counts.in_flight,
        spilled: counts.spilled,
        refused: counts.refused,
    }
}

fn milliseconds(seconds: Option<f64>) -> String {
    seconds.map_or_else(|| "-".to_owned(), |seconds| format!("{:.1} ms", seconds * 1000.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(gpu: u32, local: u32) -> Observation {
        let tier = |tier: &str, count: u32| {
            format!(
                "overspill_requests_total{{pool=\"{tier}\",tier=\"{tier}\",reason=\"\"}} {count}\n\
                 overspill_request_duration_seconds_bucket{{tier=\"{tier}\",response_class=\"2xx\",le=\"0.02\"}} {count}\n\
                 overspill_request_duration_seconds_bucket{{tier=\"{tier}\",response_class=\"2xx\",le=\"+Inf\"}} {count}\n\
                 overspill_requests_in_flight{{pool=\"{tier}\",tier=\"{tier}\"}} 3\n\
                 overspill_spilled_requests_total{{pool=\"{tier}\",tier=\"{tier}\",reason=\"slots_taken\"}} {local}\n"
            )
        };
        let refused = format!("overspill_refused_requests_total{{reason=\"queue_full\"}} {local}\n");
        Observation::read(&(tier("gpu", gpu) + &tier("local", local) + &refused))
    }

    #[test]
    fn the_live_table_shows_rates_of_the_span() {
        let table = Table::between(&reading(100, 0), &reading(400, 100), Duration::from_secs(5));
        assert_eq!(
            table.live(),
            [
                "tier   requests/s        p50        p99   share  in flight  spilled/s  refused/s",
                "gpu          60.0    10.0 ms    19.8 ms  75.0 %          3       20.0        0.0",
                "cpu           0.0          -          -   0.0 %          0        0.0        0.0",
                "local        20.0    10.0 ms    19.8 ms  25.0 %          3       20.0        0.0",
                "all          80.0    10.0 ms    19.8 ms 100.0 %          6       40.0       20.0",
            ]
        );
        assert!(
            table
                .line()
                .starts_with("gpu 60/s p50 10.0 ms p99 19.8 ms share 75 % in flight 3 spilled 20/s refused 0/s")
        );
    }

    #[test]
    fn the_summary_shows_totals() {
        let summary = Table::between(&reading(0, 0), &reading(300, 100), Duration::from_secs(30)).summary();
        assert_eq!(summary[1], "gpu           300    10.0 ms    19.8 ms  75.0 %        100          0");
        assert_eq!(summary[4], "all           400    10.0 ms    19.8 ms 100.0 %        200        100");
    }
}

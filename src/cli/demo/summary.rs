//! What a whole demonstration came to.

use std::time::Duration;

use super::error::DemoError;
use super::load::Totals;
use super::table::Table;

/// The figures of the whole time.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Summary {
    /// How long the load ran.
    pub(super) span: Duration,
    /// What the router says.
    pub(super) table: Table,
    /// What the load says.
    pub(super) totals: Totals,
    /// How often weights changed meanwhile.
    pub(super) weight_changes: u32,
}

impl Summary {
    /// The summary, line by line.
    pub(super) fn lines(&self) -> Vec<String> {
        let Totals { sent, answered, refused, wrong, lost, held_back, .. } = &self.totals;
        let mut lines = vec![String::new(), format!("In {:.1} s, by the router's metrics:", self.span.as_secs_f64())];
        lines.extend(self.table.summary());
        lines.push(format!(
            "By the load: {sent} requests sent, {answered} answered with the right vector, {refused} refused, {wrong} wrong, \
             {lost} lost."
        ));
        if *held_back > 0 {
            lines.push(format!("{held_back} more were due while too many were outstanding, and were not sent."));
        }
        lines.push(format!("Weights changed: {}. The router has drained.", self.weight_changes));
        lines
    }

    /// Whether the router kept what it promises.
    ///
    /// # Errors
    /// [`DemoError::Unkept`] where a request was lost or answered wrongly.
    pub(super) fn verdict(self) -> Result<(), DemoError> {
        if self.totals.lost + self.totals.wrong > 0 { Err(DemoError::Unkept(self.totals)) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::demo::observation::Observation;

    fn summary(lost: u64) -> Summary {
        let nothing = Observation::default();
        Summary {
            span: Duration::from_secs(30),
            table: Table::between(&nothing, &nothing, Duration::from_secs(30)),
            totals: Totals { sent: 10, answered: 8, refused: 2, lost, ..Totals::default() },
            weight_changes: 1,
        }
    }

    #[test]
    fn the_summary_says_what_became_of_every_request() {
        let lines = summary(0).lines();
        assert!(lines[1].starts_with("In 30.0 s"));
        assert_eq!(
            lines[7],
            "By the load: 10 requests sent, 8 answered with the right vector, 2 refused, 0 wrong, 0 lost."
        );
        assert_eq!(lines[8], "Weights changed: 1. The router has drained.");
    }

    #[test]
    fn a_lost_request_is_a_failure() {
        assert!(summary(0).verdict().is_ok());
        assert!(matches!(summary(1).verdict(), Err(DemoError::Unkept(_))));
    }
}

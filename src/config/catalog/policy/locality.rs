//! `localityLbSetting`: where requests go first, by where endpoints run.

use crate::config::written;
use crate::domain::{Distribution, Failover, LocalityBalancing, LocalityPattern};

/// What a setting that admission has let through says.
pub(super) fn read(written: &written::LocalityLbSetting) -> LocalityBalancing {
    if written.enabled == Some(false) {
        return LocalityBalancing::Off;
    }
    if !written.distribute.is_empty() {
        return LocalityBalancing::Distribute(written.distribute.iter().map(distribution).collect());
    }
    let regions = written.failover.iter().map(|one| (one.from.as_str().into(), one.to.as_str().into()));
    LocalityBalancing::Failover(Failover {
        labels: written.failover_priority.iter().map(|label| priority_label(label)).collect(),
        regions: regions.collect(),
    })
}

fn distribution(written: &written::Distribute) -> Distribution {
    Distribution {
        from: LocalityPattern::parse(&written.from),
        to: written.to.iter().map(|(to, percent)| (LocalityPattern::parse(to), *percent)).collect(),
    }
}

/// A label, with the value that the rule gives in place of the caller's.
fn priority_label(text: &str) -> (Box<str>, Option<Box<str>>) {
    let mut parts = text.split('=');
    let label = parts.next().unwrap_or_default().into();
    match (parts.next(), parts.next()) {
        (Some(value), None) => (label, Some(value.into())),
        _ => (label, None),
    }
}

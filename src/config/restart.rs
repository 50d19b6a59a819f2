//! Which changed settings wait for a restart.

use super::checked::Startup;
use super::finding::RESTART;
use super::problem::{Place, Problem, Severity};

/// A problem for each setting that differs between the one in force and the one asked for.
pub fn restart_needed(old: &Startup, new: &Startup) -> Vec<Problem> {
    let changed = [
        ("listen", old.listen != new.listen),
        ("admin", old.admin != new.admin),
        ("workers", old.workers != new.workers),
        ("backlog", old.backlog != new.backlog),
        ("keepalive", old.keepalive != new.keepalive),
        ("headerTimeout", old.header_timeout != new.header_timeout),
        ("maxHeaderBytes", old.max_header_bytes != new.max_header_bytes),
        ("drain.delay", old.drain_delay != new.drain_delay),
        ("drain.timeout", old.drain_timeout != new.drain_timeout),
        ("accessLog", old.access_log != new.access_log),
        ("log", old.log != new.log),
        ("localModel", old.local_model != new.local_model),
        ("dns", old.dns != new.dns),
        ("scaling", old.scaling != new.scaling),
        ("workload", old.workload != new.workload),
    ];
    let settings = changed.into_iter().filter(|(_, changed)| *changed).map(|(field, _)| {
        let message = format!("The setting `{field}` has changed, and the one from the last start stays in force.");
        problem(format!("spec.{field}"), message)
    });
    let listeners = (old.listeners != new.listeners).then(|| {
        let message =
            "The ports or TLS servers of the Gateways have changed, and those from the last start stay in force.";
        problem("spec.servers".to_owned(), message.to_owned())
    });
    settings.chain(listeners).collect()
}

fn problem(path: String, message: String) -> Problem {
    Problem {
        code: RESTART,
        severity: Severity::Warning,
        place: Place { path, ..Place::default() },
        message,
        cure: "Restart the router, or undo the change.".to_owned(),
        tolerated: false,
    }
}

#[cfg(test)]
mod tests {
    use super::restart_needed;
    use crate::config::{Listener, Overrides, load};

    #[test]
    fn each_changed_setting_is_named() {
        let startup = load(&[], &Overrides::default()).checked.expect("defaults are valid").startup;
        assert!(restart_needed(&startup, &startup).is_empty());
        let mut changed = startup.clone();
        changed.listen = None;
        changed.workload.name = "other".to_owned();
        changed.listeners.push(Listener { port: 80, address: ([127, 0, 0, 1], 80).into(), tls: Vec::new() });
        let paths: Vec<String> =
            restart_needed(&startup, &changed).into_iter().map(|problem| problem.place.path).collect();
        assert_eq!(paths, ["spec.listen", "spec.workload", "spec.servers"]);
    }
}

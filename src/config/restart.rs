//! Which changed settings wait for a restart.

use std::collections::BTreeMap;

use super::checked::Startup;
use super::finding::RESTART;
use super::load::SourceFile;
use super::path::Path;
use super::problem::{Place, Problem, Severity};
use super::written::Written;

/// Where the settings stand that need a restart.
#[derive(Clone, Debug, Default)]
pub struct StartupPlaces {
    /// By the path below `spec`; nothing without a Settings document.
    settings: BTreeMap<&'static str, Place>,
    /// Of the first Gateway.
    servers: Option<Place>,
    /// Where neither document is.
    file: String,
}

impl StartupPlaces {
    /// Those of `written`, which was read from `files`.
    pub(super) fn of(written: &Written, files: &[SourceFile]) -> Self {
        let settings = written.settings.first();
        let place = |field: &&'static str| {
            let path = field.split('.').fold(Path::spec(), |path, key| path.key(key));
            settings.map(|source| (*field, source.document.place(&path)))
        };
        Self {
            settings: FIELDS.iter().filter_map(place).collect(),
            servers: written.gateways.first().map(|source| source.document.place(&Path::spec().key("servers"))),
            file: files.first().map(|file| file.name.clone()).unwrap_or_default(),
        }
    }

    fn nowhere(&self, path: String) -> Place {
        Place { file: self.file.clone(), path, ..Place::default() }
    }
}

/// The settings that need a restart.
const FIELDS: [&str; 17] = [
    "listen",
    "admin",
    "workers",
    "backlog",
    "keepalive",
    "maxConnectionAge",
    "headerTimeout",
    "maxHeaderBytes",
    "drain.delay",
    "drain.timeout",
    "accessLog",
    "log",
    "dns",
    "scaling",
    "tracing.otlp",
    "tracing.serviceName",
    "workload",
];

/// A problem for each setting that differs between the one in force and the one asked for, which stands at `places`.
pub fn restart_needed(old: &Startup, new: &Startup, places: &StartupPlaces) -> Vec<Problem> {
    let changed = [
        old.listen != new.listen,
        old.admin != new.admin,
        old.workers != new.workers,
        old.backlog != new.backlog,
        old.keepalive != new.keepalive,
        old.max_connection_age != new.max_connection_age,
        old.header_timeout != new.header_timeout,
        old.max_header_bytes != new.max_header_bytes,
        old.drain_delay != new.drain_delay,
        old.drain_timeout != new.drain_timeout,
        old.access_log != new.access_log,
        old.log != new.log,
        old.dns != new.dns,
        old.scaling != new.scaling,
        old.tracing.otlp != new.tracing.otlp,
        old.tracing.service_name != new.tracing.service_name,
        old.workload != new.workload,
    ];
    let settings = FIELDS.into_iter().zip(changed).filter(|(_, changed)| *changed).map(|(field, _)| {
        let message = format!("The setting `{field}` has changed, and the one from the last start stays in force.");
        let place = places.settings.get(field).cloned();
        problem(place.unwrap_or_else(|| places.nowhere(format!("spec.{field}"))), message)
    });
    let listeners = (old.listeners != new.listeners).then(|| {
        let message =
            "The ports or TLS servers of the Gateways have changed, and those from the last start stay in force.";
        let place = places.servers.clone().unwrap_or_else(|| places.nowhere("spec.servers".to_owned()));
        problem(place, message.to_owned())
    });
    settings.chain(listeners).collect()
}

fn problem(place: Place, message: String) -> Problem {
    Problem {
        code: RESTART,
        severity: Severity::Warning,
        place,
        message,
        cure: "Restart the router, or undo the change.".to_owned(),
        tolerated: false,
    }
}

#[cfg(test)]
mod tests {
    use super::{Problem, restart_needed};
    use crate::config::{Listener, Overrides, SourceFile, load};

    #[test]
    fn each_changed_setting_is_named() {
        let text = "apiVersion: overspill.dev/v1\nkind: Settings\nmetadata: {name: a}\nspec:\n  listen: 127.0.0.1:1\n";
        let file = SourceFile { name: "a.yaml".to_owned(), bytes: text.as_bytes().to_vec() };
        let loaded = load(&[file], &Overrides::default());
        let (startup, places) = (loaded.checked.expect("a valid document").startup, loaded.startup_places);
        assert!(restart_needed(&startup, &startup, &places).is_empty());
        let mut changed = startup.clone();
        changed.listen = None;
        changed.workload.name = "other".to_owned();
        changed.listeners.push(Listener { port: 80, address: ([127, 0, 0, 1], 80).into(), tls: Vec::new() });
        let place = |problem: Problem| (problem.place.file, problem.place.line, problem.place.path);
        let found: Vec<_> = restart_needed(&startup, &changed, &places).into_iter().map(place).collect();
        let at = |line, path: &str| ("a.yaml".to_owned(), line, path.to_owned());
        // What is not written stands where it would be; where there is no document for it, the file is all that is known.
        assert_eq!(found, [at(5, "spec.listen"), at(4, "spec.workload"), at(0, "spec.servers")]);
    }
}

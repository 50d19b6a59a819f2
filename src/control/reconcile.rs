//! From the documents as they are to the snapshot in force.

use std::sync::Arc;

use super::Folder;
use crate::config::{self, Checked, Loaded, Overrides, Problem, Severity, SourceFile};
use crate::domain::Host;
use crate::live::Publisher;
use crate::snapshot::names;

/// What came of one reload.
#[derive(Debug)]
pub enum Reload {
    /// The documents are as they were.
    Unchanged,
    /// A new generation is in force; the problems are warnings.
    Published(Vec<Problem>),
    /// The documents have errors; the last good generation stays in force.
    Faulty(Vec<Problem>),
}

/// Every file, or why they cannot be read.
pub(super) type Read = Result<Vec<SourceFile>, Box<Problem>>;

/// The one that turns documents into generations.
pub struct Reconciler {
    folder: Folder,
    overrides: Overrides,
    publisher: Arc<Publisher>,
    /// What was last read, faulty or not, or why nothing could be: what is unchanged is not judged again.
    seen: Read,
    /// What the next files to be judged come to.
    loaded: Option<Loaded>,
}

impl Reconciler {
    /// A reconciler whose publisher holds what `seen` was checked into.
    pub fn new(folder: Folder, overrides: Overrides, publisher: Arc<Publisher>, seen: Vec<SourceFile>) -> Self {
        Self { folder, overrides, publisher, seen: Ok(seen), loaded: None }
    }

    /// Where the documents are.
    pub fn folder(&self) -> &Folder {
        &self.folder
    }

    /// Reads the documents as they are now.
    pub(super) fn read(&self) -> Read {
        self.folder.read().map_err(|error| Box::new(error.problem()))
    }

    /// Whether `read` differs from what was judged last.
    pub(super) fn is_news(&self, read: &Read) -> bool {
        *read != self.seen
    }

    /// The names of endpoints that `read`, which is reloaded next, would put in force.
    pub(super) fn names(&mut self, read: &Read) -> Vec<Host> {
        let Some(files) = read.as_ref().ok().filter(|_| self.is_news(read)) else { return Vec::new() };
        let loaded = self.loaded.insert(config::load(files, &self.overrides));
        loaded.checked.iter().flat_map(|checked| names(checked).into_keys()).cloned().collect()
    }

    /// Publishes what was read if it changed and is free of errors. Logs every problem.
    pub(super) fn reload(&mut self, read: Read) -> Reload {
        let reload = self.try_reload(read);
        match &reload {
            Reload::Unchanged => {}
            Reload::Published(problems) => {
                log_problems(problems);
                let generation = self.publisher.current().snapshot.generation();
                tracing::info!(generation, "configuration published");
            }
            Reload::Faulty(problems) => {
                log_problems(problems);
                let generation = self.publisher.current().snapshot.generation();
                tracing::error!(generation, "configuration refused; the last good one stays in force");
            }
        }
        reload
    }

    fn try_reload(&mut self, read: Read) -> Reload {
        if !self.is_news(&read) {
            return Reload::Unchanged;
        }
        self.seen = read;
        let files = match &self.seen {
            Ok(files) => files,
            Err(problem) => return Reload::Faulty(vec![Problem::clone(problem)]),
        };
        let loaded = self.loaded.take().unwrap_or_else(|| config::load(files, &self.overrides));
        let usable = !loaded.is_faulty();
        match loaded.checked {
            Some(checked) if usable => {
                let mut problems = loaded.problems;
                problems.extend(config::restart_needed(&self.publisher.current().checked.startup, &checked.startup));
                self.publisher.publish(self.with_old_startup(checked));
                Reload::Published(problems)
            }
            _ => Reload::Faulty(loaded.problems),
        }
    }

    /// What needs a restart stays as it is in force, so that a dump shows what is really so.
    fn with_old_startup(&self, checked: Checked) -> Checked {
        Checked { startup: self.publisher.current().checked.startup.clone(), ..checked }
    }
}

/// Logs each problem by itself, at its severity.
pub fn log_problems(problems: &[Problem]) {
    for problem in problems {
        let (place, code) = (&problem.place, problem.code);
        let (file, line, path) = (&place.file, place.line, &place.path);
        match problem.severity {
            Severity::Error => tracing::error!(code, file, line, path, cure = problem.cure, "{}", problem.message),
            Severity::Warning => tracing::warn!(code, file, line, path, cure = problem.cure, "{}", problem.message),
        }
    }
}

//! From the documents as they are to the snapshot in force.

use std::sync::Arc;
use std::time::SystemTime;

use super::Folder;
use crate::config::{self, Checked, Loaded, Overrides, Problem, Severity, SourceFile};
use crate::domain::Host;
use crate::live::Publisher;
use crate::snapshot::names;
use crate::tls::{self, Keeper};

/// What came of one reload.
#[derive(Debug)]
pub enum Reload {
    /// The documents are as they were.
    Unchanged,
    /// What was read is in force, documents or certificates; the problems are warnings.
    Published(Vec<Problem>),
    /// The documents have errors; the last good generation stays in force, with the certificates as they are now.
    Faulty(Vec<Problem>),
}

/// All that was read at one moment.
#[derive(PartialEq)]
pub(super) struct Read {
    /// Every file of documents, or why they cannot be read.
    documents: Result<Vec<SourceFile>, Box<Problem>>,
    /// The certificates and keys that the documents in force name.
    certificates: tls::Files,
}

/// The one that turns documents into generations.
pub struct Reconciler {
    folder: Folder,
    overrides: Overrides,
    publisher: Arc<Publisher>,
    certificates: Keeper,
    /// What was last read, faulty or not, or why nothing could be: what is unchanged is not judged again.
    seen: Result<Vec<SourceFile>, Box<Problem>>,
    /// What is wrong with the documents that were last read.
    judged: Judged,
    /// What the next files to be judged come to.
    loaded: Option<Loaded>,
}

/// What became of documents, and what is wrong with them.
#[derive(Clone, Debug)]
enum Judged {
    InForce(Vec<Problem>),
    Refused(Vec<Problem>),
}

/// The documents that a router starts with.
pub struct Start {
    /// Their files.
    pub files: Vec<SourceFile>,
    /// What is wrong with them, short of an error.
    pub problems: Vec<Problem>,
    /// What follows the certificates that they name.
    pub certificates: Keeper,
}

impl Reconciler {
    /// A reconciler whose publisher holds what `start` was checked into.
    pub fn new(folder: Folder, overrides: Overrides, publisher: Arc<Publisher>, start: Start) -> Self {
        let Start { files, problems, certificates } = start;
        let judged = Judged::InForce(problems);
        Self { folder, overrides, publisher, certificates, seen: Ok(files), judged, loaded: None }
    }

    /// Where the documents are.
    pub fn folder(&self) -> &Folder {
        &self.folder
    }

    /// Reads the documents and certificates as they are now.
    pub(super) fn read(&self) -> Read {
        let documents = self.folder.read().map_err(|error| Box::new(error.problem()));
        Read { documents, certificates: self.certificates.read() }
    }

    /// Whether `read` differs from what was judged last.
    pub(super) fn is_news(&self, read: &Read) -> bool {
        read.documents != self.seen || self.certificates.is_news(&read.certificates, SystemTime::now())
    }

    /// The names of endpoints that `read`, which is reloaded next, would put in force.
    pub(super) fn names(&mut self, read: &Read) -> Vec<Host> {
        let news = read.documents.as_ref().ok().filter(|_| read.documents != self.seen);
        let Some(files) = news else { return Vec::new() };
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
        if self.certificates.is_news(&read.certificates, SystemTime::now()) {
            self.certificates.take(read.certificates, SystemTime::now());
            tracing::info!("certificates read again");
        }
        if read.documents != self.seen {
            self.seen = read.documents;
            self.judged = self.judge();
        }
        // What is wrong with certificates goes with what is wrong with the documents that name them.
        let certificates = self.certificates.problems();
        match self.judged.clone() {
            Judged::InForce(problems) => Reload::Published(problems.into_iter().chain(certificates).collect()),
            Judged::Refused(problems) => Reload::Faulty(problems.into_iter().chain(certificates).collect()),
        }
    }

    /// Puts the documents in force, if they are free of errors.
    fn judge(&mut self) -> Judged {
        let files = match &self.seen {
            Ok(files) => files,
            Err(problem) => return Judged::Refused(vec![Problem::clone(problem)]),
        };
        let loaded = self.loaded.take().unwrap_or_else(|| config::load(files, &self.overrides));
        let usable = !loaded.is_faulty();
        match loaded.checked {
            Some(checked) if usable => {
                let mut problems = loaded.problems;
                let old = self.publisher.current();
                let restart = config::restart_needed(&old.checked.startup, &checked.startup, &loaded.startup_places);
                problems.extend(restart);
                let clients = self.certificates.follow(&checked, SystemTime::now());
                self.publisher.publish(self.with_old_startup(checked), clients);
                Judged::InForce(problems)
            }
            _ => Judged::Refused(loaded.problems),
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

//! The composition root: the only place that wires.
//!
//! [`Configuration::read`] reads what is asked for, [`build`] binds every address, and
//! [`Bound::run`] serves until it is told to drain. Owns the threads.

mod bind;
mod drain;
mod memory;
mod names;
mod records;
mod run;
mod scaling;
mod start;
mod traffic;

use std::path::PathBuf;

pub use drain::Shutdown;
pub use start::{Bound, StartError, build};

use crate::config::{self, Checked, Overrides, Problem, SourceFile};
use crate::control::Folder;

/// What to run, as flags and environment give it.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The folder or file of documents; without one, every setting is its default and no host is served.
    pub config: Option<PathBuf>,
    /// What wins over the documents.
    pub overrides: Overrides,
}

/// Documents that were read and found free of errors.
pub struct Configuration {
    checked: Checked,
    problems: Vec<Problem>,
    source: Option<(Folder, Vec<SourceFile>)>,
    overrides: Overrides,
}

impl Configuration {
    /// Reads and checks the documents.
    ///
    /// # Errors
    /// Every problem, where at least one is an error.
    pub fn read(options: Options) -> Result<Self, Vec<Problem>> {
        let source = match options.config.map(Folder::new) {
            Some(folder) => {
                let files = folder.read().map_err(|error| vec![error.problem()])?;
                Some((folder, files))
            }
            None => None,
        };
        let files = source.as_ref().map_or(&[][..], |(_, files)| files);
        let loaded = config::load(files, &options.overrides);
        let usable = !loaded.is_faulty();
        match loaded.checked {
            Some(checked) if usable => {
                Ok(Self { checked, problems: loaded.problems, source, overrides: options.overrides })
            }
            _ => Err(loaded.problems),
        }
    }

    /// What was read.
    pub fn checked(&self) -> &Checked {
        &self.checked
    }

    /// What is wrong with it, short of an error.
    pub fn warnings(&self) -> &[Problem] {
        &self.problems
    }
}

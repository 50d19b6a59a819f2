//! What can be wrong with the files that TLS needs.

use std::fmt;
use std::path::Path;
use std::time::SystemTime;

/// What is wrong, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Fault {
    pub(super) message: String,
    pub(super) cure: String,
}

impl Fault {
    pub(super) fn new(message: impl Into<String>, cure: impl Into<String>) -> Self {
        Self { message: message.into(), cure: cure.into() }
    }

    /// A fault of one file.
    pub(super) fn of(path: &Path, why: impl fmt::Display, cure: impl Into<String>) -> Self {
        Self::new(format!("`{}`: {why}.", path.display()), cure)
    }
}

/// Something built from files, and what is wrong with them; where nothing could be built, that is why.
pub(super) struct Built<T> {
    pub(super) config: Option<T>,
    pub(super) faults: Vec<Fault>,
    /// When the same files would come to something else, since a certificate becomes valid or expires.
    pub(super) turns: Option<SystemTime>,
}

//! The SHA-256 of files: what tells one model from another.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use bytes::Bytes;
use sha2::{Digest as _, Sha256};

use super::error::LoadError;

/// The SHA-256 of a file's content, in hexadecimal digits.
pub(super) fn sha256(path: &Path) -> Result<String, LoadError> {
    let unreadable = |why| LoadError::File { path: path.to_owned(), why };
    let mut file = File::open(path).map_err(unreadable)?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        let read = file.read(&mut buffer).map_err(unreadable)?;
        if read == 0 {
            break;
        }
        hasher.update(&buffer[..read]);
    }
    Ok(format!("{:x}", Bytes::copy_from_slice(&hasher.finalize())))
}

/// Compares the SHA-256 of a file: zeroed or swapped weights load in silence.
pub(super) fn check(path: &Path, expected: &str) -> Result<(), LoadError> {
    let found = sha256(path)?;
    if found.eq_ignore_ascii_case(expected) {
        Ok(())
    } else {
        Err(LoadError::Hash { path: path.to_owned(), expected: expected.to_owned(), found })
    }
}

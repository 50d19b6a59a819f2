//! The local model's files, for the tests that need them.

use std::fs;
use std::num::NonZeroU32;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use overspill::config::{Batching, LocalModel};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

/// The folder that obtain.py has filled.
pub(crate) fn folder() -> PathBuf {
    let named = std::env::var_os("OVERSPILL_MODEL").map(PathBuf::from);
    let folder = named.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join(".local-model"));
    assert!(
        folder.join("manifest.json").is_file(),
        "{} is not filled: run `make test`, or `python3 src/fallback/assets/obtain.py`",
        folder.display()
    );
    folder
}

/// Settings for one thread.
pub(crate) fn settings(folder: &Path, file: &str) -> LocalModel {
    let number = |number| NonZeroU32::new(number).expect("a number above zero");
    LocalModel {
        folder: folder.to_owned(),
        file: file.to_owned(),
        library: None,
        batching: Batching::default(),
        threads: number(1),
        max_batch: number(32),
        queue: number(64),
    }
}

/// A folder like the filled one, of links to its files.
pub(crate) fn linked() -> TempDir {
    let linked = tempfile::tempdir().expect("a temporary folder");
    for entry in fs::read_dir(folder()).expect("the filled folder") {
        let entry = entry.expect("an entry");
        symlink(entry.path(), linked.path().join(entry.file_name())).expect("a link");
    }
    linked
}

/// Puts other content in the place of a link.
pub(crate) fn replace(folder: &TempDir, name: &str, content: &[u8]) {
    let path = folder.path().join(name);
    fs::remove_file(&path).expect("the link is removed");
    fs::write(path, content).expect("the content is written");
}

/// Changes the manifest of a folder of links.
pub(crate) fn edit_manifest(folder: &TempDir, edit: impl FnOnce(&mut Value)) {
    let text = fs::read(folder.path().join("manifest.json")).expect("the manifest");
    let mut manifest = serde_json::from_slice(&text).expect("a manifest of JSON");
    edit(&mut manifest);
    replace(folder, "manifest.json", manifest.to_string().as_bytes());
}

/// A content's SHA-256, as the manifest writes it.
pub(crate) fn sha256(content: &[u8]) -> String {
    format!("{:x}", Bytes::copy_from_slice(&Sha256::digest(content)))
}

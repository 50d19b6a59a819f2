//! Wrong libraries in the place of ONNX Runtime. Alone in its process, since a process loads one.

#![expect(clippy::expect_used, reason = "what helpers expect, the test expects")]

#[path = "local_model/files.rs"]
#[expect(dead_code, reason = "shared with the tests of the model's files")]
mod files;

use std::fs;
use std::path::PathBuf;

use files::settings;
use overspill::config::LocalModel;
use overspill::fallback::{LoadError, LocalTier};

fn start(library: Option<PathBuf>) -> Result<LocalTier, LoadError> {
    LocalTier::start(&LocalModel { library, ..settings(&files::folder(), "model-int8.onnx") }, |_| {})
}

/// A shared library that is no ONNX Runtime: the C library of this very process.
fn c_library() -> PathBuf {
    let maps = fs::read_to_string("/proc/self/maps").expect("the process's maps");
    let path = maps.lines().filter_map(|line| line.split_whitespace().nth(5)).find(|path| path.contains("libc.so"));
    PathBuf::from(path.expect("this test is linked to a C library"))
}

#[test]
fn a_wrong_library_is_named_and_spoils_nothing() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let text = folder.path().join("libonnxruntime.so");
    fs::write(&text, "This is no library.").expect("a file");
    let truncated = folder.path().join("libonnxruntime.so.1");
    let right = files::folder().join("libonnxruntime.so.1.28.0");
    fs::write(&truncated, &fs::read(&right).expect("the library")[..1 << 20]).expect("a file");

    for wrong in [text, truncated, c_library()] {
        let error = start(Some(wrong.clone())).err().expect("a wrong library is refused");
        let wrong = wrong.canonicalize().expect("the file");
        assert!(matches!(&error, LoadError::Library { path, .. } if *path == wrong), "{error}");
        assert!(error.to_string().contains("1.28.0"), "{error}");
    }
    let missing = folder.path().join("nothing.so");
    assert!(matches!(start(Some(missing)), Err(LoadError::File { .. })));

    assert!(start(None).is_ok(), "the right one still loads");
    assert!(start(Some(right.clone())).is_ok(), "the same one serves again");
    let copy = folder.path().join("copy.so");
    fs::copy(&right, &copy).expect("a copy");
    assert!(start(Some(copy.clone())).is_ok(), "a copy of it is the same library");
    let mut other = fs::read(&right).expect("the library");
    other.push(0);
    fs::write(&copy, other).expect("another library");
    let error = start(Some(copy)).err().expect("another one is refused");
    assert!(
        matches!(&error, LoadError::OtherLibrary { loaded, .. } if *loaded == right.canonicalize().expect("it")),
        "{error}"
    );
}

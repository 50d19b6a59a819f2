//! The fuzz targets' cases on a few inputs, so that they build and hold on every change; `.ci/nightly` looks for others.

#![allow(clippy::expect_used, reason = "a failed expectation is a failed test, in its helpers too")]
#![allow(unreachable_pub, reason = "the fuzz targets are crates beside the cases")]

#[path = "fuzz/cases/cases.rs"]
mod cases;

use std::path::{Path, PathBuf};

/// The YAML files of a folder and of the folders in it.
fn documents(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).expect("the folder is in the repository");
    let paths = entries.map(|entry| entry.expect("a readable entry").path());
    let found = paths.flat_map(|path| if path.is_dir() { documents(&path) } else { vec![path] });
    found.filter(|path| path.extension().is_some_and(|extension| extension == "yaml")).collect()
}

#[test]
fn the_case_of_documents_holds_for_the_golden_ones() {
    let found = documents(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden"));
    assert!(found.len() >= 20, "the golden documents are in the repository");
    for path in found {
        cases::documents(&std::fs::read(&path).expect("a readable file"));
    }
}

#[test]
fn the_case_of_requests_holds_for_a_few() {
    for (request, is_one) in [
        ("GET http www.example.com /api/x 80", true),
        ("OPTIONS https secure.example.com / 443\norigin: https://a.example\naccess-control-request-method: PUT", true),
        ("GET http app /public/../%61dmin?x 80\n\ncookie: a=b\ncookie: c", true),
        ("GET http [::1]:8080 * 8080", true),
        ("GET http a /%00 80", false),
        ("GET http a /", false),
        ("GET http a / 80\nno colon", false),
    ] {
        assert_eq!(cases::requests(request.as_bytes()).is_some(), is_one, "{request}");
    }
}

//! The repository's files, and what is in them.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

/// The repository.
pub(super) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every file below `folder`, in order.
pub(super) fn below(folder: &str) -> Vec<PathBuf> {
    let (mut found, mut folders) = (Vec::new(), vec![root().join(folder)]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a readable folder") {
            let path = entry.expect("a readable folder").path();
            if path.is_dir() { folders.push(path) } else { found.push(path) }
        }
    }
    found.sort();
    found
}

/// The text of a file, named from the repository's root.
pub(super) fn text(path: impl AsRef<Path>) -> String {
    let path = root().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The YAML documents of `text`, which `name` says where they stand.
pub(super) fn yaml(name: &str, text: &str) -> Vec<Value> {
    use serde::Deserialize as _;
    serde_yaml::Deserializer::from_str(text)
        .map(|document| Value::deserialize(document).unwrap_or_else(|error| panic!("{name}: {error}")))
        .filter(|document| !document.is_null())
        .collect()
}

/// The path from the repository's root, as text.
pub(super) fn name(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).display().to_string()
}

/// Every folder of `manifests/` that kustomize builds by itself; components change what others build.
pub(super) fn kustomizations() -> Vec<String> {
    let files = below("manifests").into_iter().filter(|path| path.ends_with("kustomization.yaml"));
    let kustomizations = files.filter(|path| !text(path).contains("kind: Component"));
    kustomizations.map(|path| name(path.parent().expect("a file is in a folder"))).collect()
}

//! Folders of documents, edited as people and as the kubelet edit them.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

/// A plain folder.
pub struct Folder {
    root: TempDir,
}

impl Folder {
    /// A folder with the file `documents.yaml`.
    pub fn with(documents: &str) -> Self {
        let folder = Self { root: TempDir::new().expect("a temporary folder") };
        folder.write("documents.yaml", documents);
        folder
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.root.path()
    }

    /// Truncates a file and writes it anew, in place.
    pub fn write(&self, name: &str, text: &str) {
        fs::write(self.path().join(name), text).expect("a file in a temporary folder is writable");
    }

    /// Writes a new file beside the old one and renames it over, as editors and `sed -i` do.
    pub fn replace(&self, name: &str, text: &str) {
        // A hidden name without `.yaml`, as an editor's own, so that the half-written file is no document.
        let fresh = self.path().join(format!(".{name}.new"));
        fs::write(&fresh, text).expect("a file in a temporary folder is writable");
        fs::rename(fresh, self.path().join(name)).expect("a rename within a folder");
    }
}

/// A ConfigMap volume with the layout and the update steps of the kubelet's atomic writer: each file links to
/// `..data/FILE`, `..data` links to a timestamped folder, and an update renames `..data_tmp` over `..data`.
pub struct ConfigMapVolume {
    root: TempDir,
    current: PathBuf,
    version: u32,
}

impl ConfigMapVolume {
    /// A volume with the file `documents.yaml`.
    pub fn with(documents: &str) -> Self {
        let root = TempDir::new().expect("a temporary folder");
        let current = write_version(root.path(), 1, documents);
        symlink(name_of(&current), root.path().join("..data")).expect("a link");
        symlink("..data/documents.yaml", root.path().join("documents.yaml")).expect("a link");
        Self { root, current, version: 1 }
    }

    /// Where it is mounted.
    pub fn path(&self) -> &Path {
        self.root.path()
    }

    /// What the kubelet does when the ConfigMap changes.
    pub fn update(&mut self, documents: &str) {
        self.version += 1;
        let next = write_version(self.path(), self.version, documents);
        let (fresh, data) = (self.path().join("..data_tmp"), self.path().join("..data"));
        symlink(name_of(&next), &fresh).expect("a link");
        fs::rename(fresh, data).expect("a rename within a folder");
        let old = std::mem::replace(&mut self.current, next);
        fs::remove_dir_all(old).expect("the old folder is there");
    }
}

fn write_version(root: &Path, version: u32, documents: &str) -> PathBuf {
    let folder = root.join(format!("..2026_01_01_00_00_{version:02}.{version:010}"));
    fs::create_dir(&folder).expect("a new folder");
    fs::write(folder.join("documents.yaml"), documents).expect("a new file");
    folder
}

fn name_of(path: &Path) -> &Path {
    path.file_name().expect("a folder inside another has a name").as_ref()
}

//! Documents in a folder or a file.

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::config::{self, Problem, SourceFile};

/// The endings of files that hold documents.
const ENDINGS: [&str; 3] = ["yaml", "yml", "json"];
/// The largest file that is read, in bytes: many times what any set of documents needs.
const MAX_FILE_BYTES: u64 = 32 << 20;
/// How deep folders are followed below the one that is named.
const MAX_DEPTH: usize = 8;

/// Where documents are read from.
#[derive(Clone, Debug)]
pub struct Folder {
    path: PathBuf,
}

/// Why documents cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("{}: {why}", .path.display())]
pub struct SourceError {
    path: PathBuf,
    why: io::Error,
}

impl SourceError {
    fn new(path: &Path, why: io::Error) -> Self {
        Self { path: path.to_owned(), why }
    }

    /// The same as a problem with the configuration.
    pub fn problem(&self) -> Problem {
        config::unreadable(self.path.display().to_string(), format!("It cannot be read: {}.", self.why))
    }
}

impl Folder {
    /// A folder, or a single file.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// The folder or file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads every document file, in the order of their names. Hidden files are passed over, and with them the folders in
    /// which a `ConfigMap` volume keeps its versions: its files are links at the top that lead there.
    ///
    /// # Errors
    /// [`SourceError`] names the file.
    pub fn read(&self) -> Result<Vec<SourceFile>, SourceError> {
        let mut files = Vec::new();
        if metadata(&self.path)?.is_dir() {
            read_folder(&self.path, MAX_DEPTH, &mut files)?;
        } else {
            files.push(read_file(&self.path)?);
        }
        Ok(files)
    }

    /// The folders whose entries, when they change, may change what [`Folder::read`] returns.
    pub fn folders(&self) -> Vec<PathBuf> {
        if !self.path.is_dir() {
            let parent = self.path.parent().filter(|parent| !parent.as_os_str().is_empty());
            return vec![parent.unwrap_or(Path::new(".")).to_owned()];
        }
        let mut folders = vec![self.path.clone()];
        let mut next = 0;
        while let Some(folder) = folders.get(next).cloned() {
            let below = folder.strip_prefix(&self.path).map_or(0, |below| below.components().count());
            if below < MAX_DEPTH {
                let entries = visible_entries(&folder).unwrap_or_default();
                folders.extend(entries.into_iter().filter(|entry| entry.is_dir()));
            }
            next += 1;
        }
        folders
    }
}

fn read_folder(folder: &Path, depth: usize, files: &mut Vec<SourceFile>) -> Result<(), SourceError> {
    let entries = visible_entries(folder).map_err(|why| SourceError::new(folder, why))?;
    for path in entries {
        let is_document = path.extension().and_then(|ending| ending.to_str()).is_some_and(|e| ENDINGS.contains(&e));
        if path.is_dir() {
            if depth > 0 {
                read_folder(&path, depth - 1, files)?;
            }
        } else if is_document && (path.is_file() || !path.exists()) {
            // A pipe or a device would be read without end; a link that leads nowhere is an error, as it may come back.
            files.push(read_file(&path)?);
        }
    }
    Ok(())
}

fn read_file(path: &Path) -> Result<SourceFile, SourceError> {
    let mut bytes = Vec::new();
    // Not by the length that the system tells: a device has none, and a file may grow.
    let read = fs::File::open(path).and_then(|file| file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes));
    let count = read.map_err(|why| SourceError::new(path, why))? as u64;
    if count > MAX_FILE_BYTES {
        let why = format!("it has more than the {MAX_FILE_BYTES} bytes of the largest file of documents");
        return Err(SourceError::new(path, io::Error::other(why)));
    }
    Ok(SourceFile { name: path.display().to_string(), bytes })
}

fn metadata(path: &Path) -> Result<fs::Metadata, SourceError> {
    fs::metadata(path).map_err(|why| SourceError::new(path, why))
}

fn visible_entries(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut entries = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if !entry.file_name().to_string_lossy().starts_with('.') {
            entries.push(entry.path());
        }
    }
    entries.sort();
    Ok(entries)
}

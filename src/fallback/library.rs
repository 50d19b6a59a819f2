//! The ONNX Runtime library: found, loaded once a process, and never another one after it.

mod elf;

use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use ort::environment::Environment;

use super::error::LoadError;
use super::hash::sha256;

/// The library in use, the hash of its content, and its environment. ONNX Runtime lives as long as the process: unloading it
/// is not safe.
static IN_USE: Mutex<Option<(PathBuf, String, Environment)>> = Mutex::new(None);

/// The library in use, if one is.
pub(super) fn loaded() -> Option<Environment> {
    let in_use = IN_USE.lock().unwrap_or_else(PoisonError::into_inner);
    in_use.as_ref().map(|(_, _, environment)| environment.clone())
}

/// Loads the library at `path`, or gives what is loaded where it is the same one: each version of a model may have a copy.
///
/// Nothing is reported to the library's maker: 1.28 and older never do on Linux, and events are switched off besides.
pub(super) fn load(path: &Path) -> Result<Environment, LoadError> {
    let path = path.canonicalize().map_err(|why| LoadError::File { path: path.to_owned(), why })?;
    let mut in_use = IN_USE.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((loaded, hash, environment)) = in_use.as_ref() {
        return if *loaded == path || sha256(&path)? == *hash {
            Ok(environment.clone())
        } else {
            Err(LoadError::OtherLibrary { path, loaded: loaded.clone() })
        };
    }
    let wrong = |why: String| LoadError::Library { path: path.clone(), why };
    if !is_whole(&path).map_err(|why| LoadError::File { path: path.clone(), why })? {
        return Err(wrong("its end is missing".to_owned()));
    }
    let environment = ort::init_from(&path)
        .map_err(|why| wrong(why.to_string()))?
        .with_name("overspill")
        .with_telemetry(false)
        .build()
        .map_err(|why| wrong(why.to_string()))?;
    let hash = sha256(&path)?;
    *in_use = Some((path.clone(), hash, environment.clone()));
    Ok(environment)
}

fn is_whole(path: &Path) -> std::io::Result<bool> {
    let file = File::open(path)?;
    let length = file.metadata()?.len();
    let mut head = Vec::new();
    file.take(elf::HEAD as u64).read_to_end(&mut head)?;
    Ok(elf::is_whole(&head, length))
}

/// The first `libonnxruntime.so*` of `folder` by name.
pub(super) fn find(folder: &Path) -> Result<PathBuf, LoadError> {
    let entries = fs::read_dir(folder).map_err(|_| LoadError::Folder(folder.to_owned()))?;
    let is_library = |path: &PathBuf| {
        path.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.starts_with("libonnxruntime.so"))
    };
    entries
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(is_library)
        .min()
        .ok_or_else(|| LoadError::NoLibrary(folder.to_owned()))
}

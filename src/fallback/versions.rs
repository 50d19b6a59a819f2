//! The versions of a model: folders below the model's own, each as whole as that one.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::error::LoadError;
use super::library;
use super::manifest::{self, Manifest};
use crate::config::{Encoding, LocalModel, NamedModel, Pooling, Rollout};
use crate::domain::EmbeddingSpace;

/// What the files in the folder itself are called, where they are no version's.
pub const UNVERSIONED: &str = "unversioned";

/// A version that is to be served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    /// Its name.
    pub name: String,
    /// The settings that it is loaded by: its folder is in the place of the model's.
    pub settings: LocalModel,
}

/// What a folder's files were when they were looked at; whatever is put in their place has another.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fingerprint(Vec<(PathBuf, u64, u64, Option<SystemTime>)>);

impl Version {
    /// The version that takes what the canary does not.
    ///
    /// # Errors
    /// [`LoadError`] where the folder or that version is missing.
    pub fn stable(settings: &LocalModel) -> Result<Self, LoadError> {
        if let Some(named) = &settings.rollout.stable {
            return Self::named(settings, named);
        }
        if holds_model(&settings.folder, settings) {
            return Ok(Self::of(settings, UNVERSIONED, settings.folder.clone()));
        }
        let canary = settings.rollout.canary.as_ref().map(|canary| canary.version.as_str());
        let below = fs::read_dir(&settings.folder).into_iter().flatten().filter_map(Result::ok);
        let names = below.filter_map(|entry| entry.file_name().into_string().ok());
        let is_version = |name: &String| {
            Some(name.as_str()) != canary
                && !name.starts_with('.')
                && holds_model(&settings.folder.join(name), settings)
        };
        match names.filter(is_version).max_by_key(|name| order(name)) {
            Some(highest) => Self::named(settings, &highest),
            // What is missing is said by reading it.
            None => Ok(Self::of(settings, UNVERSIONED, settings.folder.clone())),
        }
    }

    /// The version on trial, with its share of a hundred.
    pub fn canary(settings: &LocalModel) -> Option<(Result<Self, LoadError>, u8)> {
        let canary = settings.rollout.canary.as_ref()?;
        // The models beside are the stable version's, so that none is there twice.
        let alone = LocalModel { models: Vec::new(), ..settings.clone() };
        Some((Self::named(&alone, &canary.version), canary.percentage))
    }

    fn named(settings: &LocalModel, name: &str) -> Result<Self, LoadError> {
        let folder = settings.folder.join(name);
        if !folder.is_dir() {
            return Err(LoadError::Folder(folder));
        }
        let mut version = Self::of(settings, name, folder);
        let encoding = &mut version.settings.encoding;
        if encoding.name.is_none() && !version.settings.folder.join(manifest::FILE).exists() {
            // Versions of one model have its name: the version's folder says which of them it is, not of what.
            encoding.name = manifest::folder_name(&settings.folder);
        }
        Ok(version)
    }

    /// With the library of the model's folder, where the version's own has none.
    fn of(settings: &LocalModel, name: &str, folder: PathBuf) -> Self {
        let shared = || library::find(&folder).is_err().then(|| library::find(&settings.folder).ok()).flatten();
        let library = settings.library.clone().or_else(shared);
        let settings = LocalModel { rollout: Rollout::default(), library, folder, ..settings.clone() };
        Self { name: name.to_owned(), settings }
    }

    /// What its files are now.
    pub fn fingerprint(&self) -> Fingerprint {
        let folders =
            std::iter::once(&self.settings.folder).chain(self.settings.models.iter().map(|model| &model.folder));
        let entries = folders.flat_map(fs::read_dir).flatten().filter_map(Result::ok);
        let mut files: Vec<_> = entries
            .filter(|entry| !entry.file_name().to_string_lossy().starts_with('.'))
            .filter_map(|entry| {
                // Of what a link leads to: a volume replaces that, and keeps the link.
                let found = fs::metadata(entry.path()).ok().filter(|found| !found.is_dir())?;
                Some((entry.path(), found.ino(), found.len(), found.modified().ok()))
            })
            .collect();
        files.sort();
        Fingerprint(files)
    }

    /// What its vectors come from, as far as its manifest and the settings tell: nothing is loaded.
    ///
    /// # Errors
    /// [`LoadError`] where the manifest cannot be read.
    pub fn identity(&self) -> Result<KnownIdentity, LoadError> {
        let LocalModel { folder, file, encoding, .. } = &self.settings;
        KnownIdentity::read(folder, file, encoding)
    }
}

/// What is known of a model's vectors before it runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownIdentity {
    name: String,
    revision: Option<String>,
    dimension: Option<usize>,
    pooling: Option<Pooling>,
    normalised: Option<bool>,
}

impl KnownIdentity {
    fn read(folder: &Path, file: &str, encoding: &Encoding) -> Result<Self, LoadError> {
        let manifest = Manifest::read(folder, file)?;
        let model = manifest.model(folder, file)?;
        Ok(Self {
            name: encoding.name.clone().unwrap_or_else(|| model.name.clone()),
            revision: Some(model.sha256.clone()),
            dimension: model.dimension,
            pooling: encoding.pooling.or(model.pooling),
            normalised: Some(encoding.normalize.unwrap_or(model.normalised)),
        })
    }

    /// Of a model beside the main one; of one whose files are not here, or that is not for texts, it is only its name.
    pub fn beside(named: &NamedModel) -> Self {
        let read = Self::read(&named.folder, &named.file, &named.encoding);
        read.unwrap_or_else(|_| Self {
            name: named.name.clone(),
            revision: None,
            dimension: None,
            pooling: None,
            normalised: None,
        })
    }

    /// The space that its vectors are of.
    pub fn space(&self) -> EmbeddingSpace<'_> {
        EmbeddingSpace {
            name: &self.name,
            revision: self.revision.as_deref(),
            dimension: self.dimension,
            pooling: self.pooling.map(Pooling::as_str),
            normalized: self.normalised,
        }
    }
}

fn holds_model(folder: &Path, settings: &LocalModel) -> bool {
    folder.join(manifest::FILE).exists() || folder.join(&settings.file).exists()
}

/// Orders `v10` behind `v9`: what stands before a run of digits as text, the run by its value.
fn order(name: &str) -> Vec<(String, u64)> {
    let mut parts = Vec::new();
    let mut rest = name;
    while !rest.is_empty() {
        let text = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
        let end = rest[text..].find(|c: char| !c.is_ascii_digit()).map_or(rest.len(), |end| text + end);
        parts.push((rest[..text].to_owned(), rest[text..end].parse().unwrap_or(0)));
        rest = &rest[end..];
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::order;

    #[test]
    fn versions_are_ordered_by_their_numbers() {
        let mut names = ["v10", "v9", "v1", "v1.2", "v1.10", "v2"];
        names.sort_by_key(|name| order(name));
        assert_eq!(names, ["v1", "v1.2", "v1.10", "v2", "v9", "v10"]);
    }
}

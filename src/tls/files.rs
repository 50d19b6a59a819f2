//! Files of certificates and keys as they were read, and which of them settings name.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::domain::{Authorities, KeyPair};

/// The largest file that is read, in bytes; lists of revoked certificates are the longest.
const MAX_FILE_BYTES: u64 = 16 << 20;

/// What each file held, or why it could not be read. Never printed: keys are among them.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Files(BTreeMap<PathBuf, Result<Vec<u8>, String>>);

impl Files {
    /// Reads `paths` as they are now.
    pub(super) fn read(paths: impl IntoIterator<Item = PathBuf>) -> Self {
        Self(paths.into_iter().map(|path| (path.clone(), read(&path))).collect())
    }

    pub(super) fn has(&self, path: &Path) -> bool {
        matches!(self.0.get(path), Some(Ok(_)))
    }

    /// What the file held, or why it could not be read.
    pub(super) fn get(&self, path: &Path) -> Result<&[u8], &str> {
        match self.0.get(path) {
            Some(Ok(bytes)) => Ok(bytes),
            Some(Err(why)) => Err(why),
            None => Err("it has not been read"),
        }
    }
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    let told = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => "there is no such file".to_owned(),
        _ => format!("it cannot be read: {error}"),
    };
    // A pipe or a device would be read without end.
    if !fs::metadata(path).map_err(told)?.is_file() {
        return Err("it is no file".to_owned());
    }
    let mut bytes = Vec::new();
    let file = fs::File::open(path).map_err(told)?;
    let count = file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes).map_err(told)? as u64;
    if count > MAX_FILE_BYTES {
        return Err(format!("it has more than {MAX_FILE_BYTES} bytes"));
    }
    Ok(bytes)
}

/// The files that a key pair may be in, the chain and the key of each choice together. A Kubernetes secret has one of
/// several names for them; Istio looks for these, in this order.
pub(super) fn of_key_pair(pair: &KeyPair) -> Vec<(PathBuf, PathBuf)> {
    match pair {
        KeyPair::Files { certificate, key } => vec![(certificate.clone(), key.clone())],
        KeyPair::Secret(folder) => {
            vec![(folder.join("cert"), folder.join("key")), (folder.join("tls.crt"), folder.join("tls.key"))]
        }
    }
}

/// The files that authorities may be in, each with those that their revocations may be in.
pub(super) fn of_authorities(authorities: &Authorities) -> Vec<(PathBuf, Vec<PathBuf>)> {
    match authorities {
        Authorities::System | Authorities::Anyone => Vec::new(),
        Authorities::Bundle(file) => vec![(file.clone(), Vec::new())],
        Authorities::Secret(folder) => {
            let mut beside = folder.clone().into_os_string();
            beside.push("-cacert");
            let folders = [PathBuf::from(beside), folder.clone()];
            let in_folder = |folder: &PathBuf| {
                let revocations = vec![folder.join("crl"), folder.join("ca.crl")];
                ["cacert", "ca.crt"].map(|name| (folder.join(name), revocations.clone()))
            };
            folders.iter().flat_map(in_folder).collect()
        }
    }
}

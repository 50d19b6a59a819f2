//! What everything that is measured in one run shares: cores, rounds, the certificate, the folder.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rig::cores;
use rig::exchange::Wire;
use rig::{Certificate, LoadError, Times};
use rustls::ClientConfig;

/// How often and for how long.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rounds {
    pub(crate) count: usize,
    pub(crate) times: Times,
}

/// What a run stands on.
pub(crate) struct Ground {
    /// The cores that may be used: the first for origin and load, those after it for the proxy.
    pub(crate) cores: Vec<usize>,
    pub(crate) certificate: Certificate,
    /// Speaks HTTP/1.1 over TLS.
    pub(crate) client: Arc<ClientConfig>,
    pub(crate) rounds: Rounds,
    /// Where results are written.
    pub(crate) out: PathBuf,
}

impl Ground {
    /// Puts the calling thread, which will be the load's, on the first core.
    pub(crate) fn prepare(repository: &Path, rounds: Rounds) -> Result<Self, LoadError> {
        let out = repository.join("target/bench-peers");
        fs::create_dir_all(&out)?;
        let cores = cores::available()?;
        if cores.len() < 2 {
            return Err(io::Error::other("two cores are needed: one for origin and load, one for the proxy").into());
        }
        cores::pin(&cores[..1])?;
        let certificate = Certificate::make(&out)?;
        let client = certificate.client(Wire::H1)?;
        Ok(Self { cores, certificate, client, rounds, out })
    }

    /// The core of origin and load.
    pub(crate) fn load_core(&self) -> usize {
        self.cores[0]
    }

    /// The core of a proxy with one worker.
    pub(crate) fn proxy_core(&self) -> &[usize] {
        &self.cores[1..2]
    }

    /// A folder for one proxy in one measurement.
    pub(crate) fn folder(&self, measurement: &str, proxy: &str) -> io::Result<PathBuf> {
        let plain = |letter: char| if letter.is_ascii_alphanumeric() { letter } else { '-' };
        let folder = self.out.join("work").join(measurement).join(proxy.chars().map(plain).collect::<String>());
        fs::create_dir_all(&folder)?;
        Ok(folder)
    }
}

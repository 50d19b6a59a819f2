//! The proxies that are measured: how each is obtained, and how it is told to do the same as the others.

mod envoy;
mod haproxy;
mod nginx;
mod overspill;
mod pingora;

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use rig::exchange::{Front, SPLIT, Wire};
use rig::{Certificate, POOLS};

pub(crate) use self::envoy::Envoy;
pub(crate) use self::haproxy::Haproxy;
pub(crate) use self::nginx::Nginx;
pub(crate) use self::overspill::Overspill;
pub(crate) use self::pingora::Pingora;

/// What a proxy is to do. Every one of them: requests with the rule's header go to pool A, the others are split over
/// both pools; connections are kept alive on both sides; nothing is written for a request.
#[derive(Clone)]
pub(crate) struct Plan {
    pub(crate) listen: SocketAddr,
    pub(crate) front: Front,
    /// What the endpoints speak.
    pub(crate) upstream: Wire,
    pub(crate) pools: [Vec<SocketAddr>; POOLS],
    pub(crate) workers: usize,
    pub(crate) certificate: Certificate,
    /// A folder of this proxy's own.
    pub(crate) folder: PathBuf,
}

/// A program that is there.
#[derive(Clone, Debug)]
pub(crate) struct Program {
    pub(crate) path: PathBuf,
    /// As it says itself.
    pub(crate) version: String,
}

/// A proxy and its program, or why there is none.
pub(crate) struct Contender {
    pub(crate) peer: Box<dyn Peer>,
    pub(crate) program: Result<Program, String>,
}

/// A proxy.
pub(crate) trait Peer {
    /// What it is called in what is written.
    fn name(&self) -> &str;

    /// Whether it is a build of Overspill.
    fn is_own(&self) -> bool {
        false
    }

    /// The program, installed if it can be; else why there is none.
    fn obtain(&self, cache: &Path) -> Result<Program, String>;

    /// Writes its configuration, and says how it is started: in the foreground.
    fn command(&self, program: &Program, plan: &Plan) -> io::Result<Command>;
}

/// How two weights are shared out over endpoints so that each pool gets its share: one weight for every endpoint of A,
/// one for every endpoint of B.
fn weights(plan: &Plan) -> [usize; POOLS] {
    let (a, b) = SPLIT;
    let [in_a, in_b] = [plan.pools[0].len().max(1), plan.pools[1].len().max(1)];
    [a as usize * in_b, b as usize * in_a]
}

/// The first line in which a program names its version.
fn version(path: &Path, flag: &str) -> Result<String, String> {
    let said = crate::install::run(Command::new(path).arg(flag))?;
    let line = said.lines().find(|line| line.contains(|letter: char| letter.is_ascii_digit()));
    line.map(|line| line.trim().to_owned()).ok_or_else(|| format!("{} names no version", path.display()))
}

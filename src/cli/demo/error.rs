//! Why the demonstration does not start or did not end well, each with its cure.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use super::client::ClientError;
use super::load::Totals;
use crate::app::StartError;
use crate::config::{Endpoint, Pool, Problem};
use crate::fallback::{EmbedError, LoadError};

/// Why the demonstration failed.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// The documents make the router a gateway without a port.
    #[error("the router listens for no traffic: name documents whose Settings set `listen`")]
    NoListener,
    /// The documents cannot be read or have errors.
    #[error(
        "the documents in {} cannot be used. Correct them, or name others with --config:{}",
        .path.display(),
        lines(.problems)
    )]
    Documents {
        /// Where they were looked for.
        path: PathBuf,
        /// What is wrong.
        problems: Vec<Problem>,
    },
    /// The settings name no local model.
    #[error("the settings in {} have no `localModel`, which the pools and the last tier compute with: add one, as in the repository's config/settings.yaml", .0.display())]
    NoLocalModel(PathBuf),
    /// The local model cannot be loaded.
    #[error("{0}. `make run` obtains it")]
    LocalModel(#[from] LoadError),
    /// The local model failed on one of the load's sentences.
    #[error("the load's sentences cannot be embedded: {0}")]
    Embed(#[from] EmbedError),
    /// No rule leads the load's requests to an emulated pool.
    #[error("no route leads `POST {authority}{path}` to a pool with a tier: add a VirtualService whose hosts hold {host}, and a PoolPolicy with `tier` for its destinations", host = .authority.ip())]
    NoRoute {
        /// The Host of the load's requests.
        authority: SocketAddr,
        /// Their path.
        path: &'static str,
    },
    /// A pool has an endpoint on another machine.
    #[error(
        "pool {pool} has the endpoint {endpoint}, and pools are emulated on loopback addresses alone: name documents that are made for that, such as the repository's config/"
    )]
    Elsewhere {
        /// The pool.
        pool: String,
        /// Its endpoint.
        endpoint: String,
    },
    /// The address of an emulated pool is taken.
    #[error("cannot listen on {address} for the emulated pool {pool} ({why}): stop what uses it (`ss -ltnp 'sport = :{}'` names it), or give the pool's ServiceEntry another port", .address.port())]
    PoolAddress {
        /// The address.
        address: SocketAddr,
        /// The pool.
        pool: String,
        /// What the system said.
        why: io::Error,
    },
    /// The router does not start, or stopped.
    #[error(transparent)]
    Router(#[from] StartError),
    /// The router ended before it was asked to.
    #[error("the router ended by itself: its log says why")]
    RouterEnded,
    /// The router or an emulated pool does not answer on its own address.
    #[error("{address} does not answer: {why}")]
    NoAnswer {
        /// The address.
        address: SocketAddr,
        /// Why.
        why: ClientError,
    },
    /// The system gives no thread or socket, or the terminal is gone.
    #[error("the system refuses what the demonstration needs: {0}")]
    Io(#[from] io::Error),
    /// Requests were lost or answered wrongly: what the router promises was not kept.
    #[error("{} requests were lost and {} answered wrongly; the first: {}", .0.lost, .0.wrong, .0.complaint.as_deref().unwrap_or("unknown"))]
    Unkept(Totals),
}

impl DemoError {
    pub(super) fn elsewhere(pool: &Pool, endpoint: &Endpoint) -> Self {
        Self::Elsewhere { pool: pool.key.to_string(), endpoint: endpoint.address.to_string() }
    }
}

fn lines(problems: &[Problem]) -> String {
    problems.iter().fold(String::new(), |lines, problem| lines + "\n  " + &problem.to_string())
}

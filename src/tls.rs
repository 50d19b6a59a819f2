//! TLS on both sides: certificates from files, handshakes, and whom to believe.
//!
//! [`Keeper`] belongs to the control plane and is all that reads files here. What it hands out ([`Client`] for each policy
//! towards endpoints, [`Servers`] for each port towards clients) is shared by the traffic threads, which never wait for
//! it: a changed file swaps what the next handshake uses, and open connections go on. Never decides what is secured; the
//! documents do.

mod certificate;
mod client;
mod fault;
mod files;
mod keeper;
mod material;
mod server;
mod suites;
mod verify;

pub use client::{Client, HandshakeError};
pub use files::Files;
pub use keeper::{Clients, Keeper, problems};
pub use server::{AcceptError, Accepted, Judged, Peer, Server, Servers};

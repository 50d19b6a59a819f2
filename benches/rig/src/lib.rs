//! What stands around a proxy that is measured: the origin behind it, the load before it, the certificate that it serves,
//! and the documents that make Overspill do what its peers are told to do.
//!
//! Owns the contract between the three ([`exchange`]), so that an answer is known to be right. Never starts a proxy and
//! never reads what it costs.

mod address;
mod certificate;
pub mod cores;
pub mod documents;
pub mod exchange;
mod frames;
mod load;
mod origin;
mod outbox;
mod poll;

pub use address::free_address;
pub use certificate::Certificate;
pub use load::{Faults, Keep, Load, LoadError, Outcome, Pace, Times, ask, run};
pub use origin::{Origin, POOLS};

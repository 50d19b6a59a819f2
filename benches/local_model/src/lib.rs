//! A router with a local model, and requests that keep the model busy: what both benches of the local model stand on.
//!
//! Owns the router's process and what its threads have cost. Never judges a figure.

mod router;
mod saturation;
mod texts;

pub use router::{Placement, Router};
pub use saturation::{Saturation, embed};
pub use texts::texts;

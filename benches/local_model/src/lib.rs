//! A router with a local model, and requests that keep the model busy: what both benches of the local model stand on.
//!
//! Owns the router's process, what its threads have cost, and the files of results. Never judges a figure.

mod record;
mod router;
mod saturation;
mod texts;

pub use record::{Circumstances, record};
pub use router::{Placement, Router};
pub use saturation::{Saturation, embed};
pub use texts::texts;

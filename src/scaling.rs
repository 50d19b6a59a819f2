//! From what is asked of a pool to how many replicas it should have, and the ways in which autoscalers are told.
//!
//! Owns the rule (`rule`), the figures that it goes by (`window`, `load`, `capacity`), and the board from which every way out
//! answers. Figures are made of a snapshot and a moment: nothing but the ways out does I/O. Never scales anything: that is
//! Kubernetes'.

mod board;
mod capacity;
pub mod keda;
mod load;
mod meter;
mod metric;
pub mod metrics_api;
mod report;
mod rule;
mod surge;
mod trend;
mod trust;
mod window;

pub use board::{Board, Known};
pub use capacity::{Answers, Bounds, Capacity};
pub use load::{Latencies, Load};
pub use meter::{Loads, Meter, Others, Own, PoolLoad, PoolMeter, Replicas};
pub use metric::Metric;
pub use report::{PoolReport, Report, RouterFault, Routers, key};
pub use rule::{Terms, demand, desired, needed};
pub use window::{RECENT, Reading, WINDOW};

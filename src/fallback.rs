//! The local model: sentence embeddings computed in this process, when a pool spills its requests here.
//!
//! Owns the model's files on disk and what makes them trustworthy, the ONNX Runtime library, the inference threads with
//! their one bounded queue, the choice of what is computed together, and the reading and writing of the APIs that the
//! model can answer. It never decides who may be answered from here (the route's documents do), never writes a metric
//! (it tells an observer), and never computes on a thread that it did not start.

mod batch;
mod codec;
mod encoder;
mod engine;
mod error;
mod forecast;
mod job;
mod library;
mod load;
mod manifest;
mod queue;
mod tier;
mod token_cache;
mod warm_up;
mod worker;

pub use codec::{Api, Question, Rejection};
pub use error::{EmbedError, LoadError};
pub use job::Embeddings;
pub use manifest::{Identity, Pooling};
pub use tier::{LocalTier, Stats};
pub use worker::{BatchObservation, Observation};

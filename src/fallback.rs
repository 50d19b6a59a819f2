//! The local models: sentence embeddings, rankings and tensors computed in this process, when a pool spills its requests here.
//!
//! Owns the model's files on disk and what makes them trustworthy, the ONNX Runtime library, the inference threads with
//! their one bounded queue, the choice of what is computed together, and the reading and writing of the APIs that the
//! model can answer. It never decides who may be answered from here (the route's documents do), never writes a metric
//! (it tells an observer), and never computes on a thread that it did not start.

mod batch;
mod card;
mod codec;
mod encoder;
mod engine;
mod error;
mod forecast;
mod hash;
mod hints;
mod job;
mod library;
mod load;
mod manifest;
mod permits;
mod placement;
mod pooling;
mod provider;
mod queue;
mod repository;
mod signature;
mod tensor;
mod tensor_data;
mod tensor_model;
mod tensor_queue;
mod tier;
mod token_cache;
mod versions;
mod warm_up;
mod weights;
mod worker;

pub use card::{Capacity, Card, Provider};
pub use codec::{
    Api, Asked, Catalogue, Edition, Endpoint, OwnedCatalogue, Place, Question, Rejection, SOLE_VERSION, Scaling,
    TensorQuestion,
};
pub use engine::{Cut, Sequence};
pub use error::{EmbedError, LoadError};
pub use job::Embeddings;
pub use manifest::Identity;
pub use permits::Permits;
pub use placement::lower_priority;
pub use provider::missing_providers;
pub use repository::Repository;
pub use tensor::{Datatype, TensorSpec};
pub use tensor_data::{Elements, Tensor};
pub use tensor_model::TensorModel;
pub use tier::{LocalTier, Stats};
pub use versions::{Fingerprint, KnownIdentity, UNVERSIONED, Version};
pub use worker::{BatchObservation, Observation};

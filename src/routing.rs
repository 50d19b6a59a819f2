//! Which rule a request meets, and what the rule makes of it: hosts, conditions, weighted splits, rewrites, redirects and
//! header operations.
//!
//! Owns the comparison of a request's [`Head`] with what documents say. Never reads a clock, draws chance or allocates
//! while it decides; only a rule that rewrites or redirects builds a text, and a path that is not in its normal form.

mod asked;
mod cors;
mod head;
mod headers;
mod hosts;
mod lines;
mod matcher;
mod normalize;
mod paths;
mod redirect;
mod rewrite;
mod split;

pub use asked::Asked;
pub use cors::{Cors, cors, permit};
pub use head::{Head, host_of};
pub use headers::apply_headers;
pub use hosts::HostTable;
pub use matcher::{Condition, Matcher};
pub use normalize::{UnusablePath, normal_uri};
pub use paths::{PathIndex, Place};
pub use redirect::location;
pub use rewrite::{rewrite_path, with_query};
pub use split::Split;

//! What must hold whatever the bytes are. The fuzz targets ask it of any, `tests/fuzz_cases.rs` of a few on every change.

mod decide;
mod documents;
mod requests;

pub use documents::documents;
pub use requests::requests;

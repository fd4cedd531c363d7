//! skeleton
pub mod host;

//! A container image of one static program, as an archive.
//!
//! Not the making of the program: that and the bill of materials are the binary's, `main.rs`. Tests make images of
//! their own with this.

mod archive;
mod digest;

pub use archive::Image;
pub use digest::Digest;

/// The flag of rustc that links the C library in, so that an image needs no other file. `controller/Dockerfile` has
/// the same.
pub const STATIC: &str = "-Ctarget-feature=+crt-static";

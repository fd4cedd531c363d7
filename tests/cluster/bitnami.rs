//! The peer's SealedSecrets, served beside ours.
//!
//! The contract crate seals the objects. If the peer's controller has been at work before, its requests are made
//! here, under its name as a field manager; the real programs are in the conformance tests. Where a new test
//! goes: to the module that its subject names.

mod annotations;
mod deep;
mod definition;
mod objects;
mod precedence;
pub(crate) mod scene;
mod takeover;
mod templates;

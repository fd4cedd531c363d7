//! Files of SealedSecrets in real Git: merged by the driver, shown in diffs, settled after conflicts, and what happens where
//! `seal` or its configuration is missing.
//!
//! Each test has a repository of its own, with an empty home and no configuration of the machine. What `seal git config` and
//! `seal git attributes` print is what is configured, byte for byte. Invariant: whether a merge is right is decided by opening
//! the result.

mod changes;
mod conflicts;
mod merges;
mod missing;
pub(crate) mod repo;
mod resolve;

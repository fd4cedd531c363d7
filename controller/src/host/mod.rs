//! Host mode: SealedSecrets in a directory of manifests become files, without Kubernetes.
//!
//! The reconcile core is the same as in a cluster; here are the other store and what feeds it. Top down:
//! [`args`] (what was typed), [`run`] (set-up and the loop), [`pass`] (the whole checkout once), [`watch`]
//! (what wakes the loop), [`identities`] (key files), [`manifests`] (what the checkout says), [`store`] (the
//! seam to the core), [`directory`] (Secrets as files), [`volume`] (one Secret's directory), [`state`] (what
//! is ours), [`status`] (conditions as files), [`lock`] (one agent at a time), [`beneath`] (paths).
//!
//! Invariants, each held by a test:
//! - nothing outside the given directories is written, read or removed, whatever a manifest, a name or a
//!   link in the output says;
//! - what a reader sees of a Secret is all old or all new, also after a crash at any step or a full disk;
//! - a directory that the state file doesn't say is ours is never changed;
//! - nothing is pruned unless the whole checkout could be read.

pub mod args;
pub mod beneath;
pub mod directory;
mod fault;
pub mod identities;
pub mod key_backup;
pub mod lock;
pub mod manifests;
pub mod pass;
pub mod run;
#[cfg(test)]
mod site;
pub mod state;
pub mod status;
pub mod store;
pub mod volume;
pub mod watch;

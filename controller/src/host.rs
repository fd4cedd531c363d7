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

pub(crate) mod args;
pub(crate) mod beneath;
pub(crate) mod directory;
mod fault;
pub(crate) mod identities;
pub(crate) mod lock;
pub(crate) mod manifests;
pub(crate) mod pass;
pub(crate) mod run;
#[cfg(test)]
mod site;
pub(crate) mod state;
pub(crate) mod status;
pub(crate) mod store;
pub(crate) mod volume;
pub(crate) mod watch;

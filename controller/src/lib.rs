//! seal-controller: reconciles SealedSecrets into Secrets.
//!
//! One reconcile core ([`reconcile`]), pure decisions ([`plan`], [`status`], [`policy`]), two stores: the
//! Kubernetes API and a directory. Not the format: what a SealedSecret is and how it opens is
//! `seal_crds`' business.
//!
//! Invariant: plaintext and private keys reach a Secret, or a file below the output directory, and
//! nothing else: no log, Event, condition, metric, error or temporary file elsewhere.

pub mod backoff;
pub mod failure;
pub mod host;
pub mod metrics;
pub mod plan;
pub mod policy;
pub mod reconcile;
pub mod status;
pub mod store;

//! The Kubernetes side: the API as a store, sealing keys as Secrets and SealingKeys, watches and workers.
//!
//! Not the reconcile itself. Reading order: [`run`] (wiring), `object`, `text`, `metadata` and `store` (what is watched), `secret`,
//! `fields` and `evidence` (what metadata means), `successor` (one name in both groups), `write`, `body` and
//! `report` (the requests), `cache` and `wakes` (what a change concerns), `keys` (`plan` and `status` beside it), `key_secret`,
//! `bitnami_keys` and `said`, `api` (clients and errors).
//!
//! Invariant: Secrets are watched and read as metadata only; the one kind whose values are read is the
//! controller's own sealing keys.

mod api;
mod bitnami_keys;
mod body;
mod cache;
mod definitions;
mod evidence;
mod fields;
mod key_secret;
mod keys;
mod metadata;
mod object;
mod report;
mod run;
mod said;
mod secret;
mod store;
mod successor;
mod text;
mod wakes;
mod work;
mod write;

pub(crate) use run::{Options, run};

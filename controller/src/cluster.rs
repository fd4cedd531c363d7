//! The Kubernetes side: the API as a store, watches and workers.
//!
//! Not the reconcile itself. Reading order: [`run`] (start and end), `replica` and `lead` (what every replica and what only the
//! leader does), `work` (a group's queue), `object`, `text`, `metadata` and `store` (what is watched), `secret`,
//! `fields` and `evidence` (what metadata means), `successor` (one name in both groups), `write`, `body` and `report`
//! (the requests), `cache` and `wakes` (what a change concerns), `api` (clients and errors). The keys have a room of their
//! own ([`crate::keys`]).
//!
//! Invariant: Secrets are watched and read as metadata only; the one kind whose values are read is the
//! controller's own sealing keys.

pub(crate) mod api;
mod body;
mod cache;
mod definitions;
mod evidence;
pub(crate) mod fields;
mod lead;
pub(crate) mod metadata;
mod object;
mod replica;
pub(crate) mod report;
mod run;
mod secret;
mod store;
mod successor;
mod text;
mod wakes;
mod work;
mod write;

pub(crate) use run::{Options, run};

//! The Kubernetes side: the API as a store, watches and workers.
//!
//! The reconcile itself is [`crate::reconcile`], and [`crate::run`] starts and stops the work. Reading order:
//! `work` (the leader's loop), `objects` and `mark` (whose turn it is), `room` (what is kept whole until then),
//! `object`, `json_text` and `metadata` (the watched objects), `store` (the API as a store), `secret`, `fields` and
//! `evidence` (the meaning of metadata), `natives` and `successor` (one name in both groups), `write`, `body` and
//! `report` (the requests), `flight` (how many at a time), `events`, `watching` (how a watch is kept), `cache` and `rows`
//! (the metadata of all Secrets), `name`, `definitions` (the kinds that must be there), `lease` (which replica leads),
//! `usage` and `proof` (which objects need a sealing key, for people and for its deletion), `api` (clients and errors).
//!
//! Invariants: Secrets are watched and read as metadata only. This room knows neither the sealing keys nor
//! the HTTP endpoints of sealed-secrets; the sealing keys are the only Secrets whose values the controller
//! reads.

pub(crate) mod api;
mod body;
pub(crate) mod cache;
pub(crate) mod definitions;
pub(crate) mod events;
mod evidence;
pub(crate) mod fields;
pub(crate) mod flight;
mod json_text;
mod key_changes;
pub(crate) mod lease;
mod mark;
pub(crate) mod metadata;
mod name;
pub(crate) mod natives;
mod object;
mod objects;
pub(crate) mod proof;
pub(crate) mod recorder;
pub(crate) mod report;
mod room;
mod rows;
mod secret;
pub(crate) mod store;
mod successor;
mod usage;
pub(crate) mod watching;
pub(crate) mod work;
mod write;

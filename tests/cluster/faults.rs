//! What clusters do to a controller: killed leaders, slow and busy API servers, watches that break off, other writers,
//! expired tokens, refused Secrets, and objects that are nonsense.
//!
//! Where a new test goes: to the file of the idea. An API server that is away, and the Lease, are in [`super::outage`]
//! and [`super::lease`]. Invariant: each test ends with the same comparison ([`applied`]): every object is what was
//! applied, nothing is lost, and nothing is there that nobody asked for.

mod admission;
pub(crate) mod applied;
mod credentials;
mod kills;
mod namespace;
mod nonsense;
mod requests;
mod soak;
mod watches;
mod webhooks;
mod writers;

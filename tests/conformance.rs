//! Drop-in for Bitnami's sealed-secrets, held by the real one.
//!
//! - [`format`]: what one seals the other opens, by the contract crate and the real kubeseal, without a cluster
//! - [`certificate`]: `seal` with the certificate that our controller gives out
//! - [`clients`]: command lines that ask a controller
//! - [`controllers`]: the same, by controllers on a real API server
//! - [`hand_over`]: from the real controller to ours and back, and from its format to the native one
//! - [`suite`]: the peer's own integration suite, run against our programs
//!
//! What they stand on: [`cases`], the Secrets that are sealed; [`keys`], what they are sealed to; [`stage`], where
//! controllers serve.
//!
//! Not the format's own tests, which need no peer. Invariant: nothing here stands in for the peer: what it does
//! is done by its own programs, of the version that the toolchain pins.

mod cases;
mod certificate;
mod clients;
mod controllers;
mod format;
mod hand_over;
mod keys;
mod stage;
mod suite;

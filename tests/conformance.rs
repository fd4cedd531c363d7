//! Our programs as a drop-in replacement for Bitnami's sealed-secrets, tested against the real one.
//!
//! - [`format`]: each side opens what the other seals, by the contract crate and the real kubeseal, without a
//!   cluster
//! - [`certificate`]: `seal` with the certificate that our controller serves
//! - [`clients`]: command lines that ask a controller
//! - [`controllers`]: the same, by controllers on a real API server
//! - [`hand_over`]: from the real controller to ours and back, and from its format to the native one
//! - [`suite`]: the peer's own integration suite, run against our programs
//!
//! Their support: [`cases`], the Secrets that are sealed; [`keys`], the keys that they are sealed to; [`stage`],
//! the place where controllers serve.
//!
//! Not the format's own tests, which need no peer. Invariant: nothing here stands in for the peer: its own
//! programs, of the version that the toolchain pins, do its part.

mod cases;
mod certificate;
mod clients;
mod controllers;
mod format;
mod hand_over;
mod keys;
mod stage;
mod suite;

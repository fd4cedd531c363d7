//! Drop-in for Bitnami's sealed-secrets, held by the real one.
//!
//! - [`suite`]: the peer's own integration suite, run against our programs
//!
//! Not the format's own tests, which need no peer. Invariant: nothing here stands in for the peer: what it does
//! is done by its own programs, of the version that the toolchain pins.

mod suite;

//! The support of the tests: the real control plane, the real peers, and copies of our own programs.
//!
//! Not tests: those are in the one integration binary, `tests/main.rs`. Invariant: every program that a test
//! starts ends with the test, even when the test dies.

pub mod api;
pub mod control_plane;
pub mod controller;
pub mod cpu;
pub mod interceptor;
pub mod peer;
pub mod process;
pub mod proxy;
pub mod repository;
pub mod scalars;
pub mod tls;
pub mod toolchain;
pub mod touch;
pub mod tunnel;
pub mod wait;
pub mod webhook;

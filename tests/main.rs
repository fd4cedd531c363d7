//! Every test that needs more than one crate, or a program that isn't ours, in one binary.
//!
//! Where a new test goes: to the cheapest level that can see the behaviour. A function of its arguments is
//! tested beside its code. Then, a module here for each peer or subject:
//!
//! - [`cluster`]: the controller on a real kube-apiserver
//!
//! Not here: fixtures and the things tests stand on (`src/`). Invariant: no test depends on another, nor on
//! the order they run in.

mod cluster;

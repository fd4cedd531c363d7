//! `seal`: turns a Kubernetes Secret into a SealedSecret that is safe to commit.
//!
//! ```text
//! commands   kubeseal   the programs `seal` and `kubeseal`: a file for each command
//! check                 what is wrong in a repository, seen without a key
//! objects               a Secret, a SealedSecret, and the ways from one to the other
//! rules                 what `.seal.yaml` says of a path: whom to seal to, and how
//! keys                  the recipients to seal to, and the private keys that open
//! args                  what was typed, as types; what it means together
//! files                 input in wiped buffers; output that appears whole or not at all
//! talk                  failures, exit codes, warnings, prompts, progress
//! ───────────────────
//! seal-documents        YAML and JSON: from text to objects and back
//! seal-crds             the formats, the keys and the cryptography
//! seal-kubeconfig       the way to a cluster
//! ```
//!
//! A room uses only rooms below it. The program is the command line around the contract crate: it reads
//! files, talks to people and asks the Kubernetes API. It holds no format and no cryptography of its own.
//!
//! Invariants:
//!
//! * A command checks all of its input before it writes anything, and never leaves a file half written.
//! * Plaintext lives in buffers that are wiped, and no error contains it. Only `seal unseal` and
//!   `kubeseal --recovery-unseal` print it; `seal unseal` prints it to a terminal only on request.
//! * Results go to standard output, everything else to standard error. Libraries print nothing: no subscriber
//!   of `tracing` or `log` is installed here.
//! * A manifest means what kubectl would make of it.

mod args;
mod check;
mod commands;
#[cfg(test)]
mod cost;
mod files;
mod keys;
mod kubeseal;
mod objects;
mod rules;
mod talk;

use std::process::ExitCode;

/// Runs the program with the process's arguments. It runs as kubeseal if it was called by that name or if the
/// first argument is `kubeseal`, and as `seal` otherwise.
///
/// Returns one of the documented exit codes; see `seal --help` and `kubeseal --help`.
pub fn main() -> ExitCode {
    leave_no_core();
    let mut args = std::env::args_os();
    if let Some(program) = kubeseal::called(args.next().as_ref()) {
        return kubeseal::main(&program, args);
    }
    if args.next().is_some_and(|first| first == "kubeseal") {
        return kubeseal::main("seal kubeseal", args);
    }
    let outcome = args::parse().and_then(commands::run);
    talk::settle(outcome).into()
}

/// Forbids core dumps, which would put every value and identity of this process on a disk.
///
/// The limit binds the kernel and child processes. It doesn't bind a program that the kernel pipes dumps to;
/// such a program gets no dump of a process that isn't dumpable. Another process of the same user can't
/// attach to a process that isn't dumpable either, nor read its memory.
fn leave_no_core() {
    // Both calls fail only if a sandbox forbids them, and then there is no other way to the same end.
    let _ = rustix::process::setrlimit(
        rustix::process::Resource::Core,
        rustix::process::Rlimit { current: Some(0), maximum: Some(0) },
    );
    #[cfg(target_os = "linux")]
    let _ = rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable);
}

//! `seal`: turns a Kubernetes Secret into a SealedSecret that is safe to commit.
//!
//! ```text
//! args ──► plan ──► commands ──► manifest, secret, sealing, recipients ──► output
//! typed    meant    one each     read        check   seal      for whom    all or nothing
//! ```
//!
//! The command line around the contract crate: it reads files, talks to people
//! and to the Kubernetes API. It holds no format and no cryptography of its own.
//!
//! Invariants:
//!
//! * Nothing is written before all of it is known to be right; no file is ever
//!   half written.
//! * Plaintext lives in buffers that are wiped, and reaches standard output
//!   only by `seal unseal`, a terminal only when asked for, and an error never.
//! * Results go to standard output, everything else to standard error; libraries
//!   say nothing, as nobody listens to `tracing` or `log` here.
//! * What a manifest means is what kubectl would make of it.

mod args;
mod commands;
mod files;
mod keys;
mod kubeseal;
mod objects;
mod talk;

use std::process::ExitCode;

/// Runs the program with the process's arguments: as `seal`, or, where it is called by that name or the first
/// argument is `kubeseal`, as kubeseal.
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

/// A core dump would be every value and identity of this process on a disk. The limit is for the kernel and for
/// children; a program that the kernel pipes dumps to isn't bound by it, but gets none of a process that isn't
/// dumpable. Neither may another process of the same user attach to one or read its memory.
fn leave_no_core() {
    // Both only fail where something forbids the calls themselves, and then nothing else could be done.
    let _ = rustix::process::setrlimit(
        rustix::process::Resource::Core,
        rustix::process::Rlimit { current: Some(0), maximum: Some(0) },
    );
    #[cfg(target_os = "linux")]
    let _ = rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable);
}

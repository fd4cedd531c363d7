//! seal-controller: reconciles SealedSecrets into Secrets.
//!
//! One reconcile core ([`reconcile`]) with pure decisions ([`plan`], [`status`], [`policy`]) runs over two
//! stores: the Kubernetes API ([`cluster`]) and a directory ([`host`]). The crate `seal_crds` has the format:
//! it says what a SealedSecret is and how it opens.
//!
//! Invariant: plaintext and private keys reach a Secret, or a file below the output directory, and
//! nothing else: no log, Event, condition, metric, error or temporary file elsewhere.

use std::num::NonZero;
use std::process::ExitCode;
use std::thread::available_parallelism;

use clap::Parser as _;

use args::{Cli, Command};

mod args;
mod backoff;
mod cluster;
mod compat_http;
mod conditions;
mod contact;
mod cores;
mod decode;
mod examination;
mod failure;
mod host;
mod keys;
mod leadership;
mod line;
mod listen;
mod log;
mod metrics;
mod pace;
mod plan;
mod policy;
mod proof;
mod queue;
mod recipients;
mod reconcile;
mod run;
mod serve;
mod status;
mod store;
mod usage;

/// Exit code: the command line is wrong.
const USAGE: u8 = 2;
/// Exit code: the program couldn't do its work.
const FAILURE: u8 = 3;

/// Runs the program. Exit codes: 0 done, 1 some object isn't in place (`host --once`), 2 usage, 3 failure.
pub fn main() -> ExitCode {
    leave_no_core();
    let cli = Cli::parse();
    if let Err(error) = log::to_stderr(&cli.log) {
        return fail(USAGE, &error);
    }
    match cli.command {
        Command::Run(args) => {
            let options = match args.to_options() {
                Ok(options) => options,
                Err(error) => return fail(USAGE, &error),
            };
            finish(block_on(async { run::run(options, shutdown_signal()).await }))
        }
        Command::Host(args) => match block_on(host::run::run(args)) {
            Ok(code) => code,
            Err(error) => {
                fail(FAILURE, &error);
                error.exit_code()
            }
        },
        Command::Crds => finish(print_crds()),
    }
}

/// Keeps the memory of this process off the disk and away from other processes.
///
/// A core dump would write every key and value of this process to a disk. The limit of zero binds the kernel
/// and the children of this process. It doesn't bind a program that the kernel pipes dumps to, but such a
/// program gets no dump of a process that isn't dumpable. Another process of the same user can neither attach
/// to such a process nor read its memory.
fn leave_no_core() {
    use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};
    // Both calls fail only where something forbids the calls themselves, and then nothing else could be done.
    let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
    let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
}

/// The most threads that carry requests and watches. The controller waits much more than it computes, so more of them
/// would only take up memory, on a machine with many cores.
const MOST_ASYNC_THREADS: usize = 4;

/// The threads for what blocks, beside one for each core, which work with keys takes: lookups of names, reading of
/// files, login programs. tokio's own bound is 512, and each thread keeps memory of its own.
const BLOCKING_THREADS: usize = 8;

fn block_on<T>(future: impl Future<Output = T>) -> T {
    let cores = available_parallelism().map_or(1, NonZero::get);
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(cores.min(MOST_ASYNC_THREADS))
        .max_blocking_threads(cores + BLOCKING_THREADS)
        .enable_all()
        .build()
        .expect("the operating system lets a program have threads")
        .block_on(future)
}

/// Resolves on SIGTERM (from the kubelet or systemd) or SIGINT (from a terminal); both are caught from this
/// call on.
fn shutdown_signal() -> impl Future<Output = ()> + Send {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate()).expect("a handler for SIGTERM can be installed");
    let mut interrupt = signal(SignalKind::interrupt()).expect("a handler for SIGINT can be installed");
    async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    }
}

fn print_crds() -> Result<(), std::io::Error> {
    use std::io::Write as _;
    let mut out = std::io::stdout().lock();
    for crd in seal_crds::resources::definitions() {
        let yaml = serde_yaml::to_string(&crd).expect("a definition is plain data");
        write!(out, "---\n{yaml}")?;
    }
    Ok(())
}

fn finish<E: std::error::Error>(result: Result<(), E>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(FAILURE, &error),
    }
}

/// Prints an error and its chain of causes, each once. The only place that prints to a person.
#[expect(clippy::print_stderr, reason = "an error before or after logging goes to the person who started it")]
fn fail(code: u8, error: &dyn std::error::Error) -> ExitCode {
    eprint!("seal-controller: {error}");
    let mut source = error.source();
    while let Some(error) = source {
        eprint!(": {error}");
        source = error.source();
    }
    eprintln!();
    ExitCode::from(code)
}

//! The commands, one to a file. Each reads as its story: read, decide, do,
//! write; how is elsewhere.

mod create;
mod keys_fetch;
mod keys_new;
mod migrate;
mod seal;
mod unseal;

use crate::{
    args::{Command, KeysCommand, LowArgs},
    exit::Exit,
    failure::Failure,
};

/// Runs the command that was typed.
pub(crate) fn run(args: LowArgs) -> Result<Exit, Failure> {
    match args.command {
        None => seal::run(args.seal),
        Some(Command::Create(args)) => create::run(*args),
        Some(Command::Unseal(args)) => unseal::run(&args),
        Some(Command::Migrate(args)) => migrate::run(args),
        Some(Command::Keys(KeysCommand::New(args))) => keys_new::run(&args),
        Some(Command::Keys(KeysCommand::Fetch(args))) => keys_fetch::run(&args),
        Some(Command::Kubeseal) => unreachable!("it is recognized before clap sees the arguments"),
    }
}

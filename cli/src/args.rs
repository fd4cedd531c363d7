//! The program's arguments as clap sees them, and `--help`.
//!
//! Words become types here; [`intent`] decides what they mean together. [`reference`] makes completions and manual
//! pages from the same table.

mod check;
mod create;
mod diff;
mod edit;
mod generate;
mod git;
mod hook;
mod init;
pub(crate) mod intent;
mod keys;
mod migrate;
mod program;
pub(crate) mod reference;
mod refusal;
mod relocate;
mod resolve;
mod rm;
mod rotate;
mod seal;
mod set;
mod shared;
mod show;
mod target;
mod tidy;
mod unknown;
mod unseal;
mod values;

pub(crate) use check::{CheckArgs, CheckFormat};
pub(crate) use create::CreateArgs;
pub(crate) use diff::{DiffArgs, DiffFormat};
pub(crate) use edit::EditArgs;
pub(crate) use git::{ExternalDiffArgs, GitCommand, MergeArgs, TextconvArgs};
pub(crate) use hook::{HookCommand, InstallArgs};
pub(crate) use init::InitArgs;
pub(crate) use keys::{
    BackupArgs, DeleteArgs, DrillArgs, FetchArgs, KeysCommand, NewArgs, RenewArgs, RestoreArgs, RetireArgs,
    RevokeArgs, StatusArgs, StatusFormat,
};
pub(crate) use migrate::MigrateArgs;
pub(crate) use reference::{CompletionsArgs, HelpArgs, ManArgs};
pub(crate) use relocate::{MoveArgs, Renaming};
pub(crate) use resolve::ResolveArgs;
pub(crate) use rm::RmArgs;
pub(crate) use rotate::RotateArgs;
pub(crate) use seal::SealArgs;
pub(crate) use set::SetArgs;
pub(crate) use shared::{AcceptArgs, ClusterArgs, KeepArgs, SealFormat, SealingArgs};
pub(crate) use show::{ShowArgs, ShowFormat};
pub(crate) use target::TargetArgs;
pub(crate) use tidy::TidyArgs;
pub(crate) use unseal::UnsealArgs;
pub(crate) use values::ValueArgs;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::talk::exit::Exit;
use crate::talk::failure::Failure;

const ABOUT: &str = "Turns Kubernetes Secrets into SealedSecrets that are safe to commit";

const EXAMPLES: &str = "\
Examples:
  seal keys fetch -o prod.pub                     the cluster's recipients, to be committed
  seal -r prod.pub secret.yaml -o sealed.yaml     seal to them
  seal -r prod.pub -n prod < secret.yaml | kubectl apply -f -
  seal create db -n prod -r prod.pub --prompt password
  seal set sealed.yaml password -r prod.pub       one item anew, without a key; asks for the value
  seal unseal sealed.yaml -i recovery.key --item password | xclip
  seal migrate deploy -i backup.yaml -r prod.pub  SealedSecrets of bitnami.com to sealing.dev
  seal rotate deploy --from-cluster -r prod.pub   seal all again to new recipients, without a key
  seal check                                      what is wrong in this repository";

/// The arguments as they were typed.
#[derive(Parser)]
#[command(
    name = "seal",
    version,
    about = ABOUT,
    args_conflicts_with_subcommands = true,
    disable_help_subcommand = true,
    override_usage = "seal [OPTIONS] [FILE]...\n       seal <COMMAND>",
    subcommand_help_heading = "Other commands",
)]
pub(crate) struct LowArgs {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    #[command(flatten)]
    pub(crate) seal: SealArgs,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Make a SealedSecret without a Secret manifest in between
    Create(Box<CreateArgs>),
    /// Seal items anew, or add some, in a SealedSecret's file
    Set(Box<SetArgs>),
    /// Remove items from a SealedSecret's file
    Rm(RmArgs),
    /// Drop from SealedSecrets what no item needs
    Tidy(TidyArgs),
    /// Turn SealedSecrets back into Secrets, with an identity at hand
    Unseal(UnsealArgs),
    /// Show what SealedSecrets say without a key: place, scope, who opens them, items
    Show(ShowArgs),
    /// Change the items of a SealedSecret in an editor, with or without an
    /// identity
    Edit(Box<EditArgs>),
    /// Give items, or a SealedSecret, another name or namespace
    Move(Box<MoveArgs>),
    /// Turn SealedSecrets of bitnami.com into those of sealing.dev, in place
    Migrate(MigrateArgs),
    /// Seal a repository to other recipients, in place: only what needs it
    Rotate(Box<RotateArgs>),
    /// Find what is wrong in a repository, with public keys only
    Check(CheckArgs),
    /// Say in words what changed, or what one of two files lacks
    Diff(DiffArgs),
    /// Settle a merge conflict: keep one side of it, and the envelopes that it needs
    Resolve(ResolveArgs),
    /// Be git's merge driver, textconv and external diff
    #[command(subcommand)]
    Git(GitCommand),
    /// Check every commit of a clone before it is made, and merge by items
    #[command(subcommand)]
    Hook(HookCommand),
    /// Write a first .seal.yaml: whom a repository's Secrets are sealed to
    Init(Box<InitArgs>),
    /// Look after keys: make identities, get recipients, renew, revoke and delete sealing keys
    #[command(subcommand)]
    Keys(KeysCommand),
    /// Print the help of a command
    Help(HelpArgs),
    /// Print the completions for a shell
    Completions(CompletionsArgs),
    /// Print the manual page of a command, or write all of them into a directory
    Man(ManArgs),
    /// Take kubeseal's flags and give its output; also under a link of that name
    #[command(disable_help_flag = true)]
    Kubeseal,
}

/// Reads the arguments of the process.
///
/// This function answers `--help` and `--version` and ends the process. An argument that
/// clap refuses is an error like every other.
pub(crate) fn parse() -> Result<LowArgs, Failure> {
    let args = LowArgs::from_arg_matches(&command().try_get_matches().map_err(refuse)?).map_err(refuse)?;
    if args.command.is_none() {
        unknown::check(&command(), &args.seal.files)?;
    }
    Ok(args)
}

fn refuse(error: clap::Error) -> Failure {
    if !error.use_stderr() {
        reference::answer(&error);
    }
    let typed: Vec<String> =
        std::env::args_os().skip(1).map(|arg| arg.to_string_lossy().into_owned()).collect();
    refusal::explain(&error, &mut command(), &typed).into()
}

fn command() -> clap::Command {
    let codes: Vec<String> =
        Exit::ALL.iter().map(|exit| format!("  {}  {}", *exit as u8, exit.meaning())).collect();
    LowArgs::command().bin_name(program::name()).after_help(format!(
        "Without FILE, seal reads standard input.\n\n{EXAMPLES}\n\nExit codes:\n{}",
        codes.join("\n")
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_arguments_are_sound() {
        command().debug_assert();
    }

    #[test]
    fn help_lists_every_exit_code() {
        let help = command().render_long_help().to_string();
        for exit in Exit::ALL {
            assert!(help.contains(exit.meaning()), "{help}");
        }
    }
}

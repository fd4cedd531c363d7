//! `seal keys …`

mod fetch;
mod life;
mod recovery;
mod status;

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueHint};

pub(crate) use fetch::FetchArgs;
pub(crate) use life::{DeleteArgs, RenewArgs, RetireArgs, RevokeArgs};
pub(crate) use recovery::{BackupArgs, DrillArgs, RestoreArgs};
pub(crate) use status::{StatusArgs, StatusFormat};

#[derive(Subcommand)]
pub(crate) enum KeysCommand {
    /// Make an identity, such as one for recovery, and print its recipient
    New(NewArgs),
    /// Get the recipients of a cluster, and bring a file of them up to date
    Fetch(FetchArgs),
    /// Copy the backups of a cluster's keys into files, to be committed
    Backup(BackupArgs),
    /// Give a cluster its keys back, from backups or saved Secrets
    Restore(RestoreArgs),
    /// Try if the backups open everything in the repository
    Drill(DrillArgs),
    /// Show the keys, and what needs each: in the cluster, in files and in revisions
    Status(StatusArgs),
    /// Have the controller make a new key in place of the one that is sealed to
    Renew(RenewArgs),
    /// Have a key not sealed to any more; it still opens
    Retire(RetireArgs),
    /// Never seal to a leaked key again, and list the values to change at the source
    Revoke(RevokeArgs),
    /// Delete a key once nothing needs it
    Delete(DeleteArgs),
}

#[derive(Args)]
#[command(after_help = "\
With -o the identity goes into the file and its recipient to standard output; \
without, the identity goes to standard output.

Example:
  seal keys new -o recovery.key")]
pub(crate) struct NewArgs {
    /// Write the identity to this file, which must not exist
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) output: Option<PathBuf>,

    /// Print the identity to a terminal
    #[arg(long)]
    pub(crate) show: bool,
}

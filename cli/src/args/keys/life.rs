//! `seal keys renew`, `retire`, `revoke` and `delete`

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueHint};
use seal_crds::duration;

use crate::args::ClusterArgs;

#[derive(Args)]
#[command(after_help = "\
The controller makes a new key, and seals to it from then on. The old key stays \
and opens. The command is safe to repeat with the name of the key.

Example:
  seal keys renew --context prod")]
pub(crate) struct RenewArgs {
    /// The key to renew, by its name or fingerprint [default: the one that is
    /// sealed to]. If another key has taken its place, nothing is done
    #[arg(value_name = "KEY")]
    pub(crate) key: Option<String>,

    #[command(flatten)]
    pub(crate) cluster: ClusterArgs,
}

#[derive(Args)]
#[command(after_help = "\
A retiring key opens, and isn't sealed to. If it is the one that is sealed to \
now, it is renewed first.

Example:
  seal keys retire sealing-key-2025-11 --context prod")]
pub(crate) struct RetireArgs {
    /// The key, by its name or at least 16 digits of its fingerprint
    #[arg(value_name = "KEY")]
    pub(crate) key: String,

    #[command(flatten)]
    pub(crate) cluster: ClusterArgs,
}

#[derive(Args)]
#[command(after_help = "\
For a key whose private half leaked. It is final. What was sealed to the key has \
to be changed at its source; the command lists it, with the keys that it is \
exposed to, and the list is never complete: it has what is in the cluster, and what \
files of the given revisions claim. Exit code 1 says that it couldn't look \
everywhere, or that the controller hadn't yet.

Example:
  seal keys revoke sealing-key-2025-11 --context prod -r prod.pub")]
pub(crate) struct RevokeArgs {
    /// The key: the name of a SealingKey, a fingerprint, or a recipient. Any
    /// recipient can be revoked: a laptop's or one for recovery, too
    #[arg(value_name = "KEY")]
    pub(crate) key: String,

    /// Mark the key as revoked in this file of recipients, which seal, check,
    /// rotate and restore obey whatever a cluster says. Repeatable
    #[arg(short = 'r', long = "recipient", value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) pins: Vec<PathBuf>,

    /// Call the key by this name in the files [default: the name that the
    /// cluster or the files give it]
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,

    /// List what is sealed to the key in all commits behind this revision.
    /// Repeatable [default: all branches and tags of the repository here]
    #[arg(long = "rev", value_name = "REV")]
    pub(crate) revisions: Vec<String>,

    /// How long to wait until the controller has compared every SealedSecret with
    /// the key, such as 90s or 10m. It compares each at most once a minute
    #[arg(long, value_name = "DURATION", default_value = "3m", value_parser = duration::parse)]
    pub(crate) wait: Duration,

    /// Don't ask the cluster, and don't revoke the key in it
    #[arg(long, conflicts_with_all = ["context", "kubeconfig", "controller_namespace"])]
    pub(crate) offline: bool,

    /// Don't ask before it is done
    #[arg(short, long)]
    pub(crate) yes: bool,

    #[command(flatten)]
    pub(crate) cluster: ClusterArgs,
}

#[derive(Args)]
#[command(after_help = "\
The controller holds the deletion up until no object in the cluster needs the \
key. With --force it doesn't wait, and what needs the key is lost.

Example:
  seal keys delete sealing-key-2025-11 --context prod")]
pub(crate) struct DeleteArgs {
    /// The key, by its name or at least 16 digits of its fingerprint
    #[arg(value_name = "KEY")]
    pub(crate) key: String,

    /// The key is one of sealed-secrets: a Secret in kube-system, or in
    /// --controller-namespace. Nobody but this command tries the objects without
    /// it, so its user has to be able to read all these keys
    #[arg(long)]
    pub(crate) bitnami: bool,

    /// Delete the key even though objects need it, and let the controller know
    /// that its private half is gone
    #[arg(long)]
    pub(crate) force: bool,

    /// How long to wait for the controller, such as 90s or 10m
    #[arg(long, value_name = "DURATION", default_value = "1m", value_parser = duration::parse)]
    pub(crate) wait: Duration,

    /// Don't ask before it is done
    #[arg(short, long)]
    pub(crate) yes: bool,

    #[command(flatten)]
    pub(crate) cluster: ClusterArgs,
}

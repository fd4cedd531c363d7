//! `seal move FILE --item OLD=NEW`

use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, ValueHint};
use seal_crds::{ItemName, Name, Namespace};

use super::TargetArgs;

#[derive(Args)]
#[command(
    group = clap::ArgGroup::new("what").args(["items", "namespace", "name", "from"]).multiple(true).required(true),
    after_help = "\
Names and places are part of the seal, so the values are opened and sealed again. What the scope doesn't bind \
changes without an identity. A file that was copied, or given another place by hand, says its new place already; \
--from says for which one it was sealed.

Examples:
  seal move db.yaml --item pass=password -i recovery.key -r prod.pub
  seal move db.yaml -n staging -i recovery.key -r staging.pub
  seal move copy.yaml --from prod/db -i recovery.key -r staging.pub")]
pub(crate) struct MoveArgs {
    /// A file with a SealedSecret
    #[arg(value_hint = ValueHint::FilePath)]
    pub(crate) file: PathBuf,

    /// Give an item another name. Repeatable
    #[arg(long = "item", value_name = "OLD=NEW")]
    pub(crate) items: Vec<Renaming>,

    /// Give the SealedSecret another namespace
    #[arg(short, long)]
    pub(crate) namespace: Option<Namespace>,

    /// Give the SealedSecret another name
    #[arg(long)]
    pub(crate) name: Option<Name>,

    /// The place that it was sealed for, if the file says another one already
    #[arg(long, value_name = "NAMESPACE/NAME")]
    pub(crate) from: Option<SealedFor>,

    /// Open with the identities in this file; SealedSecrets of bitnami.com with
    /// the RSA keys in it. Repeatable
    #[arg(short, long = "identity", value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) identities: Vec<PathBuf>,

    // This field is the last one: its help heading also covers every field behind it.
    #[command(flatten)]
    pub(crate) target: TargetArgs,
}

/// The place that an object was sealed for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SealedFor {
    pub(crate) namespace: Namespace,
    pub(crate) name: Name,
}

impl FromStr for SealedFor {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (namespace, name) = text.split_once('/').ok_or("this isn't NAMESPACE/NAME")?;
        let namespace = namespace.parse::<Namespace>().map_err(|error| error.to_string())?;
        Ok(Self { namespace, name: name.parse::<Name>().map_err(|error| error.to_string())? })
    }
}

/// An item's name and its new one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Renaming {
    pub(crate) old: ItemName,
    pub(crate) new: ItemName,
}

/// The reason why an argument of `--item` can't be used. It isn't repeated: a value may stand in it by mistake.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum RenamingError {
    #[error("this isn't OLD=NEW")]
    Form,
    #[error("an item's name {0}")]
    Item(&'static str),
    #[error("both names are the same")]
    Same,
}

impl FromStr for Renaming {
    type Err = RenamingError;

    fn from_str(text: &str) -> Result<Self, RenamingError> {
        let (old, new) = text.split_once('=').ok_or(RenamingError::Form)?;
        let item = |name: &str| name.parse::<ItemName>().map_err(|error| RenamingError::Item(error.rule));
        let renaming = Self { old: item(old)?, new: item(new)? };
        if renaming.old == renaming.new { Err(RenamingError::Same) } else { Ok(renaming) }
    }
}

//! The recipients of a first rules file: files of the repository, files and keys from elsewhere, the cluster.
//!
//! A file of the repository stays where it is; all else becomes `keys/NAME.pub`. Invariant: a recipient's file is a regular
//! file beneath the repository, as [`rules`](crate::rules) demands, and a new one stands where nothing is.

use std::collections::BTreeSet;
use std::path::Path;

use seal_crds::keys::{Fingerprint, Recipient};
use seal_foreign::word;

use super::propose::Known;
use crate::args::InitArgs;
use crate::args::intent::{self, IntentError};
use crate::commands::keys::today;
use crate::files::input::Input;
use crate::keys::cluster;
use crate::keys::recipients::looks_like_recipient;
use crate::rules::pins::{PinFile, PinnedKeys};
use crate::rules::reader::{Disk, Entry, ReadFiles};
use crate::rules::site::Site;
use crate::talk::exit::Exit;
use crate::talk::failure::{Explain, Failure, Rule};
use crate::talk::terminal;

/// The most bytes of a file of recipients.
const MAX_FILE: u64 = 1024 * 1024;

#[derive(Debug, thiserror::Error)]
enum RecipientError {
    #[error("{} can't be the name of a recipient", word(.0))]
    Name(String),
    #[error("two recipients have the name {}", word(.0))]
    SameName(String),
    #[error("{} is there already", word(.0))]
    Exists(String),
    #[error("{} is a symbolic link, or stands behind one, and rules read no key through a link", word(.0))]
    Link(String),
    #[error("this isn't a recipient")]
    NotRecipient(#[source] seal_crds::keys::RecipientError),
}

impl Explain for RecipientError {
    fn rule(&self) -> Rule {
        match self {
            Self::NotRecipient(_) => Rule::BadRecipient,
            Self::Exists(_) | Self::Link(_) => Rule::Unwritable,
            Self::Name(_) | Self::SameName(_) => Rule::Usage,
        }
    }

    fn exit(&self) -> Exit {
        match self {
            Self::Exists(_) | Self::Link(_) => Exit::Failure,
            _ => Exit::Usage,
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Name(_) => "a name is 1 to 63 letters, digits, - and .: -r NAME=FILE".to_owned(),
            Self::SameName(_) => "name them: -r NAME=FILE".to_owned(),
            Self::Exists(path) => format!("give it with -r {}, or choose another name", word(path)),
            Self::Link(_) => {
                "put a directory in place of the link, or give a file of the repository with -r".to_owned()
            }
            Self::NotRecipient(_) => "a recipient starts with age1 or ssh-ed25519".to_owned(),
        })
    }
}

/// A recipient of the new rules.
pub(super) struct Planned {
    pub(super) name: String,
    /// The path of its file from the top.
    pub(super) path: String,
    /// The text of the file, if it isn't there yet.
    pub(super) new_text: Option<String>,
    pub(super) is_recovery: bool,
    pub(super) keys: PinnedKeys,
}

impl Planned {
    pub(super) fn known(&self) -> Known {
        let keys = self.named_keys().into_iter().map(|(key, _)| key).collect();
        Known { name: self.name.clone(), keys, is_recovery: self.is_recovery }
    }

    /// Its keys for people.
    pub(super) fn told(&self) -> String {
        let told = |(key, name): (Fingerprint, Option<String>)| {
            format!("{} {}", word(&name.unwrap_or_else(|| self.name.clone())), key.short())
        };
        self.named_keys().into_iter().map(told).collect::<Vec<_>>().join(", ")
    }

    fn named_keys(&self) -> Vec<(Fingerprint, Option<String>)> {
        let (path, keys) = (self.path.clone(), self.keys.clone());
        let pin = PinFile { path, keys };
        pin.keys().into_iter().map(|(key, name)| (key, name.map(str::to_owned))).collect()
    }
}

/// The recipients of the flags, else of the cluster.
pub(super) fn plan(args: &InitArgs, top: &Path, disk: &Disk) -> Result<Vec<Planned>, Failure> {
    let mut planned = Vec::new();
    if args.cluster.context.is_some() || args.recipients.is_empty() {
        if args.cluster.context.is_none() && !intent::is_watched() {
            return Err(IntentError::UnnamedCluster.into());
        }
        planned.push(from_cluster(args, disk)?);
    }
    for (given, is_recovery) in args
        .recipients
        .iter()
        .map(|given| (given, false))
        .chain(args.recovery.iter().map(|given| (given, true)))
    {
        planned.push(given_one(given, is_recovery, top, disk)?);
    }
    let mut names = BTreeSet::new();
    match planned.iter().find(|planned| !names.insert(planned.name.clone())) {
        Some(twice) => Err(RecipientError::SameName(twice.name.clone()).into()),
        None => Ok(planned),
    }
}

fn from_cluster(args: &InitArgs, disk: &Disk) -> Result<Planned, Failure> {
    let fetched = cluster::fetch(&args.cluster)?;
    terminal::note(&format!("fetched from {}", fetched.summary()));
    let name = match &args.name {
        Some(name) => check_name(name)?,
        None => to_name(fetched.context(), "cluster"),
    };
    let text = fetched.merge("", "", today())?.text;
    new(disk, name, text, false)
}

/// A recipient as it is given: `[NAME=]FILE|RECIPIENT`.
fn given_one(given: &str, is_recovery: bool, top: &Path, disk: &Disk) -> Result<Planned, Failure> {
    let is_whole = looks_like_recipient(given) || Path::new(given).exists();
    let (name, given) = match given.split_once('=').filter(|_| !is_whole) {
        Some((name, rest)) => (Some(check_name(name)?), rest),
        None => (None, given),
    };
    if looks_like_recipient(given) {
        let recipient: Recipient = given.parse().map_err(RecipientError::NotRecipient)?;
        let name = name.unwrap_or_else(|| if is_recovery { "recovery" } else { "recipient" }.to_owned());
        let text = format!("# name: {name}\n{recipient}\n");
        return new(disk, name, text, is_recovery);
    }
    let path = Path::new(given);
    let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let name = name.unwrap_or_else(|| to_name(&stem, "recipient"));
    let source = Input::File(path.to_owned()).read()?;
    let site = Site::of(path)?;
    if site.top != top {
        return new(disk, name, source.text().to_owned(), is_recovery);
    }
    let keys = PinnedKeys::read(&source.name, source.text())?;
    Ok(Planned { name, path: site.path, new_text: None, is_recovery, keys })
}

/// A recipient whose file is new.
fn new(disk: &Disk, name: String, text: String, is_recovery: bool) -> Result<Planned, Failure> {
    let path = format!("keys/{name}.pub");
    match disk.read(&path, MAX_FILE)? {
        Entry::Absent => {}
        Entry::Link => return Err(RecipientError::Link(disk.name(&path)).into()),
        Entry::File(_) | Entry::NoFile | Entry::TooLarge => {
            return Err(RecipientError::Exists(disk.name(&path)).into());
        }
    }
    let keys = PinnedKeys::read(&disk.name(&path), &text)?;
    Ok(Planned { name, path, new_text: Some(text), is_recovery, keys })
}

fn check_name(name: &str) -> Result<String, Failure> {
    if is_name(name) { Ok(name.to_owned()) } else { Err(RecipientError::Name(name.to_owned()).into()) }
}

fn is_name(name: &str) -> bool {
    crate::rules::file::is_name(name)
}

/// A name that is like a text.
fn to_name(text: &str, otherwise: &str) -> String {
    let name: String =
        text.chars().map(|c| if c.is_ascii_alphanumeric() || c == '.' { c } else { '-' }).take(63).collect();
    let name = name.trim_matches(['-', '.']).to_owned();
    if is_name(&name) { name } else { otherwise.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_context_makes_a_name() {
        for (context, name) in [
            ("prod", "prod"),
            ("gke_project_europe-west1-b_prod", "gke-project-europe-west1-b-prod"),
            ("arn:aws:eks:eu-west-1:1:cluster/prod", "arn-aws-eks-eu-west-1-1-cluster-prod"),
            ("admin@prod", "admin-prod"),
            ("none", "cluster"),
            ("../..", "cluster"),
            ("", "cluster"),
            ("ü", "cluster"),
        ] {
            assert_eq!(to_name(context, "cluster"), name);
        }
        assert_eq!(to_name(&"a".repeat(100), "x").len(), 63);
    }
}

//! `seal keys …`: the commands that look after keys, one to a file.
//!
//! [`connect`] is their one way to a cluster. Invariant: no cluster is asked that the user hasn't named and doesn't see
//! named.

mod backup;
mod delete;
mod drill;
mod fetch;
mod new;
mod restore;
mod revoke;
mod state;
mod status;

use std::collections::BTreeSet;

use jiff::{Timestamp, tz::TimeZone};
use seal_crds::keys::pins::Day;
use seal_crds::resources::SealingKey;

use crate::args::intent::{self, IntentError};
use crate::args::{ClusterArgs, KeysCommand};
use crate::keys::cluster::{Cluster, name_of};
use crate::keys::recipients::label;
use crate::talk::exit::Exit;
use crate::talk::failure::Failure;
use crate::talk::terminal;

/// How many objects a message names.
const NAMED: usize = 20;

pub(super) fn run(command: &KeysCommand) -> Result<Exit, Failure> {
    match command {
        KeysCommand::New(args) => new::run(args),
        KeysCommand::Fetch(args) => fetch::run(args),
        KeysCommand::Backup(args) => backup::run(args),
        KeysCommand::Restore(args) => restore::run(args),
        KeysCommand::Drill(args) => drill::run(args),
        KeysCommand::Status(args) => status::run(args),
        KeysCommand::Renew(args) => state::renew(args),
        KeysCommand::Retire(args) => state::retire(args),
        KeysCommand::Revoke(args) => revoke::run(args),
        KeysCommand::Delete(args) => delete::run(args),
    }
}

/// Connects to the cluster that the flags name, or that a watching person sees, for the controller's namespace.
fn connect(args: &ClusterArgs) -> Result<Cluster, Failure> {
    connect_for(args, args.own_namespace())
}

/// As [`connect`], for another namespace than the controller's.
fn connect_for(args: &ClusterArgs, namespace: &str) -> Result<Cluster, Failure> {
    if args.context.is_none() && !intent::is_watched() {
        return Err(IntentError::UnnamedFetch.into());
    }
    let cluster = Cluster::connect_for(args, namespace)?;
    terminal::note(&format!("asking {}", cluster.summary()));
    Ok(cluster)
}

/// The name of a SealingKey and the start of its fingerprint.
fn named(key: &SealingKey) -> String {
    label(&name_of(key), &key.fingerprint())
}

/// The present day, in UTC.
pub(super) fn today() -> Day {
    let now = Timestamp::now().to_zoned(TimeZone::UTC).date();
    now.to_string().parse().expect("a date of this era is written YYYY-MM-DD")
}

/// The first objects by name, and the number of the others.
fn listed(objects: &BTreeSet<String>) -> String {
    let mut names: Vec<String> = objects.iter().take(NAMED).cloned().collect();
    if objects.len() > NAMED {
        names.push(format!("{} more", objects.len() - NAMED));
    }
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_names_some_objects_and_counts_the_others() {
        let objects: BTreeSet<String> = (10..40).map(|n| format!("prod/o{n}")).collect();
        let said = listed(&objects);
        assert!(said.starts_with("prod/o10, prod/o11, ") && said.ends_with("prod/o29, 10 more"), "{said}");
    }
}

//! `seal keys backup -o DIR`: copies the backups that the controller publishes into files to commit.
//!
//! A backup is ciphertext, so reading it takes no private key. Whether it opens, and to the right key, `seal keys drill`
//! tells: whoever may write ConfigMaps beside the controller can publish anything until the controller heals it.
//! Invariant: a file that is there is neither replaced nor removed.

use std::fs;
use std::path::{Path, PathBuf};

use k8s_openapi::api::core::v1::ConfigMap;
use seal_crds::keys::Fingerprint;
use seal_crds::keys::backup::{self, OpenBackupError};

use super::connect;
use crate::args::BackupArgs;
use crate::files::input::Input;
use crate::files::output::{self, OutputError};
use crate::talk::exit::Exit;
use crate::talk::failure::{Explain, Failure, Rule};
use crate::talk::terminal;

#[derive(Debug, thiserror::Error)]
enum BackupCommandError {
    #[error("{0} publishes no backup of a key")]
    NonePublished(String),
}

impl Explain for BackupCommandError {
    fn rule(&self) -> Rule {
        Rule::NothingToDo
    }

    fn hint(&self) -> Option<String> {
        Some(
            "a key has a backup if the controller had --recovery-recipients when it made the key; with them, seal keys \
             renew makes a key that has one"
                .to_owned(),
        )
    }
}

/// Why a ConfigMap isn't a backup.
#[derive(Debug, thiserror::Error)]
enum NotABackup {
    #[error(
        "it has no item that is named after the key (64 hexadecimal digits and .age), or more items than that"
    )]
    Item,
    #[error("its own name is that of another key")]
    Name,
    #[error(transparent)]
    File(OpenBackupError),
}

/// What there is to do about a published backup.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Add,
    /// The file is there, with the same content.
    Same,
    /// The file is there, with another content.
    Differs,
}

pub(super) fn run(args: &BackupArgs) -> Result<Exit, Failure> {
    let cluster = connect(&args.cluster)?;
    let published = cluster.published_backups()?;
    if published.is_empty() {
        return Err(BackupCommandError::NonePublished(cluster.summary_of_namespace()).into());
    }
    let directory = &args.output;
    fs::create_dir_all(directory).map_err(|error| OutputError::Unwritable(directory.clone(), error))?;
    let mut exit = Exit::Done;
    let mut report = Vec::new();
    for map in &published {
        let (fingerprint, text) = match backup_in(map) {
            Ok(backup) => backup,
            Err(problem) => {
                let name = map.metadata.name.as_deref().unwrap_or_default();
                terminal::warn(&format!("ConfigMap {name} was left out: {problem}"), None);
                exit = Exit::Findings;
                continue;
            }
        };
        let path = directory.join(backup::file_name(&fingerprint));
        let verdict = verdict(existing(&path)?.as_deref(), text);
        let what = match verdict {
            Verdict::Add => {
                output::to_new_public_file(&path, text.as_bytes())?;
                "added"
            }
            Verdict::Same => "there already",
            Verdict::Differs => "kept, and differs from the cluster's",
        };
        if verdict == Verdict::Differs {
            exit = Exit::Findings;
            let warning = format!(
                "{} isn't what the cluster publishes now; seal keys drill tells which of the two opens",
                path.display()
            );
            terminal::warn(&warning, None);
        }
        report.push(format!("{}: {what}", path.display()));
    }
    output::report(report)?;
    Ok(exit)
}

/// The key and the text of a published backup. Anybody may have written it, so it is checked as far as that goes.
fn backup_in(map: &ConfigMap) -> Result<(Fingerprint, &str), NotABackup> {
    let mut items = map.data.iter().flatten();
    let (Some((item, text)), None) = (items.next(), items.next()) else { return Err(NotABackup::Item) };
    let fingerprint = backup::named(item).ok_or(NotABackup::Item)?;
    if map.metadata.name.as_deref() != Some(&backup::config_map_name(&fingerprint)) {
        return Err(NotABackup::Name);
    }
    backup::check(text.as_bytes()).map_err(NotABackup::File)?;
    Ok((fingerprint, text))
}

fn existing(path: &Path) -> Result<Option<Vec<u8>>, Failure> {
    let path: PathBuf = path.to_owned();
    // A dangling link is there too, and is no place to write to.
    if fs::symlink_metadata(&path).is_err() {
        return Ok(None);
    }
    Ok(Some(Input::File(path).read_bytes()?.to_vec()))
}

/// Compares without line ends, which Git may change in a work tree.
fn verdict(existing: Option<&[u8]>, published: &str) -> Verdict {
    let lines = |bytes: &[u8]| -> Vec<u8> { bytes.iter().copied().filter(|byte| *byte != b'\r').collect() };
    match existing {
        None => Verdict::Add,
        Some(bytes) if lines(bytes) == lines(published.as_bytes()) => Verdict::Same,
        Some(_) => Verdict::Differs,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use seal_crds::keys::Identity;

    use super::*;

    fn map(name: &str, items: &[(&str, &str)]) -> ConfigMap {
        let items = items.iter().map(|(item, text)| ((*item).to_owned(), (*text).to_owned()));
        let mut map = ConfigMap { data: Some(items.collect::<BTreeMap<_, _>>()), ..ConfigMap::default() };
        map.metadata.name = Some(name.to_owned());
        map
    }

    #[test]
    fn a_published_backup_is_taken_only_as_the_controller_publishes_it() {
        let (key, recovery) = (Identity::generate(), Identity::generate());
        let date = serde_json::from_value("2026-01-02T03:04:05Z".into()).unwrap();
        let text = backup::encrypt(&key, 1, &date, &[recovery.recipient().clone()]).unwrap();
        let (name, item) =
            (backup::config_map_name(&key.fingerprint()), backup::file_name(&key.fingerprint()));
        let found = map(&name, &[(&item, &text)]);
        assert_eq!(backup_in(&found).unwrap(), (key.fingerprint(), text.as_str()));
        let other = backup::config_map_name(&recovery.fingerprint());
        for (map, problem) in [
            (map(&name, &[]), "it has no item"),
            (map(&name, &[("../x.age", &text)]), "it has no item"),
            (map(&name, &[(&item, &text), ("more", "x")]), "it has no item"),
            (map(&other, &[(&item, &text)]), "its own name is that of another key"),
            (map(&name, &[(&item, "hello")]), "the file is not an armoured age file"),
        ] {
            let said = backup_in(&map).unwrap_err().to_string();
            assert!(said.starts_with(problem), "{said}");
        }
    }

    #[test]
    fn a_file_that_is_there_is_kept_whatever_it_holds() {
        assert_eq!(verdict(None, "a\nb\n"), Verdict::Add);
        assert_eq!(verdict(Some(b"a\nb\n"), "a\nb\n"), Verdict::Same);
        assert_eq!(verdict(Some(b"a\r\nb\r\n"), "a\nb\n"), Verdict::Same);
        assert_eq!(verdict(Some(b"a\n"), "a\nb\n"), Verdict::Differs);
        assert_eq!(verdict(Some(b""), "a\nb\n"), Verdict::Differs);
    }
}

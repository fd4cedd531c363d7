//! The keys in the files that were named: backups, directories of backups, and saved Secrets.
//!
//! Invariants: a file of which nothing can be used is named, and stops no other. No identity is asked about a backup of
//! a key that nobody trusts, so nobody touches hardware for a forgery.

use std::path::{Path, PathBuf};

use seal_crds::keys::backup::{self, BackedUpKey};
use seal_crds::keys::stored::{Note, Recovery, StoredKey};
use seal_crds::keys::{Keyring, Recipient};
use seal_crds::resources::KeyState;
use seal_documents::key_file;

use super::plan::{Found, Trusted};
use crate::files::input::Input;
use crate::keys::backups::{self, BackupFile, BackupFileError};
use crate::keys::identities;
use crate::talk::failure::{Explain, Failure, Rule};

#[derive(Debug, thiserror::Error)]
enum FoundError {
    #[error("{}", super::not_listed(.file, .fingerprint).trim_start_matches("skipped: "))]
    NotListed { file: String, fingerprint: seal_crds::keys::Fingerprint },
    #[error("{file}: Secret {secret} is no sealing key")]
    NotAKey { file: String, secret: String, source: seal_crds::keys::stored::NotAKey },
    #[error("{0} has no backup in it (64 hexadecimal digits and .age)")]
    EmptyDirectory(String),
}

impl Explain for FoundError {
    fn rule(&self) -> Rule {
        Rule::BadBackup
    }
}

/// A key that was found.
pub(super) struct FoundKey {
    /// The file that it is in, for messages.
    pub(super) file: String,
    pub(super) stored: StoredKey,
    is_revoked: bool,
    /// The backup that it comes from.
    backup: Option<BackupFile>,
}

impl FoundKey {
    pub(super) fn facts(&self) -> Found {
        Found {
            fingerprint: self.stored.identity.fingerprint(),
            sequence: self.stored.sequence,
            is_revoked: self.is_revoked,
        }
    }

    /// The key's recovery set: that of its Secret. A backup doesn't say whom it is for, so it is what the cluster has
    /// recorded of the key; else, only of the key to seal to, what the pins call its recovery recipients. Either counts
    /// only if the backup can be for exactly these, and the backup is then published again. Without a set the key opens
    /// all the same, and Secrets are sealed to it alone.
    ///
    /// The threat: a set that is recorded with a recipient too few hides from a later revocation what that recipient
    /// could read. So nothing is guessed of an older key, whose set may have been another one.
    pub(super) fn recovery(
        &self,
        state: KeyState,
        trusted: &Trusted,
        recorded: &[Recipient],
    ) -> Option<Recovery> {
        if self.stored.recovery.is_some() {
            return self.stored.recovery.clone();
        }
        let is_unmarked = |recipient: &&Recipient| trusted.pins.marked(&recipient.fingerprint()).is_none();
        let pinned = trusted.recovery.iter().filter(|_| state == KeyState::Active).filter(is_unmarked);
        let file = self.backup.as_ref()?;
        let mut sets = [recorded.to_vec(), pinned.cloned().collect()].into_iter();
        let set = sets.find(|set| backup::may_be_for(&file.content, set))?;
        Recovery::new(set, file.text())
    }

    /// How little is known of the key's recovery set. Of a key that is found more than once, the copy counts of which
    /// most is known.
    pub(super) fn ignorance(&self) -> u8 {
        match (&self.stored.recovery, &self.backup) {
            (Some(_), _) => 0,
            (None, Some(_)) => 1,
            (None, None) => 2,
        }
    }
}

/// Reads all keys, and the failures of files that give none.
///
/// # Errors
///
/// A file or directory that was named can't be read.
pub(super) fn read(
    sources: &[PathBuf],
    identities: &Keyring,
    trusted: &Trusted,
) -> Result<(Vec<FoundKey>, Vec<Failure>), Failure> {
    let (mut keys, mut problems) = (Vec::new(), Vec::new());
    for source in sources {
        let is_directory = source.is_dir();
        let paths = if is_directory { backups::paths_in(source)? } else { vec![source.clone()] };
        if paths.is_empty() {
            problems.push(FoundError::EmptyDirectory(source.display().to_string()).into());
        }
        for path in paths {
            if is_directory || is_backup(&path) {
                match from_backup(&path, identities, trusted) {
                    Ok(key) => keys.push(key),
                    Err(problem) => problems.push(problem),
                }
            } else {
                let (found, not) = from_secrets(&path)?;
                keys.extend(found);
                problems.extend(not);
            }
        }
    }
    Ok((keys, problems))
}

/// Whether a file that was named is a backup, by its name. Every other file is read as one of Secrets.
fn is_backup(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "age")
}

fn from_backup(path: &Path, identities: &Keyring, trusted: &Trusted) -> Result<FoundKey, Failure> {
    let file = BackupFile::read(path)?;
    if !trusted.names(&file.fingerprint) {
        let (file, fingerprint) = (file.name, file.fingerprint);
        return Err(FoundError::NotListed { file, fingerprint }.into());
    }
    let BackedUpKey { identity, sequence, created_at } =
        file.open(identities).map_err(|error: BackupFileError| Failure::from(error))?;
    Ok(FoundKey {
        file: file.name.clone(),
        stored: StoredKey { identity, sequence, created_at, recovery: None },
        is_revoked: false,
        backup: Some(file),
    })
}

fn from_secrets(path: &Path) -> Result<(Vec<FoundKey>, Vec<Failure>), Failure> {
    let input = Input::File(path.to_owned());
    let name = input.name();
    let secrets = key_file::stored(name.clone(), input.read_bytes()?);
    let secrets = secrets.map_err(|unusable| identities::explained(name.clone(), unusable))?;
    let (mut keys, mut problems) = (Vec::new(), Vec::new());
    for secret in secrets {
        let secret_name = secret.metadata.name.clone().unwrap_or_default();
        match secret.into_key() {
            Ok((metadata, stored)) => keys.push(FoundKey {
                file: format!("{name}: {secret_name}"),
                is_revoked: matches!(Note::of(&metadata), Note::Says(KeyState::Revoked) | Note::Unreadable),
                stored,
                backup: None,
            }),
            Err(source) => {
                problems.push(FoundError::NotAKey { file: name.clone(), secret: secret_name, source }.into());
            }
        }
    }
    Ok((keys, problems))
}

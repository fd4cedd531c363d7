//! Files of backups: a directory with one file a key, named after the key's fingerprint.
//!
//! [`seal_crds::keys::backup`] specifies a file. Invariant: a key that comes out of a file is the one that the file is
//! named after. Anybody can encrypt a private key of their own to a recovery recipient, so who calls compares that name
//! with a list of keys that he trusts.

use std::fs;
use std::path::{Path, PathBuf};

use seal_crds::keys::backup::{self, BackedUpKey, OpenBackupError};
use seal_crds::keys::{Fingerprint, Identity, Keyring};

use crate::files::input::{Input, InputError};
use crate::talk::failure::{Explain, Rule};

/// Why a backup gives no key.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BackupFileError {
    #[error("{0} isn't named after the fingerprint of a key (64 hexadecimal digits and .age)")]
    Name(String),
    #[error("{0} can't be used as a backup")]
    Unusable(String, #[source] OpenBackupError),
    #[error("{file} holds another key than its name says: {holds}")]
    AnotherKey { file: String, holds: String },
    #[error(transparent)]
    Input(#[from] InputError),
}

impl Explain for BackupFileError {
    fn rule(&self) -> Rule {
        match self {
            Self::Input(error) => error.rule(),
            Self::Name(_) | Self::Unusable(..) | Self::AnotherKey { .. } => Rule::BadBackup,
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Name(_) => "give it back the name that seal keys backup gave it".to_owned(),
            Self::Unusable(_, OpenBackupError::NoMatchingKey) => {
                "give the identity of one of the key's recovery recipients with -i".to_owned()
            }
            Self::Unusable(_, OpenBackupError::Identity) => return None,
            Self::Unusable(..) => {
                "git log -p the file, and take it back from the cluster or from Git".to_owned()
            }
            Self::AnotherKey { .. } => {
                "somebody made it who isn't the controller: don't use it, and find out who did".to_owned()
            }
            Self::Input(error) => return error.hint(),
        })
    }
}

/// A backup, not opened yet.
pub(crate) struct BackupFile {
    /// Its path, for messages.
    pub(crate) name: String,
    /// The key that it is named after.
    pub(crate) fingerprint: Fingerprint,
    pub(crate) content: Vec<u8>,
}

impl BackupFile {
    /// Reads one file.
    pub(crate) fn read(path: &Path) -> Result<Self, BackupFileError> {
        let name = path.display().to_string();
        let file_name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let fingerprint = backup::named(file_name).ok_or_else(|| BackupFileError::Name(name.clone()))?;
        let content = Input::File(path.to_owned()).read_bytes()?.to_vec();
        Ok(Self { name, fingerprint, content })
    }

    /// Opens it with the first identity that fits; each identity is asked once.
    pub(crate) fn open(&self, identities: &Keyring) -> Result<BackedUpKey, BackupFileError> {
        let opened = backup::open(&self.content, identities.iter().map(Identity::as_age));
        let key = opened.map_err(|error| BackupFileError::Unusable(self.name.clone(), error))?;
        let holds = key.identity.fingerprint();
        if holds != self.fingerprint {
            return Err(BackupFileError::AnotherKey { file: self.name.clone(), holds: holds.to_string() });
        }
        Ok(key)
    }

    /// Checks it as far as that goes without an identity.
    pub(crate) fn check(&self) -> Result<(), BackupFileError> {
        backup::check(&self.content).map_err(|error| BackupFileError::Unusable(self.name.clone(), error))
    }

    /// The file as it was made: Git may change line ends in a work tree.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.content).replace("\r\n", "\n")
    }
}

/// The paths of a directory's backups, in the order of names: every file that ends with `.age`.
pub(crate) fn paths_in(directory: &Path) -> Result<Vec<PathBuf>, InputError> {
    let unreadable = |error| InputError::Unreadable(directory.display().to_string(), error);
    let entries = fs::read_dir(directory).and_then(Iterator::collect::<std::io::Result<Vec<_>>>);
    let paths = entries.map_err(unreadable)?.into_iter().map(|entry| entry.path());
    let mut paths: Vec<PathBuf> =
        paths.filter(|path| path.extension().is_some_and(|extension| extension == "age")).collect();
    paths.sort();
    Ok(paths)
}

#[cfg(test)]
mod tests {
    use seal_crds::keys::Recipient;

    use super::*;

    /// A backup of a new key for this recipient, under the name of this fingerprint.
    fn file(name: Option<Fingerprint>, recipient: &Recipient) -> BackupFile {
        let key = Identity::generate();
        let date = serde_json::from_value("2026-01-02T03:04:05Z".into()).unwrap();
        let text = backup::encrypt(&key, 1, &date, std::slice::from_ref(recipient)).unwrap();
        let fingerprint = name.unwrap_or_else(|| key.fingerprint());
        BackupFile { name: "f".to_owned(), fingerprint, content: text.into_bytes() }
    }

    #[test]
    fn a_backup_is_of_the_key_that_it_is_named_after_or_of_none() {
        let recovery = Identity::generate();
        let recipient = recovery.recipient().clone();
        let keys = Keyring::new(vec![Identity::generate(), recovery]);
        let good = file(None, &recipient);
        assert_eq!(
            good.open(&keys).unwrap_or_else(|error| panic!("{error}")).identity.fingerprint(),
            good.fingerprint
        );
        // Whoever plants this chooses the name, and has the private half of another key.
        let forged = file(Some(good.fingerprint), &recipient);
        let error = forged.open(&keys).err().unwrap();
        assert!(error.to_string().starts_with("f holds another key than its name says: "), "{error}");
        assert!(forged.check().is_ok(), "without an identity nobody can tell");
        let foreign = file(None, Identity::generate().recipient());
        assert!(matches!(
            foreign.open(&keys),
            Err(BackupFileError::Unusable(_, OpenBackupError::NoMatchingKey))
        ));
    }

    #[test]
    fn only_what_ends_like_a_backup_is_one_and_its_name_has_to_be_a_fingerprint() {
        let directory = tempfile::tempdir().unwrap();
        let name = backup::file_name(&Fingerprint::of("k"));
        for name in ["README.md", "other.age", &name] {
            fs::write(directory.path().join(name), "x").unwrap();
        }
        let paths = paths_in(directory.path()).unwrap();
        let names: Vec<_> = paths.iter().map(|path| path.file_name().unwrap().to_str().unwrap()).collect();
        let mut expected = [&name[..], "other.age"];
        expected.sort_unstable();
        assert_eq!(names, expected);
        assert!(matches!(
            BackupFile::read(&directory.path().join("other.age")),
            Err(BackupFileError::Name(_))
        ));
        assert_eq!(
            BackupFile::read(&directory.path().join(&name)).unwrap().fingerprint,
            Fingerprint::of("k")
        );
    }
}

//! The identity files: read at the start, and again whenever they change.
//!
//! [`key_file`] knows their format. Invariant: a file that can't be read, or is half written, never takes away keys
//! that were at hand. The old keys stay until the files are right again.

use std::fs::{File, Metadata};
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use seal_crds::keys::Keyring;
use seal_documents::key_file::{self, KeyFileError};
use tokio::sync::watch;
use zeroize::Zeroizing;

/// The largest file that is read, far larger than any file of identities: the file is read whole.
const MAX_BYTES: u64 = 1 << 20;

/// Why an identity file can't be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum IdentityFileError {
    /// The file can't be read.
    #[error("can't read identity file {}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The operating system's error.
        source: io::Error,
    },
    /// The file is larger than any file of identities. Its beginning alone would give some of its keys, and the loss
    /// of the others would be silent.
    #[error("identity file {} is larger than {} MiB", .0.display(), MAX_BYTES >> 20)]
    TooLarge(PathBuf),
    /// The file holds something else.
    #[error("can't use identity file {}", path.display())]
    Parse {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: KeyFileError,
    },
}

/// The identity of a file and the time of its last change: another file under the same name is a change, too.
type Stamp = (u64, u64, i64, i64);

/// The files, and their keys.
pub(crate) struct IdentityFiles {
    paths: Vec<PathBuf>,
    seen: Vec<Option<Stamp>>,
    keys: watch::Sender<Arc<Keyring>>,
}

impl IdentityFiles {
    /// Reads all files.
    ///
    /// # Errors
    /// Any [`IdentityFileError`]: an agent without its identities would only report failures.
    pub(crate) fn open(paths: Vec<PathBuf>) -> Result<Self, IdentityFileError> {
        let seen = paths.iter().map(|path| stamp(path)).collect();
        let keys = watch::Sender::new(Arc::new(read_all(&paths)?));
        for path in &paths {
            if std::fs::metadata(path).is_ok_and(|found| found.mode() & 0o077 != 0) {
                tracing::warn!(path = %path.display(), "others can read this identity file; chmod 0600 keeps them out");
            }
        }
        Ok(Self { paths, seen, keys })
    }

    /// The keys, and their changes.
    pub(crate) fn keys(&self) -> watch::Receiver<Arc<Keyring>> {
        self.keys.subscribe()
    }

    /// Reads the files again if any of them changed.
    pub(crate) fn refresh(&mut self) {
        let now: Vec<_> = self.paths.iter().map(|path| stamp(path)).collect();
        if now == self.seen {
            return;
        }
        match read_all(&self.paths) {
            Ok(keys) => {
                let (identities, rsa_keys) = (keys.len(), keys.rsa_keys().len());
                tracing::info!(identities, rsa_keys, "identity files changed and were read again");
                self.keys.send_replace(Arc::new(keys));
                self.seen = now;
            }
            Err(error) => {
                // `seen` stays, so the next pass tries again.
                let error = &error as &dyn std::error::Error;
                tracing::warn!(error, "identity files changed and can't be used; the former identities stay");
            }
        }
    }
}

fn stamp(path: &Path) -> Option<Stamp> {
    let of = |found: Metadata| (found.ino(), found.len(), found.ctime(), found.ctime_nsec());
    std::fs::metadata(path).ok().map(of)
}

fn read_all(paths: &[PathBuf]) -> Result<Keyring, IdentityFileError> {
    let mut all = Keyring::default();
    for path in paths {
        read(path, &mut all)?;
    }
    Ok(all)
}

fn read(path: &Path, keys: &mut Keyring) -> Result<(), IdentityFileError> {
    let io = |source| IdentityFileError::Io { path: path.to_owned(), source };
    let file = File::open(path).map_err(io)?;
    let length = file.metadata().map_err(io)?.len().min(MAX_BYTES + 1);
    // All at once: a buffer that grows leaves copies behind, which aren't wiped.
    let mut bytes = Zeroizing::new(Vec::with_capacity(usize::try_from(length).unwrap_or(0) + 1));
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(io)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(IdentityFileError::TooLarge(path.to_owned()));
    }
    let found = key_file::read(path.display().to_string(), bytes);
    let parse = |source| IdentityFileError::Parse { path: path.to_owned(), source };
    keys.merge(found.map_err(|unusable| parse(unusable.error))?);
    Ok(())
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD as BASE64;
    use seal_crds::keys::Identity;

    use super::*;

    fn text(identity: &Identity) -> Zeroizing<String> {
        identity.to_secret_string()
    }

    #[test]
    fn a_changed_file_is_read_again_and_a_broken_one_keeps_the_old_keys() {
        let tmp = tempfile::tempdir().unwrap();
        let path = tmp.path().join("keys.txt");
        let (first, second) = (Identity::generate(), Identity::generate());
        std::fs::write(&path, text(&first).as_bytes()).unwrap();
        let mut files = IdentityFiles::open(vec![path.clone()]).unwrap();
        let keys = files.keys();
        let holds = |identity: &Identity| keys.borrow().find(&identity.fingerprint()).is_some();
        assert!(holds(&first) && !holds(&second));
        std::fs::write(&path, "AGE-SECRET-KEY-PQ-1HALF").unwrap();
        files.refresh();
        assert!(holds(&first));
        std::fs::remove_file(&path).unwrap();
        files.refresh();
        assert!(holds(&first));
        std::fs::write(&path, format!("# new\n{}\n", text(&second).as_str())).unwrap();
        files.refresh();
        assert!(holds(&second) && !holds(&first));
    }

    #[test]
    fn a_bare_list_of_secrets_is_a_backup_too() {
        let tmp = tempfile::tempdir().unwrap();
        let path = tmp.path().join("keys.json");
        let pem = include_str!("../../../crds/src/keys/testdata/rsa-2048.pem");
        let data = serde_json::json!({"tls.key": BASE64.encode(pem)});
        let list = serde_json::json!({"metadata": {}, "items": [{"metadata": {"name": "k"}, "data": data}]});
        std::fs::write(&path, list.to_string()).unwrap();
        let files = IdentityFiles::open(vec![path]).unwrap();
        assert_eq!(files.keys().borrow().rsa_keys().len(), 1);
    }

    #[test]
    fn a_file_that_lost_its_keys_takes_none_away() {
        let tmp = tempfile::tempdir().unwrap();
        let path = tmp.path().join("keys");
        let identity = Identity::generate();
        std::fs::write(&path, text(&identity).as_bytes()).unwrap();
        let mut files = IdentityFiles::open(vec![path.clone()]).unwrap();
        let keys = files.keys();
        // The whole file is honest, and its first mebibyte would do.
        let large = format!("{}\n{}", text(&Identity::generate()).as_str(), "#\n".repeat(1 << 19));
        for content in [r#"{"items": []}"#, r#"{"items": []} {"items": []}"#, &large] {
            std::fs::write(&path, content).unwrap();
            files.refresh();
            assert!(keys.borrow().find(&identity.fingerprint()).is_some(), "{} bytes", content.len());
        }
        assert!(matches!(IdentityFiles::open(vec![path]), Err(IdentityFileError::TooLarge(_))));
    }

    #[test]
    fn without_identities_there_is_no_start() {
        let tmp = tempfile::tempdir().unwrap();
        let path = tmp.path().join("keys.txt");
        assert!(matches!(IdentityFiles::open(vec![path.clone()]), Err(IdentityFileError::Io { .. })));
        std::fs::write(&path, "# none yet\n").unwrap();
        assert!(matches!(IdentityFiles::open(vec![path]), Err(IdentityFileError::Parse { .. })));
    }
}

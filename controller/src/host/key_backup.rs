//! Keys in an identity file that isn't age's: RSA keys in PEM, or a backup of sealing keys, ours and the peer's, as
//! `kubectl get secret -o yaml` prints it (one Secret, several documents, a List).
//!
//! Not the choice among them. Invariant: what holds a private key wipes on drop, and no error repeats a part of the
//! file. The YAML parser's own buffers are its own.

use std::collections::BTreeMap;

use seal_crds::Plaintext;
use seal_crds::keys::stored::IDENTITY;
use seal_crds::keys::{
    Identity, IdentityError, Keyring, RsaKeyError, RsaPrivateKey, RsaSealingKey, without_byte_order_mark,
};
use seal_crds::plaintext::WipedString;
use seal_documents::limits::check_yaml;
use serde::Deserialize;

/// Why a file that looks like one of RSA keys, or like a backup, isn't.
#[derive(Debug, thiserror::Error)]
pub(crate) enum KeyBackupError {
    /// An RSA key can't be used.
    #[error(transparent)]
    Rsa(#[from] RsaKeyError),
    /// An identity can't be used.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// It isn't YAML, or not of Kubernetes objects.
    #[error("not a backup of Secrets as kubectl prints it")]
    Malformed,
    /// A Secret without a key, or none at all.
    #[error(
        "a Secret with neither item {IDENTITY} nor {}, so it isn't a sealing key",
        RsaSealingKey::PRIVATE
    )]
    NoKey,
}

/// The keys in the file; `None` where it holds something else.
pub(super) fn parse(file: &[u8]) -> Option<Result<Keyring, KeyBackupError>> {
    let text = without_byte_order_mark(std::str::from_utf8(file).ok()?);
    match RsaPrivateKey::all_from_pem(text) {
        Ok(found) if found.is_empty() => {}
        found => return Some(found.map_err(KeyBackupError::Rsa).map(keyring)),
    }
    is_manifest(text).then(|| from_backup(text))
}

fn keyring(rsa_keys: Vec<RsaPrivateKey>) -> Keyring {
    let mut keys = Keyring::default();
    for key in rsa_keys {
        keys.insert_rsa_key(key);
    }
    keys
}

/// Whether the text wants to be one of Kubernetes objects, and isn't one of identities with a comment about them.
fn is_manifest(text: &str) -> bool {
    let is_identity = |line: &str| line.trim_start().starts_with("AGE-SECRET-KEY-");
    ["apiVersion", "kind"].iter().all(|field| text.contains(field)) && !text.lines().any(is_identity)
}

/// A Secret or a List of them. No `Debug`: it holds private keys.
#[derive(Deserialize)]
struct Object {
    kind: String,
    #[serde(default)]
    data: BTreeMap<String, WipedString>,
    #[serde(default)]
    items: Vec<Object>,
}

fn from_backup(text: &str) -> Result<Keyring, KeyBackupError> {
    // Deep nesting costs this parser the square of its depth.
    check_yaml(text).map_err(|_| KeyBackupError::Malformed)?;
    let mut keys = Keyring::default();
    for document in serde_yaml::Deserializer::from_str(text) {
        let object = Option::<Object>::deserialize(document).map_err(|_| KeyBackupError::Malformed)?;
        for secret in object.into_iter().flat_map(flattened).filter(|object| object.kind == "Secret") {
            if let Some(identity) = secret.item(IDENTITY)? {
                let text = std::str::from_utf8(identity.expose()).unwrap_or_default();
                keys.insert(Identity::parse(text)?);
            } else if let Some(pem) = secret.item(RsaSealingKey::PRIVATE)? {
                keys.insert_rsa_key(RsaPrivateKey::from_pem(pem.expose())?);
            } else {
                return Err(KeyBackupError::NoKey);
            }
        }
    }
    if keys.is_empty() && keys.rsa_keys().is_empty() { Err(KeyBackupError::NoKey) } else { Ok(keys) }
}

impl Object {
    fn item(&self, name: &str) -> Result<Option<Plaintext>, KeyBackupError> {
        let value = self.data.get(name);
        value.map(|value| value.decode().ok_or(KeyBackupError::Malformed)).transpose()
    }
}

fn flattened(mut object: Object) -> Vec<Object> {
    let items = std::mem::take(&mut object.items);
    items.into_iter().chain([object]).collect()
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD as BASE64;

    use super::*;

    const PEM: &str = include_str!("../../../crds/src/keys/testdata/rsa-2048.pem");
    const CERTIFICATE: &str = include_str!("../../../crds/src/keys/testdata/rsa-2048.crt");

    fn secret(key: &str) -> String {
        format!(
            r#"{{"apiVersion": "v1", "kind": "Secret", "data": {{"tls.key": "{}"}}}}"#,
            BASE64.encode(key)
        )
    }

    #[test]
    fn keys_are_read_from_pem_and_from_backups_of_every_form() {
        let one = secret(PEM);
        let fingerprint = RsaPrivateKey::from_pem(PEM).unwrap().fingerprint();
        for (text, count) in [
            (PEM.to_owned(), 1),
            (format!("notes\n{CERTIFICATE}{PEM}{PEM}"), 1),
            (one.clone(), 1),
            (format!("---\n{one}\n---\n{one}\n"), 1),
            (format!(r#"{{"apiVersion": "v1", "kind": "List", "items": [{one}, {one}]}}"#), 1),
        ] {
            for text in [text.clone(), format!("\u{feff}{text}")] {
                let keys = parse(text.as_bytes()).unwrap().unwrap_or_else(|error| panic!("{error}: {text}"));
                assert_eq!(keys.rsa_keys().len(), count);
                assert!(keys.find_rsa_key(&fingerprint).is_some());
            }
        }
    }

    #[test]
    fn a_backup_of_our_own_keys_is_read_beside_the_peers() {
        let identity = Identity::generate();
        let own = format!(
            "apiVersion: v1\nkind: Secret\ntype: sealing.dev/sealing-key\ndata:\n  identity: {}\n  sequence: MQ==\n",
            BASE64.encode(identity.to_secret_string().as_str())
        );
        for (text, rsa_keys) in
            [(own.clone(), 0), (format!("\u{feff}{own}"), 0), (format!("{own}---\n{}\n", secret(PEM)), 1)]
        {
            let keys = parse(text.as_bytes()).unwrap().unwrap_or_else(|error| panic!("{error}: {text}"));
            assert_eq!(keys.fingerprints().collect::<Vec<_>>(), [identity.fingerprint()]);
            assert_eq!(keys.rsa_keys().len(), rsa_keys);
        }
        let broken = "apiVersion: v1\nkind: Secret\ndata: {identity: aHVudGVyMg==}\n";
        let error = parse(broken.as_bytes()).unwrap().err().unwrap();
        assert!(error.to_string().starts_with("not an identity"), "{error}");
    }

    #[test]
    fn what_is_no_key_is_said_without_quoting_it_and_other_files_are_left_to_others() {
        let cut = "-----BEGIN PRIVATE KEY-----\nhunter2\n".to_owned();
        let list = r#"{"apiVersion": "v1", "kind": "List", "items": [], "x": "tls.key hunter2"}"#.to_owned();
        let yaml = "apiVersion: v1\nkind: Secret\ndata: {tls.key: [hunter2]}\n".to_owned();
        for text in [cut, list, yaml, secret("hunter2")] {
            let error = parse(text.as_bytes()).unwrap().err().unwrap();
            assert!(!error.to_string().contains("hunter2"), "{error}");
        }
        for text in [
            "# apiVersion and kind: mine\nAGE-SECRET-KEY-1…",
            "# kind\n",
            "-----BEGIN OPENSSH PRIVATE KEY-----\n",
        ] {
            assert!(parse(text.as_bytes()).is_none(), "{text}");
        }
    }
}

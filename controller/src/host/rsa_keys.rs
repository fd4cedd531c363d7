//! RSA keys in an identity file: PEM, or a backup of the peer's sealing keys as `kubectl get secret -o yaml` prints it
//! (one Secret, several documents, a List).
//!
//! Not the choice among them. Invariant: what holds a private key wipes on drop, and no error repeats a part of the
//! file. The YAML parser's own buffers are its own.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use seal_crds::documents::check_yaml;
use seal_crds::keys::{RsaKeyError, RsaPrivateKey, RsaSealingKey};
use serde::Deserialize;
use zeroize::Zeroizing;

/// Why a file that looks like one of RSA keys isn't.
#[derive(Debug, thiserror::Error)]
pub enum RsaKeysError {
    /// A key can't be used.
    #[error(transparent)]
    Key(#[from] RsaKeyError),
    /// It isn't YAML, or not of Kubernetes objects.
    #[error("not a backup of Secrets as kubectl prints it")]
    Malformed,
    /// A Secret without a key, or none at all.
    #[error("no Secret with the key {}", RsaSealingKey::PRIVATE)]
    NoKey,
}

/// The keys in the file; `None` where it holds something else.
pub(super) fn parse(file: &[u8]) -> Option<Result<Vec<RsaPrivateKey>, RsaKeysError>> {
    let text = std::str::from_utf8(file).ok()?;
    match RsaPrivateKey::all_from_pem(text) {
        Ok(keys) if keys.is_empty() => {}
        found => return Some(found.map_err(RsaKeysError::Key)),
    }
    is_manifest(text).then(|| from_backup(text))
}

fn is_manifest(text: &str) -> bool {
    ["apiVersion", "kind"].iter().all(|field| text.contains(field)) && text.contains(RsaSealingKey::PRIVATE)
}

/// A Secret or a List of them. No `Debug`: it holds private keys.
#[derive(Deserialize)]
struct Object {
    kind: String,
    #[serde(default)]
    data: BTreeMap<String, Text>,
    #[serde(default)]
    items: Vec<Object>,
}

/// Text, wiped on drop.
#[derive(Deserialize)]
#[serde(from = "String")]
struct Text(Zeroizing<String>);

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self(Zeroizing::new(text))
    }
}

fn from_backup(text: &str) -> Result<Vec<RsaPrivateKey>, RsaKeysError> {
    // Deep nesting costs this parser the square of its depth.
    check_yaml(text).map_err(|_| RsaKeysError::Malformed)?;
    let mut keys = Vec::new();
    for document in serde_yaml::Deserializer::from_str(text) {
        let object = Option::<Object>::deserialize(document).map_err(|_| RsaKeysError::Malformed)?;
        for secret in object.into_iter().flat_map(flattened).filter(|object| object.kind == "Secret") {
            let value = secret.data.get(RsaSealingKey::PRIVATE).ok_or(RsaKeysError::NoKey)?;
            let pem = BASE64.decode(&*value.0).map(Zeroizing::new).map_err(|_| RsaKeysError::Malformed)?;
            keys.push(RsaPrivateKey::from_pem(&*pem)?);
        }
    }
    if keys.is_empty() { Err(RsaKeysError::NoKey) } else { Ok(keys) }
}

fn flattened(mut object: Object) -> Vec<Object> {
    let items = std::mem::take(&mut object.items);
    items.into_iter().chain([object]).collect()
}

#[cfg(test)]
mod tests {
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
            (format!("notes\n{CERTIFICATE}{PEM}{PEM}"), 2),
            (one.clone(), 1),
            (format!("---\n{one}\n---\n{one}\n"), 2),
            (format!(r#"{{"apiVersion": "v1", "kind": "List", "items": [{one}, {one}]}}"#), 2),
        ] {
            let keys = parse(text.as_bytes()).unwrap().unwrap();
            assert_eq!(keys.len(), count);
            assert!(keys.iter().all(|key| key.fingerprint() == fingerprint));
        }
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
        for text in ["AGE-SECRET-KEY-1…", "# kind\n", "-----BEGIN OPENSSH PRIVATE KEY-----\n"] {
            assert!(parse(text.as_bytes()).is_none(), "{text}");
        }
    }
}

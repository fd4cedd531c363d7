//! Files of private keys, for the command line and the host: age identities, RSA keys in PEM, and backups of sealing
//! keys, ours and sealed-secrets', as `kubectl get secret -o yaml` prints them (one Secret, several documents, a
//! List), or as Go programs print what they got from a cluster (a bare JSON list).
//!
//! The choice among the keys is made later, by trial. Invariants: no error repeats a part of such a file. Decoded parts
//! wipe on drop, except for the YAML parser's own buffers. A text that is out of bounds is refused before anything is
//! built.

use seal_crds::Plaintext;
use seal_crds::keys::stored::IDENTITY;
use seal_crds::keys::{
    IdentitiesError, Identity, IdentityError, Keyring, RsaKeyError, RsaPrivateKey, RsaSealingKey,
    parse_identities, without_byte_order_mark,
};
use zeroize::Zeroizing;

use crate::data::decode;
use crate::manifest::{FieldError, Fields, Kind, Manifest, ManifestError, text_of};
use crate::source::{Located, Source, Spot, Spotted};
use crate::yaml::json;
use crate::yaml::tree::{NodeId, NodeKind, Tree};

/// Why a file can't be used for its keys.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    #[error(transparent)]
    Identities(IdentitiesError),
    #[error(transparent)]
    Rsa(RsaKeyError),
    #[error("its private key is encrypted")]
    Encrypted,
    #[error("a certificate only seals")]
    Certificate,
    #[error("there is no Secret in it")]
    NoSecret,
    #[error(transparent)]
    Backup(#[from] BackupError),
}

/// Why a backup of sealing keys can't be used, at one place in it.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    #[error(transparent)]
    Field(#[from] FieldError),
    #[error("this Secret is encrypted by SOPS")]
    Sops,
    #[error(
        "this Secret has neither item {IDENTITY} nor {}, so it isn't a sealing key",
        RsaSealingKey::PRIVATE
    )]
    NoKey,
    #[error("item {0} of this Secret isn't base64")]
    NotBase64(&'static str),
    #[error("item {IDENTITY} of this Secret can't be used")]
    Identity(#[source] IdentityError),
    #[error("item {} of this Secret can't be used", RsaSealingKey::PRIVATE)]
    Rsa(#[source] RsaKeyError),
}

/// A [`KeyFileError`], and its place in the file if it has one.
#[derive(Debug)]
pub struct UnusableKeys {
    pub error: KeyFileError,
    pub spot: Option<Box<Spot>>,
}

impl KeyFileError {
    /// A way out, for the user, if it can be said without a command or the file's name.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Certificate => Some("give the private key that belongs to it".to_owned()),
            Self::Backup(error) => error.hint(),
            Self::Identities(_) | Self::Rsa(_) | Self::Encrypted | Self::NoSecret => None,
        }
    }
}

impl BackupError {
    /// A way out, for the user.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Manifest(error) => error.hint(),
            Self::Field(error) => error.hint(),
            Self::Sops => Some("decrypt it first: sops -d FILE".to_owned()),
            Self::NoKey | Self::NotBase64(_) | Self::Identity(_) | Self::Rsa(_) => None,
        }
    }
}

impl<E: Into<BackupError>> From<Spotted<E>> for UnusableKeys {
    fn from(Spotted { error, spot }: Spotted<E>) -> Self {
        Self { error: KeyFileError::Backup(error.into()), spot: Some(spot) }
    }
}

impl From<KeyFileError> for UnusableKeys {
    fn from(error: KeyFileError) -> Self {
        Self { error, spot: None }
    }
}

/// The keys in the file of this name.
///
/// # Errors
///
/// The first thing that makes it no file of keys.
pub fn read(name: String, mut bytes: Zeroizing<Vec<u8>>) -> Result<Keyring, UnusableKeys> {
    match String::from_utf8(std::mem::take(&mut *bytes)) {
        Ok(text) => {
            let mut text = Zeroizing::new(text);
            // In place: a copy would be one more to wipe.
            let mark = text.len() - without_byte_order_mark(&text).len();
            text.drain(..mark);
            read_text(&Source::new(name, text))
        }
        // age's own files are bytes.
        Err(error) => read_identities(&Zeroizing::new(error.into_bytes())),
    }
}

fn read_text(source: &Source) -> Result<Keyring, UnusableKeys> {
    let text = source.text();
    let has_block = |label: &str| text.lines().any(|line| line.trim() == format!("-----BEGIN {label}-----"));
    if let Some(done) = read_bare_list(source) {
        return done;
    }
    if is_manifest(text) {
        return read_backup(source);
    }
    let found = RsaPrivateKey::all_from_pem(text).map_err(KeyFileError::Rsa)?;
    if !found.is_empty() {
        let mut keys = Keyring::default();
        for key in found {
            keys.insert_rsa_key(key);
        }
        return Ok(keys);
    }
    if has_block("ENCRYPTED PRIVATE KEY") {
        return Err(KeyFileError::Encrypted.into());
    }
    if has_block("CERTIFICATE") {
        return Err(KeyFileError::Certificate.into());
    }
    read_identities(text.as_bytes())
}

/// Whether the text looks like Kubernetes objects. Any other text is searched for keys line by line.
fn is_manifest(text: &str) -> bool {
    let is_key = |line: &str| ["-----BEGIN", "AGE-SECRET-KEY-"].iter().any(|start| line.starts_with(start));
    text.contains("apiVersion") && text.contains("kind") && !text.lines().any(is_key)
}

fn read_identities(bytes: &[u8]) -> Result<Keyring, UnusableKeys> {
    let mut keys = Keyring::default();
    keys.extend(parse_identities(bytes).map_err(KeyFileError::Identities)?);
    Ok(keys)
}

fn read_backup(source: &Source) -> Result<Keyring, UnusableKeys> {
    let manifest = Manifest::parse(source)?;
    let mut keys = Keyring::default();
    let mut found = false;
    for object in manifest.objects.iter().filter(|object| object.kind == Kind::Secret) {
        found = true;
        read_key(manifest.tree(object), source.text(), object.node, &mut keys)
            .map_err(|error| manifest.locate(error))?;
    }
    if found { Ok(keys) } else { Err(KeyFileError::NoSecret.into()) }
}

/// The keys in lists of Secrets without an apiVersion or kind, which kubeseal takes too; `None` if a document of the
/// text is anything else. A text without a key is an error: a host would go on without the keys that it had.
fn read_bare_list(source: &Source) -> Option<Result<Keyring, UnusableKeys>> {
    let trees = json::parse_json(source.text())?.ok()?;
    let lists = trees.iter().map(|tree| Some((tree, bare_list(tree)?))).collect::<Option<Vec<_>>>()?;
    let mut keys = Keyring::default();
    for (tree, item) in lists.iter().flat_map(|(tree, items)| items.iter().map(move |item| (tree, *item))) {
        if let Err(Located { error, at }) = read_key(tree, source.text(), item, &mut keys) {
            return Some(Err(Spotted { error, spot: Box::new(source.spot_unparsed(at)) }.into()));
        }
    }
    let is_empty = lists.iter().all(|(_, items)| items.is_empty());
    Some(if is_empty { Err(KeyFileError::NoSecret.into()) } else { Ok(keys) })
}

/// The elements of `items` in an object that doesn't say its type.
fn bare_list<'t>(tree: &'t Tree<'_>) -> Option<&'t [NodeId]> {
    let root = tree.root?;
    if ["apiVersion", "kind"].iter().any(|key| tree.get(root, key).is_some()) {
        return None;
    }
    match tree.kind(tree.get(root, "items")?) {
        NodeKind::Sequence { items, .. } => Some(items),
        _ => None,
    }
}

/// The private key in a sealing key's Secret.
fn read_key(
    tree: &Tree<'_>,
    source: &str,
    node: NodeId,
    keys: &mut Keyring,
) -> Result<(), Located<BackupError>> {
    let here = |error| Located { error, at: tree.range(node).start };
    let secret = Fields::read(tree, node, "the Secret").map_err(|error| error.map(BackupError::from))?;
    if secret.get("sops").is_some() {
        return Err(here(BackupError::Sops));
    }
    if let Some(identity) = item(tree, source, &secret, IDENTITY)? {
        let text = std::str::from_utf8(identity.expose()).unwrap_or_default();
        keys.insert(Identity::parse(text).map_err(|error| here(BackupError::Identity(error)))?);
    } else if let Some(pem) = item(tree, source, &secret, RsaSealingKey::PRIVATE)? {
        let text = std::str::from_utf8(pem.expose()).unwrap_or_default();
        keys.insert_rsa_key(RsaPrivateKey::from_pem(text).map_err(|error| here(BackupError::Rsa(error)))?);
    } else {
        return Err(here(BackupError::NoKey));
    }
    Ok(())
}

/// One value of a Secret, as the API server would store it: `stringData` is text, and wins over `data`.
fn item(
    tree: &Tree<'_>,
    source: &str,
    secret: &Fields<'_>,
    name: &'static str,
) -> Result<Option<Plaintext>, Located<BackupError>> {
    for under in ["stringData", "data"] {
        let Some(values) = secret.get(under) else { continue };
        let values = Fields::read(tree, values, under).map_err(|error| error.map(BackupError::from))?;
        let Some(value) = values.get(name) else { continue };
        let text = text_of(tree, source, value, || format!("item {name} under {under}"))
            .map_err(|error| error.map(BackupError::from))?;
        if under == "stringData" {
            return Ok(Some(Plaintext::from(text.as_bytes().to_vec())));
        }
        let not_base64 = |_| Located { error: BackupError::NotBase64(name), at: tree.range(value).start };
        return decode(text).map(Some).map_err(not_base64);
    }
    Ok(None)
}

#[cfg(test)]
mod tests;

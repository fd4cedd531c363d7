//! Files of private keys, for the command line and the host: age identities, RSA keys in PEM, and backups of sealing
//! keys, ours and sealed-secrets', as `kubectl get secret -o yaml` prints them (one Secret, several documents, a
//! List), or as Go programs print what they got from a cluster (a bare JSON list).
//!
//! The choice among the keys is made later, by trial. Invariants: no error repeats a part of such a file. Decoded parts
//! wipe on drop, except for the YAML parser's own buffers. A text that is out of bounds is refused before anything is
//! built.

use seal_crds::Plaintext;
use seal_crds::keys::stored::{IDENTITY, KeySecret, SecretParts};
use seal_crds::keys::{
    IdentitiesError, Identity, IdentityError, Keyring, RsaKeyError, RsaPrivateKey, RsaSealingKey,
    parse_identities, without_byte_order_mark,
};
use seal_crds::resources::{DIGEST_ANNOTATION, STATE_ANNOTATION};
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
pub fn read(name: String, bytes: Zeroizing<Vec<u8>>) -> Result<Keyring, UnusableKeys> {
    match into_text(bytes) {
        Ok(text) => read_text(&Source::new(name, text)),
        // age's own files are bytes.
        Err(bytes) => read_identities(&bytes),
    }
}

/// The file as text, without a byte order mark; the bytes again if they aren't text.
fn into_text(mut bytes: Zeroizing<Vec<u8>>) -> Result<Zeroizing<String>, Zeroizing<Vec<u8>>> {
    match String::from_utf8(std::mem::take(&mut *bytes)) {
        Ok(text) => {
            let mut text = Zeroizing::new(text);
            // In place: a copy would be one more to wipe.
            let mark = text.len() - without_byte_order_mark(&text).len();
            text.drain(..mark);
            Ok(text)
        }
        Err(error) => Err(Zeroizing::new(error.into_bytes())),
    }
}

/// The Secrets of our sealing keys in a file of Secrets, as they were saved: with their sequence, date and state.
///
/// # Errors
///
/// The file isn't one of Secrets, or has none with a sealing key of ours.
pub fn stored(name: String, bytes: Zeroizing<Vec<u8>>) -> Result<Vec<KeySecret>, UnusableKeys> {
    let text = into_text(bytes).map_err(|_| KeyFileError::NoSecret)?;
    let source = Source::new(name, text);
    let mut secrets = Vec::new();
    let mut visit = |tree: &Tree<'_>, text: &str, node| {
        secrets.extend(key_secret(tree, text, node)?);
        Ok(())
    };
    match each_of_bare_list(&source, &mut visit) {
        Some(done) => done?,
        None => each_of_manifest(&source, &mut visit)?,
    }
    if secrets.is_empty() { Err(KeyFileError::NoSecret.into()) } else { Ok(secrets) }
}

fn read_text(source: &Source) -> Result<Keyring, UnusableKeys> {
    let text = source.text();
    let has_block = |label: &str| text.lines().any(|line| line.trim() == format!("-----BEGIN {label}-----"));
    let mut keys = Keyring::default();
    let mut visit = |tree: &Tree<'_>, text: &str, node| read_key(tree, text, node, &mut keys);
    if let Some(done) = each_of_bare_list(source, &mut visit) {
        return done.map(|()| keys);
    }
    if is_manifest(text) {
        return each_of_manifest(source, &mut visit).map(|()| keys);
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

/// What is done with each Secret of a file.
type Visit<'v> = dyn FnMut(&Tree<'_>, &str, NodeId) -> Result<(), Located<BackupError>> + 'v;

/// Visits the Secrets of a manifest; there has to be one.
fn each_of_manifest(source: &Source, visit: &mut Visit<'_>) -> Result<(), UnusableKeys> {
    let manifest = Manifest::parse(source)?;
    let mut found = false;
    for object in manifest.objects.iter().filter(|object| object.kind == Kind::Secret) {
        found = true;
        visit(manifest.tree(object), source.text(), object.node).map_err(|error| manifest.locate(error))?;
    }
    if found { Ok(()) } else { Err(KeyFileError::NoSecret.into()) }
}

/// Visits the Secrets of lists without an apiVersion or kind, which kubeseal takes too; `None` if a document of the
/// text is anything else. A text without a key is an error: a host would go on without the keys that it had.
fn each_of_bare_list(source: &Source, visit: &mut Visit<'_>) -> Option<Result<(), UnusableKeys>> {
    let trees = json::parse_json(source.text())?.ok()?;
    let lists = trees.iter().map(|tree| Some((tree, bare_list(tree)?))).collect::<Option<Vec<_>>>()?;
    for (tree, item) in lists.iter().flat_map(|(tree, items)| items.iter().map(move |item| (tree, *item))) {
        if let Err(Located { error, at }) = visit(tree, source.text(), item) {
            return Some(Err(Spotted { error, spot: Box::new(source.spot_unparsed(at)) }.into()));
        }
    }
    let is_empty = lists.iter().all(|(_, items)| items.is_empty());
    Some(if is_empty { Err(KeyFileError::NoSecret.into()) } else { Ok(()) })
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

/// A Secret with a private half of ours, as it was saved; `None` if it has none under `data`.
fn key_secret(
    tree: &Tree<'_>,
    source: &str,
    node: NodeId,
) -> Result<Option<KeySecret>, Located<BackupError>> {
    let fields =
        |node, what: &str| Fields::read(tree, node, what).map_err(|error| error.map(BackupError::from));
    let text = |node, what: &str| {
        text_of(tree, source, node, || what.to_owned()).map_err(|error| error.map(BackupError::from))
    };
    let secret = fields(node, "the Secret")?;
    if secret.get("sops").is_some() {
        return Err(Located { error: BackupError::Sops, at: tree.range(node).start });
    }
    let Some(data) = secret.get("data") else { return Ok(None) };
    let data = fields(data, "data")?;
    if data.get(IDENTITY).is_none() {
        return Ok(None);
    }
    let mut parts = SecretParts {
        type_: secret.get("type").map(|node| text(node, "type")).transpose()?.unwrap_or_default().to_owned(),
        is_immutable: secret.get("immutable").and_then(|node| tree.scalar(node)) == Some("true"),
        ..SecretParts::default()
    };
    for field in data.iter() {
        let value = text(field.value, "an item under data")?;
        parts.data.insert(field.key.to_string(), value.to_owned().into());
    }
    let metadata = secret.get("metadata").map(|node| fields(node, "metadata")).transpose()?;
    if let Some(metadata) = metadata {
        parts.name =
            metadata.get("name").map(|node| text(node, "metadata.name").map(str::to_owned)).transpose()?;
        parts.is_owned = metadata.get("ownerReferences").is_some_and(|node| match tree.kind(node) {
            NodeKind::Sequence { items, .. } => !items.is_empty(),
            _ => true,
        });
        if let Some(annotations) = metadata.get("annotations") {
            let annotations = fields(annotations, "metadata.annotations")?;
            for annotation in [STATE_ANNOTATION, DIGEST_ANNOTATION] {
                if let Some(node) = annotations.get(annotation) {
                    let value = text(node, "an annotation")?.to_owned();
                    parts.annotations.insert(annotation.to_owned(), value);
                }
            }
        }
    }
    Ok(Some(parts.into()))
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

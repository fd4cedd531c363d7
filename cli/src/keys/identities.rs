//! The private keys of `-i`: age identities, RSA keys in PEM, and backups of sealing keys, ours and the peer's, as
//! `kubectl get secret -o yaml` prints them (one, several documents, a List).
//!
//! Not the choice among them, which is made by trial. Invariant: keys and the files they are in live in memory
//! that is wiped, and no message repeats a line of such a file.

use seal_crds::keys::{
    IdentitiesError, Identity, IdentityError, Keyring, RsaKeyError, RsaPrivateKey, parse_identities,
    without_byte_order_mark,
};
use seal_documents::{
    manifest::{Kind, Manifest},
    source::{Source, Spot},
    yaml::{
        json,
        tree::{NodeId, NodeKind, Tree},
    },
};
use zeroize::Zeroizing;

use crate::{
    files::input::Input,
    objects::secret::read,
    talk::failure::{Explain, Failure, Rule},
};

/// The item of a sealing key's Secret that holds the private half: in ours, and in the peer's.
const IDENTITY_ITEM: &str = "identity";
const RSA_ITEM: &str = "tls.key";

#[derive(Debug, thiserror::Error)]
enum IdentityFileError {
    #[error("{0} can't be used as an identity file")]
    Identities(String, #[source] IdentitiesError),
    #[error("{0} can't be used as an identity file")]
    Rsa(String, #[source] RsaKeyError),
    #[error("{0} can't be used as an identity file: its private key is encrypted")]
    Encrypted(String),
    #[error("{0} can't be used as an identity file: a certificate only seals")]
    Certificate(String),
    #[error("{0} can't be used as an identity file: there is no Secret in it")]
    NoSecret(String),
    #[error("this Secret has neither item {IDENTITY_ITEM} nor {RSA_ITEM}, so it isn't a sealing key")]
    NoKey,
    #[error("item {IDENTITY_ITEM} of this Secret can't be used")]
    BadIdentity(#[source] IdentityError),
    #[error("item {RSA_ITEM} of this Secret can't be used")]
    BadKey(#[source] RsaKeyError),
}

impl Explain for IdentityFileError {
    fn rule(&self) -> Rule {
        Rule::BadIdentity
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Encrypted(file) => format!("decrypt it first: openssl pkey -in {file}"),
            Self::Certificate(_) => "give the private key that belongs to it".to_owned(),
            Self::NoSecret(_) | Self::NoKey => BACKUPS.to_owned(),
            Self::Identities(..) | Self::Rsa(..) | Self::BadIdentity(_) | Self::BadKey(_) => return None,
        })
    }
}

/// How a cluster's keys get into a file that `-i` takes.
pub(crate) const BACKUP: &str = "a backup of the keys is made by kubectl get secret -n kube-system \
                                 -l sealedsecrets.bitnami.com/sealed-secrets-key -o yaml";

/// The same for either format.
const BACKUPS: &str = "a backup of the keys is made by kubectl get secret -n seal-system -l sealing.dev/sealing-key \
                       -o yaml; of sealed-secrets' by kubectl get secret -n kube-system \
                       -l sealedsecrets.bitnami.com/sealed-secrets-key -o yaml";

/// All keys of these files.
pub(crate) fn read(inputs: &[Input]) -> Result<Keyring, Failure> {
    let mut keys = Keyring::default();
    for input in inputs {
        let mut bytes = input.read_bytes()?;
        match String::from_utf8(std::mem::take(&mut *bytes)) {
            Ok(text) => {
                let mut text = Zeroizing::new(text);
                // In place: a copy would be one more to wipe.
                let mark = text.len() - without_byte_order_mark(&text).len();
                text.drain(..mark);
                read_text(&Source::new(input.name(), text), &mut keys)?;
            }
            Err(error) => read_identities(&input.name(), &Zeroizing::new(error.into_bytes()), &mut keys)?,
        }
    }
    Ok(keys)
}

fn read_text(source: &Source, keys: &mut Keyring) -> Result<(), Failure> {
    let (name, text) = (|| source.name.clone(), source.text());
    let has_block = |label: &str| text.lines().any(|line| line.trim() == format!("-----BEGIN {label}-----"));
    if is_manifest(text) {
        return read_backup(source, keys);
    }
    if let Some(done) = read_bare_list(source, keys) {
        return done;
    }
    let found = RsaPrivateKey::all_from_pem(text).map_err(|error| IdentityFileError::Rsa(name(), error))?;
    if !found.is_empty() {
        found.into_iter().for_each(|key| {
            keys.insert_rsa_key(key);
        });
        return Ok(());
    }
    if has_block("ENCRYPTED PRIVATE KEY") {
        return Err(IdentityFileError::Encrypted(name()).into());
    }
    if has_block("CERTIFICATE") {
        return Err(IdentityFileError::Certificate(name()).into());
    }
    read_identities(&source.name, text.as_bytes(), keys)
}

/// Whether the text wants to be one of Kubernetes objects: something else is looked at for keys line by line.
fn is_manifest(text: &str) -> bool {
    let is_key = |line: &str| ["-----BEGIN", "AGE-SECRET-KEY-"].iter().any(|start| line.starts_with(start));
    text.contains("apiVersion") && text.contains("kind") && !text.lines().any(is_key)
}

fn read_identities(name: &str, bytes: &[u8], keys: &mut Keyring) -> Result<(), Failure> {
    let found =
        parse_identities(bytes).map_err(|error| IdentityFileError::Identities(name.to_owned(), error))?;
    keys.extend(found);
    Ok(())
}

fn read_backup(source: &Source, keys: &mut Keyring) -> Result<(), Failure> {
    let manifest = Manifest::parse(source)?;
    let mut found = false;
    for object in manifest.objects.iter().filter(|object| object.kind == Kind::Secret) {
        found = true;
        read_key(manifest.tree(object), source, object.node, |at| manifest.spot(at), keys)?;
    }
    if found { Ok(()) } else { Err(IdentityFileError::NoSecret(source.name.clone()).into()) }
}

/// A list of Secrets in which nothing says what it is, as Go programs print what they got from a cluster. The peer
/// takes it too. `None` where it isn't one.
fn read_bare_list(source: &Source, keys: &mut Keyring) -> Option<Result<(), Failure>> {
    let tree = json::parse_json(source.text())?.ok()?.into_iter().next()?;
    let NodeKind::Sequence { items, .. } = tree.kind(tree.get(tree.root?, "items")?) else { return None };
    Some(
        items.iter().try_for_each(|node| read_key(&tree, source, *node, |at| source.spot_unparsed(at), keys)),
    )
}

/// The private key in a sealing key's Secret.
fn read_key(
    tree: &Tree<'_>,
    source: &Source,
    node: NodeId,
    spot: impl Fn(usize) -> Spot,
    keys: &mut Keyring,
) -> Result<(), Failure> {
    // Warnings are about labels and annotations, of which nothing is used.
    let secret = read::read(tree, source.text(), node)
        .map_err(|located| Failure::from(located.error).at(spot(located.at)))?
        .secret;
    let here = |error| Failure::from(error).at(spot(tree.range(node).start));
    let text = |name: &str| {
        let (_, value) = secret.items.iter().find(|(item, _)| item.as_str() == name)?;
        Some(std::str::from_utf8(value.expose()).unwrap_or_default())
    };
    if let Some(identity) = text(IDENTITY_ITEM) {
        keys.insert(Identity::parse(identity).map_err(|error| here(IdentityFileError::BadIdentity(error)))?);
    } else if let Some(pem) = text(RSA_ITEM) {
        keys.insert_rsa_key(
            RsaPrivateKey::from_pem(pem).map_err(|error| here(IdentityFileError::BadKey(error)))?,
        );
    } else {
        return Err(here(IdentityFileError::NoKey));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
    use seal_crds::keys::Identity;

    use super::*;

    const PEM: &str = include_str!("../../../crds/src/keys/testdata/rsa-2048.pem");
    const CERTIFICATE: &str = include_str!("../../../crds/src/keys/testdata/rsa-2048.crt");

    fn keys(text: &str) -> Result<Keyring, Failure> {
        let mut keys = Keyring::default();
        let source = Source::new("f".to_owned(), Zeroizing::new(text.to_owned()));
        read_text(&source, &mut keys).map(|()| keys)
    }

    fn fact(text: &str) -> String {
        keys(text).err().unwrap().facts.join(": ")
    }

    fn secret(key: &str) -> String {
        let (crt, key) = (BASE64.encode(CERTIFICATE), BASE64.encode(key));
        format!(
            r#"{{"apiVersion": "v1", "kind": "Secret", "metadata": {{"name": "k", "labels": {{"sealedsecrets.bitnami.com/sealed-secrets-key": "active"}}}}, "type": "kubernetes.io/tls", "data": {{"tls.crt": "{crt}", "tls.key": "{key}"}}}}"#
        )
    }

    #[test]
    fn keys_are_read_from_pem_and_from_backups_of_every_form() {
        let (one, two) = (secret(PEM), secret(&RsaPrivateKey::generate().to_secret_pem()));
        let list = format!(r#"{{"apiVersion": "v1", "kind": "List", "items": [{one}, {two}]}}"#);
        for (text, count) in [
            (PEM.to_owned(), 1),
            (format!("{CERTIFICATE}{PEM}{PEM}"), 1),
            (one.clone(), 1),
            (format!("---\n{one}\n---\n{two}\n"), 2),
            (list, 2),
            (
                format!(r#"{{"metadata": {{}}, "items": [{one}, {two}]}}"#)
                    .replace(r#""apiVersion": "v1", "kind": "Secret", "#, ""),
                2,
            ),
            (format!("apiVersion: v1\nkind: List\nitems:\n- {one}\n- {two}\n"), 2),
        ] {
            assert_eq!(keys(&text).unwrap().rsa_keys().len(), count);
        }
    }

    #[test]
    fn a_backup_of_our_own_keys_is_read_beside_the_peers() {
        let identity = Identity::generate();
        let own = format!(
            r#"{{"apiVersion": "v1", "kind": "Secret", "immutable": true, "type": "sealing.dev/sealing-key", "metadata":
               {{"name": "sealing-key-first", "labels": {{"sealing.dev/sealing-key": ""}}, "annotations":
               {{"sealing.dev/state": "Active"}}}}, "data": {{"identity": "{}", "sequence": "MQ=="}}}}"#,
            BASE64.encode(identity.to_secret_string().as_str())
        );
        let list = format!("apiVersion: v1\nkind: List\nitems:\n- {own}\n- {}\n", secret(PEM));
        for (text, rsa_keys) in [(own.clone(), 0), (list, 1)] {
            let keys = keys(&text).unwrap();
            assert_eq!(keys.fingerprints().collect::<Vec<_>>(), [identity.fingerprint()]);
            assert_eq!(keys.rsa_keys().len(), rsa_keys);
        }
        let broken = own.replace(&BASE64.encode(identity.to_secret_string().as_str()), "aHVudGVyMg==");
        assert!(fact(&broken).starts_with("item identity of this Secret can't be used: not an identity"));
    }

    #[test]
    fn identities_are_read_as_before() {
        let identity = Identity::generate().to_secret_string();
        assert_eq!(keys(&format!("# apiVersion and kind: mine\n{}\n", *identity)).unwrap().len(), 1);
    }

    #[test]
    fn what_is_no_key_is_said_and_nothing_of_it_shown() {
        assert!(fact(CERTIFICATE).ends_with("a certificate only seals"));
        assert!(
            fact("-----BEGIN ENCRYPTED PRIVATE KEY-----\nhunter2\n")
                .ends_with("its private key is encrypted")
        );
        assert!(fact("apiVersion: v1\nkind: ConfigMap\n").ends_with("there is no Secret in it"));
        assert!(fact(&secret("hunter2")).starts_with("item tls.key of this Secret can't be used: "));
        assert!(
            fact("apiVersion: v1\nkind: Secret\nstringData: {a: hunter2}\n")
                .starts_with("this Secret has neither item identity nor tls.key")
        );
        for text in
            ["-----BEGIN PRIVATE KEY-----\nhunter2\n", "-----BEGIN RSA PRIVATE KEY-----\nhunter2", "hunter2"]
        {
            assert!(!fact(text).contains("hunter2"));
        }
    }
}

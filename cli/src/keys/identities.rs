//! The private keys of `-i`.
//!
//! [`seal_documents::key_file`] knows the format of such files, which is the same on a host. Here, where a person is, a
//! file may also be protected: behind a passphrase ([`passphrase`]), or with identities of age plugins ([`plugin`]). The
//! choice among the keys is made by trial.
//!
//! An identity of a plugin doesn't say which recipient it is of, and a recipient is needed: by it the identity is tried
//! on files of its own alone, and checked against the list in an envelope. So a comment above it says it, as plugins
//! write it: `# public key: age1tagpq1…` (or `# recipient: …`).
//!
//! Invariant: keys and their files live in memory that is wiped, and no message repeats a line of such a file.

mod passphrase;
mod plugin;

use seal_crds::keys::{
    IdentitiesError, Identity, Keyring, Recipient, RecipientError, without_byte_order_mark,
};
use seal_documents::key_file::{self, BackupError, KeyFileError, UnusableKeys};
use seal_documents::source::Spot;
use secrecy::SecretString;

use crate::files::input::Input;
use crate::talk::failure::{Explain, Failure, Rule};
use crate::talk::prompt;
use plugin::Plugin;

#[derive(Debug, thiserror::Error)]
#[error("{0} can't be used as an identity file")]
struct IdentityFileError(String, #[source] KeyFileError);

impl Explain for IdentityFileError {
    fn rule(&self) -> Rule {
        Rule::BadIdentity
    }

    fn hint(&self) -> Option<String> {
        let Self(file, error) = self;
        match error {
            KeyFileError::Encrypted => Some(format!("decrypt it first: openssl pkey -in {file}")),
            KeyFileError::NoSecret => Some(BACKUPS.to_owned()),
            error => error.hint(),
        }
    }
}

impl Explain for BackupError {
    fn rule(&self) -> Rule {
        Rule::BadIdentity
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::NoKey => Some(BACKUPS.to_owned()),
            error => error.hint(),
        }
    }
}

/// Why an identity of a plugin can't be used.
#[derive(Debug, thiserror::Error)]
enum PluginIdentityError {
    #[error("this identity of an age plugin doesn't say which recipient it is of")]
    NoRecipient,
    #[error("the recipient above this identity of an age plugin can't be used")]
    Recipient(#[source] RecipientError),
    #[error("this isn't an identity of an age plugin (AGE-PLUGIN-NAME-1…)")]
    Malformed,
    #[error("{0} is in no absolute directory of PATH")]
    NoProgram(String),
}

impl Explain for PluginIdentityError {
    fn rule(&self) -> Rule {
        Rule::BadIdentity
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::NoRecipient | Self::Recipient(_) => {
                "write it above, as the plugin printed it: # public key: age1tagpq1…".to_owned()
            }
            Self::NoProgram(program) => format!("install {program}"),
            Self::Malformed => return None,
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
        let (name, mut bytes) = (input.name(), input.read_bytes()?);
        if passphrase::is_encrypted(&bytes) {
            bytes = passphrase::open(&name, &bytes, || ask(&name))?;
        }
        keys.merge(match identities_of_plugins(&name, &bytes)? {
            Some(found) => found,
            None => key_file::read(name.clone(), bytes).map_err(|unusable| explained(name, unusable))?,
        });
    }
    Ok(keys)
}

fn ask(file: &str) -> Result<SecretString, Failure> {
    let typed = prompt::hidden(&format!("passphrase of {file}: "))?;
    let text =
        std::str::from_utf8(&typed).map_err(|_| passphrase::PassphraseError::Wrong(file.to_owned()))?;
    Ok(SecretString::from(text.to_owned()))
}

/// The identities of a file in which at least one is of a plugin; `None` if none is.
fn identities_of_plugins(file: &str, bytes: &[u8]) -> Result<Option<Keyring>, Failure> {
    let is_plugins =
        |line: &str| line.get(..11).is_some_and(|start| start.eq_ignore_ascii_case("age-plugin-"));
    let Ok(text) = std::str::from_utf8(bytes) else { return Ok(None) };
    let lines = || without_byte_order_mark(text).lines().map(str::trim);
    if !lines().any(is_plugins) {
        return Ok(None);
    }
    let mut keys = Keyring::default();
    let mut said = None;
    for (number, line) in (1..).zip(lines()) {
        if let Some(comment) = line.strip_prefix('#') {
            said = recipient_in(comment).or(said);
        } else if is_plugins(line) {
            let identity = identity_of_plugin(line, said.take());
            keys.insert(identity.map_err(|error| Failure::from(error).at(Spot::unseen(file, number, 1)))?);
        } else if !line.is_empty() {
            let identity = Identity::parse(line).map_err(|source| {
                let error = KeyFileError::Identities(IdentitiesError::Line { line: number, source });
                IdentityFileError(file.to_owned(), error)
            })?;
            keys.insert(identity);
            said = None;
        }
    }
    Ok(Some(keys))
}

fn identity_of_plugin(line: &str, said: Option<&str>) -> Result<Identity, PluginIdentityError> {
    let name = Plugin::name_in(line).ok_or(PluginIdentityError::Malformed)?;
    let recipient: Recipient =
        said.ok_or(PluginIdentityError::NoRecipient)?.parse().map_err(PluginIdentityError::Recipient)?;
    let plugin = Plugin::find(&name).map_err(PluginIdentityError::NoProgram)?;
    Ok(plugin.identity(recipient, line))
}

/// The recipient that a comment says, as age-keygen and plugins write it.
fn recipient_in(comment: &str) -> Option<&str> {
    let (label, recipient) = comment.split_once(':')?;
    let label = label.trim();
    ["public key", "recipient"]
        .iter()
        .any(|known| label.eq_ignore_ascii_case(known))
        .then(|| recipient.trim())
}

/// An error about a place in the file shows that place; an error about the whole file has its name.
pub(crate) fn explained(name: String, UnusableKeys { error, spot }: UnusableKeys) -> Failure {
    match (error, spot) {
        (KeyFileError::Backup(error), Some(spot)) => Failure::from(error).at(*spot),
        (error, _) => IdentityFileError(name, error).into(),
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD as BASE64;
    use seal_crds::keys::{Identity, RsaPrivateKey};
    use zeroize::Zeroizing;

    use super::*;

    const PEM: &str = include_str!("../../../crds/src/keys/testdata/rsa-2048.pem");
    const CERTIFICATE: &str = include_str!("../../../crds/src/keys/testdata/rsa-2048.crt");

    fn keys(text: &str) -> Result<Keyring, Failure> {
        let found = key_file::read("f".to_owned(), Zeroizing::new(text.as_bytes().to_vec()));
        found.map_err(|unusable| explained("f".to_owned(), unusable))
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

//! Text to private keys, or a reason that somebody can act on.
//!
//! Not a decrypter: a key behind a passphrase is recognised and refused. Invariant: errors are made of fixed
//! text and line numbers alone.

use age::ssh;
use age_core::format::FileKey;
use age_core::secrecy::ExposeSecret;
use bech32::Hrp;
use zeroize::Zeroizing;

use super::{Identity, Key};
use crate::keys::encoding::{self, EncodingError};
use crate::keys::{Recipient, RecipientKind, mlkem768x25519};

const X25519_HRP: Hrp = Hrp::parse_unchecked("age-secret-key-");

/// Why text is not an identity. Never repeats the text. Permanent: only other text helps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IdentityError {
    /// Nothing but white space.
    #[error("identity is empty")]
    Empty,
    /// A public key where its private half belongs.
    #[error("recipient (public key) where an identity belongs")]
    Recipient,
    /// An age file, armoured or binary: an identity file behind a passphrase.
    #[error("age-encrypted identity file is not supported (decrypt it with `age -d` first)")]
    EncryptedAge,
    /// An SSH key behind a passphrase.
    #[error("passphrase-protected ssh key is not supported (remove the passphrase of a copy with `ssh-keygen -p`)")]
    EncryptedSsh,
    /// An SSH key that isn't ssh-ed25519.
    #[error("ssh key is not ssh-ed25519, the only kind of ssh key that is supported")]
    UnsupportedSsh,
    /// A PEM private key that isn't in OpenSSH's format, like those of TLS and of the Bitnami format.
    #[error("PEM private key is not an OpenSSH key")]
    UnsupportedPem,
    /// An identity of an age plugin, hardware keys included.
    #[error("age plugin identity is not supported")]
    Plugin,
    /// The checksum of `AGE-SECRET-KEY-…` is wrong.
    #[error("identity has a wrong checksum (mistyped or cut short)")]
    Checksum,
    /// Begins like this kind, and isn't one.
    #[error("{0} identity is malformed")]
    Malformed(RecipientKind),
    /// Nothing known.
    #[error("not an identity (accepted: AGE-SECRET-KEY-PQ-1…, AGE-SECRET-KEY-1…, OpenSSH ed25519 private key)")]
    Unknown,
}

/// Why an identity file can't be used. Permanent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdentitiesError {
    /// Comments and blank lines only.
    #[error("no identities found")]
    NoneFound,
    /// A line that is no identity.
    #[error("line {line}")]
    Line {
        /// Counted from 1.
        line: usize,
        /// What is wrong with it.
        source: IdentityError,
    },
    /// The file as a whole is something else, or a PEM key that can't be used.
    #[error("unusable identity file")]
    File {
        /// What is wrong with it.
        source: IdentityError,
    },
}

/// Reads an identity file: age's (one identity a line; blank lines and lines that begin with `#` don't
/// count; one that comes again is dropped), or one OpenSSH private key in PEM. Takes bytes, because a file
/// that `age -p` made isn't text.
///
/// # Errors
/// The first line that isn't an identity, a file that is something else altogether, or
/// [`IdentitiesError::NoneFound`].
pub fn parse_identities(file: impl AsRef<[u8]>) -> Result<Vec<Identity>, IdentitiesError> {
    let file = file.as_ref().trim_ascii();
    if file.starts_with(b"age-encryption.org/") {
        return Err(IdentitiesError::File { source: IdentityError::EncryptedAge });
    }
    let text = std::str::from_utf8(file)
        .map_err(|_| IdentitiesError::File { source: IdentityError::Unknown })?;
    if text.starts_with("-----BEGIN ") {
        let identity = parse(text).map_err(|source| IdentitiesError::File { source })?;
        return Ok(vec![identity]);
    }

    let mut identities: Vec<Identity> = Vec::new();
    for (line, text) in (1..).zip(text.lines().map(str::trim)) {
        if text.is_empty() || text.starts_with('#') {
            continue;
        }
        let identity = parse(text).map_err(|source| IdentitiesError::Line { line, source })?;
        if identities.iter().all(|known| known.fingerprint() != identity.fingerprint()) {
            identities.push(identity);
        }
    }
    if identities.is_empty() { Err(IdentitiesError::NoneFound) } else { Ok(identities) }
}

/// Reads one trimmed identity.
pub(super) fn parse(text: &str) -> Result<Identity, IdentityError> {
    let starts_with = |prefix: &str| {
        text.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
    };
    match text {
        "" => Err(IdentityError::Empty),
        _ if starts_with("age-secret-key-pq-1") => parse_hybrid(text),
        _ if starts_with("age-secret-key-1") => parse_x25519(text),
        _ if starts_with("age-plugin-") => Err(IdentityError::Plugin),
        _ if starts_with("-----BEGIN AGE ENCRYPTED FILE") || starts_with("age-encryption.org/") => {
            Err(IdentityError::EncryptedAge)
        }
        _ if starts_with("-----BEGIN ") => parse_pem(text),
        _ if starts_with("age1") || starts_with("ssh-") || starts_with("ecdsa-") || starts_with("sk-") => {
            Err(IdentityError::Recipient)
        }
        _ => Err(IdentityError::Unknown),
    }
}

fn parse_hybrid(text: &str) -> Result<Identity, IdentityError> {
    let key = mlkem768x25519::Identity::parse(text).map_err(|e| refused(e, RecipientKind::Hybrid))?;
    Ok(Identity::from_hybrid(key))
}

fn parse_x25519(text: &str) -> Result<Identity, IdentityError> {
    // For the checks that age leaves out (spare bits), and to tell a wrong checksum apart.
    encoding::decode(X25519_HRP, text).map_err(|e| refused(e, RecipientKind::X25519))?;
    let malformed = IdentityError::Malformed(RecipientKind::X25519);
    let key: age::x25519::Identity = text.parse().map_err(|_| malformed)?;
    let recipient = key.to_public().to_string().parse().map_err(|_| malformed)?;
    Ok(Identity { key: Key::X25519(key), recipient })
}

fn parse_pem(text: &str) -> Result<Identity, IdentityError> {
    let malformed = IdentityError::Malformed(RecipientKind::SshEd25519);
    if !text.contains("PRIVATE KEY-----") {
        return Err(if text.contains("PUBLIC KEY-----") || text.contains("CERTIFICATE-----") {
            IdentityError::Recipient
        } else {
            IdentityError::Unknown
        });
    }
    if !text.starts_with("-----BEGIN OPENSSH PRIVATE KEY-----") {
        return Err(IdentityError::UnsupportedPem);
    }
    let key = ssh::Identity::from_buffer(text.as_bytes(), None).map_err(|_| malformed)?;
    match &key {
        ssh::Identity::Unencrypted(_) => {}
        ssh::Identity::Encrypted(_) => return Err(IdentityError::EncryptedSsh),
        ssh::Identity::Unsupported(ssh::UnsupportedKey::EncryptedSsh(_)) => {
            return Err(IdentityError::EncryptedSsh);
        }
        ssh::Identity::Unsupported(_) => return Err(IdentityError::UnsupportedSsh),
    }
    let recipient = match ssh::Recipient::try_from(key.clone()) {
        Ok(recipient @ ssh::Recipient::SshEd25519(..)) => recipient,
        Ok(_) => return Err(IdentityError::UnsupportedSsh),
        Err(_) => return Err(malformed),
    };
    let recipient: Recipient = recipient.to_string().parse().map_err(|_| malformed)?;
    if !opens(&key, &recipient) {
        return Err(malformed);
    }
    Ok(Identity { key: Key::SshEd25519 { key, pem: Zeroizing::new(text.to_owned()) }, recipient })
}

/// Whether the halves belong together. The public half of an OpenSSH file stands beside the private one, and
/// age takes its word.
fn opens(key: &impl age::Identity, recipient: &Recipient) -> bool {
    const PROBE: [u8; 16] = [0x5e; 16];
    let Ok((stanzas, _)) = recipient.as_age().wrap_file_key(&FileKey::new(Box::new(PROBE))) else {
        return false;
    };
    matches!(key.unwrap_stanzas(&stanzas), Some(Ok(opened)) if opened.expose_secret() == &PROBE)
}

fn refused(error: EncodingError, kind: RecipientKind) -> IdentityError {
    match error {
        EncodingError::Checksum => IdentityError::Checksum,
        EncodingError::Malformed => IdentityError::Malformed(kind),
    }
}

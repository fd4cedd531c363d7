//! Parses text as a private key, or gives a reason that the user can act on.
//!
//! A key behind a passphrase is recognised and refused: this code decrypts nothing. Invariant: errors consist of fixed
//! text and line numbers alone.

use age::ssh;
use age_core::format::FileKey;
use age_core::secrecy::ExposeSecret;
use bech32::Hrp;
use zeroize::Zeroizing;

use super::{Identity, IdentityKey};
use crate::keys::encoding::{self, EncodingError};
use crate::keys::{Recipient, RecipientKind, mlkem768x25519};

const X25519_HRP: Hrp = Hrp::parse_unchecked("age-secret-key-");
const PEM_BEGIN: &str = "-----BEGIN OPENSSH PRIVATE KEY-----";
const PEM_END: &str = "-----END OPENSSH PRIVATE KEY-----";

/// The reason why text is not an identity. Never repeats the text. Permanent: only other text helps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IdentityError {
    /// The text is empty or white space.
    #[error("identity is empty")]
    Empty,
    /// A public key where its private half belongs.
    #[error("recipient (public key) where an identity belongs")]
    Recipient,
    /// An age file, armoured or binary: an identity file behind a passphrase.
    #[error("age-encrypted identity file is not supported (decrypt it with `age -d` first)")]
    EncryptedAge,
    /// An SSH key behind a passphrase.
    #[error(
        "passphrase-protected ssh key is not supported (remove the passphrase of a copy with `ssh-keygen -p`)"
    )]
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
    /// The text begins like this kind, and isn't one.
    #[error("{0} identity is malformed")]
    Malformed(RecipientKind),
    /// The text is none of the above.
    #[error(
        "not an identity (accepted: AGE-SECRET-KEY-PQ-1…, AGE-SECRET-KEY-1…, OpenSSH ed25519 private key)"
    )]
    Unknown,
}

/// Reads one trimmed identity.
pub(super) fn parse(text: &str) -> Result<Identity, IdentityError> {
    let starts_with =
        |prefix: &str| text.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix));
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
    // Makes the checks that age leaves out (spare bits), and tells a wrong checksum apart.
    encoding::decode(X25519_HRP, text).map_err(|e| refused(e, RecipientKind::X25519))?;
    let malformed = IdentityError::Malformed(RecipientKind::X25519);
    let key: age::x25519::Identity = text.parse().map_err(|_| malformed)?;
    let recipient = key.to_public().to_string().parse().map_err(|_| malformed)?;
    Ok(Identity { key: IdentityKey::X25519(key), recipient })
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
    if !text.starts_with(PEM_BEGIN) {
        return Err(IdentityError::UnsupportedPem);
    }
    // age stops reading at the end of the first key.
    if text.matches(PEM_BEGIN).count() != 1 || !text.ends_with(PEM_END) {
        return Err(malformed);
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
    Ok(Identity { key: IdentityKey::SshEd25519 { key, pem: Zeroizing::new(text.to_owned()) }, recipient })
}

/// `true` if the halves belong together. An OpenSSH file holds the public half beside the private one, and age
/// doesn't check it.
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

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::prelude::BASE64_STANDARD;

    use super::*;
    use crate::keys::tests::{SSH, SSH_RECIPIENT, X25519, X25519_RECIPIENT, hybrid, hybrid_recipient};

    fn error(text: &str) -> IdentityError {
        Identity::parse(text).err().unwrap()
    }

    /// The ssh key after a change of its public half, which stands first in the file.
    fn ssh_with_public_half(change: impl FnOnce(&mut Vec<u8>, usize)) -> String {
        let body: String = SSH.lines().filter(|line| !line.starts_with("-----")).collect();
        let mut bytes = BASE64_STANDARD.decode(body).unwrap();
        let public = BASE64_STANDARD.decode(SSH_RECIPIENT.split(' ').nth(1).unwrap()).unwrap();
        let at = bytes.windows(public.len()).position(|window| window == public).unwrap();
        change(&mut bytes, at + public.len() - 32);
        let body = BASE64_STANDARD.encode(bytes);
        format!("{PEM_BEGIN}\n{body}\n{PEM_END}\n")
    }

    #[test]
    fn each_kind_is_read_with_its_recipient() {
        for (text, recipient) in [
            (hybrid(), hybrid_recipient()),
            (&hybrid().to_lowercase(), hybrid_recipient()),
            (&format!(" {X25519}\r\n"), X25519_RECIPIENT),
            (SSH, SSH_RECIPIENT),
            (&SSH.replace('\n', "\r\n"), SSH_RECIPIENT),
        ] {
            let identity = Identity::parse(text).unwrap();
            assert_eq!(identity.recipient(), &recipient.parse().unwrap());
        }
    }

    #[test]
    fn what_is_no_identity_is_refused_by_name() {
        for (text, expected) in [
            (" ", IdentityError::Empty),
            (X25519_RECIPIENT, IdentityError::Recipient),
            (SSH_RECIPIENT, IdentityError::Recipient),
            ("-----BEGIN CERTIFICATE-----\nMIIE", IdentityError::Recipient),
            ("-----BEGIN PUBLIC KEY-----\nMIIE", IdentityError::Recipient),
            ("AGE-PLUGIN-YUBIKEY-1QQPQ5", IdentityError::Plugin),
            ("-----BEGIN AGE ENCRYPTED FILE-----\nYWdl", IdentityError::EncryptedAge),
            (include_str!("../testdata/ssh-ed25519-passphrase"), IdentityError::EncryptedSsh),
            (include_str!("../testdata/ssh-rsa"), IdentityError::UnsupportedSsh),
            (include_str!("../testdata/ssh-ecdsa"), IdentityError::UnsupportedSsh),
            ("-----BEGIN RSA PRIVATE KEY-----\nMIIE", IdentityError::UnsupportedPem),
            ("-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIIE", IdentityError::UnsupportedPem),
            ("hunter2", IdentityError::Unknown),
            ("-----BEGIN PGP MESSAGE-----", IdentityError::Unknown),
        ] {
            assert_eq!(error(text), expected, "{text}");
        }
        assert!(IdentityError::EncryptedSsh.to_string().contains("ssh-keygen -p"));
    }

    #[test]
    fn a_mistyped_identity_has_a_wrong_checksum() {
        for good in [X25519, hybrid()] {
            assert_eq!(error(&good[..good.len() - 1]), IdentityError::Checksum);
        }
    }

    #[test]
    fn an_identity_of_the_wrong_form_is_malformed() {
        let short = encoding::encode(X25519_HRP, &[9; 31]);
        assert_eq!(error(&short), IdentityError::Malformed(RecipientKind::X25519));
        assert_eq!(error("AGE-SECRET-KEY-PQ-1 hello"), IdentityError::Malformed(RecipientKind::Hybrid));
        for text in [&SSH[..SSH.len() / 2], &format!("{SSH}{SSH}"), &format!("{SSH}{X25519}")] {
            assert_eq!(error(text), IdentityError::Malformed(RecipientKind::SshEd25519));
        }
    }

    #[test]
    fn an_ssh_key_with_another_public_half_is_malformed() {
        let malformed = IdentityError::Malformed(RecipientKind::SshEd25519);
        assert!(Identity::parse(&ssh_with_public_half(|_, _| {})).is_ok());
        // The base point: a valid public key, but not this one.
        let other = ssh_with_public_half(|bytes, at| {
            bytes[at..at + 32].fill(0x66);
            bytes[at] = 0x58;
        });
        assert_eq!(error(&other), malformed);
    }
}

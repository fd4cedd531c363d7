//! Private keys that open envelopes.
//!
//! The kinds are the same three as those of recipients. Plugins, passphrases and passphrase-protected keys are
//! refused: this crate can't ask for a passphrase, so users remove it first (`age -d`, `ssh-keygen -p`).
//!
//! Invariant: an [`Identity`] opens what is sealed to its [`recipient`](Identity::recipient). It wipes on
//! drop and has no `Debug`, `Display`, `Serialize` or `Clone`, and no error repeats any of its text.
//! (Parsing an ssh key leaves copies of the PEM text in age's own buffers, out of reach.)

mod file;
mod parse;

use zeroize::Zeroizing;

use super::{Fingerprint, Recipient, RecipientKind, mlkem768x25519};

pub use file::{IdentitiesError, parse_identities};
pub use parse::IdentityError;

/// A private key.
pub struct Identity {
    key: IdentityKey,
    recipient: Recipient,
}

enum IdentityKey {
    Hybrid(mlkem768x25519::Identity),
    X25519(age::x25519::Identity),
    SshEd25519 { key: age::ssh::Identity, pem: Zeroizing<String> },
}

impl Identity {
    /// A fresh hybrid post-quantum identity, from the operating system's generator alone.
    ///
    /// # Panics
    /// If the operating system gives no randomness.
    pub fn generate() -> Self {
        Self::from_hybrid(mlkem768x25519::Identity::generate())
    }

    fn from_hybrid(key: mlkem768x25519::Identity) -> Self {
        let recipient = key.recipient().into();
        Self { key: IdentityKey::Hybrid(key), recipient }
    }

    /// Reads one identity: an `AGE-SECRET-KEY-…` line or an OpenSSH private key in PEM, with or without
    /// white space around it.
    ///
    /// # Errors
    /// Names what the text is instead, if that can be told; never repeats any of it.
    pub fn parse(text: &str) -> Result<Self, IdentityError> {
        parse::parse(text.trim())
    }

    /// The public half.
    pub fn recipient(&self) -> &Recipient {
        &self.recipient
    }

    /// The public half's fingerprint.
    pub fn fingerprint(&self) -> Fingerprint {
        self.recipient.fingerprint()
    }

    /// The kind of the key.
    pub fn kind(&self) -> RecipientKind {
        self.recipient.kind()
    }

    /// The private key itself, as [`parse`](Self::parse) takes it: `AGE-SECRET-KEY-…`, or the PEM text that an
    /// ssh key was read from; without a line end. For the one place that stores the key.
    pub fn to_secret_string(&self) -> Zeroizing<String> {
        use age::secrecy::ExposeSecret;
        match &self.key {
            IdentityKey::Hybrid(key) => key.to_secret_string(),
            IdentityKey::X25519(key) => Zeroizing::new(key.to_string().expose_secret().to_owned()),
            IdentityKey::SshEd25519 { pem, .. } => pem.clone(),
        }
    }

    /// The identity, for [`age::Decryptor::decrypt`].
    pub fn as_age(&self) -> &dyn age::Identity {
        match &self.key {
            IdentityKey::Hybrid(key) => key,
            IdentityKey::X25519(key) => key,
            IdentityKey::SshEd25519 { key, .. } => key,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::tests::SSH;

    #[test]
    fn a_generated_identity_is_post_quantum_and_new() {
        let (one, other) = (Identity::generate(), Identity::generate());
        assert!(one.recipient().is_post_quantum());
        assert_eq!(one.kind(), RecipientKind::Hybrid);
        assert_ne!(one.fingerprint(), other.fingerprint());
    }

    #[test]
    fn the_secret_text_is_the_form_that_age_reads() {
        let secret = Identity::generate().to_secret_string();
        assert!(secret.starts_with("AGE-SECRET-KEY-PQ-1"));
        assert_eq!(*secret, secret.to_uppercase());
        assert_eq!(*Identity::parse(SSH).unwrap().to_secret_string(), SSH.trim_end());
    }
}

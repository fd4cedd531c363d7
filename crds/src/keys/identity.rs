//! Private keys that open envelopes.
//!
//! The kinds that are read from text are age's hybrid and classic ones, and ssh-ed25519. Plugins, passphrases and
//! passphrase-protected keys are refused: this crate can't ask for a passphrase, and runs no program. A caller who can
//! brings the key in as an [external](Identity::external) identity.
//!
//! Invariant: an [`Identity`] opens what is sealed to its [`recipient`](Identity::recipient). It wipes on
//! drop and has no `Debug`, `Display`, `Serialize` or `Clone`, and no error repeats any of its text.
//! (Parsing an ssh key leaves copies of the PEM text in age's own buffers, out of reach.)

mod file;
mod parse;

use age_core::format::{FileKey, Stanza};
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
    External { key: Box<dyn age::Identity + Send + Sync>, text: Zeroizing<String> },
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

    /// An identity whose private key is elsewhere, behind an age plugin perhaps, and the text that names it there. It
    /// opens what is sealed to the recipient; nothing here can check that. Only stanzas that may be meant for the
    /// recipient reach it, so that nobody is asked to touch a key for others.
    pub fn external(
        recipient: Recipient,
        text: Zeroizing<String>,
        key: impl age::Identity + Send + Sync + 'static,
    ) -> Self {
        let key = Box::new(Addressed { recipient: recipient.clone(), key });
        Self { key: IdentityKey::External { key, text }, recipient }
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
    /// ssh key was read from; without a line end. For the one place that stores the key. Of an
    /// [external](Self::external) identity it is the text that names it, which `parse` refuses.
    pub fn to_secret_string(&self) -> Zeroizing<String> {
        use age::secrecy::ExposeSecret;
        match &self.key {
            IdentityKey::Hybrid(key) => key.to_secret_string(),
            IdentityKey::X25519(key) => Zeroizing::new(key.to_string().expose_secret().to_owned()),
            IdentityKey::SshEd25519 { pem, .. } => pem.clone(),
            IdentityKey::External { text, .. } => text.clone(),
        }
    }

    /// The identity, for [`age::Decryptor::decrypt`].
    pub fn as_age(&self) -> &dyn age::Identity {
        match &self.key {
            IdentityKey::Hybrid(key) => key,
            IdentityKey::X25519(key) => key,
            IdentityKey::SshEd25519 { key, .. } => key,
            IdentityKey::External { key, .. } => &**key,
        }
    }
}

/// An identity that sees only what may be meant for it, all of it at once.
struct Addressed<I> {
    recipient: Recipient,
    key: I,
}

impl<I: age::Identity> age::Identity for Addressed<I> {
    fn unwrap_stanza(&self, stanza: &Stanza) -> Option<Result<FileKey, age::DecryptError>> {
        self.recipient.may_be_meant_by(stanza).then(|| self.key.unwrap_stanza(stanza))?
    }

    fn unwrap_stanzas(&self, stanzas: &[Stanza]) -> Option<Result<FileKey, age::DecryptError>> {
        let copy = |stanza: &Stanza| Stanza {
            tag: stanza.tag.clone(),
            args: stanza.args.clone(),
            body: stanza.body.clone(),
        };
        let meant = stanzas.iter().filter(|stanza| self.recipient.may_be_meant_by(stanza));
        let meant: Vec<Stanza> = meant.map(copy).collect();
        if meant.is_empty() { None } else { self.key.unwrap_stanzas(&meant) }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::keys::tests::{SSH, tagged_recipients};

    /// A key that counts how often it is asked, and never opens anything.
    struct Counted(Arc<AtomicUsize>);

    impl age::Identity for Counted {
        fn unwrap_stanza(&self, _: &Stanza) -> Option<Result<FileKey, age::DecryptError>> {
            self.0.fetch_add(1, Ordering::Relaxed);
            None
        }

        fn unwrap_stanzas(&self, stanzas: &[Stanza]) -> Option<Result<FileKey, age::DecryptError>> {
            self.unwrap_stanza(&stanzas[0])
        }
    }

    #[test]
    fn an_external_identity_is_asked_once_for_a_file_of_its_recipient_and_never_for_another() {
        let mine: Recipient = tagged_recipients()[0].parse().unwrap();
        let others = [Identity::generate(), Identity::generate()];
        let asked = Arc::new(AtomicUsize::new(0));
        let text = Zeroizing::new("AGE-PLUGIN-X-1".to_owned());
        let external = Identity::external(mine.clone(), text, Counted(asked.clone()));
        assert_eq!(external.recipient(), &mine);
        assert!(Identity::parse(&external.to_secret_string()).is_err());
        let file_key = FileKey::new(Box::new([7; 16]));
        let wrap = |recipient: &Recipient| recipient.as_age().wrap_file_key(&file_key).unwrap().0;
        let for_others: Vec<Stanza> = others.iter().flat_map(|other| wrap(other.recipient())).collect();
        assert!(external.as_age().unwrap_stanzas(&for_others).is_none());
        assert!(external.as_age().unwrap_stanza(&for_others[0]).is_none());
        assert_eq!(asked.load(Ordering::Relaxed), 0);
        let for_all: Vec<Stanza> = [wrap(&mine), for_others, wrap(&mine)].into_iter().flatten().collect();
        assert!(external.as_age().unwrap_stanzas(&for_all).is_none());
        assert_eq!(asked.load(Ordering::Relaxed), 1);
    }

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

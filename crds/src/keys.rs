//! Keys: recipients to seal to, identities to open with, and their fingerprints; and the RSA keys of the
//! Bitnami format.
//!
//! | type | is | text |
//! | --- | --- | --- |
//! | [`Recipient`] | a public key | `age1pq1…`, `age1tagpq1…`, `age1…`, `ssh-ed25519 …` |
//! | [`Identity`] | a private key | `AGE-SECRET-KEY-PQ-1…`, `AGE-SECRET-KEY-1…`, OpenSSH PEM |
//! | [`Fingerprint`] | the name of a recipient | 64 hexadecimal digits |
//! | [`Certificate`] | a public RSA key with dates | PEM |
//! | [`RsaPrivateKey`] | a private RSA key | PEM |
//! | [`RsaSealingKey`] | a private RSA key with its certificate | PEM, both |
//! | [`Keyring`] | the identities and private RSA keys at hand | |
//!
//! The age crate implements the classic kinds and the recipients of keys in hardware (`tagged`). Its hybrid
//! post-quantum kind is built here, from the inside out: `xwing` (the KEM), `mlkem768x25519` (age's recipient type over
//! it).
//!
//! [`stored`] specifies the Secret that stores a sealing key, [`backup`] the age file that backs it up, and [`pins`]
//! the lines of a recipients file that remember keys which aren't sealed to any more. `tls_pair` looks at a pair that people
//! seal, and is no key of ours. The programs read files, and the
//! controller decides about the life of sealing keys.
//!
//! Invariant: only [`Identity`], [`RsaPrivateKey`] and the results of their `to_secret_…` functions hold
//! private keys; no error of this module repeats its input.

pub mod backup;
mod encoding;
mod fingerprint;
mod identity;
mod keyring;
mod mlkem768x25519;
pub mod pins;
mod recipient;
mod rsa;
pub mod stored;
mod tagged;
mod tls_pair;
mod xwing;

pub use fingerprint::{Fingerprint, ParseFingerprintError};
pub use identity::{IdentitiesError, Identity, IdentityError, parse_identities};
pub use keyring::Keyring;
pub use pins::Pins;
pub use recipient::{Recipient, RecipientError, RecipientKind, RecipientsFileError, parse_recipients};
pub use rsa::{
    Certificate, CertificateError, RsaKeyError, RsaPrivateKey, RsaPublicKey, RsaSealingKey,
    RsaSealingKeyError,
};
pub use tls_pair::{Fit, TlsPair, TlsPairError};

/// The text without the byte order mark (U+FEFF) that some editors put before UTF-8. The mark is no part of the
/// first line.
pub fn without_byte_order_mark(text: &str) -> &str {
    text.strip_prefix('\u{feff}').unwrap_or(text)
}

#[cfg(test)]
mod tests {
    //! Tests of what all kinds of key have in common, through age itself. The tests of the other files share
    //! the keys in here, which protect nothing.

    use std::collections::HashMap;
    use std::io::{Read, Write};

    use super::*;

    /// The examples of <https://c2sp.org/age>.
    pub(super) const X25519: &str =
        "AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX";
    pub(super) const X25519_RECIPIENT: &str =
        "age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj";
    pub(super) const MLKEM768X25519: &str = include_str!("keys/testdata/mlkem768x25519.txt");
    pub(super) const TAGGED: &str = include_str!("keys/testdata/tagged.txt");

    /// Made by `ssh-keygen`, comment "protects nothing".
    pub(super) const SSH: &str = include_str!("keys/testdata/ssh-ed25519");
    pub(super) const SSH_RECIPIENT: &str = include_str!("keys/testdata/ssh-ed25519.pub");

    pub(super) fn hybrid() -> &'static str {
        records(MLKEM768X25519)[0]["identity"]
    }

    pub(super) fn hybrid_recipient() -> &'static str {
        records(MLKEM768X25519)[0]["recipient"]
    }

    /// The recipients of keys in hardware: the hybrid one, and the classic one.
    pub(super) fn tagged_recipients() -> [&'static str; 2] {
        [0, 1].map(|index| records(TAGGED)[index]["recipient"])
    }

    /// Reads records of `name = value` lines. Blank lines separate records; `#` begins a comment.
    pub(super) fn records(file: &str) -> Vec<HashMap<&str, &str>> {
        file.split("\n\n")
            .map(|record| record.lines().filter_map(|line| line.split_once(" = ")).collect())
            .filter(|record: &HashMap<_, _>| !record.is_empty())
            .collect()
    }

    pub(super) fn from_hex(digits: &str) -> Vec<u8> {
        let byte = |i| u8::from_str_radix(&digits[i..i + 2], 16).unwrap();
        (0..digits.len()).step_by(2).map(byte).collect()
    }

    fn one_of_each_kind() -> [Identity; 3] {
        [Identity::generate(), Identity::parse(X25519).unwrap(), Identity::parse(SSH).unwrap()]
    }

    fn seal(recipients: &[&Recipient]) -> Result<Vec<u8>, age::EncryptError> {
        let recipients = recipients.iter().map(|recipient| recipient.as_age());
        let mut file = Vec::new();
        let mut writer = age::Encryptor::with_recipients(recipients)?.wrap_output(&mut file)?;
        writer.write_all(b"data key")?;
        writer.finish()?;
        Ok(file)
    }

    fn open(file: &[u8], identities: &[&Identity]) -> Result<Vec<u8>, age::DecryptError> {
        let identities = identities.iter().map(|identity| identity.as_age());
        let mut plaintext = Vec::new();
        age::Decryptor::new(file)?.decrypt(identities)?.read_to_end(&mut plaintext)?;
        Ok(plaintext)
    }

    #[test]
    fn every_kind_opens_what_is_sealed_to_its_recipient() {
        for identity in one_of_each_kind() {
            let file = seal(&[identity.recipient()]).unwrap();
            assert_eq!(open(&file, &[&identity]).unwrap(), b"data key", "{}", identity.kind());
        }
    }

    #[test]
    fn no_kind_opens_what_is_sealed_to_another_key() {
        let identities = one_of_each_kind();
        for sealed_to in &identities {
            let file = seal(&[sealed_to.recipient()]).unwrap();
            for other in identities.iter().filter(|other| other.kind() != sealed_to.kind()) {
                let outcome = open(&file, &[other]);
                assert!(matches!(outcome, Err(age::DecryptError::NoMatchingKeys)), "{}", other.kind());
            }
            let outcome = open(&file, &[&Identity::generate()]);
            assert!(matches!(outcome, Err(age::DecryptError::NoMatchingKeys)), "{}", sealed_to.kind());
        }
    }

    #[test]
    fn each_of_several_post_quantum_recipients_opens_the_file() {
        let identities: Vec<_> = (0..3).map(|_| Identity::generate()).collect();
        let recipients: Vec<_> = identities.iter().map(Identity::recipient).collect();
        let file = seal(&recipients).unwrap();
        for identity in &identities {
            assert_eq!(open(&file, &[identity]).unwrap(), b"data key");
        }
        assert_eq!(open(&file, &[&Identity::generate(), &identities[2]]).unwrap(), b"data key");
    }

    #[test]
    fn classic_kinds_can_share_a_file() {
        let [_, x25519, ssh] = one_of_each_kind();
        let file = seal(&[x25519.recipient(), ssh.recipient()]).unwrap();
        assert_eq!(open(&file, &[&x25519]).unwrap(), b"data key");
        assert_eq!(open(&file, &[&ssh]).unwrap(), b"data key");
    }

    #[test]
    fn age_refuses_to_mix_post_quantum_and_classic_recipients() {
        let [hybrid, x25519, ssh] = one_of_each_kind();
        for classic in [&x25519, &ssh] {
            for mix in [[hybrid.recipient(), classic.recipient()], [classic.recipient(), hybrid.recipient()]]
            {
                assert!(matches!(seal(&mix), Err(age::EncryptError::IncompatibleRecipients { .. })));
            }
        }
    }

    #[test]
    fn a_recipient_in_hardware_shares_a_file_with_its_like_alone() {
        let [hybrid, x25519, _] = one_of_each_kind();
        let [tagged_hybrid, tagged]: [Recipient; 2] = tagged_recipients().map(|text| text.parse().unwrap());
        for (identity, beside) in [(&hybrid, &tagged_hybrid), (&x25519, &tagged)] {
            let file = seal(&[beside, identity.recipient()]).unwrap();
            assert_eq!(open(&file, &[identity]).unwrap(), b"data key");
        }
        for mix in
            [[&tagged_hybrid, x25519.recipient()], [hybrid.recipient(), &tagged], [&tagged_hybrid, &tagged]]
        {
            assert!(matches!(seal(&mix), Err(age::EncryptError::IncompatibleRecipients { .. })));
        }
    }

    #[test]
    fn every_kind_survives_being_written_and_read() {
        for identity in one_of_each_kind() {
            let again = Identity::parse(&identity.to_secret_string()).unwrap();
            assert_eq!(again.recipient(), identity.recipient());
            let file = seal(&[identity.recipient()]).unwrap();
            assert_eq!(open(&file, &[&again]).unwrap(), b"data key");

            let recipient: Recipient = identity.recipient().as_str().parse().unwrap();
            assert_eq!(&recipient, identity.recipient());
            let file = seal(&[&recipient]).unwrap();
            assert_eq!(open(&file, &[&identity]).unwrap(), b"data key");
        }
    }

    #[test]
    fn keys_can_be_shared_between_threads() {
        fn shareable<T: Send + Sync>() {}
        shareable::<Recipient>();
        shareable::<Keyring>();
    }
}

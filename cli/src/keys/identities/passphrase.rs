//! An identity file behind a passphrase, as `age -p` makes it, with or without armour.
//!
//! Invariant: the passphrase and the file's content live in memory that is wiped, and the file can't choose to cost more
//! than [`MAX_WORK`].

use std::io::Read as _;

use age::armor::ArmoredReader;
use age::{DecryptError, Decryptor};
use secrecy::SecretString;
use zeroize::Zeroizing;

use crate::talk::failure::{Explain, Rule};

/// The most work that a passphrase may cost, as a power of two: age writes 18, and 20 takes 1 GiB and some seconds.
const MAX_WORK: u8 = 20;

/// The most bytes of such a file. Identities are far smaller.
const MAX_FILE: usize = 1024 * 1024;

#[derive(Debug, thiserror::Error)]
pub(super) enum PassphraseError {
    #[error("{0} is encrypted to recipients, and not behind a passphrase")]
    ToRecipients(String),
    #[error("{0} isn't an age file that can be read")]
    Malformed(String),
    #[error("{file} asks for 2^{required} units of work for its passphrase; at most 2^{MAX_WORK} are done")]
    TooMuchWork { file: String, required: u8 },
    #[error("the passphrase of {0} is wrong, or the file was changed")]
    Wrong(String),
}

impl Explain for PassphraseError {
    fn rule(&self) -> Rule {
        Rule::BadIdentity
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::ToRecipients(file) => Some(format!("decrypt it first: age -d -i IDENTITY {file}")),
            Self::Malformed(_) | Self::TooMuchWork { .. } | Self::Wrong(_) => None,
        }
    }
}

/// `true` if the file is one of age's own, which may be an identity file behind a passphrase.
pub(super) fn is_encrypted(file: &[u8]) -> bool {
    let start = file.trim_ascii_start();
    [&b"age-encryption.org/"[..], b"-----BEGIN AGE ENCRYPTED FILE-----"]
        .iter()
        .any(|mark| start.starts_with(mark))
}

/// The content of the file of this name, opened with the passphrase that `ask` gives.
///
/// # Errors
///
/// Any [`PassphraseError`], or that of `ask`, which is called only for a file behind a passphrase.
pub(super) fn open<E: From<PassphraseError>>(
    name: &str,
    file: &[u8],
    ask: impl FnOnce() -> Result<SecretString, E>,
) -> Result<Zeroizing<Vec<u8>>, E> {
    let malformed = || PassphraseError::Malformed(name.to_owned());
    if file.len() > MAX_FILE {
        return Err(malformed().into());
    }
    let mut binary = Vec::new();
    ArmoredReader::new(file.trim_ascii_start()).read_to_end(&mut binary).map_err(|_| malformed())?;
    let decryptor = Decryptor::new_buffered(&binary[..]).map_err(|_| malformed())?;
    if !decryptor.is_scrypt() {
        return Err(PassphraseError::ToRecipients(name.to_owned()).into());
    }
    let mut key = age::scrypt::Identity::new(ask()?);
    key.set_max_work_factor(MAX_WORK);
    let wrong = || PassphraseError::Wrong(name.to_owned());
    let mut reader =
        decryptor.decrypt(std::iter::once(&key as &dyn age::Identity)).map_err(|error| match error {
            DecryptError::ExcessiveWork { required, .. } => {
                PassphraseError::TooMuchWork { file: name.to_owned(), required }
            }
            _ => wrong(),
        })?;
    // The payload is shorter than the file, so reading never moves the buffer.
    let mut content = Zeroizing::new(Vec::with_capacity(binary.len()));
    reader.read_to_end(&mut content).map_err(|_| wrong())?;
    Ok(content)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use age::armor::{ArmoredWriter, Format};

    use super::*;

    fn encrypted(encryptor: age::Encryptor, format: Format) -> Vec<u8> {
        let armour = ArmoredWriter::wrap_output(Vec::new(), format).unwrap();
        let mut writer = encryptor.wrap_output(armour).unwrap();
        writer.write_all(b"hello").unwrap();
        writer.finish().unwrap().finish().unwrap()
    }

    fn behind_passphrase(work: u8, format: Format) -> Vec<u8> {
        let mut recipient = age::scrypt::Recipient::new("hunter2".to_owned().into());
        recipient.set_work_factor(work);
        let recipient: &dyn age::Recipient = &recipient;
        encrypted(age::Encryptor::with_recipients(std::iter::once(recipient)).unwrap(), format)
    }

    fn opened(file: &[u8], passphrase: &str) -> Result<Zeroizing<Vec<u8>>, PassphraseError> {
        open("f", file, || Ok(passphrase.to_owned().into()))
    }

    #[test]
    fn a_file_behind_a_passphrase_opens_with_or_without_armour() {
        for format in [Format::Binary, Format::AsciiArmor] {
            let file = behind_passphrase(4, format);
            assert!(is_encrypted(&file));
            assert_eq!(*opened(&file, "hunter2").unwrap(), b"hello");
            assert!(matches!(opened(&file, "hunter3"), Err(PassphraseError::Wrong(_))));
        }
        assert!(!is_encrypted(b"AGE-SECRET-KEY-1"));
    }

    #[test]
    fn what_is_no_such_file_costs_no_passphrase() {
        let nobody = || -> Result<SecretString, PassphraseError> { panic!("nobody is asked") };
        let recipient = age::x25519::Identity::generate().to_public();
        let recipient: &dyn age::Recipient = &recipient;
        let to_recipient = encrypted(
            age::Encryptor::with_recipients(std::iter::once(recipient)).unwrap(),
            Format::AsciiArmor,
        );
        assert!(matches!(open("f", &to_recipient, nobody), Err(PassphraseError::ToRecipients(_))));
        for file in
            [&b"age-encryption.org/v1\n"[..], b"-----BEGIN AGE ENCRYPTED FILE-----\nYWdl", &[0; MAX_FILE + 1]]
        {
            assert!(matches!(open("f", file, nobody), Err(PassphraseError::Malformed(_))));
        }
    }

    #[test]
    fn a_file_that_would_cost_too_much_is_refused() {
        let costly = String::from_utf8_lossy(&behind_passphrase(1, Format::Binary)).into_owned();
        assert!(costly.contains(" 1\n"));
        let file = behind_passphrase(1, Format::Binary);
        let at = file.windows(3).position(|window| window == b" 1\n").unwrap();
        let costly = [&file[..at], b" 21\n", &file[at + 3..]].concat();
        assert!(matches!(opened(&costly, "hunter2"), Err(PassphraseError::TooMuchWork { required: 21, .. })));
    }
}

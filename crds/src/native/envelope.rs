//! The envelope: an age file that holds data keys and the binding of those keys.
//!
//! ```text
//! age field = base64 (canonical, padded) of a binary age v1 file (C2SP age), at most 128 KiB
//! header    = at most 20 stanzas, none of them scrypt; no armour
//! payload   = the document of super::document
//! ```
//! [`document`] parses the payload. Invariant: a file opens whole and unchanged, or not at all.

use std::io::{Read, Write};

use zeroize::Zeroizing;

use super::document::{self, OpenedEnvelope};
use super::{MAX_AGE_SIZE, MAX_STANZAS};
use crate::format::{SealedTo, UnsealError};
use crate::keys::{Fingerprint, Identity, Keyring, Recipient};

/// The most identities that are tried on one envelope; a cluster has a handful. Each trial costs one key
/// operation for every stanza, and the manifest's author chooses the stanzas.
const MAX_TRIALS: usize = 64;

/// The most lines of an age header: 20 stanzas with bodies of a few lines (a recipient's has one or two,
/// grease up to five). Parsing costs time for every line on every trial.
const MAX_HEADER_LINES: usize = 200;

/// The most bytes of a header line; a post-quantum stanza's first line takes 1,512.
const MAX_HEADER_LINE: usize = 2048;

/// Encrypts a document to recipients. The result is the age file.
///
/// # Errors
///
/// The age library's own. In practice it refuses only recipients of several kinds in one file, and the caller has
/// checked that.
pub(super) fn wrap(document: &[u8], recipients: &[&Recipient]) -> Result<Vec<u8>, age::EncryptError> {
    let recipients = recipients.iter().map(|recipient| recipient.as_age());
    let encryptor = age::Encryptor::with_recipients(recipients)?;
    let mut file = Vec::new();
    let mut writer = encryptor.wrap_output(&mut file)?;
    writer.write_all(document)?;
    writer.finish()?;
    Ok(file)
}

/// Checks an age file without a key: its first line, that it is binary, and the bounds of its header.
///
/// # Errors
///
/// The problem, as the rest of a sentence about the file.
pub(crate) fn check_header(file: &[u8]) -> Result<(), &'static str> {
    if file.len() > MAX_AGE_SIZE {
        return Err("is larger than 128 KiB");
    }
    if file.starts_with(b"-----BEGIN") {
        return Err("is armoured; only the binary form of an age file is allowed");
    }
    let mut lines = file.split(|&byte| byte == b'\n');
    match lines.next() {
        Some(b"age-encryption.org/v1") => {}
        Some(line) if line.starts_with(b"age-encryption.org/") => {
            return Err("is an age file of a version that this program doesn't know");
        }
        _ => return Err("is not an age file"),
    }
    let mut stanzas = 0;
    for (number, line) in lines.enumerate() {
        if line.starts_with(b"---") {
            return Ok(());
        }
        if number >= MAX_HEADER_LINES || line.len() > MAX_HEADER_LINE {
            return Err("has a header that is longer than recipients need");
        }
        if let Some(stanza) = line.strip_prefix(b"-> ") {
            stanzas += 1;
            // A passphrase is no recipient: an attacker could ask any user for one, and the author of the manifest
            // would choose the cost of every trial.
            if stanza == b"scrypt" || stanza.starts_with(b"scrypt ") {
                return Err("is encrypted to a passphrase; only recipients are allowed");
            }
            if stanzas > MAX_STANZAS {
                return Err("has more than 20 stanzas");
            }
        }
    }
    Err("is cut short")
}

/// Opens an age file with the first identity that fits. Hinted identities are tried first.
///
/// An identity that fits a changed file ends the search, whatever other identities there are.
///
/// # Errors
///
/// [`UnsealError::NoMatchingKey`], [`UnsealError::EnvelopeAltered`], [`UnsealError::MalformedEnvelope`],
/// [`UnsealError::UnknownVersion`].
pub(super) fn open(
    index: usize,
    file: &[u8],
    hints: &[SealedTo],
    keys: &Keyring,
) -> Result<OpenedEnvelope, UnsealError> {
    let mut tried = Vec::new();
    for identity in in_order(hints, keys).take(MAX_TRIALS) {
        tried.push(identity.fingerprint());
        if let Some(json) = decrypt(index, file, identity)? {
            return document::parse(index, &json, identity.fingerprint());
        }
    }
    Err(UnsealError::NoMatchingKey { envelope: index, sealed_to: hints.to_vec(), tried })
}

/// Whether an age file that `by` opened would also open without it: whether [`open`] would open it with all other
/// identities.
///
/// Only trials decide: an age file doesn't say to whom it is sealed, and its author chose the hints and the list inside.
/// The identities that [`open`] tried before `by` don't fit, so only those after it are tried here.
pub(super) fn opens_without(
    index: usize,
    file: &[u8],
    hints: &[SealedTo],
    keys: &Keyring,
    by: Fingerprint,
) -> bool {
    let before = in_order(hints, keys).position(|identity| identity.fingerprint() == by).unwrap_or_default();
    let others = in_order(hints, keys).filter(|identity| identity.fingerprint() != by);
    for identity in others.take(MAX_TRIALS).skip(before) {
        match decrypt(index, file, identity) {
            Ok(None) => {}
            Ok(Some(json)) => return document::parse(index, &json, identity.fingerprint()).is_ok(),
            Err(_) => return false,
        }
    }
    false
}

/// The identities in the order in which they are tried: the hinted ones first, each once.
fn in_order<'k>(hints: &[SealedTo], keys: &'k Keyring) -> impl Iterator<Item = &'k Identity> {
    let hinted: Vec<Fingerprint> = hints.iter().map(|hint| hint.fingerprint).collect();
    let mut first: Vec<&Identity> = Vec::new();
    for identity in hinted.iter().filter_map(|hint| keys.find(hint)) {
        if !first.iter().any(|earlier| earlier.fingerprint() == identity.fingerprint()) {
            first.push(identity);
        }
    }
    first.into_iter().chain(keys.iter().filter(move |identity| !hinted.contains(&identity.fingerprint())))
}

/// The payload; `None` if the file isn't sealed to this identity.
fn decrypt(
    index: usize,
    file: &[u8],
    identity: &Identity,
) -> Result<Option<Zeroizing<Vec<u8>>>, UnsealError> {
    // A bad header MAC, a bad stanza and a bad payload give one error: an attacker who changed the file must not
    // learn how far decryption got, and honest people don't need to know.
    let altered = || UnsealError::EnvelopeAltered { envelope: index };
    // The constructor for buffered input: the other one parses the header again for every few bytes that it reads.
    let decryptor = age::Decryptor::new_buffered(file).map_err(|_| altered())?;
    match decryptor.decrypt(std::iter::once(identity.as_age())) {
        Ok(mut reader) => {
            // The payload is shorter than the file, so reading never moves the buffer.
            let mut json = Zeroizing::new(Vec::with_capacity(file.len()));
            reader.read_to_end(&mut json).map_err(|_| altered())?;
            Ok(Some(json))
        }
        // The file is read from memory, so an I/O error is that of a plugin behind the identity, which says it by itself.
        Err(age::DecryptError::NoMatchingKeys | age::DecryptError::Io(_)) => Ok(None),
        Err(_) => Err(altered()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_bounded_before_any_key_is_tried() {
        let header = |stanza: &str, times: usize| {
            format!("age-encryption.org/v1\n{}--- mac\n", stanza.repeat(times)).into_bytes()
        };
        let sized = |size: usize| {
            let mut file = header("-> X25519 a\nb\n", 20);
            file.resize(size, 0);
            file
        };
        assert_eq!(check_header(&sized(131_072)), Ok(()));
        for (file, problem) in [
            (header("-> X25519 a\nb\n", 21), "has more than 20 stanzas"),
            (header("-> scrypt a 18\nb\n", 1), "is encrypted to a passphrase; only recipients are allowed"),
            (b"-----BEGIN AGE".to_vec(), "is armoured; only the binary form of an age file is allowed"),
            (
                b"age-encryption.org/v2\n".to_vec(),
                "is an age file of a version that this program doesn't know",
            ),
            (b"hello".to_vec(), "is not an age file"),
            (b"age-encryption.org/v1\n-> X25519".to_vec(), "is cut short"),
            (header(&"a".repeat(2049), 1), "has a header that is longer than recipients need"),
            (header("-> a\n\n\n\n\n\n\n\n\n\n\n\n", 20), "has a header that is longer than recipients need"),
            (sized(131_073), "is larger than 128 KiB"),
        ] {
            assert_eq!(check_header(&file), Err(problem));
        }
    }
}

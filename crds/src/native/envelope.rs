//! The envelope: an age file that holds data keys and the binding of those keys.
//!
//! ```text
//! age field = base64 (canonical, padded) of a binary age v1 file (C2SP age), within the bounds of crate::age_file
//! payload   = the document of super::document
//! ```
//! [`document`] parses the payload. Invariant: a file opens whole and unchanged, or not at all.

use std::io::{Read, Write};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use zeroize::Zeroizing;

use super::document::{self, OpenedEnvelope};
use crate::age_file;
use crate::format::{SealedTo, UnsealError};
use crate::keys::{Fingerprint, Identity, Keyring, Recipient};

/// The most identities that are tried on one envelope; a cluster has a handful. Each trial costs one key
/// operation for every stanza, and the manifest's author chooses the stanzas.
const MAX_TRIALS: usize = 64;

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

/// The number of recipients that an envelope's age file is sealed to, without grease: for comparison with the list that the
/// envelope shows. `None` if the text isn't canonical base64 of an age file within the bounds.
pub fn count_stanzas(age: &str) -> Option<usize> {
    age_file::count_stanzas(&BASE64.decode(age).ok()?)
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

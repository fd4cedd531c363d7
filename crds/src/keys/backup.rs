//! The backup of a sealing key: its private half as an armoured age file to the key's recovery set.
//!
//! ```text
//! file name  = <64 hex digits of the key's fingerprint>.age
//! ConfigMap  = sealing-key-backup-<the first 16 of them>, with that file name as its only key
//! file       = armoured age v1 file (C2SP age): at most 20 stanzas, none of them scrypt
//! plaintext  = "# seal sealing key, format 1" LF
//!              "# sequence: " <1 to 2³¹ − 1, decimal> LF
//!              "# created: " <RFC 3339, UTC, whole seconds, Z> LF
//!              "# public key: " <age1pq1…> LF
//!              <AGE-SECRET-KEY-PQ-1…> LF
//! ```
//!
//! So `age -d` yields an identity file that age and `seal` read.
//!
//! The controller encrypts once, when it makes the key, and keeps the file in the key's Secret. The programs decide
//! who may be in a recovery set.
//!
//! A backup proves nothing: anybody can encrypt a private key of their own to a recovery recipient. So the reader
//! gives what is in the file, and its caller compares the fingerprint with a list that it trusts.
//!
//! Invariants: [`open`] takes exactly what [`encrypt`] writes, with other line ends of the armour at most. No error
//! repeats a part of the file. A plaintext lives only in memory that is wiped.

use std::collections::BTreeSet;
use std::io::{Read, Write};

use age::armor::{ArmoredReader, ArmoredWriter, Format};
use age_core::format::Stanza;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use serde_json::Value;
use zeroize::Zeroizing;

use super::stored::{MAX_RECOVERY, MAX_SEQUENCE};
use super::{Fingerprint, Identity, Recipient, RecipientKind};
use crate::age_file::{MAX_AGE_SIZE, check_header};

/// The most bytes of an armoured file. The header has a bound of its own once the armour is off.
pub const MAX_BACKUP_SIZE: usize = 2 * MAX_AGE_SIZE;

const FORMAT: &str = "# seal sealing key, format 1";
const SEQUENCE: &str = "# sequence: ";
const CREATED: &str = "# created: ";
const PUBLIC_KEY: &str = "# public key: ";
const ARMOUR: &str = "-----BEGIN AGE ENCRYPTED FILE-----";

/// What is in a backup.
pub struct BackedUpKey {
    /// Both halves.
    pub identity: Identity,
    /// The order of the keys, from 1 to [`MAX_SEQUENCE`]: higher is newer.
    pub sequence: i64,
    /// When the key was made.
    pub created_at: Time,
}

/// The reason why a key can't be backed up to a recovery set. Permanent: only another set helps.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// Nobody could open the backup.
    #[error("no recovery recipient")]
    NoRecipients,
    /// More recipients than a recovery set may have. Holds their number.
    #[error("{0} recovery recipients; at most {MAX_RECOVERY} are allowed")]
    TooManyRecipients(usize),
    /// A quantum computer would open the backup of a key that it can't open itself. Holds the short fingerprint of the
    /// recipient.
    #[error("recovery recipient {0} is not post-quantum, and the key is")]
    Classic(String),
    /// age couldn't encrypt to the recipients.
    #[error("the recovery recipients could not be encrypted to")]
    Encrypt(#[source] age::EncryptError),
}

/// The reason why a file gives no key. Never repeats any of the file.
#[derive(Debug, thiserror::Error)]
pub enum OpenBackupError {
    /// The file isn't an armoured age file of the kind that [`encrypt`] writes. Holds the problem, as the rest of a
    /// sentence about the file.
    #[error("the file {0}")]
    File(&'static str),
    /// The file is for other recipients.
    #[error("none of the identities opens it")]
    NoMatchingKey,
    /// The file may be for an identity that couldn't do its part: its plugin failed, and says why by itself.
    #[error("the identity could not be used")]
    Identity,
    /// Somebody changed the file.
    #[error("it was changed after it was encrypted")]
    Altered,
    /// What it holds isn't a sealing key in format 1.
    #[error("it doesn't hold a sealing key in the form of a backup, format 1")]
    Content,
}

/// The name of a key's backup as a file, and as the item of its ConfigMap.
pub fn file_name(fingerprint: &Fingerprint) -> String {
    format!("{fingerprint}.age")
}

/// The fingerprint that a file name says; `None` if it isn't the name of a backup.
pub fn named(file_name: &str) -> Option<Fingerprint> {
    file_name.strip_suffix(".age")?.parse().ok()
}

/// The name of the ConfigMap that publishes a key's backup.
pub fn config_map_name(fingerprint: &Fingerprint) -> String {
    format!("sealing-key-backup-{}", fingerprint.short())
}

/// Encrypts a sealing key to its recovery set. The result is the armoured file. A repeated recipient counts once.
///
/// # Errors
///
/// Any [`BackupError`].
pub fn encrypt(
    identity: &Identity,
    sequence: i64,
    created_at: &Time,
    recipients: &[Recipient],
) -> Result<String, BackupError> {
    let mut seen = BTreeSet::new();
    let distinct: Vec<&Recipient> = recipients.iter().filter(|one| seen.insert(one.fingerprint())).collect();
    match distinct.len() {
        0 => return Err(BackupError::NoRecipients),
        1..=MAX_RECOVERY => {}
        found => return Err(BackupError::TooManyRecipients(found)),
    }
    let classic = distinct.iter().find(|recipient| !recipient.is_post_quantum());
    if let Some(classic) = classic.filter(|_| identity.recipient().is_post_quantum()) {
        return Err(BackupError::Classic(classic.fingerprint().short()));
    }
    let plaintext = plaintext(identity, sequence, created_at);
    let encryptor = age::Encryptor::with_recipients(distinct.iter().map(|recipient| recipient.as_age()))
        .map_err(BackupError::Encrypt)?;
    let armoured = || -> std::io::Result<Vec<u8>> {
        let armour = ArmoredWriter::wrap_output(Vec::new(), Format::AsciiArmor)?;
        let mut writer = encryptor.wrap_output(armour)?;
        writer.write_all(plaintext.as_bytes())?;
        writer.finish()?.finish()
    };
    let file = armoured().expect("writing to memory can't fail");
    Ok(String::from_utf8(file).expect("an armoured file is text"))
}

/// Checks a file without an identity, as far as that goes: it is an armoured age file to recipients, within its bounds.
///
/// # Errors
///
/// [`OpenBackupError::File`].
pub fn check(file: &[u8]) -> Result<(), OpenBackupError> {
    check_header(&without_armour(file)?).map_err(OpenBackupError::File)
}

/// `true` if a backup can be for exactly these recipients, as far as that shows without an identity: for each kind it has
/// as many stanzas as there are recipients, and one for each recipient whose stanza names it.
pub fn may_be_for(file: &[u8], recipients: &[Recipient]) -> bool {
    let Ok(binary) = without_armour(file) else { return false };
    if check_header(&binary).is_err() {
        return false;
    }
    let lines = binary.split(|&byte| byte == b'\n').take_while(|line| !line.starts_with(b"---"));
    let stanzas: Vec<Stanza> = lines.filter_map(first_line).collect();
    RecipientKind::ALL.iter().all(|kind| {
        let tag = kind.to_string();
        let of_kind = stanzas.iter().filter(|stanza| stanza.tag == tag).count();
        of_kind == recipients.iter().filter(|recipient| recipient.kind() == *kind).count()
    }) && recipients.iter().all(|recipient| stanzas.iter().any(|stanza| recipient.may_be_meant_by(stanza)))
}

/// The stanza that begins with this line, without its body.
fn first_line(line: &[u8]) -> Option<Stanza> {
    let mut words = std::str::from_utf8(line).ok()?.strip_prefix("-> ")?.split(' ').map(str::to_owned);
    Some(Stanza { tag: words.next()?, args: words.collect(), body: Vec::new() })
}

/// Opens a backup with the first identity that fits. Each identity sees all stanzas of the file in one call, so that
/// one that needs a touch asks for one.
///
/// # Errors
///
/// Any [`OpenBackupError`].
pub fn open<'i>(
    file: &[u8],
    identities: impl Iterator<Item = &'i dyn age::Identity>,
) -> Result<BackedUpKey, OpenBackupError> {
    let binary = without_armour(file)?;
    check_header(&binary).map_err(OpenBackupError::File)?;
    let decryptor = age::Decryptor::new_buffered(&binary[..]).map_err(|_| OpenBackupError::Altered)?;
    let mut reader = decryptor.decrypt(identities).map_err(|error| match error {
        age::DecryptError::NoMatchingKeys => OpenBackupError::NoMatchingKey,
        age::DecryptError::DecryptionFailed
        | age::DecryptError::InvalidHeader
        | age::DecryptError::InvalidMac => OpenBackupError::Altered,
        _ => OpenBackupError::Identity,
    })?;
    // The payload is shorter than the file, so reading never moves the buffer.
    let mut plaintext = Zeroizing::new(Vec::with_capacity(binary.len()));
    reader.read_to_end(&mut plaintext).map_err(|_| OpenBackupError::Altered)?;
    parse(&plaintext).ok_or(OpenBackupError::Content)
}

/// The age file in an armoured one. Git and editors change line ends, which the armour doesn't mind.
fn without_armour(file: &[u8]) -> Result<Vec<u8>, OpenBackupError> {
    if file.len() > MAX_BACKUP_SIZE {
        return Err(OpenBackupError::File("is larger than a backup can be"));
    }
    if !file.starts_with(ARMOUR.as_bytes()) {
        return Err(OpenBackupError::File("is not an armoured age file"));
    }
    let mut binary = Vec::with_capacity(file.len());
    ArmoredReader::new(file)
        .read_to_end(&mut binary)
        .map_err(|_| OpenBackupError::File("has broken armour: it was cut short or changed"))?;
    Ok(binary)
}

fn plaintext(identity: &Identity, sequence: i64, created_at: &Time) -> Zeroizing<String> {
    let private = identity.to_secret_string();
    let created_at = serde_json::to_value(created_at).expect("a time is plain data");
    let public = format!(
        "{FORMAT}\n{SEQUENCE}{sequence}\n{CREATED}{}\n{PUBLIC_KEY}{}\n",
        created_at.as_str().unwrap_or_default(),
        identity.recipient(),
    );
    // The buffer has its full room from the start, because growing would leave copies behind.
    let mut text = Zeroizing::new(String::with_capacity(public.len() + private.len() + 1));
    text.push_str(&public);
    text.push_str(&private);
    text.push('\n');
    text
}

/// Reads the plaintext; `None` if [`plaintext`] wouldn't write exactly this.
fn parse(bytes: &[u8]) -> Option<BackedUpKey> {
    let text = std::str::from_utf8(bytes).ok()?;
    let (format, rest) = text.split_once('\n')?;
    let (sequence, rest) = rest.split_once('\n')?;
    let (created_at, rest) = rest.split_once('\n')?;
    let (_, private) = rest.split_once('\n')?;
    if format != FORMAT {
        return None;
    }
    let sequence = sequence.strip_prefix(SEQUENCE)?.parse().ok()?;
    let created_at = serde_json::from_value(Value::from(created_at.strip_prefix(CREATED)?)).ok()?;
    let identity = Identity::parse(private).ok()?;
    let key = BackedUpKey { identity, sequence, created_at };
    let is_exact = plaintext(&key.identity, key.sequence, &key.created_at).as_bytes() == bytes;
    (is_exact && (1..=MAX_SEQUENCE).contains(&key.sequence)).then_some(key)
}

#[cfg(test)]
mod tests;

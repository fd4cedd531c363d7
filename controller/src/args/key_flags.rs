//! The flags about keys: files of recipients, and the period of renewal.
//!
//! [`Settings`] checks them against each other. Invariant: a file counts as a whole or stops the start; a line that is
//! skipped in silence could be the one that revokes somebody.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use jiff::SignedDuration;
use seal_crds::duration;
use seal_crds::keys::{
    Fingerprint, Recipient, RecipientError, RecipientsFileError, parse_recipients, without_byte_order_mark,
};

use crate::keys::settings::{RecipientFlags, Settings, SettingsError};

/// Flags about keys.
#[derive(Args)]
pub(crate) struct KeyArgs {
    /// The age of a sealing key at which a newer one takes its place, such as 365d; 0 turns that off.
    #[arg(long, env = "SEAL_CONTROLLER_KEY_RENEWAL", value_name = "DURATION", default_value = "365d", value_parser = duration::parse)]
    pub(crate) key_renewal: Duration,
    /// A file of recovery recipients: for everybody to seal to, and for backups. Each sealing key keeps the set that it
    /// was made with.
    #[arg(long, env = "SEAL_CONTROLLER_RECOVERY_RECIPIENTS", value_name = "FILE")]
    pub(crate) recovery_recipients: Option<PathBuf>,
    /// A file of further recipients for everybody to seal to, such as another cluster's. They get no backup.
    #[arg(long, env = "SEAL_CONTROLLER_EXTRA_RECIPIENTS", value_name = "FILE")]
    pub(crate) extra_recipients: Option<PathBuf>,
    /// A file of recipients, or their fingerprints, that nothing is sealed to any more, such as a former cluster's. What
    /// is sealed to them still gets offers.
    #[arg(long, env = "SEAL_CONTROLLER_FORMER_RECIPIENTS", value_name = "FILE")]
    pub(crate) former_recipients: Option<PathBuf>,
    /// A file of recipients, or their fingerprints, that are revoked, whatever the cluster says.
    #[arg(long, env = "SEAL_CONTROLLER_REVOKED_RECIPIENTS", value_name = "FILE")]
    pub(crate) revoked_recipients: Option<PathBuf>,
}

/// Why the flags about keys can't be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum KeyArgsError {
    /// A file couldn't be read.
    #[error("can't read {}", .0.display())]
    Read(PathBuf, #[source] std::io::Error),
    /// A file isn't a file of recipients.
    #[error("{} is not a file of recipients", .0.display())]
    Recipients(PathBuf, #[source] RecipientsFileError),
    /// The flags don't fit together.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The period is longer than time can be counted.
    #[error("--key-renewal is too long")]
    Renewal,
}

impl KeyArgs {
    /// Reads the files.
    ///
    /// # Errors
    ///
    /// Any [`KeyArgsError`].
    pub(crate) fn to_settings(&self) -> Result<Settings, KeyArgsError> {
        let recovery = self.recovery_recipients.as_deref().map(|path| read(path, parse_recipients));
        let extra = self.extra_recipients.as_deref().map(|path| read(path, parse_extra));
        let named = |path: &Option<PathBuf>| path.as_deref().map(|path| read(path, parse_fingerprints));
        let flags = RecipientFlags {
            recovery: recovery.transpose()?.unwrap_or_default(),
            extra: extra.transpose()?.unwrap_or_default(),
            former: named(&self.former_recipients).transpose()?.unwrap_or_default(),
            revoked: named(&self.revoked_recipients).transpose()?.unwrap_or_default(),
        };
        let renewal = SignedDuration::try_from(self.key_renewal).map_err(|_| KeyArgsError::Renewal)?;
        Ok(Settings::new(renewal, flags)?)
    }
}

fn read<T>(
    path: &Path,
    parse: impl FnOnce(&str) -> Result<T, RecipientsFileError>,
) -> Result<T, KeyArgsError> {
    let text = std::fs::read_to_string(path).map_err(|error| KeyArgsError::Read(path.to_owned(), error))?;
    parse(&text).map_err(|error| KeyArgsError::Recipients(path.to_owned(), error))
}

/// Reads recipients. A file without any is a list of nobody, so the flag can stay while the file is empty. For recovery
/// recipients that would be a mistake that nobody notices.
fn parse_extra(text: &str) -> Result<Vec<Recipient>, RecipientsFileError> {
    match parse_recipients(text) {
        Err(RecipientsFileError::NoneFound) => Ok(Vec::new()),
        result => result,
    }
}

/// Reads recipients or fingerprints, one a line. Blank lines and lines that begin with `#` are dropped. A file without
/// any is a list of nobody.
fn parse_fingerprints(text: &str) -> Result<BTreeSet<Fingerprint>, RecipientsFileError> {
    let lines = (1..).zip(without_byte_order_mark(text).lines().map(str::trim));
    let lines = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    let fingerprint = |(line, text): (usize, &str)| match text.parse::<Fingerprint>() {
        Ok(fingerprint) => Ok(fingerprint),
        Err(_) => text
            .parse()
            .map(|recipient: Recipient| recipient.fingerprint())
            .map_err(|source: RecipientError| RecipientsFileError::Line { line, source }),
    };
    lines.map(fingerprint).collect()
}

#[cfg(test)]
mod tests {
    use seal_crds::keys::Identity;

    use super::*;

    #[test]
    fn a_file_of_extra_recipients_may_name_nobody_yet() {
        let extra = Identity::generate().recipient().clone();
        assert_eq!(parse_extra("# none\n"), Ok(Vec::new()));
        assert_eq!(parse_extra(&format!("# the new cluster\n{extra}\n")), Ok(vec![extra]));
        assert!(parse_extra("# none\nage1pq1\n").is_err());
    }

    #[test]
    fn revoked_and_former_recipients_are_named_by_text_or_fingerprint() {
        let (one, other) = (Identity::generate(), Identity::generate());
        let text = format!(
            "\u{feff}# left in March\n{}\r\n\n  {}\n{}\n",
            one.fingerprint(),
            other.recipient(),
            one.fingerprint()
        );
        assert_eq!(parse_fingerprints(&text), Ok([one.fingerprint(), other.fingerprint()].into()));
        assert_eq!(parse_fingerprints("# nobody yet\n"), Ok(BTreeSet::new()));
        // A line that doesn't parse isn't skipped: it may be the one that revokes somebody.
        for bad in [one.fingerprint().short(), one.fingerprint().to_string().to_uppercase(), "age1pq1".into()]
        {
            let refused = parse_fingerprints(&format!("{}\n{bad}\n", other.fingerprint())).unwrap_err();
            assert!(matches!(refused, RecipientsFileError::Line { line: 2, .. }), "{bad}: {refused:?}");
        }
    }
}

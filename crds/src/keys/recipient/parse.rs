//! Parses text as a public key, or gives a reason that the user can act on.
//!
//! A key of another kind is refused, by its name if it has one. Invariant: no error
//! carries the text. Errors repeat only an algorithm from a fixed list and a plugin's name, because the rest
//! may be a private key that was pasted in the wrong place.

use bech32::Hrp;
use x25519_dalek as x25519;

use super::{RecipientKey, RecipientKind};
use crate::keys::encoding::{self, EncodingError};
use crate::keys::{mlkem768x25519, tagged, xwing};

const X25519_HRP: Hrp = Hrp::parse_unchecked("age");

/// SSH algorithms that people have keys of, and that age or `seal` doesn't accept.
const OTHER_SSH_ALGORITHMS: [&str; 7] = [
    "ssh-rsa",
    "ssh-dss",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "sk-ssh-ed25519@openssh.com",
    "sk-ecdsa-sha2-nistp256@openssh.com",
];

/// What may be sealed to, for messages.
const ACCEPTED: &str = "accepted: age1pq1…, age1tagpq1…, age1…, ssh-ed25519";

/// The reason why text is not a recipient. Never repeats the text. Permanent: only other text helps.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RecipientError {
    /// The text is empty or white space.
    #[error("recipient is empty")]
    Empty,
    /// A private key where its public half belongs. The key is exposed in whatever place this text was meant for.
    #[error("private key (identity) where a recipient belongs")]
    Identity,
    /// An SSH key that isn't ssh-ed25519; holds its algorithm.
    #[error("{0} recipient is not supported ({ACCEPTED})")]
    UnsupportedSsh(&'static str),
    /// A recipient of an age plugin, other than age's own types for hardware; holds the plugin's name.
    #[error("age plugin recipient age1{0}1… is not supported ({ACCEPTED})")]
    Plugin(String),
    /// A PEM certificate: a public key of the Bitnami format, which is another type.
    #[error("PEM certificate is a key of the Bitnami format, not a recipient")]
    Certificate,
    /// The checksum of `age1…` is wrong.
    #[error("recipient has a wrong checksum (mistyped or cut short)")]
    Checksum,
    /// The text begins like this kind, and isn't one: wrong length, wrong alphabet, or not a usable key.
    #[error("{0} recipient is malformed")]
    Malformed(RecipientKind),
    /// The text is none of the above.
    #[error("not a recipient ({ACCEPTED})")]
    Unknown,
}

/// Reads one recipient of any kind, with or without white space around it.
pub(super) fn parse(text: &str) -> Result<RecipientKey, RecipientError> {
    let text = text.trim();
    if text.is_empty() {
        return Err(RecipientError::Empty);
    }
    if is_identity(text) {
        return Err(RecipientError::Identity);
    }
    if text.starts_with("-----BEGIN CERTIFICATE") {
        return Err(RecipientError::Certificate);
    }
    let Some((_, rest)) = text.split_at_checked(4).filter(|(start, _)| start.eq_ignore_ascii_case("age1"))
    else {
        return parse_ssh(text);
    };
    match rest.split_once('1') {
        None => parse_x25519(text),
        Some((name, _)) if name.eq_ignore_ascii_case("pq") => parse_hybrid(text),
        Some((name, _)) if name.eq_ignore_ascii_case("tagpq") => {
            let key =
                tagged::Recipient::parse_hybrid(text).map_err(|e| refused(e, RecipientKind::TaggedHybrid))?;
            Ok(RecipientKey::Tagged(key))
        }
        Some((name, _)) if name.eq_ignore_ascii_case("tag") => {
            let key =
                tagged::Recipient::parse_classic(text).map_err(|e| refused(e, RecipientKind::Tagged))?;
            Ok(RecipientKey::Tagged(key))
        }
        Some((name, _)) if is_plugin_name(name) => Err(RecipientError::Plugin(name.to_ascii_lowercase())),
        Some(_) => Err(RecipientError::Unknown),
    }
}

fn parse_hybrid(text: &str) -> Result<RecipientKey, RecipientError> {
    let key = mlkem768x25519::Recipient::parse(text).map_err(|e| refused(e, RecipientKind::Hybrid))?;
    Ok(RecipientKey::Hybrid(key))
}

fn parse_x25519(text: &str) -> Result<RecipientKey, RecipientError> {
    let malformed = || RecipientError::Malformed(RecipientKind::X25519);
    let bytes = encoding::decode(X25519_HRP, text).map_err(|e| refused(e, RecipientKind::X25519))?;
    let point: [u8; 32] = bytes.as_slice().try_into().map_err(|_| malformed())?;
    // age panics when it has to wrap to such a point.
    if xwing::is_low_order(&x25519::PublicKey::from(point)) {
        return Err(malformed());
    }
    text.parse().map(RecipientKey::X25519).map_err(|_| malformed())
}

/// `ssh-ed25519 <base64>[ <comment>]`: the one line of `~/.ssh/id_ed25519.pub`.
fn parse_ssh(text: &str) -> Result<RecipientKey, RecipientError> {
    let mut fields = text.split_ascii_whitespace();
    let algorithm = fields.next().unwrap_or_default();
    if let Some(other) = OTHER_SSH_ALGORITHMS.into_iter().find(|other| *other == algorithm) {
        return Err(RecipientError::UnsupportedSsh(other));
    }
    if algorithm != "ssh-ed25519" {
        return Err(RecipientError::Unknown);
    }
    let canonical = format!("{algorithm} {}", fields.next().unwrap_or_default());
    match canonical.parse() {
        // age also takes a key with text behind it, and a point of low order, for which everybody has the private key.
        Ok(key @ age::ssh::Recipient::SshEd25519(_, point))
            if canonical == key.to_string() && !point.is_small_order() && text.lines().count() == 1 =>
        {
            Ok(RecipientKey::SshEd25519(key))
        }
        _ => Err(RecipientError::Malformed(RecipientKind::SshEd25519)),
    }
}

fn refused(error: EncodingError, kind: RecipientKind) -> RecipientError {
    match error {
        EncodingError::Checksum => RecipientError::Checksum,
        EncodingError::Malformed => RecipientError::Malformed(kind),
    }
}

/// `true` if the text holds, anywhere, a private key of age, of an age plugin, or in PEM.
fn is_identity(text: &str) -> bool {
    // Compared in place: a copy in another case would be one more secret to wipe.
    let contains = |part: &str| {
        text.as_bytes().windows(part.len()).any(|window| window.eq_ignore_ascii_case(part.as_bytes()))
    };
    contains("age-secret-key-") || contains("age-plugin-") || contains("private key-----")
}

/// `true` if an error may repeat this name: it follows age's rule for the names of plugins, and is short.
fn is_plugin_name(name: &str) -> bool {
    let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.' | b'_');
    (1..=32).contains(&name.len()) && name.bytes().all(fits)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::Recipient;
    use crate::keys::tests::{
        SSH, SSH_RECIPIENT, X25519_RECIPIENT, from_hex, hybrid, hybrid_recipient, tagged_recipients,
    };

    fn error(text: &str) -> RecipientError {
        text.parse::<Recipient>().unwrap_err()
    }

    #[test]
    fn a_private_key_is_recognised_wherever_it_stands() {
        for text in [
            hybrid(),
            &hybrid().to_lowercase(),
            &format!("# created: yesterday\n{}", hybrid()),
            "AGE-SECRET-KEY-1",
            "AGE-PLUGIN-YUBIKEY-1QQPQ5",
            SSH,
            "-----BEGIN RSA PRIVATE KEY-----\nMIIE",
            "-----BEGIN PRIVATE KEY-----",
        ] {
            assert_eq!(error(text), RecipientError::Identity);
        }
    }

    #[test]
    fn no_error_repeats_what_it_was_given() {
        for text in [
            "AGE-SECRET-KEY-1hunter2",
            "hunter2",
            "age1hunter2",
            "age1pq1hunter2",
            "ssh-ed25519 hunter2",
            "ssh-rsa hunter2",
            "age1yubikey1hunter2",
            "age1\u{1b}[31mhunter21hunter2",
        ] {
            let error = error(text);
            assert!(!format!("{error} {error:?}").contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn other_kinds_are_refused_by_name() {
        assert_eq!(error(" \n"), RecipientError::Empty);
        assert_eq!(error("-----BEGIN CERTIFICATE-----\nMIIE"), RecipientError::Certificate);
        for (text, name) in [
            ("age1yubikey1q2w7u3vpya839jxxuq8g0sedh3d740d4xvn639sqhr95ejj8vu3hyfumptt", "yubikey"),
            ("AGE1SE1QT8LW0UAL6AVLWMWATK888YQNMDAMM7XFD0", "se"),
        ] {
            assert_eq!(error(text), RecipientError::Plugin(name.to_owned()));
        }
        for algorithm in ["ssh-rsa", "ecdsa-sha2-nistp256", "sk-ssh-ed25519@openssh.com"] {
            assert_eq!(error(&format!("{algorithm} AAAA me")), RecipientError::UnsupportedSsh(algorithm));
        }
        let message = error("ssh-rsa AAAA").to_string();
        assert_eq!(
            message,
            "ssh-rsa recipient is not supported (accepted: age1pq1…, age1tagpq1…, age1…, ssh-ed25519)"
        );
    }

    #[test]
    fn text_of_no_kind_is_unknown() {
        let long_plugin = format!("age1{}1qq", "x".repeat(33));
        for text in ["hunter2", "age", "agé1", "github:torvalds", "age1a b1c", "age11", &long_plugin] {
            assert_eq!(error(text), RecipientError::Unknown, "{text}");
        }
    }

    #[test]
    fn a_mistyped_recipient_has_a_wrong_checksum() {
        let [tagged_hybrid, tagged] = tagged_recipients();
        for good in [X25519_RECIPIENT, hybrid_recipient(), tagged_hybrid, tagged] {
            assert_eq!(error(&good[..good.len() - 1]), RecipientError::Checksum);
            let last = if good.ends_with('q') { "p" } else { "q" };
            assert_eq!(error(&format!("{}{last}", &good[..good.len() - 1])), RecipientError::Checksum);
        }
    }

    #[test]
    fn a_key_of_the_wrong_length_is_malformed() {
        let x25519 = encoding::encode(X25519_HRP, &[9; 31]);
        let hybrid = encoding::encode(Hrp::parse_unchecked("age1pq"), &[9; 32]);
        assert_eq!(error(&x25519), RecipientError::Malformed(RecipientKind::X25519));
        assert_eq!(error(&hybrid), RecipientError::Malformed(RecipientKind::Hybrid));
        let tagged = encoding::encode(Hrp::parse_unchecked("age1tagpq"), &[9; 32]);
        assert_eq!(error(&tagged), RecipientError::Malformed(RecipientKind::TaggedHybrid));
        assert_eq!(error("age1tag1hello"), RecipientError::Malformed(RecipientKind::Tagged));
        assert_eq!(error("age1 hello"), RecipientError::Malformed(RecipientKind::X25519));
    }

    #[test]
    fn a_point_that_everybody_can_open_is_malformed() {
        let order_8 = from_hex("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800");
        for point in [&[0; 32][..], &order_8] {
            let text = encoding::encode(X25519_HRP, point);
            assert_eq!(error(&text), RecipientError::Malformed(RecipientKind::X25519));
        }
        // The neutral element of edwards25519, y = 1.
        let neutral = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAEAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
        assert_eq!(error(neutral), RecipientError::Malformed(RecipientKind::SshEd25519));
    }

    #[test]
    fn an_ssh_key_is_one_line_and_nothing_less() {
        let key = SSH_RECIPIENT.split(' ').nth(1).unwrap();
        for text in [
            "ssh-ed25519",
            "ssh-ed25519 AAAA",
            &format!("ssh-ed25519 {}", &key[..67]),
            &format!("ssh-ed25519 {key}AAAA"),
            &format!("ssh-ed25519 {key}=="),
            &format!("{SSH_RECIPIENT}{SSH_RECIPIENT}"),
            "ssh-ed25519 AAAAB3NzaC1yc2EAAAADAQABAAABAQDE7nIXTGNuaRBN9toI/wNALuQec8mvlt0iJ7o3OaD2",
        ] {
            assert_eq!(error(text), RecipientError::Malformed(RecipientKind::SshEd25519), "{text}");
        }
        assert_eq!(error(&format!("restrict {SSH_RECIPIENT}")), RecipientError::Unknown);
    }
}

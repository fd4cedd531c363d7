//! Namespaces, object names and item names, validated before anything else uses them.
//!
//! These are the three kinds of name that are sealed in, or become part of a URL or, in host mode, of a file path.
//! They come from Git, so they are hostile until parsed.
//!
//! Invariant: a value of these types is safe as one path component and as one URL segment: not empty,
//! bounded, no separator, no control character, never `.` and never starting with `..`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The kind of a name; the subject of a [`NameError`]'s message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameKind {
    /// A namespace: DNS label (RFC 1123), at most 63 bytes.
    Namespace,
    /// An object's name: DNS subdomain (RFC 1123), at most 253 bytes.
    Name,
    /// A key of a Secret's `data`: `[-._a-zA-Z0-9]{1,253}`, not `.`, no leading `..`.
    Item,
}

/// A name that isn't valid, and the rule that it breaks. `Display` is for messages: it escapes and cuts the name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{kind} \"{}\" {rule}", seal_foreign::word(name))]
pub struct NameError {
    /// The kind that the name should have.
    pub kind: NameKind,
    /// The name itself, unescaped, cut to 253 characters.
    pub name: String,
    /// The rule, as the rest of a sentence about the name.
    pub rule: &'static str,
}

impl fmt::Display for NameKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Namespace => "namespace",
            Self::Name => "name",
            Self::Item => "item name",
        })
    }
}

const LABEL_RULE: &str =
    "is not a DNS label (1 to 63 of a-z, 0-9 and '-', beginning and ending with a letter or digit)";
const SUBDOMAIN_RULE: &str = "is not a DNS subdomain (1 to 253 of a-z, 0-9, '-' and '.', each part beginning and ending with a letter or digit)";
const ITEM_RULE: &str =
    "is not a Secret key (1 to 253 of a-z, A-Z, 0-9, '-', '_' and '.'; not \".\", no leading \"..\")";

/// RFC 1123 label: Kubernetes' `IsDNS1123Label`.
pub(crate) fn is_dns_label(s: &str) -> bool {
    let alnum = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let bytes = s.as_bytes();
    (1..=63).contains(&bytes.len())
        && bytes.iter().all(|&b| alnum(b) || b == b'-')
        && alnum(bytes[0])
        && alnum(bytes[bytes.len() - 1])
}

/// RFC 1123 subdomain: Kubernetes' `IsDNS1123Subdomain`. Unlike DNS itself, a part may be longer than 63
/// bytes; the apiserver allows it, so such objects exist.
pub(crate) fn is_dns_subdomain(s: &str) -> bool {
    let alnum = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let part_ok = |part: &str| {
        let bytes = part.as_bytes();
        !bytes.is_empty()
            && bytes.iter().all(|&b| alnum(b) || b == b'-')
            && alnum(bytes[0])
            && alnum(bytes[bytes.len() - 1])
    };
    (1..=253).contains(&s.len()) && s.split('.').all(part_ok)
}

/// Kubernetes' `IsConfigMapKey`, the rule for keys of a Secret's `data`.
fn is_item_name(s: &str) -> bool {
    (1..=253).contains(&s.len())
        && s.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
        && s != "."
        && !s.starts_with("..")
}

macro_rules! name_type {
    ($(#[$doc:meta])* $type:ident, $kind:expr, $check:path, $rule:expr) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $type(String);

        impl $type {
            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $type {
            type Err = NameError;

            fn from_str(s: &str) -> Result<Self, NameError> {
                Self::try_from(s.to_owned())
            }
        }

        impl TryFrom<String> for $type {
            type Error = NameError;

            fn try_from(s: String) -> Result<Self, NameError> {
                if $check(&s) {
                    Ok(Self(s))
                } else {
                    Err(NameError { kind: $kind, name: s.chars().take(253).collect(), rule: $rule })
                }
            }
        }

        impl From<$type> for String {
            fn from(name: $type) -> Self {
                name.0
            }
        }

        impl AsRef<str> for $type {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

name_type!(
    /// A namespace: a DNS label.
    Namespace,
    NameKind::Namespace,
    is_dns_label,
    LABEL_RULE
);
name_type!(
    /// The name of a SealedSecret and of its Secret: a DNS subdomain.
    Name,
    NameKind::Name,
    is_dns_subdomain,
    SUBDOMAIN_RULE
);
name_type!(
    /// The name of an item: a key of `encryptedData` and of the Secret's `data`.
    ItemName,
    NameKind::Item,
    is_item_name,
    ITEM_RULE
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_kubernetes_takes_are_taken() {
        for ok in ["a", "prod", "a-1", &"a".repeat(63)] {
            assert!(ok.parse::<Namespace>().is_ok(), "{ok}");
        }
        for ok in ["db", "db.internal", "0", &"a".repeat(253)] {
            assert!(ok.parse::<Name>().is_ok(), "{ok}");
        }
        for ok in ["tls.crt", ".dockerconfigjson", "on", "null", "A_b-c", "a..b", &"x".repeat(253)] {
            assert!(ok.parse::<ItemName>().is_ok(), "{ok}");
        }
    }

    #[test]
    fn names_that_could_leave_their_directory_are_refused() {
        for bad in ["", ".", "..", "..data", "../x", "a/b", "/etc", "a\\b", "a\0b", "ünï", &"x".repeat(254)]
        {
            assert!(bad.parse::<ItemName>().is_err(), "{bad:?}");
            assert!(bad.parse::<Name>().is_err(), "{bad:?}");
            assert!(bad.parse::<Namespace>().is_err(), "{bad:?}");
        }
        for bad in ["Prod", "a.b", "-a", "a-", "a_b", &"a".repeat(64)] {
            assert!(bad.parse::<Namespace>().is_err(), "{bad:?}");
        }
        for bad in ["a..b", ".a", "a.", "A", "a_b", "a-.b"] {
            assert!(bad.parse::<Name>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn errors_name_the_rule_and_escape_control_characters() {
        let error = "a\u{1b}[31mb".parse::<Namespace>().unwrap_err().to_string();
        assert!(error.starts_with("namespace \"a\\u{1b}[31mb\" is not a DNS label"), "{error}");
    }
}

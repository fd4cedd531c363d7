//! The meaning of a plain (unquoted) YAML scalar to kubectl.
//!
//! kubectl reads YAML 1.1 with Go's yaml.v2 (sigs.k8s.io/yaml), and turns it
//! into JSON: `on`, `y` and `No` are booleans, `017` and `0o17` are 15, `1_000`
//! is a thousand. A Secret that is sealed has to mean what it would mean if it
//! were applied, so these rules decide, not YAML 1.2's. They were tried against
//! kubectl, value by value; the tests keep that table.
//!
//! yaml.v2's own rules are [`seal_go`]'s; this tells the kinds apart that matter to a Secret, and what may stand
//! without quotes for every other reader too.

use seal_go::yaml::{Resolved, resolve};

/// The kind of value that kubectl makes of a plain scalar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plain {
    Null,
    Bool(bool),
    Number,
    Text,
}

impl Plain {
    /// The word for it in a message: "a boolean".
    pub fn noun(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "a boolean",
            Self::Number => "a number",
            Self::Text => "a string",
        }
    }
}

/// The kind of value that kubectl makes of the plain scalar `text`.
pub fn plain(text: &str) -> Plain {
    match resolve(text) {
        Resolved::Null => Plain::Null,
        Resolved::Bool(value) => Plain::Bool(value),
        Resolved::Int(_) | Resolved::Uint(_) | Resolved::Float(_) => Plain::Number,
        // JSON has no dates, and kubectl keeps the text.
        Resolved::Timestamp | Resolved::Text => Plain::Text,
    }
}

/// The map key kubectl makes of a plain scalar, if it is the text as written.
///
/// `on:` becomes the key `true`, `0x10:` becomes `16`. Where the key would
/// differ from what stands in the file this is `None`, so that no item is
/// sealed under a name that its author can't see.
pub fn plain_key(text: &str) -> Option<&str> {
    let same = match plain(text) {
        Plain::Text => true,
        Plain::Bool(_) => matches!(text, "true" | "false"),
        Plain::Null => false,
        Plain::Number => is_canonical_number(text),
    };
    same.then_some(text)
}

/// Whether `text` may stand unquoted in YAML and reads as that same string in
/// every YAML library, 1.1 or 1.2.
///
/// Stricter than kubectl's reader needs: dates are quoted for the sake of
/// Python and Ruby, sexagesimals for the sake of YAML 1.1.
pub fn is_safe_unquoted(text: &str) -> bool {
    let inside = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'/' | b'+' | b'=' | b'-');
    let Some(&first) = text.as_bytes().first() else {
        return false;
    };
    let starts_like_number = first.is_ascii_digit() || matches!(first, b'.' | b'+' | b'-');
    // A data key id may start with `-`; quotes that come and go by chance are
    // noise, and nothing of that length is taken for a number or a list.
    let is_long_dash = first == b'-' && text.len() >= 40;
    (first.is_ascii_alphanumeric() || matches!(first, b'/' | b'_' | b'.') || is_long_dash)
        && text.bytes().all(inside)
        && plain(text) == Plain::Text
        && !(starts_like_number && (is_huge_number(text) || looks_numeric(text)))
}

/// A number that is too large for yaml.v2, which reads a text; other readers may not.
fn is_huge_number(text: &str) -> bool {
    let is_hex = |digits: &str| digits.bytes().all(|b| b.is_ascii_hexdigit());
    text.parse::<f64>().is_ok() || text.strip_prefix("0x").is_some_and(is_hex)
}

fn looks_numeric(text: &str) -> bool {
    text.len() < 40
        && text.bytes().all(|b| {
            b.is_ascii_hexdigit()
                || matches!(b, b'_' | b'.' | b'+' | b'-' | b'x' | b'o' | b':' | b'T' | b'Z' | b'i' | b'n')
        })
}

/// A number that Go prints exactly as it was written.
fn is_canonical_number(text: &str) -> bool {
    let digits = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
    let no_leading_zero = |s: &str| s == "0" || !s.starts_with('0');
    match text.split_once('.') {
        // 18 digits always fit an int64.
        None => digits(text) && no_leading_zero(text) && text.len() <= 18,
        // Six significant digits always survive the float32 the keys pass through.
        Some((whole, fraction)) => {
            digits(whole)
                && no_leading_zero(whole)
                && digits(fraction)
                && !fraction.ends_with('0')
                && (whole != "0" || !fraction.starts_with("000"))
                && text.len() <= 7
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each line was run through `kubectl annotate --local -f - -o json`.
    #[test]
    fn plain_scalars_mean_what_they_mean_to_kubectl() {
        let numbers = "1 0x10 0o17 017 0b11 1_000 1. .5 1e3 +1 -1 0_ 1__0 0.0 08 09.5 12e03 .inf -.inf .nan";
        for text in numbers.split(' ') {
            assert_eq!(plain(text), Plain::Number, "{text}");
        }
        for text in "1_000.5 .5_0 0b-11 18446744073709551616".split(' ') {
            assert_eq!(plain(text), Plain::Number, "{text}");
        }
        for text in "1e400 0xffffffffffffffffff 2001-01-01T00:00:00,5Z 1:30 2001-01-01 = << 0x 1e _1 tRUE yEs NONE 1.2.3 - + . ..".split(' ') {
            assert_eq!(plain(text), Plain::Text, "{text}");
        }
        for text in "y Y yes Yes YES on On ON true True TRUE".split(' ') {
            assert_eq!(plain(text), Plain::Bool(true), "{text}");
        }
        for text in "n N no No NO off Off OFF false False FALSE".split(' ') {
            assert_eq!(plain(text), Plain::Bool(false), "{text}");
        }
        for text in ["", "~", "null", "Null", "NULL"] {
            assert_eq!(plain(text), Plain::Null, "{text}");
        }
    }

    #[test]
    fn a_key_that_kubectl_would_rename_is_no_key() {
        for text in ["on", "y", "True", "null", "~", "0x10", "017", "1.50", "1e3", "+1", "1_0"] {
            assert_eq!(plain_key(text), None, "{text}");
        }
        for text in ["true", "false", "0", "1", "42", "1.5", "0.25", "tls.crt", "2001-01-01", "1.2.3"] {
            assert_eq!(plain_key(text), Some(text));
        }
    }

    #[test]
    fn whatever_some_yaml_reader_would_convert_is_quoted() {
        let risky =
            "on null ~ 1 1.5 0x1f 017 1_000 2001-01-01 1:30 y n .5 .inf -x +x = << 2026-11-21T10:00:00Z";
        for text in risky.split(' ').chain(["", "a b", "a: b", "#x", "é", "*x", "&x", "!x", "@x", "a\nb"]) {
            assert!(!is_safe_unquoted(text), "{text}");
        }
        for text in ["9".repeat(400), format!("0x{}", "f".repeat(50)), format!("1{}e999", "0".repeat(40))] {
            assert!(!is_safe_unquoted(&text), "{text}");
        }
        assert!(is_safe_unquoted(&format!("-{}.YWdl+/==", "x".repeat(42))));
        for text in
            ["prod", "tls.crt", "kubernetes.io/tls", "YWdl+/==", "_x", "sealing.dev/v1alpha1", "1password"]
        {
            assert!(is_safe_unquoted(text), "{text}");
        }
    }
}

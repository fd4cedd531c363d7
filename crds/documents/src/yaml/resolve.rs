//! What a plain (unquoted) YAML scalar means to kubectl.
//!
//! kubectl reads YAML 1.1 with Go's yaml.v2 (sigs.k8s.io/yaml), and turns it
//! into JSON: `on`, `y` and `No` are booleans, `017` and `0o17` are 15, `1_000`
//! is a thousand. A Secret that is sealed has to mean what it would mean if it
//! were applied, so these rules decide, not YAML 1.2's. They were tried against
//! kubectl, value by value; the tests keep that table.
//!
//! Not a value parser: it tells kinds apart, and never computes a number.

/// What kubectl makes of a plain scalar.
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

/// What kubectl makes of the plain scalar `text`.
pub fn plain(text: &str) -> Plain {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Plain::Null,
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => {
            Plain::Bool(true)
        }
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => {
            Plain::Bool(false)
        }
        _ if is_number(text) => Plain::Number,
        _ => Plain::Text,
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
        && !(starts_like_number && looks_numeric(text))
}

fn looks_numeric(text: &str) -> bool {
    text.len() < 40
        && text.bytes().all(|b| {
            b.is_ascii_hexdigit()
                || matches!(b, b'_' | b'.' | b'+' | b'-' | b'x' | b'o' | b':' | b'T' | b'Z' | b'i' | b'n')
        })
}

fn is_number(text: &str) -> bool {
    let Some(&first) = text.as_bytes().first() else {
        return false;
    };
    if !(first.is_ascii_digit() || matches!(first, b'+' | b'-' | b'.')) {
        return false;
    }
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    if matches!(unsigned, ".inf" | ".Inf" | ".INF") || matches!(text, ".nan" | ".NaN" | ".NAN") {
        return true;
    }
    // yaml.v2 drops every underscore before it tries integers, but not before floats.
    let digits: String = unsigned.chars().filter(|c| *c != '_').collect();
    is_integer(&digits) || is_float(unsigned)
}

/// `strconv.ParseInt(s, 0, 64)` without the range: `12`, `0x1F`, `0o17`, `017`, `0b11`.
fn is_integer(digits: &str) -> bool {
    let all = |s: &str, ok: fn(&u8) -> bool| !s.is_empty() && s.as_bytes().iter().all(ok);
    let lower = digits.to_ascii_lowercase();
    if let Some(hex) = lower.strip_prefix("0x") {
        all(hex, u8::is_ascii_hexdigit)
    } else if let Some(octal) = lower.strip_prefix("0o") {
        all(octal, |b| matches!(b, b'0'..=b'7'))
    } else if let Some(binary) = lower.strip_prefix("0b") {
        all(binary, |b| matches!(b, b'0' | b'1'))
    } else {
        // `08` is no octal integer, but it is a float to yaml.v2: a number either way.
        all(&lower, u8::is_ascii_digit)
    }
}

/// `(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?`
fn is_float(unsigned: &str) -> bool {
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (unsigned, None),
    };
    let digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
    let mantissa_ok = match mantissa.split_once('.') {
        Some(("", fraction)) => !fraction.is_empty() && digits(fraction),
        Some((whole, fraction)) => digits(whole) && digits(fraction),
        None => !mantissa.is_empty() && digits(mantissa),
    };
    let exponent_ok = exponent.is_none_or(|e| {
        let e = e.strip_prefix(['+', '-']).unwrap_or(e);
        !e.is_empty() && digits(e)
    });
    mantissa_ok && exponent_ok
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
        for text in "1:30 2001-01-01 = << 0x 1e _1 tRUE yEs NONE 1.2.3 - + . ..".split(' ') {
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
        assert!(is_safe_unquoted(&format!("-{}.YWdl+/==", "x".repeat(42))));
        for text in
            ["prod", "tls.crt", "kubernetes.io/tls", "YWdl+/==", "_x", "sealing.dev/v1alpha1", "1password"]
        {
            assert!(is_safe_unquoted(text), "{text}");
        }
    }
}

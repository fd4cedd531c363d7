//! Values that look unfinished: a placeholder that was not filled in, a value that SOPS encrypted.
//!
//! The look is a guess, and so no error: such text can be a password, or a template that its reader fills in. A warning
//! names the item and its place alone. It tells a reader of the log that the value has this look, and no part of a
//! real value.

/// The look of a value that isn't meant to be sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// `{{ .Values.password }}`, `${PASSWORD}`
    Unrendered,
    /// `ENC[AES256_GCM,data:…]`
    Sops,
}

impl Look {
    /// The look of a value, if it has one.
    ///
    /// A file of many lines has none: configurations have such marks for their final reader
    /// (Alertmanager, Grafana, Fluent Bit).
    pub fn of(value: &[u8]) -> Option<Self> {
        let text = value.trim_ascii();
        if text.contains(&b'\n') {
            return None;
        }
        if text.starts_with(b"ENC[AES256_GCM,") && text.ends_with(b"]") {
            return Some(Self::Sops);
        }
        (has_braces(text) || has_variable(text)).then_some(Self::Unrendered)
    }
}

impl std::fmt::Display for Look {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Unrendered => "looks like a placeholder that wasn't filled in ({{ … }} or ${…})",
            Self::Sops => "looks as SOPS left it; decrypt it first: sops -d FILE | seal …",
        })
    }
}

/// `{{ … }}` with something in it.
fn has_braces(text: &[u8]) -> bool {
    let open = position(text, b"{{");
    open.is_some_and(|open| position(&text[open + 2..], b"}}").is_some_and(|length| length > 0))
}

/// `${NAME}`, also with a default: `${NAME:-x}`.
fn has_variable(text: &[u8]) -> bool {
    let Some(last_brace) = text.iter().rposition(|b| *b == b'}') else { return false };
    let mut rest = &text[..=last_brace];
    while let Some(open) = position(rest, b"${") {
        rest = &rest[open + 2..];
        let name = rest.iter().take_while(|b| b.is_ascii_alphanumeric() || **b == b'_').count();
        let is_name = name > 0 && !rest[0].is_ascii_digit();
        if is_name && matches!(rest.get(name), Some(b'}' | b':' | b'-' | b'=')) {
            return true;
        }
    }
    false
}

fn position(text: &[u8], part: &[u8]) -> Option<usize> {
    text.windows(part.len()).position(|window| window == part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_tool_would_have_filled_in_is_told_from_a_password() {
        for text in [
            "{{ .Values.db.password }}",
            "{{password}}",
            "${PASSWORD}",
            " ${PASSWORD:-none} \n",
            "postgres://app:${PASSWORD}@db/app",
            "$${x} ${Y}",
        ] {
            assert_eq!(Look::of(text.as_bytes()), Some(Look::Unrendered), "{text}");
        }
        assert_eq!(Look::of(b"ENC[AES256_GCM,data:abc=,iv:x,tag:y,type:str]\n"), Some(Look::Sops));
        for text in [
            "",
            "hunter2",
            "{\"a\": {\"b\": 1}}",
            "{{}}",
            "}}{{",
            "${",
            "$PASSWORD",
            "a${1}b",
            "x${y z}",
            "${}",
            "$(password)",
            "receivers:\n- text: '{{ .CommonLabels }}'\n",
            "[AES256_GCM]",
        ] {
            assert_eq!(Look::of(text.as_bytes()), None, "{text}");
        }
    }

    /// Marks that open and never close cost no more than their length; each by itself to the end takes minutes.
    #[test]
    fn a_hostile_value_is_looked_at_once() {
        let look = |text: &str| assert_eq!(Look::of(text.as_bytes()), None);
        crate::cost::is_linear("variables", 50_000, |n| "${a ".repeat(n / 4), look);
        crate::cost::is_linear("one end", 50_000, |n| "${a ".repeat(n / 4) + "}", look);
        crate::cost::is_linear("braces", 50_000, |n| "{{ ".repeat(n / 3), look);
    }
}

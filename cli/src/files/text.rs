//! What text the bytes of a file are to kubectl, and whether it may have a Secret in it that can't be read here.
//!
//! Commands that look at a repository of others ask this before they parse: what they pass over, nobody sees. Invariant: a
//! text that could be a Secret or a SealedSecret to kubectl may be one here, however its type is written.

use seal_documents::yaml::SEPARATORS;
use zeroize::Zeroizing;

/// Signs of a type that isn't written as it reads: an escape, a tag, a directive that changes tags. They are looked for in
/// YAML and JSON alike, because each may be the other by its name.
pub(crate) const DISGUISES: [&str; 8] =
    ["\\x", "\\u00", "\\U00", "\\\n", "\\\r", "!!", "%TAG", "tag:yaml.org"];

/// How the bytes of a file are text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encoding {
    Utf8,
    /// With a mark at its start, as PowerShell's `>` writes it. kubectl reads it.
    Utf16,
    /// Some bytes are no text.
    Other,
}

/// The bytes of a file in UTF-8, and how they were text. Bytes that are no text are as they were.
pub(crate) fn decoded(bytes: Vec<u8>) -> (Vec<u8>, Encoding) {
    let unit = match bytes.get(..2) {
        Some([0xff, 0xfe]) => u16::from_le_bytes,
        Some([0xfe, 0xff]) => u16::from_be_bytes,
        _ => {
            let encoding = if std::str::from_utf8(&bytes).is_ok() { Encoding::Utf8 } else { Encoding::Other };
            return (bytes, encoding);
        }
    };
    let bytes = Zeroizing::new(bytes);
    // No unit takes more than three bytes, so that no text is left behind by growing.
    let mut text = String::with_capacity(bytes.len() / 2 * 3);
    let units = bytes[2..].chunks_exact(2).map(|pair| unit([pair[0], pair[1]]));
    text.extend(char::decode_utf16(units).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)));
    (text.into_bytes(), Encoding::Utf16)
}

/// Bytes as text, with U+FFFD for those that are none.
pub(crate) fn lossy(bytes: Vec<u8>) -> Zeroizing<String> {
    Zeroizing::new(match String::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => String::from_utf8_lossy(&Zeroizing::new(error.into_bytes())).into_owned(),
    })
}

/// Whether a text that can't be read may be a Secret or a SealedSecret to another reader.
///
/// Between `kind` and its word may stand comments, anchors, line ends and marks of a block, and the word may come from an
/// alias. So any word is enough that is the name of the kind, outside of lines that are comments.
pub(crate) fn names_a_secret(text: &str) -> bool {
    let has = |words: &[&str]| words.iter().any(|word| text.contains(word));
    if has(&DISGUISES) && has(&["kind", "apiVersion", "stringData"]) {
        return true;
    }
    let is_comment = |line: &str| line.trim_start().starts_with('#');
    // As in YAML 1.1, which kubectl reads.
    let is_line_end = |c: char| matches!(c, '\n' | '\r') || SEPARATORS.contains(&c);
    text.contains("kind") && text.split(is_line_end).filter(|line| !is_comment(line)).any(has_kind)
}

/// Whether a line has the name of one of the kinds, as a word of its own.
fn has_kind(line: &str) -> bool {
    line.match_indices("Secret").any(|(at, word)| {
        let after = &line[at + word.len()..];
        let after = after.strip_prefix("List").unwrap_or(after);
        let before = line[..at].strip_suffix("Sealed").unwrap_or(&line[..at]);
        !before.ends_with(char::is_alphanumeric) && !after.starts_with(char::is_alphanumeric)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_named_however_its_kind_is_written() {
        for text in [
            "kind: Secret",
            "\"kind\" : \"SealedSecret\"",
            "kind: SecretList\n",
            "'kind':Secret",
            "kind: \"\\x53ecret\"",
            "kind: !!binary U2VjcmV0",
            "kind:\n  Secret",
            "kind: # of what\n  Secret",
            "kind: &k Secret",
            "kind: >-\n  Secret",
            "x: &k Secret\nkind: *k",
            "? kind\n: Secret",
            "# a comment\u{2028}kind:\u{85}Secret",
        ] {
            assert!(names_a_secret(text), "{text}");
        }
        for text in [
            "kind: SecretStore",
            "kind: ExternalSecret",
            "kind: X\nsecretName: x",
            "kind: X\n  # Secret",
            "a: Secret",
        ] {
            assert!(!names_a_secret(text), "{text}");
        }
    }

    #[test]
    fn a_mark_at_the_start_says_how_the_bytes_are_text() {
        let little: Vec<u8> = "\u{feff}aé".encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert_eq!(decoded(little), ("aé".as_bytes().to_vec(), Encoding::Utf16));
        assert_eq!(decoded(b"a".to_vec()), (b"a".to_vec(), Encoding::Utf8));
        assert_eq!(decoded(b"\xe9".to_vec()), (b"\xe9".to_vec(), Encoding::Other));
        assert_eq!(*lossy(b"\xe9".to_vec()), "\u{fffd}");
    }
}

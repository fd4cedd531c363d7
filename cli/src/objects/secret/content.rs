//! Doubts about the values of a Secret, found while the author is still there to mend them.
//!
//! kube-apiserver takes all of these values ([`super::check`] refuses those that it doesn't take), so a doubt is a
//! warning and no error: each of them may be meant. Each says what to do. `seal`, `seal create` and `seal set` ask here, in
//! one call, before they seal.
//!
//! Invariant: a doubt names an item and a look, and never shows any part of a value. It does tell a reader of the log
//! that a value has this look, as the warning about a placeholder does.

mod docker;
mod tls;

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use seal_crds::{ItemName, Plaintext};
use seal_documents::manifest::Look;
use zeroize::Zeroizing;

/// One doubt about one item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Doubt {
    pub(crate) item: ItemName,
    /// A whole sentence that names the item.
    pub(crate) words: String,
}

/// The items that are about to be sealed, all of a Secret or some.
pub(crate) type Items = BTreeMap<ItemName, Plaintext>;

/// All doubts about these items of a Secret, in the order of the items.
pub(crate) fn doubts(items: &Items) -> Vec<Doubt> {
    doubts_at(items, u64::try_from(jiff::Timestamp::now().as_second()).unwrap_or_default())
}

/// As [`doubts`], at a time in seconds since 1970.
fn doubts_at(items: &Items, now: u64) -> Vec<Doubt> {
    let mut doubts = Vec::new();
    for (item, value) in items {
        let of_one = [look(value), line_break(item, value), encoded_twice(value)];
        doubts.extend(of_one.into_iter().flatten().map(|words| Doubt::new(item, &words)));
    }
    doubts.extend(docker::doubts(items));
    doubts.extend(tls::doubts(items, now));
    doubts.sort_by(|one, other| one.item.cmp(&other.item));
    doubts
}

impl Doubt {
    /// `words` are the rest of a sentence about the item.
    fn new(item: &ItemName, words: &str) -> Self {
        Self { item: item.clone(), words: format!("item {item} {words}") }
    }
}

/// An item by its name.
fn find<'i>(items: &'i Items, name: &str) -> Option<(&'i ItemName, &'i Plaintext)> {
    items.iter().find(|(item, _)| item.as_str() == name)
}

fn look(value: &Plaintext) -> Option<String> {
    Look::of(value.expose()).map(|look| look.to_string())
}

/// A line break at the end of a single line: `echo` and editors put it there, and a password with it is another one.
/// In a file of its own (the item's name has a dot), and in text of several lines, it belongs there.
fn line_break(item: &ItemName, value: &Plaintext) -> Option<String> {
    let line = value.expose().strip_suffix(b"\n")?;
    let is_one_line = !line.is_empty() && !line.contains(&b'\n');
    (is_one_line && !item.as_str().contains('.')).then(|| {
        "ends with a line break, which is then part of the value; without it: --chomp, printf %s in place of echo, |- \
         in place of | in YAML"
            .to_owned()
    })
}

/// A value that is base64 of printable text was most likely encoded once more than needed.
fn encoded_twice(value: &Plaintext) -> Option<String> {
    /// Shorter texts are base64 of printable text by chance too often: of random ones with 12 characters, 1 in 7000.
    const SHORTEST: usize = 12;
    /// Longer values are looked at by their start alone.
    const LONGEST: usize = 4096;
    // Tools wrap base64 in lines.
    let text = || value.expose().iter().filter(|byte| !byte.is_ascii_whitespace());
    let length = text().count();
    if length < SHORTEST || !length.is_multiple_of(4) {
        return None;
    }
    let mut start = Zeroizing::new(Vec::with_capacity(LONGEST));
    start.extend(text().take(LONGEST));
    let mut decoded = Zeroizing::new(vec![0; base64::decoded_len_estimate(start.len())]);
    let length = BASE64.decode_slice(&*start, &mut decoded).ok()?;
    let is_printable = |byte: &u8| byte.is_ascii_graphic() || matches!(byte, b' ' | b'\t' | b'\n' | b'\r');
    decoded[..length].iter().all(is_printable).then(|| {
        "is base64 of readable text even after it was decoded; encoded twice? Under data it is encoded once, under \
         stringData not at all"
            .to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn words(items: &[(&str, &str)], now: u64) -> Vec<String> {
        let items = items
            .iter()
            .map(|(item, value)| (item.parse().unwrap(), Plaintext::from(value.as_bytes().to_vec())));
        doubts_at(&items.collect(), now).into_iter().map(|doubt| doubt.words).collect()
    }

    fn of(item: &str, value: &str) -> Vec<String> {
        words(&[(item, value)], 0)
    }

    #[test]
    fn a_line_break_after_a_password_is_doubted_and_one_after_a_file_is_not() {
        for value in ["hunter2\n", "hunter2\r\n"] {
            let said = of("password", value);
            assert!(
                said.len() == 1 && said[0].starts_with("item password ends with a line break"),
                "{said:?}"
            );
        }
        for (item, value) in
            [("password", "hunter2"), ("password", "a\nb\n"), ("password", "\n"), ("a.conf", "x\n")]
        {
            assert!(of(item, value).is_empty(), "{value:?}");
        }
    }

    #[test]
    fn base64_of_text_is_doubted_and_a_token_is_not() {
        for value in
            ["aHVudGVyMi1odW50ZXIy", "aHVudGVyMi1odW50ZXIy\n", "LS0tLS1CRUdJTiBQUklWQVRFIEtFWS0tLS0t"]
        {
            assert!(of("a.x", value)[0].contains("encoded twice?"), "{value}");
        }
        for value in [
            "password",
            "correcthorse",
            "hunter2hunter2hu",
            "c2hvcnQ=",
            "3q2+7w8BAgMEBQYH",
            "aHVudGVyMi1odW50ZXIy!",
        ] {
            assert!(of("a.x", value).is_empty(), "{value}");
        }
    }

    #[test]
    fn the_look_of_a_value_is_a_doubt_too_and_no_doubt_shows_a_value() {
        let said = words(&[("b", "{{ .Values.hunter2 }}"), ("a", "hunter2\n")], 0);
        assert!(
            said[0].starts_with("item a ends") && said[1].contains("looks like a placeholder"),
            "{said:?}"
        );
        assert!(said.iter().all(|words| !words.contains("hunter2")), "{said:?}");
    }
}

//! Replaces everything that differs from run to run by a word for it: ciphertext (of both formats), ids of data
//! keys, new keys, times, the present day, paths.
//!
//! Equal values stay recognisable as equal: data keys are numbered in order of appearance, so a case shows which
//! items share one. The length of an item's ciphertext stays, since padding makes it a promise. Invariant: only
//! text of exactly the expected form is replaced; anything else shows in the case.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD as BASE64, URL_SAFE_NO_PAD as BASE64URL};

/// Bytes of a ciphertext of an RSA key of 2048 bits. Two bytes before it say its length, and a tag of 16 bytes
/// comes last.
const RSA: usize = 256;
/// Characters of 32 bytes in base64url.
const KEY_ID: usize = 43;
/// Characters of the Bech32 payload of a post-quantum recipient (1,216 bytes), and of an identity (32 bytes).
const RECIPIENT: usize = 1_952;
const IDENTITY: usize = 58;

/// The text, with everything random replaced.
pub(crate) fn redact(text: &str, dir: &Path) -> String {
    let text = text.replace(&dir.display().to_string(), "<dir>");
    let mut keys: Vec<&str> = Vec::new();
    let mut out = String::new();
    let mut rest = text.as_str();
    while !rest.is_empty() {
        let word = &rest[..rest.find(|c| !is_word(c)).unwrap_or(rest.len())];
        if word.is_empty() {
            let c = rest.chars().next().expect("it isn't empty");
            out.push(c);
            rest = &rest[c.len_utf8()..];
            continue;
        }
        out.push_str(&replacement(word, &mut keys).unwrap_or_else(|| word.to_owned()));
        rest = &rest[word.len()..];
    }
    out
}

/// The letters of base64, base64url and Bech32, and the dot between a data key's id and a ciphertext.
fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || "-_+/=.:".contains(c)
}

fn replacement<'t>(word: &'t str, keys: &mut Vec<&'t str>) -> Option<String> {
    let mut name = |id: &'t str| {
        let index = keys.iter().position(|known| *known == id).unwrap_or_else(|| {
            keys.push(id);
            keys.len() - 1
        });
        format!("<data key {}>", index + 1)
    };
    if let Some((id, ciphertext)) = word.split_once('.').filter(|(id, _)| is_key_id(id)) {
        let bytes = BASE64.decode(ciphertext).ok()?;
        return Some(format!("{}.<{} bytes>", name(id), bytes.len()));
    }
    if is_key_id(word) {
        return Some(name(word));
    }
    if BASE64.decode(word).is_ok_and(|bytes| bytes.starts_with(b"age-encryption.org/v1\n")) {
        return Some("<age file>".to_owned());
    }
    if BASE64.decode(word).is_ok_and(|bytes| bytes.len() >= 2 + RSA + 16 && bytes[..2] == [1, 0]) {
        let bytes = BASE64.decode(word).map_or(0, |bytes| bytes.len() - 2 - RSA);
        return Some(format!("<{bytes} bytes for a certificate>"));
    }
    if word.strip_prefix("age1pq1").is_some_and(|key| key.len() == RECIPIENT) {
        return Some("<recipient>".to_owned());
    }
    if word.strip_prefix("AGE-SECRET-KEY-PQ-1").is_some_and(|key| key.len() == IDENTITY) {
        return Some("<identity>".to_owned());
    }
    if is_today(word) {
        return Some("<today>".to_owned());
    }
    is_time(word).then(|| "<time>".to_owned())
}

/// Whether the word is the present day in UTC, or the one before: midnight may come between a run and this look.
fn is_today(word: &str) -> bool {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    [0, 1].iter().any(|ago| day(seconds / 86_400 - ago) == word)
}

/// The date of a day after 1970-01-01.
fn day(since_1970: u64) -> String {
    let is_leap =
        |year: u64| year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let (mut year, mut left) = (1970, since_1970);
    while left >= 365 + u64::from(is_leap(year)) {
        left -= 365 + u64::from(is_leap(year));
        year += 1;
    }
    let months = [31, 28 + u64::from(is_leap(year)), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let mut month = 1;
    for days in months {
        if left < days {
            break;
        }
        left -= days;
        month += 1;
    }
    format!("{year}-{month:02}-{:02}", left + 1)
}

fn is_key_id(word: &str) -> bool {
    word.len() == KEY_ID && BASE64URL.decode(word).is_ok_and(|bytes| bytes.len() == 32)
}

/// Whether the word is a time, such as `2026-11-21T12:00:00Z`.
fn is_time(word: &str) -> bool {
    let form = |c: char| if c.is_ascii_digit() { '0' } else { c };
    word.chars().map(form).collect::<String>() == "0000-00-00T00:00:00Z"
}

#[test]
fn only_what_has_the_form_of_something_random_is_replaced() {
    let dir = Path::new("/tmp/somewhere");
    let (one, two) = (BASE64URL.encode([1; 32]), BASE64URL.encode([2; 32]));
    let text = format!("a: {two}.{}\nb: {one}\nkeys: [{two}]\n", BASE64.encode([0; 104]));
    let redacted = "a: <data key 1>.<104 bytes>\nb: <data key 2>\nkeys: [<data key 1>]\n";
    assert_eq!(redact(&text, dir), redacted);
    assert_eq!(redact("at 2026-11-21T12:00:00Z in /tmp/somewhere/x", dir), "at <time> in <dir>/x");
    let sealed = [&[1, 0][..], &[7; 256 + 20]].concat();
    assert_eq!(redact(&BASE64.encode(sealed), dir), "<20 bytes for a certificate>");
    assert_eq!(redact(&BASE64.encode("age-encryption.org/v1\n-> x"), dir), "<age file>");
    for same in [&one[..42], "AGE-SECRET-KEY-PQ-1AAAA", "age1pq1qqq", "host/…", "ZAwA"] {
        assert_eq!(redact(same, dir), same);
    }
    for (since_1970, expected) in [(0, "1970-01-01"), (11_016, "2000-02-29"), (20_819, "2027-01-01")] {
        assert_eq!(day(since_1970), expected);
    }
}

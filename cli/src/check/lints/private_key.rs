//! Private keys in the clear, in any text file: identities of age, and the saved keys of a cluster.
//!
//! This is no scanner for secrets: it knows the keys that open what `seal` and sealed-secrets seal, and nothing else. The
//! checksum of an identity decides, so a word in a documentation that only looks like one is no finding; a key behind a
//! passphrase, in an age file or under SOPS is none either.
//!
//! Invariant: no part of a key is in a message, and what is decoded on the way is wiped.

use std::collections::BTreeMap;

use seal_crds::keys::{Identity, RsaPrivateKey};
use seal_crds::resources::{SEALING_KEY_LABEL, bitnami};
use zeroize::Zeroizing;

use crate::check::finding::Finding;
use crate::check::lint::Lint;

/// The start of every identity of age; both cases are identities.
const IDENTITY: [&str; 2] = ["AGE-SECRET-KEY-", "age-secret-key-"];

/// The same in base64, by how many bytes of a group of three stand before it: a file of `age-keygen` begins with comments.
/// Only characters that no neighbour changes are here. They are in two halves, since a line may be broken in one of them.
const ENCODED: [Encoded; 3] = [
    Encoded { before: 0, halves: ["QUdFLVNFQ1", "JFVC1LRVkt"] },
    Encoded { before: 2, halves: ["FHRS1TRUNS", "RVQtS0VZL"] },
    Encoded { before: 3, halves: ["BR0UtU0VDU", "kVULUtFWS"] },
];

/// The start of an identity in base64.
struct Encoded {
    /// Characters of the first group of four that depend on what stands before the identity.
    before: usize,
    halves: [&'static str; 2],
}

/// Texts of which one is in everything that has an identity in base64.
pub(crate) fn encoded_keys() -> impl Iterator<Item = &'static str> {
    ENCODED.iter().flat_map(|encoded| encoded.halves)
}

/// The item of a Secret in which sealed-secrets keeps a private key.
const RSA_ITEM: &str = "tls.key";

/// More characters than any identity has, in base64 too: a hybrid one takes some 80.
const LONGEST: usize = 512;

/// More characters than any RSA key has in base64, with a certificate or a comment before it.
const LONGEST_RSA: usize = 64 * 1024;

/// The most lines over which an identity in base64 goes.
const MOST_LINES: usize = 16;

/// The most keys that are told of one file: more tell nobody anything, and each costs a key operation.
const MOST: usize = 100;

/// The private keys of a text. A finding is of one key: its fingerprint, which is public, stands in the place of an item,
/// so that a baseline that bears with one key bears with no other.
pub(crate) fn private_keys(path: &str, text: &str) -> Vec<Finding> {
    let mut found = Vec::new();
    for start in IDENTITY {
        let keys = text.match_indices(start);
        let keys = keys.filter_map(|(at, _)| Some((at, identity(word_at(text, at, LONGEST))?)));
        let message = "an age identity stands here in the clear";
        found.extend(keys.take(MOST).map(|(at, key)| finding(path, at, message, &key)));
    }
    let what =
        if text.contains(SEALING_KEY_LABEL) { "the saved key of a cluster" } else { "an age identity" };
    let encoded: BTreeMap<usize, String> = ENCODED.iter().flat_map(|start| start.identities(text)).collect();
    let message = format!("{what} stands here in the clear, in base64");
    found.extend(encoded.iter().take(MOST).map(|(at, key)| finding(path, *at, &message, key)));
    let message = "a saved key of sealed-secrets stands here in the clear";
    found.extend(saved_rsa_keys(text).into_iter().map(|(at, key)| finding(path, at, message, &key)));
    found
}

fn finding(path: &str, at: usize, message: &str, key: &str) -> Finding {
    let hint = "treat it as leaked: seal keys revoke, then rotate, and change the values at their source";
    Finding::new(Lint::PrivateKey, path, message).at(at).item(key).hint(hint)
}

/// The fingerprint of an identity; `None` if the text is none.
fn identity(text: &str) -> Option<String> {
    Some(Identity::parse(text).ok()?.fingerprint().to_string())
}

impl Encoded {
    /// The identities of a text that begin so: where each stands, and its fingerprint.
    fn identities(&self, text: &str) -> impl Iterator<Item = (usize, String)> {
        let [first, second] = self.halves;
        let whole = text.match_indices(first).map(|(at, _)| Some(at));
        // The line is broken in the first half.
        let broken = text.match_indices(second).map(|(at, _)| start_of(text, at, first));
        whole.chain(broken).flatten().filter_map(|at| Some((at, self.identity(text, at)?)))
    }

    fn identity(&self, text: &str, at: usize) -> Option<String> {
        // What stands before the identity is nobody's business: any characters do.
        let mut word = Zeroizing::new(String::with_capacity(LONGEST + 8));
        word.push_str(&"A".repeat(self.before));
        // The text goes on behind a line break, or another one begins there.
        let mut ends = Vec::new();
        let mut is_gap = false;
        for byte in text.as_bytes()[at..].iter().take(2 * LONGEST) {
            if is_break(*byte) {
                is_gap = true;
                continue;
            }
            if !is_base64(*byte) || word.len() >= LONGEST {
                break;
            }
            if std::mem::take(&mut is_gap) {
                ends.push(word.len());
            }
            word.push(char::from(*byte));
        }
        ends.push(word.len());
        ends.into_iter().take(MOST_LINES).find_map(|end| self.decode(&word[..end]))
    }

    /// The identity at the start of a text in base64 whose end may be missing.
    fn decode(&self, word: &str) -> Option<String> {
        let groups = word.len() / 4 * 4;
        let mut padded = Zeroizing::new(String::with_capacity(groups + 4));
        padded.push_str(if word.len() % 4 == 1 { &word[..groups] } else { word });
        while !padded.len().is_multiple_of(4) {
            padded.push('=');
        }
        let decoded = match seal_documents::data::decode(&padded) {
            Ok(decoded) => decoded,
            // The last group isn't all of one.
            Err(_) => seal_documents::data::decode(&word[..groups]).ok()?,
        };
        let skipped = self.before.saturating_sub(1);
        let is_part = |byte: &&u8| byte.is_ascii_alphanumeric() || **byte == b'-';
        let bytes = decoded.expose().get(skipped..)?;
        let length = bytes.iter().skip(1).take_while(is_part).count();
        let mut key = Zeroizing::new(String::with_capacity(length + 1));
        // Its bits are mixed with those of the byte before.
        key.push('A');
        key.push_str(std::str::from_utf8(bytes.get(1..=length)?).ok()?);
        identity(&key)
    }
}

/// Where a text begins that ends before `end`, with line breaks in it.
fn start_of(text: &str, end: usize, expected: &str) -> Option<usize> {
    let mut left = expected.bytes().rev().peekable();
    let before = text.as_bytes()[..end].iter().enumerate().rev().take(expected.len() + LONGEST);
    for (at, byte) in before.filter(|(_, byte)| !is_break(**byte)) {
        if left.next() != Some(*byte) {
            return None;
        }
        if left.peek().is_none() {
            return Some(at);
        }
    }
    None
}

fn is_break(byte: u8) -> bool {
    matches!(byte, b'\n' | b'\r' | b' ' | b'\t')
}

fn is_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/')
}

/// The text from `at` to the next character that neither bech32 nor base64 has.
fn word_at(text: &str, at: usize, longest: usize) -> &str {
    let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'+' | b'/' | b'=');
    let length = text.as_bytes()[at..].iter().take(longest).take_while(|byte| is_part(byte)).count();
    &text[at..at + length]
}

/// The private keys of Secrets with the label that sealed-secrets finds its keys by: in base64, or as text. Each with its
/// fingerprint, or with a word for one that can't be read.
fn saved_rsa_keys(text: &str) -> Vec<(usize, String)> {
    if !text.contains(bitnami::SEALING_KEY_LABEL) {
        return Vec::new();
    }
    let mut found = Vec::new();
    for (at, item) in text.match_indices(RSA_ITEM).take(MOST) {
        let gap = |c: char| matches!(c, '"' | '\'' | ':' | ' ');
        let start = text.len() - text[at + item.len()..].trim_start_matches(gap).len();
        let Ok(decoded) = seal_documents::data::decode(word_at(text, start, LONGEST_RSA)) else { continue };
        let decoded = std::str::from_utf8(decoded.expose()).unwrap_or_default();
        if pem_at(decoded).next().is_some() {
            found.push((at, fingerprint_of_pem(decoded)));
        }
    }
    found.extend(pem_at(text).take(MOST).map(|at| (at, "PEM".to_owned())));
    found
}

/// The private keys in PEM that aren't encrypted, by their first bytes.
fn pem_at(text: &str) -> impl Iterator<Item = usize> {
    text.match_indices("-----BEGIN ").map(|(at, _)| at).filter(|at| {
        // A line may be as long as the text; its first characters are enough.
        let start = &text[*at..text.floor_char_boundary((*at + 64).min(text.len()))];
        let line = start.lines().next().unwrap_or_default();
        line.contains("PRIVATE KEY-----") && !line.contains("ENCRYPTED")
    })
}

fn fingerprint_of_pem(text: &str) -> String {
    let keys = RsaPrivateKey::all_from_pem(text).unwrap_or_default();
    keys.first().map_or_else(|| RSA_ITEM.to_owned(), |key| key.fingerprint().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cost;
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD as BASE64;

    fn lines(text: &str) -> Vec<usize> {
        private_keys("f", text)
            .iter()
            .map(|found| text[..found.at.unwrap()].matches('\n').count() + 1)
            .collect()
    }

    #[test]
    fn an_identity_is_found_in_any_text_and_in_base64() {
        let identity = Identity::generate();
        let text = identity.to_secret_string();
        assert_eq!(lines(&format!("# public key: x\n{}\n", *text)), [2]);
        assert_eq!(lines(&format!("run `SEAL_IDENTITY={}` to\nopen it", text.to_lowercase())), [1]);
        let data = BASE64.encode(format!("{}\n", *text));
        assert_eq!(lines(&format!("data:\n  identity: {data}\n")), [2]);
        for found in private_keys("f", &format!("{} {data}", *text)) {
            assert!(!found.message.contains(&text[20..30]));
        }
    }

    #[test]
    fn an_identity_is_found_in_a_whole_file_in_base64_wherever_it_and_the_lines_begin() {
        let identity = Identity::generate();
        let key = identity.to_secret_string();
        let wrapped = |text: &str, width: usize, indent: &str| {
            let lines = text.as_bytes().chunks(width).map(|line| std::str::from_utf8(line).unwrap());
            lines.collect::<Vec<_>>().join(&format!("\n{indent}"))
        };
        for before in 0..6 {
            let encoded = BASE64.encode(format!("# {}\n{}\n", "x".repeat(before), *key));
            assert_eq!(lines(&format!("KEY={encoded}\n")).len(), 1, "{before}");
            for width in [30, 31, 57, 76] {
                let text = format!("key: |\n  {}\nuser: x\n", wrapped(&encoded, width, "  "));
                assert_eq!(lines(&text).len(), 1, "{before} {width}");
            }
        }
        let bare = BASE64.encode(key.as_bytes());
        assert_eq!(lines(&format!("{bare}\nuser: x\n")).len(), 1);
    }

    #[test]
    fn the_starts_in_base64_are_those_of_all_three_places_in_a_group() {
        for (skipped, encoded) in ENCODED.iter().enumerate() {
            let whole = BASE64.encode(format!("{}{}1", "x".repeat(skipped), IDENTITY[0]));
            assert!(whole[encoded.before..].starts_with(&encoded.halves.concat()), "{whole}");
        }
    }

    #[test]
    fn a_word_that_only_looks_like_a_key_is_none() {
        let text = Identity::generate().to_secret_string().to_string();
        let broken = format!("{}{}", &text[..text.len() - 1], if text.ends_with('Q') { 'P' } else { 'Q' });
        for harmless in [
            "AGE-SECRET-KEY-1...",
            "accepted: AGE-SECRET-KEY-PQ-1…, AGE-SECRET-KEY-1…",
            &broken,
            "age1pq1qqq",
            "sealedsecrets.bitnami.com/sealed-secrets-key: active\n-----BEGIN CERTIFICATE-----",
            "sealedsecrets.bitnami.com/sealed-secrets-key\n-----BEGIN ENCRYPTED PRIVATE KEY-----",
            "-----BEGIN RSA PRIVATE KEY-----",
            "sealedsecrets.bitnami.com/sealed-secrets-key: active\ntls.key: ENC[AES256_GCM,data:x]",
        ] {
            assert!(lines(harmless).is_empty(), "{harmless}");
        }
    }

    #[test]
    fn a_saved_key_of_sealed_secrets_is_found() {
        let pem = "-----BEGIN RSA PRIVATE KEY-----\nMIIB\n-----END RSA PRIVATE KEY-----\n";
        let label = "labels: {sealedsecrets.bitnami.com/sealed-secrets-key: active}\n";
        assert_eq!(lines(&format!("{label}data:\n  tls.key: {}\n", BASE64.encode(pem))), [3]);
        assert_eq!(lines(&format!("{label}stringData:\n  tls.key: |\n    {pem}")), [4]);
        // A comment before the key moves all of its base64.
        let key = RsaPrivateKey::generate();
        let commented = BASE64.encode(format!("made by hand\n{}", *key.to_secret_pem()));
        let list = format!(
            "{label}a: {{\"tls.key\": \"{commented}\"}}\n{label}b: {{tls.key: {}}}\n",
            BASE64.encode(pem)
        );
        assert_eq!(lines(&list), [2, 4]);
        let fingerprint = key.fingerprint().to_string();
        assert_eq!(private_keys("f", &list)[0].item.as_deref(), Some(fingerprint.as_str()));
    }

    /// Starts that are no keys cost no more than their number.
    #[test]
    fn a_hostile_text_is_looked_at_once() {
        let text =
            format!("{}{}", "AGE-SECRET-KEY-".repeat(40_000), ENCODED[0].halves.concat().repeat(20_000));
        assert!(cost::within(20, || lines(&text)).is_empty());
    }
}

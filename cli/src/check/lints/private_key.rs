//! Private keys in the clear, in any text file: identities of age, and the saved keys of a cluster.
//!
//! This is no scanner for secrets: it knows the keys that open what `seal` and sealed-secrets seal, and nothing else. The
//! checksum of an identity decides, so a word in a documentation that only looks like one is no finding; a key behind a
//! passphrase, in an age file or under SOPS is none either.
//!
//! Invariant: no part of a key is in a message, and what is decoded on the way is wiped.

use seal_crds::keys::{Identity, RsaPrivateKey};
use seal_crds::resources::{SEALING_KEY_LABEL, bitnami};

use crate::check::finding::Finding;
use crate::check::lint::Lint;

/// The start of every identity of age; both cases are identities.
const IDENTITY: [&str; 2] = ["AGE-SECRET-KEY-", "age-secret-key-"];

/// The same in base64, as a Secret's `data` has it: 15 bytes are 20 characters, whatever follows.
const ENCODED: &str = "QUdFLVNFQ1JFVC1LRVkt";

/// The item of a Secret in which sealed-secrets keeps a private key.
const RSA_ITEM: &str = "tls.key";

/// More characters than any identity has, in base64 too: a hybrid one takes some 80.
const LONGEST: usize = 512;

/// More characters than any RSA key has in base64, with a certificate or a comment before it.
const LONGEST_RSA: usize = 64 * 1024;

/// The most keys that are told of one file: more tell nobody anything, and each costs a key operation.
const MOST: usize = 100;

/// The private keys of a text. A finding is of one key: its fingerprint, which is public, stands in the place of an item,
/// so that a baseline that bears with one key bears with no other.
pub(super) fn private_keys(path: &str, text: &str) -> Vec<Finding> {
    let mut found = Vec::new();
    for start in IDENTITY {
        let keys = text.match_indices(start);
        let keys = keys.filter_map(|(at, _)| Some((at, identity(word_at(text, at, LONGEST))?)));
        let message = "an age identity stands here in the clear";
        found.extend(keys.take(MOST).map(|(at, key)| finding(path, at, message, &key)));
    }
    let what =
        if text.contains(SEALING_KEY_LABEL) { "the saved key of a cluster" } else { "an age identity" };
    let encoded = text.match_indices(ENCODED).filter_map(|(at, _)| {
        let decoded = seal_documents::data::decode(word_at(text, at, LONGEST)).ok()?;
        Some((at, identity(std::str::from_utf8(decoded.expose()).ok()?)?))
    });
    let message = format!("{what} stands here in the clear, in base64");
    found.extend(encoded.take(MOST).map(|(at, key)| finding(path, at, &message, &key)));
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
        let before = std::time::Instant::now();
        let text = format!("{}{}", "AGE-SECRET-KEY-".repeat(40_000), ENCODED.repeat(20_000));
        assert!(lines(&text).is_empty());
        assert!(before.elapsed().as_secs() < 20, "{:?}", before.elapsed());
    }
}

//! Private keys in the clear, in any text file: identities of age, and the saved keys of a cluster.
//!
//! This is no scanner for secrets: it knows the keys that open what `seal` and sealed-secrets seal, and nothing else. The
//! checksum of an identity decides, so a word in a documentation that only looks like one is no finding; a key behind a
//! passphrase, in an age file or under SOPS is none either.
//!
//! Invariant: no part of a key is in a message, and what is decoded on the way is wiped.

use seal_crds::keys::Identity;
use seal_crds::resources::{SEALING_KEY_LABEL, bitnami};

use crate::check::finding::Finding;
use crate::check::lint::Lint;

/// The start of every identity of age; both cases are identities.
const IDENTITY: [&str; 2] = ["AGE-SECRET-KEY-", "age-secret-key-"];

/// The same in base64, as a Secret's `data` has it: 15 bytes are 20 characters, whatever follows.
const ENCODED: &str = "QUdFLVNFQ1JFVC1LRVkt";

/// Private keys in PEM, in base64.
const ENCODED_PEM: [&str; 3] = [
    "LS0tLS1CRUdJTiBSU0EgUFJJVkFURSBLRVkt",
    "LS0tLS1CRUdJTiBQUklWQVRFIEtFWS0t",
    "LS0tLS1CRUdJTiBFQyBQUklWQVRFIEtFWS0",
];

/// More characters than any identity has, in base64 too: a hybrid one takes some 80.
const LONGEST: usize = 512;

/// The most keys that are told of one file: more tell nobody anything, and each costs a key operation.
const MOST: usize = 100;

/// The private keys of a text.
pub(super) fn private_keys(path: &str, text: &str) -> Vec<Finding> {
    let mut found = Vec::new();
    for start in IDENTITY {
        let keys = text.match_indices(start).map(|(at, _)| at).filter(|at| is_identity(word_at(text, *at)));
        found.extend(keys.take(MOST).map(|at| finding(path, at, "an age identity stands here in the clear")));
    }
    let what =
        if text.contains(SEALING_KEY_LABEL) { "the saved key of a cluster" } else { "an age identity" };
    let is_encoded = |at: &usize| {
        let decoded = seal_documents::data::decode(word_at(text, *at)).ok();
        decoded.is_some_and(|bytes| std::str::from_utf8(bytes.expose()).is_ok_and(is_identity))
    };
    let encoded = text.match_indices(ENCODED).map(|(at, _)| at).filter(is_encoded).take(MOST);
    found.extend(encoded.map(|at| finding(path, at, &format!("{what} stands here in the clear, in base64"))));
    if let Some(at) = saved_rsa_key(text) {
        found.push(finding(path, at, "a saved key of sealed-secrets stands here in the clear"));
    }
    found
}

fn finding(path: &str, at: usize, message: &str) -> Finding {
    let hint = "treat it as leaked: seal keys revoke, then rotate, and change the values at their source";
    Finding::new(Lint::PrivateKey, path, message).at(at).hint(hint)
}

fn is_identity(text: &str) -> bool {
    Identity::parse(text).is_ok()
}

/// The text from `at` to the next character that neither bech32 nor base64 has.
fn word_at(text: &str, at: usize) -> &str {
    let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'+' | b'/' | b'=');
    let length = text.as_bytes()[at..].iter().take(LONGEST).take_while(|byte| is_part(byte)).count();
    &text[at..at + length]
}

/// The private key of a Secret with the label that sealed-secrets finds its keys by: in base64, or as text.
fn saved_rsa_key(text: &str) -> Option<usize> {
    if !text.contains(bitnami::SEALING_KEY_LABEL) {
        return None;
    }
    let encoded = ENCODED_PEM.iter().filter_map(|start| text.find(start));
    let plain = text.match_indices("PRIVATE KEY-----").map(|(at, _)| at).find(|at| {
        let line = &text[text[..*at].rfind('\n').map_or(0, |end| end + 1)..*at];
        let kind = line.trim_start().strip_prefix("-----BEGIN ");
        kind.is_some_and(|kind| !kind.contains("ENCRYPTED"))
    });
    encoded.chain(plain).min()
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

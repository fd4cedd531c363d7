//! Thousands of random changes: nothing panics, malformed bytes have their own error, every other failure is the one
//! error, and no value comes out that wasn't sealed.
//!
//! `make fuzz` runs more changes. Invariant: a value that opens in spite of a change is a value that was sealed. It
//! may be under another item's name, which the format doesn't bind.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::*;
use crate::tests::{change, change_text};
use seal_random::{Random, rounds};

const CANARY: &str = "canary-d8c1b7f2";

/// Changes the bytes of a value, or the text around them.
fn change_item(text: &str, other: &str, random: &mut Random) -> String {
    if random.below(4) == 0 {
        let mut changed = text.to_owned();
        change_text(&mut changed, random);
        return changed;
    }
    let [mut bytes, other] = [text, other].map(|text| BASE64.decode(text).unwrap());
    let at = random.below(bytes.len());
    match random.below(10) {
        0 => bytes.truncate(at),
        1 => drop(bytes.remove(at)),
        2 => bytes.insert(at, 0),
        3 => bytes.extend((0..=random.below(40)).map(|n| n as u8)),
        // The head of one and the tail of another, so that both halves are real.
        4 => bytes.splice(at.., other[at.min(other.len())..].iter().copied()).for_each(drop),
        5 => bytes.splice(..at, other[..at.min(other.len())].iter().copied()).for_each(drop),
        6 => bytes[..2].copy_from_slice(&(random.below(1200) as u16).to_be_bytes()),
        7 => bytes[at..].reverse(),
        _ => bytes[at] ^= 1 << random.below(8),
    }
    BASE64.encode(bytes)
}

#[test]
fn no_change_of_an_item_gives_another_value_or_another_error() {
    let object = Object::new(Scope::Strict).item("a", CANARY);
    let (item, other) = (object.spec.encrypted_data["a"].clone(), object.seal("another value, a longer one"));
    let keys = ring(&[RSA_2048]);
    let expected = UnsealError::CannotOpen {
        what: "item a".into(),
        scope: Scope::Strict,
        binding: "prod/db".into(),
        candidates: vec![fingerprint(RSA_2048)],
    };
    let mut random = Random(3);
    let (mut opened, mut malformed, mut refused) = (0, 0, 0);
    for _ in 0..rounds() {
        let mut changed = object.clone();
        let text = change_item(&item, &other, &mut random);
        changed.spec.encrypted_data.insert("a".into(), text.clone());
        match changed.parse().and_then(|sealed| sealed.unseal(&keys)) {
            Ok(unsealed) => {
                let value = unsealed.data[&"a".parse().unwrap()].expose();
                // All of the other one was spliced in.
                let is_other = text == other && value == b"another value, a longer one";
                assert!(value == CANARY.as_bytes() || is_other);
                opened += 1;
            }
            Err(UnsealError::Malformed { path, problem }) => {
                assert_eq!(path, "encryptedData.a");
                assert!(
                    ["is not base64", "is cut off", "says that"]
                        .iter()
                        .any(|start| problem.starts_with(start))
                );
                malformed += 1;
            }
            Err(UnsealError::NoRsaKey { bits, .. }) => assert_ne!(bits, 2048),
            Err(error) => {
                assert_eq!(error, expected);
                refused += 1;
            }
        }
    }
    // The rounds are worth their time only if each of these outcomes happens often.
    let few = rounds() / 200;
    assert!(opened > few && malformed > few * 20 && refused > few * 20, "{opened} {malformed} {refused}");
}

#[test]
fn no_change_of_a_manifest_gives_a_value_that_was_not_sealed() {
    let object = |value: &str| {
        let object = Object::new(Scope::NamespaceWide).item("a", value).item("b", "me");
        let object = object.labelled("app", "db").annotated("note", "x").typed("example.com/x");
        object.template("url", "pg://{{ .b | urlquery }}:{{ index . \"a\" }}@db")
    };
    let (object, other) = (object(CANARY), object("another value"));
    let keys = ring(&[RSA_2048]);
    let [spec, other] = [&object, &other].map(|object| serde_json::to_value(&object.spec).unwrap());
    let mut random = Random(4);
    let (mut read, mut opened) = (0, 0);
    for _ in 0..rounds() {
        let mut spec = spec.clone();
        for _ in 0..=random.below(2) {
            change(&mut spec, &other, &mut random);
        }
        let Ok(spec) = SealedSecretSpec::from_json(&spec) else { continue };
        read += 1;
        let changed = Object { spec, ..object.clone() };
        let Ok(unsealed) = changed.parse().and_then(|sealed| sealed.unseal(&keys)) else { continue };
        opened += 1;
        for (name, value) in unsealed.data {
            if changed.spec.encrypted_data.contains_key(name.as_str()) {
                let value = value.expose();
                assert!(
                    [CANARY.as_bytes(), b"me", b"another value"].contains(&value),
                    "{name} is another value"
                );
            }
        }
    }
    assert!(read > rounds() / 4 && opened > rounds() / 100, "read {read}, opened {opened}");
}

#[test]
fn no_error_shows_anything_of_a_value() {
    let object = Object::new(Scope::Strict).item("a", CANARY).whole(format!("{{\"data\": \"{CANARY}\"}}"));
    let mut random = Random(5);
    for _ in 0..rounds() / 10 {
        let mut changed = object.clone();
        match random.below(3) {
            0 => changed.spec.encrypted_data.clear(),
            1 => changed.spec.data = None,
            // A status must not repeat plaintext that somebody wrote in the place of ciphertext.
            _ => drop(changed.spec.encrypted_data.insert(CANARY.into(), CANARY.into())),
        }
        if let Some(item) = changed.spec.encrypted_data.get_mut("a") {
            change_text(item, &mut random);
        }
        if let Err(error) = changed.unseal(&[RSA_2048]) {
            let text = format!("{error} {error:?}").replace(&format!("encryptedData.{CANARY}"), "");
            assert!(!text.contains(CANARY), "{text}");
        }
    }
}

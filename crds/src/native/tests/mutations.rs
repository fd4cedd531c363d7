//! Thousands of random changes to a manifest: nothing panics, and no value comes out that wasn't sealed
//! under that name.
//!
//! The seed is fixed, so every run of the same length is the same run. Invariant: a changed
//! manifest may only give a subset of the items, unchanged, and text of the template, which is public and may refer
//! only to items that were sealed for it.

use super::*;
use crate::tests::{change, change_text};
use seal_random::{Random, rounds};

const CANARY: &[u8] = b"canary-d8c1b7f2";

/// `true` if the manifest opened. Panics if a value came out that must not.
fn check(spec: &SealedSecretSpec, sealed: &Values, keys: &Keyring) -> bool {
    let Ok(opened) = unseal("prod/db", spec, keys) else {
        return false;
    };
    for (name, value) in &opened {
        if spec.encrypted_data.contains_key(name) {
            assert_eq!(Some(value), sealed.get(name), "item {name} is another value");
        } else {
            let leaks = value.windows(CANARY.len()).any(|window| window == CANARY);
            assert!(!leaks, "{name} shows an item that wasn't sealed for templates");
        }
    }
    true
}

/// A manifest with every kind of field, what is sealed in it, and the keyring that opens it.
fn object() -> (SealedSecretSpec, Values, Keyring) {
    let identity = x25519();
    let spec = merge(
        Sealing::to(&[&identity, &x25519()])
            .item("password", CANARY)
            .template_item("user", "me")
            .template_data("url", "pg://$(user|url)@db")
            .typed("example.com/x")
            .spec(),
        Sealing::to(&[&identity]).item("token", CANARY).spec(),
    );
    let keys = ring(&[&identity]);
    let sealed = unseal("prod/db", &spec, &keys).unwrap();
    (spec, sealed, keys)
}

#[test]
fn no_change_of_fields_releases_another_value() {
    let (spec, sealed, keys) = object();
    let (other, _, _) = object();
    let [spec, other] = [spec, other].map(|spec| serde_json::to_value(spec).unwrap());
    let mut random = Random(1);
    let (mut read, mut opened) = (0, 0);
    for _ in 0..rounds() {
        let mut changed = spec.clone();
        for _ in 0..=random.below(2) {
            change(&mut changed, &other, &mut random);
        }
        if let Ok(spec) = serde_json::from_value(changed) {
            read += 1;
            opened += usize::from(check(&spec, &sealed, &keys));
        }
    }
    // The rounds are worth their time only if many changes get past the schema, and some open.
    assert!(
        read > rounds() / 4 && opened > rounds() / 100 && opened < read / 2,
        "read {read}, opened {opened}"
    );
}

#[test]
fn no_change_of_text_releases_another_value() {
    let (spec, sealed, keys) = object();
    let text = serde_yaml::to_string(&spec).unwrap();
    let mut random = Random(2);
    let (mut read, mut opened) = (0, 0);
    for _ in 0..rounds() {
        let mut changed = text.clone();
        change_text(&mut changed, &mut random);
        if let Ok(spec) = serde_yaml::from_str(&changed) {
            read += 1;
            opened += usize::from(check(&spec, &sealed, &keys));
        }
    }
    assert!(
        read > rounds() / 4 && opened > rounds() / 100 && opened < read / 2,
        "read {read}, opened {opened}"
    );
}

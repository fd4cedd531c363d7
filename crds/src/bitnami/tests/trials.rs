//! Tests of the number of private operations that one object may cost, with many keys at hand.
//!
//! Invariant: the keys are made here, of 2048 bits, so that a trial is cheap.

use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der};
use aws_lc_rs::rsa::{KeySize, PrivateDecryptingKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::*;
use crate::bitnami::item::SealedItem;
use crate::bitnami::trial::{MAX_FAILED_TRIALS, Trial};

fn fresh_key() -> RsaPrivateKey {
    let key = PrivateDecryptingKey::generate(KeySize::Rsa2048).unwrap();
    let der: Pkcs8V1Der<'static> = key.as_der().unwrap();
    let text = BASE64.encode(der.as_ref());
    let lines: Vec<&str> = (0..text.len()).step_by(64).map(|at| &text[at..text.len().min(at + 64)]).collect();
    RsaPrivateKey::from_pem(format!(
        "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n",
        lines.join("\n")
    ))
    .unwrap()
}

/// A keyring of `count` keys.
fn many_keys(count: usize) -> Keyring {
    let mut ring = Keyring::default();
    for _ in 0..count {
        assert!(ring.insert_rsa_key(fresh_key()));
    }
    ring
}

/// An object with `items` items, sealed in turn to the last `sealed_to` of the keys.
fn in_turn(items: usize, keys: &Keyring, sealed_to: usize) -> Object {
    let used = &keys.rsa_keys()[keys.rsa_keys().len() - sealed_to..];
    let mut object = Object::new(Scope::Strict);
    for item in 0..items {
        let sealed = seal_item(used[item % sealed_to].public_key(), &object.binding, b"x");
        object.spec.encrypted_data.insert(format!("{item:04}"), sealed);
    }
    object
}

/// The keys of a cluster that renewed them every month for three years.
#[test]
fn the_largest_object_opens_with_many_keys_at_hand_as_long_as_a_handful_sealed_it() {
    let keys = many_keys(36);
    for (items, sealed_to) in [(1024, 8), (72, 36)] {
        let opened = in_turn(items, &keys, sealed_to).parse().unwrap().unseal(&keys).unwrap();
        assert_eq!((opened.data.len(), opened.opened_by.len()), (items, sealed_to));
    }
    // Each item is sealed to another key than the item before, over all keys at hand: refused within the budget.
    let error = in_turn(1024, &keys, 36).parse().unwrap().unseal(&keys).err();
    assert_eq!(error, Some(UnsealError::TooManyTrials { limit: MAX_FAILED_TRIALS }));
    assert!(!error.unwrap().may_pass_with_other_keys());
}

/// The trials that fail before the budget is used up, by opening this item again and again.
fn failures(keys: &[&RsaPrivateKey], limit: usize, item: &str, at: &[Binding]) -> usize {
    let item = SealedItem::parse(item).unwrap();
    let mut trial = Trial::new(keys.to_vec(), limit);
    let mut opened = 0;
    for binding in at.iter().cycle() {
        match trial.open(&Label::from(binding), "item a", &item) {
            Err(UnsealError::TooManyTrials { .. }) => break,
            Err(UnsealError::CannotOpen { .. }) => opened += 1,
            other => panic!("{:?}", other.err()),
        }
    }
    opened
}

#[test]
fn every_trial_that_fails_counts_alike_and_over_all_scopes() {
    let (a, b) = (fresh_key(), key(RSA_2048));
    let object = Object::new(Scope::Strict);
    let bindings = Scope::ALL.map(|scope| Binding::new(scope, &place("prod/other")));
    let changed = |at: usize, with: u8| {
        let mut bytes = BASE64.decode(object.seal("x")).unwrap();
        bytes[at] = with;
        BASE64.encode(bytes)
    };
    let mut larger_than_the_modulus = BASE64.decode(object.seal("x")).unwrap();
    larger_than_the_modulus[2..258].fill(0xff);
    for item in [
        // Another label, a broken padding, another tag, no number at all, another key.
        object.seal("x"),
        changed(100, 7),
        changed(260, 7),
        BASE64.encode(larger_than_the_modulus),
        seal_item(fresh_key().public_key(), &object.binding, b"x"),
    ] {
        assert_eq!(failures(&[&a, &b], 20, &item, &bindings), 10);
        assert_eq!(failures(&[&b, &a], 21, &item, &bindings[..1]), 10, "and in the midst of one");
    }
    // A key of another size is not tried, and costs nothing.
    let large = key(RSA_4096);
    assert_eq!(failures(&[&large, &b], 20, &changed(100, 7), &bindings), 20);
}

/// The definition: a key is needed if the object doesn't unseal with all others.
#[test]
fn every_key_that_opened_an_item_is_needed_and_no_other() {
    let object = Object::new(Scope::Strict).item("a", "1").item("b", "2").to(RSA_4096).item("c", "3");
    let all = [RSA_3072, RSA_2048, RSA_4096];
    let examined = object.parse().unwrap().examine(&ring(&all), &[fingerprint(RSA_2048)].into()).unwrap();
    assert_eq!(examined.only, [fingerprint(RSA_2048), fingerprint(RSA_4096)].into());
    for left_out in all {
        let others: Vec<&str> = all.into_iter().filter(|pem| *pem != left_out).collect();
        assert_eq!(examined.only.contains(&fingerprint(left_out)), object.unseal(&others).is_err());
    }
    assert!(examined.exposed.is_empty(), "the format doesn't record who has seen a value");
    let foreign = object.parse().unwrap().examine(&ring(&[RSA_3072]), &BTreeSet::new());
    assert!(foreign.is_err());
}

#[test]
fn what_opens_costs_nothing_and_what_opened_last_is_tried_first() {
    let keys = many_keys(4);
    let all: Vec<&RsaPrivateKey> = keys.rsa_keys().iter().collect();
    let binding = Binding::new(Scope::Strict, &place("prod/db"));
    let items = all.iter().map(|key| seal_item(key.public_key(), &binding, b"x"));
    let items: Vec<SealedItem> = items.map(|text| SealedItem::parse(&text).unwrap()).collect();
    let mut trial = Trial::new(all.clone(), 3);
    for _ in 0..50 {
        assert!(
            trial.open(&(&binding).into(), "a", &items[3]).is_ok(),
            "found once, after three that didn't fit"
        );
    }
    let one_more = trial.open(&(&binding).into(), "b", &items[2]).err();
    assert_eq!(one_more, Some(UnsealError::TooManyTrials { limit: 3 }));
}

#[test]
fn the_items_that_stay_shut_are_found_within_the_same_budget() {
    let keys = ring(&[RSA_2048]);
    let mut object = Object::new(Scope::Strict).item("a", "1");
    object.binding = Binding::new(Scope::Strict, &place("prod/other"));
    let object = object.item("b", "2").to(RSA_4096).item("c", "3");
    let shut: Vec<_> = object.parse().unwrap().shut_items(&keys).unwrap();
    assert_eq!(shut.iter().map(ToString::to_string).collect::<Vec<_>>(), ["b", "c"]);
    let nothing = in_turn(1024, &many_keys(1), 1).parse().unwrap().shut_items(&many_keys(9));
    assert_eq!(nothing, Err(UnsealError::TooManyTrials { limit: MAX_FAILED_TRIALS }));
}

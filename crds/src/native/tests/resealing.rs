//! Tests of resealing, and of sealing values that others have seen: fresh data keys, and the marks that they inherit.
//!
//! The threat: whoever may seal washes an exposed value clean by sealing it again. Invariant: every resealed object is
//! opened again afterwards.

use super::*;

/// The object as it is sealed again to `to`.
fn resealed(spec: &SealedSecretSpec, with: &[&Identity], to: &[&Identity]) -> SealedSecretSpec {
    let sealed = NativeSealed::parse(place("prod/db"), spec, &BTreeSet::new()).unwrap();
    let again = sealed.reseal(&ring(with), &Sealing::to(to).recipients).unwrap();
    SealedSecretSpec { envelopes: vec![again.envelope], encrypted_data: again.encrypted_data, ..spec.clone() }
}

/// For an item, every recipient that its data key was ever wrapped to.
fn seen_of(spec: &SealedSecretSpec, item: &str, with: &Identity) -> BTreeSet<String> {
    let index = spec.envelopes[0].keys.iter().position(|id| id == id_of(spec, item)).unwrap();
    seen(spec, with).swap_remove(index)
}

#[test]
fn every_line_and_every_data_key_is_fresh_and_the_values_stay() {
    let [a, b] = [x25519(), hybrid()];
    let spec = merge(
        Sealing::to(&[&a]).item("a", "1").template_item("t", "2").template_data("url", "x$(t)").spec(),
        Sealing::to(&[&a]).item("b", "3").spec(),
    );
    let again = resealed(&spec, &[&a], &[&b]);
    assert_eq!(
        unseal("prod/db", &again, &ring(&[&b])),
        Ok(values([("a", b"1"), ("b", b"3"), ("t", b"2"), ("url", b"x2")]))
    );
    for item in ["a", "b", "t"] {
        assert_ne!(id_of(&again, item), id_of(&spec, item));
        assert_ne!(again.encrypted_data[item], spec.encrypted_data[item]);
    }
    assert_eq!((again.envelopes.len(), again.envelopes[0].keys.len()), (1, 2), "one key for each use");
    assert_eq!(again.template, spec.template);
}

#[test]
fn a_fresh_data_key_for_an_old_value_remembers_who_has_seen_that_value_and_nobody_else() {
    let [leaked, primary, next] = [x25519(), x25519(), x25519()];
    let spec = merge(
        Sealing::to(&[&leaked, &primary]).item("old", "1").spec(),
        Sealing::to(&[&primary]).item("new", "2").spec(),
    );
    let again = resealed(&spec, &[&primary], &[&next]);
    assert_eq!(seen_of(&again, "old", &next), everybody([&leaked, &primary, &next]));
    assert_eq!(seen_of(&again, "new", &next), everybody([&primary, &next]));
    // The marks come through any number of rounds, in either way.
    let sealed = NativeSealed::parse(place("prod/db"), &again, &BTreeSet::new()).unwrap();
    let envelope = sealed.rewrap_used(&ring(&[&next]), &Sealing::to(&[&primary]).recipients).unwrap();
    let third = resealed(&SealedSecretSpec { envelopes: vec![envelope], ..again }, &[&primary], &[&next]);
    assert_eq!(seen_of(&third, "old", &next), everybody([&leaked, &primary, &next]));
    assert_eq!(seen_of(&third, "new", &next), everybody([&primary, &next]));
}

#[test]
fn a_value_from_another_format_brings_those_who_have_seen_it() {
    let [a, rsa_1, rsa_2] = [x25519(), x25519(), x25519()];
    let [one, two] = [rsa_1.fingerprint(), rsa_2.fingerprint()];
    let spec = Sealing::to(&[&a])
        .seen_item("first", "1", [one])
        .seen_item("second", "2", [two])
        .seen_item("both", "3", [one, two])
        .item("fresh", "4")
        .spec();
    assert_eq!(spec.envelopes[0].keys.len(), 4);
    assert_eq!(seen_of(&spec, "first", &a), everybody([&a, &rsa_1]));
    assert_eq!(seen_of(&spec, "second", &a), everybody([&a, &rsa_2]));
    assert_eq!(seen_of(&spec, "both", &a), everybody([&a, &rsa_1, &rsa_2]));
    assert_eq!(seen_of(&spec, "fresh", &a), everybody([&a]));
    assert_eq!(
        unseal("prod/db", &spec, &ring(&[&a])),
        Ok(values([("first", b"1"), ("second", b"2"), ("both", b"3"), ("fresh", b"4")]))
    );
}

#[test]
fn more_past_than_an_envelope_remembers_is_refused_and_nobody_is_dropped() {
    let a = x25519();
    let past: Vec<Fingerprint> = (0..65).map(|n| format!("{n:064x}").parse().unwrap()).collect();
    let fits = Sealing::to(&[&a]).seen_item("a", "1", past[1..].iter().copied()).spec();
    assert_eq!(seen_of(&fits, "a", &a).len(), 65, "64 and the recipient");
    let error = Sealing::to(&[&a]).seen_item("a", "1", past).seal().unwrap_err();
    assert!(matches!(error, SealError::PastFull(65)), "{error}");
}

#[test]
fn what_does_not_open_where_it_stands_is_not_sealed_again() {
    let a = x25519();
    let mut spec = Sealing::to(&[&a]).item("a", "1").item("b", "2").spec();
    spec.encrypted_data.insert("a".into(), spec.encrypted_data["b"].clone());
    let sealed = NativeSealed::parse(place("prod/db"), &spec, &BTreeSet::new()).unwrap();
    let error = sealed.reseal(&ring(&[&a]), &Sealing::to(&[&a]).recipients).err().unwrap();
    assert_eq!(error.to_string(), UnsealError::ItemAltered { item: "a".parse().unwrap() }.to_string());
}

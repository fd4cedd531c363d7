//! Tests of rewrapping: the values of the new envelope, the recipients that it remembers, and its largest size.
//!
//! Invariant: every rewrapped object is opened again afterwards.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use sha2::Digest as _;

use super::*;
use crate::native::item::seal_item;
use crate::native::{
    MAX_AGE_SIZE, MAX_DATA_KEYS, MAX_ENVELOPES, MAX_PAST, MAX_RECIPIENTS, RewrapError, source, target,
};

fn parse(spec: &SealedSecretSpec) -> NativeSealed {
    NativeSealed::parse(place("prod/db"), spec, &BTreeSet::new()).unwrap()
}

/// The object with one envelope, sealed to `to`.
fn rewrapped(
    spec: &SealedSecretSpec,
    with: &Identity,
    to: &[&Identity],
) -> Result<SealedSecretSpec, RewrapError> {
    let envelope = parse(spec).rewrap(&ring(&[with]), &Sealing::to(to).recipients)?;
    Ok(SealedSecretSpec { envelopes: vec![envelope], ..spec.clone() })
}

#[test]
fn all_envelopes_become_one_for_the_new_recipients_and_no_item_changes() {
    let [a, b, c] = [x25519(), ssh_ed25519(), hybrid()];
    let spec = merge(
        Sealing::to(&[&a]).item("a", "1").template_item("t", "2").template_data("url", "x$(t)").spec(),
        Sealing::to(&[&a, &b]).item("b", "3").spec(),
    );
    let one = rewrapped(&spec, &a, &[&c]).unwrap();
    let ids = |spec: &SealedSecretSpec| -> Vec<String> {
        spec.envelopes.iter().flat_map(|envelope| envelope.keys.clone()).collect()
    };
    assert_eq!(ids(&one), ids(&spec));
    assert_eq!(parse(&one).digest(), parse(&spec).digest(), "so no Secret is written again");
    assert_eq!(
        unseal("prod/db", &one, &ring(&[&c])).unwrap(),
        values([("a", b"1"), ("t", b"2"), ("b", b"3"), ("url", b"x2")])
    );
    let error = unseal("prod/db", &one, &ring(&[&a, &b])).unwrap_err();
    let UnsealError::NoMatchingKey { envelope: 0, sealed_to, tried } = error else { panic!("{error}") };
    assert_eq!(sealed_to.iter().map(|to| to.fingerprint).collect::<Vec<_>>(), [c.fingerprint()]);
    assert_eq!(tried, [a.fingerprint(), b.fingerprint()]);
}

#[test]
fn everybody_who_had_a_data_key_stays_on_record_with_it() {
    let [a, b, c] = [x25519(), x25519(), x25519()];
    let spec = merge(Sealing::to(&[&a]).item("a", "1").spec(), Sealing::to(&[&a, &b]).item("b", "2").spec());
    let once = rewrapped(&spec, &a, &[&c]).unwrap();
    assert_eq!(seen(&once, &c), [everybody([&a, &c]), everybody([&a, &b, &c])]);
    // A recipient who comes back is no past recipient any more; the others stay.
    let twice = rewrapped(&once, &c, &[&b]).unwrap();
    assert_eq!(seen(&twice, &b), [everybody([&a, &b, &c]), everybody([&a, &b, &c])]);
    let same = rewrapped(&twice, &b, &[&b]).unwrap();
    assert_eq!(seen(&same, &b), seen(&twice, &b));
    assert_eq!(unseal("prod/db", &same, &ring(&[&b])), Ok(values([("a", b"1"), ("b", b"2")])));
}

#[test]
fn a_data_key_that_no_item_uses_is_dropped_only_where_that_is_asked_for() {
    let [a, b] = [x25519(), x25519()];
    let mut spec = merge(
        Sealing::to(&[&a]).item("a", "1").template_item("t", "2").spec(),
        Sealing::to(&[&a]).item("b", "3").spec(),
    );
    assert!(!parse(&spec).has_unused_keys());
    spec.encrypted_data.remove("t");
    assert!(parse(&spec).has_unused_keys());
    let to = Sealing::to(&[&b]).recipients;
    assert_eq!(
        parse(&spec).rewrap(&ring(&[&a]), &to).unwrap().keys.len(),
        3,
        "an offer covers what may come back"
    );
    let envelope = parse(&spec).rewrap_used(&ring(&[&a]), &to).unwrap();
    assert_eq!(envelope.keys, [id_of(&spec, "a"), id_of(&spec, "b")]);
    let rewrapped = SealedSecretSpec { envelopes: vec![envelope], ..spec };
    assert!(!parse(&rewrapped).has_unused_keys());
    assert_eq!(unseal("prod/db", &rewrapped, &ring(&[&b])), Ok(values([("a", b"1"), ("b", b"3")])));
}

#[test]
fn a_file_that_a_tool_renames_later_is_rewrapped_for_where_it_was_sealed() {
    let [a, b] = [x25519(), x25519()];
    for (scope, found) in [
        (Scope::Strict, "elsewhere/other"),
        (Scope::NamespaceWide, "elsewhere/other"),
        (Scope::ClusterWide, "prod/db"),
    ] {
        let spec = Sealing::to(&[&a]).scoped(scope).item("a", "1").spec();
        let file = NativeSealed::parse(place(found), &spec, &BTreeSet::new()).unwrap();
        let file = file.where_sealed(&ring(&[&a])).unwrap();
        let envelope = file.rewrap_used(&ring(&[&a]), &Sealing::to(&[&b]).recipients).unwrap();
        let spec = SealedSecretSpec { envelopes: vec![envelope], ..spec };
        assert_eq!(unseal("prod/db", &spec, &ring(&[&b])), Ok(values([("a", b"1")])), "{scope}");
        if scope == Scope::Strict {
            assert!(unseal(found, &spec, &ring(&[&b])).is_err(), "the binding stays");
        }
    }
    let spec = Sealing::to(&[&a]).item("a", "1").spec();
    let error = parse(&spec).where_sealed(&ring(&[&b])).err().unwrap();
    assert!(matches!(error, UnsealError::NoMatchingKey { envelope: 0, .. }), "{error}");
}

#[test]
fn what_does_not_open_where_it_stands_is_not_rewrapped() {
    let [a, b] = [x25519(), x25519()];
    let mut spec = Sealing::to(&[&a]).item("a", "1").item("b", "2").spec();
    let refusal = |spec: &SealedSecretSpec, at: &str, with: &Identity| {
        let sealed = NativeSealed::parse(place(at), spec, &BTreeSet::new()).unwrap();
        match sealed.rewrap(&ring(&[with]), &Sealing::to(&[&b]).recipients).unwrap_err() {
            RewrapError::Unseal(error) => error.reason().as_str(),
            RewrapError::Seal(error) => panic!("{error}"),
        }
    };
    assert_eq!(refusal(&spec, "prod/db", &b), "NoMatchingKey");
    assert_eq!(refusal(&spec, "prod/other", &a), "WrongPlace");
    // One bad item is enough to refuse: an envelope for an object that doesn't open would be an answer about it.
    spec.encrypted_data.insert("a".into(), spec.encrypted_data["b"].clone());
    assert_eq!(refusal(&spec, "prod/db", &a), "ItemAltered");
    spec.encrypted_data.remove("a");
    let sealed = parse(&spec);
    let nobody = sealed.rewrap(&ring(&[&a]), &[]).unwrap_err();
    assert!(matches!(nobody, RewrapError::Seal(SealError::NoRecipients)), "{nobody}");
    let mixed = sealed.rewrap(&ring(&[&a]), &Sealing::to(&[&b, &hybrid()]).recipients).unwrap_err();
    assert!(matches!(mixed, RewrapError::Seal(SealError::MixedRecipients { .. })), "{mixed}");
}

/// An object with the most envelopes and data keys that are allowed, and one item for each key.
fn with_every_key(identity: &Identity) -> SealedSecretSpec {
    let binding = Binding::new(Scope::Strict, &place("prod/db"));
    let mut spec = Sealing::to(&[identity]).item("a", "1").spec();
    spec.envelopes.clear();
    spec.encrypted_data.clear();
    for envelope in 0..MAX_ENVELOPES {
        let keys: Vec<_> =
            (0..MAX_DATA_KEYS / MAX_ENVELOPES).map(|_| KnownKey::fresh(DataKey::generate(false))).collect();
        for (index, known) in keys.iter().enumerate() {
            let name = format!("{envelope}-{index}").parse().unwrap();
            let line = seal_item(&known.key, &known.key.id(&binding), &name, name.as_str().as_bytes());
            spec.encrypted_data.insert(name.to_string(), line.unwrap());
        }
        spec.envelopes.push(wrap(&binding, &[identity.recipient()], &keys));
    }
    spec
}

#[test]
fn the_largest_object_is_rewrapped_into_one_file_and_one_more_past_recipient_is_refused() {
    let generations: Vec<Vec<Identity>> =
        (0..=MAX_PAST / MAX_RECIPIENTS).map(|_| (0..MAX_RECIPIENTS).map(|_| hybrid()).collect()).collect();
    let mut spec = with_every_key(&generations[0][0]);
    let mut with = &generations[0][0];
    for generation in &generations {
        spec = rewrapped(&spec, with, &generation.iter().collect::<Vec<_>>()).unwrap();
        with = &generation[MAX_RECIPIENTS - 1];
        assert_eq!(unseal("prod/db", &spec, &ring(&[with])).unwrap().len(), MAX_DATA_KEYS);
    }
    let all = MAX_RECIPIENTS + MAX_PAST;
    assert!(seen(&spec, with).iter().all(|seen| seen.len() == all), "every key was wrapped to everybody");
    let size = BASE64.decode(&spec.envelopes[0].age).unwrap().len();
    assert!((105_000..115_000).contains(&size) && size < MAX_AGE_SIZE, "{size}");

    // The same recipients but one, who would be one past recipient too many.
    let next = hybrid();
    let to: Vec<_> = generations[4][1..].iter().chain([&next]).collect();
    let error = rewrapped(&spec, with, &to).unwrap_err();
    assert!(matches!(error, RewrapError::Seal(SealError::PastFull(65))), "{error}");
    assert_eq!(
        error.to_string(),
        "its values were sealed to 65 recipients in the past; at most 64 are remembered: change the values at their \
         source, and seal the new ones"
    );
    // Fresh data keys for the same values have the same past.
    let error = parse(&spec).reseal(&ring(&[with]), &Sealing::to(&to).recipients).err().unwrap();
    assert!(matches!(error, RewrapError::Seal(SealError::PastFull(65))), "{error}");
}

#[test]
fn the_names_of_an_offer_are_what_the_format_says() {
    let [a, b] = [x25519(), x25519()];
    let spec = Sealing::to(&[&a]).item("a", "1").spec();
    // "seal/v1/source" ‖ lp(age₁), by hand.
    let file = BASE64.decode(&spec.envelopes[0].age).unwrap();
    let length = u32::try_from(file.len()).unwrap().to_be_bytes();
    let covered = [b"seal/v1/source".as_slice(), &length, &file].concat();
    assert_eq!(parse(&spec).source(), format!("{:x}", sha2::Sha256::digest(covered)));
    assert_eq!(source(&spec.envelopes), Some(parse(&spec).source()));
    let broken = Envelope { age: "no base64".to_owned(), ..spec.envelopes[0].clone() };
    assert_eq!(source(&[broken]), None);

    let mut fingerprints = [a.fingerprint(), b.fingerprint()];
    fingerprints.sort();
    let covered =
        [b"seal/v1/target".as_slice(), fingerprints[0].as_bytes(), fingerprints[1].as_bytes()].concat();
    let [one, other] = fingerprints;
    for order in [vec![one, other], vec![other, one], vec![other, one, other]] {
        assert_eq!(target(order), format!("{:x}", sha2::Sha256::digest(&covered)));
    }
}

//! Tests of objects that somebody changed at their own place.
//!
//! Moves are in `places`, sizes in `bounds`. Invariant: a changed object releases nothing, not even the items that
//! weren't touched.

use base64::engine::general_purpose::STANDARD_NO_PAD as BASE64_NO_PAD;

use super::*;
use crate::keys::Fingerprint;
use crate::resources::RecipientHint;

/// An object with two envelopes, the first with two data keys: `a`, `b`, and `t` for templates, then `c`.
fn object(identity: &Identity) -> SealedSecretSpec {
    merge(
        Sealing::to(&[identity]).item("a", "1").item("b", "2").template_item("t", "3").spec(),
        Sealing::to(&[identity]).item("c", "4").spec(),
    )
}

/// The error after a change.
#[track_caller]
fn refused(change: impl FnOnce(&mut SealedSecretSpec)) -> UnsealError {
    let identity = x25519();
    let mut spec = object(&identity);
    assert!(unseal("prod/db", &spec, &ring(&[&identity])).is_ok());
    change(&mut spec);
    unseal("prod/db", &spec, &ring(&[&identity])).expect_err("a changed object must stay closed")
}

fn item(name: &str) -> crate::ItemName {
    name.parse().unwrap()
}

#[test]
fn swapped_items_are_refused() {
    // Under one data key, and under two.
    for (one, other) in [("a", "b"), ("a", "c"), ("b", "t")] {
        let error = refused(|spec| {
            let (x, y) = (&spec.encrypted_data[one], &spec.encrypted_data[other]);
            let swapped = [(one.to_owned(), y.clone()), (other.to_owned(), x.clone())];
            spec.encrypted_data.extend(swapped);
        });
        assert_eq!(error, UnsealError::ItemAltered { item: item(one) });
    }
}

#[test]
fn a_renamed_or_copied_item_is_refused() {
    let error = refused(|spec| {
        let line = spec.encrypted_data["a"].clone();
        spec.encrypted_data.insert("copy".into(), line);
    });
    assert_eq!(error, UnsealError::ItemAltered { item: item("copy") });
    assert_eq!(error.to_string(), "item copy was changed after it was sealed, or was sealed as another item");
}

#[test]
fn an_item_under_another_data_key_of_the_object_is_refused() {
    let error = refused(|spec| {
        let line = spec.encrypted_data["a"].replace(id_of(spec, "a"), id_of(spec, "c"));
        spec.encrypted_data.insert("a".into(), line);
    });
    assert_eq!(error, UnsealError::ItemAltered { item: item("a") });
}

#[test]
fn a_dropped_envelope_is_missed_by_its_items() {
    let mut id = String::new();
    let error = refused(|spec| {
        id = id_of(spec, "c").to_owned();
        spec.envelopes.pop();
    });
    assert_eq!(error.to_string(), format!("item c needs data key {id}, which no envelope holds"));
    assert_eq!(error, UnsealError::MissingKey { item: item("c"), id });
}

#[test]
fn an_envelope_that_no_item_uses_is_refused() {
    let error = refused(|spec| drop(spec.encrypted_data.remove("c")));
    assert_eq!(error, UnsealError::UnusedEnvelope { envelope: 1 });
}

#[test]
fn a_data_key_that_is_listed_twice_is_refused() {
    let mut ids = Vec::new();
    let changes: [fn(&mut SealedSecretSpec); 3] = [
        |spec| spec.envelopes.push(spec.envelopes[1].clone()),
        |spec| spec.envelopes[1].keys = spec.envelopes[0].keys[..1].to_vec(),
        |spec| spec.envelopes[0].keys[1] = spec.envelopes[0].keys[0].clone(),
    ];
    for change in changes {
        let error = refused(|spec| {
            ids = spec.envelopes.iter().flat_map(|envelope| envelope.keys.clone()).collect();
            change(spec);
        });
        let UnsealError::DuplicateKey { id } = &error else { panic!("{error}") };
        assert!(ids.contains(id));
    }
}

#[test]
fn a_public_list_of_data_keys_that_is_not_the_sealed_one_is_refused() {
    let changes: [fn(&mut Vec<String>); 3] =
        [|keys| keys.reverse(), |keys| keys.push("A".repeat(43)), |keys| keys.insert(0, "A".repeat(43))];
    for change in changes {
        let error = refused(|spec| change(&mut spec.envelopes[0].keys));
        assert_eq!(error, UnsealError::WrongKeys { envelope: 0 });
    }
    // The same holds if no item uses the key that is left out.
    let error = refused(|spec| {
        spec.encrypted_data.remove("t");
        let used = id_of(spec, "a").to_owned();
        spec.envelopes[0].keys.retain(|id| *id == used);
    });
    assert_eq!(error, UnsealError::WrongKeys { envelope: 0 });
}

#[test]
fn envelopes_with_exchanged_files_are_refused() {
    let error = refused(|spec| {
        let [first, second] = &mut spec.envelopes[..] else { unreachable!("the object has two envelopes") };
        std::mem::swap(&mut first.age, &mut second.age);
    });
    assert_eq!(error, UnsealError::WrongKeys { envelope: 0 });
}

#[test]
fn hints_that_are_not_the_sealed_recipients_are_refused_with_both_lists() {
    let (a, b) = (x25519(), x25519());
    let spec = Sealing::to(&[&a, &b]).item("a", "1").spec();
    let sealed = vec![a.fingerprint(), b.fingerprint()];
    let stranger = Fingerprint::of("stranger");
    for found in [
        vec![a.fingerprint()],
        vec![b.fingerprint(), a.fingerprint()],
        vec![a.fingerprint(), stranger],
        vec![a.fingerprint(), b.fingerprint(), stranger],
        vec![a.fingerprint(), b.fingerprint(), b.fingerprint()],
    ] {
        let mut changed = spec.clone();
        let hint =
            |fingerprint: &Fingerprint| RecipientHint { name: None, fingerprint: fingerprint.to_string() };
        changed.envelopes[0].recipients = found.iter().map(hint).collect();
        let error = unseal("prod/db", &changed, &ring(&[&a])).unwrap_err();
        let short = |list: &[Fingerprint]| {
            let list: Vec<_> = list.iter().map(Fingerprint::short).collect();
            list.join(", ")
        };
        let message = format!("envelopes[0] is sealed to {}, but says {}", short(&sealed), short(&found));
        assert_eq!(error.to_string(), message);
        let (envelope, sealed) = (0, sealed.clone());
        assert_eq!(error, UnsealError::WrongRecipients { envelope, sealed, found });
    }
}

#[test]
fn names_of_hints_mean_nothing() {
    let identity = x25519();
    let mut spec = object(&identity);
    spec.envelopes[0].recipients[0].name = Some("somebody else".into());
    spec.envelopes[1].recipients[0].name = None;
    assert!(unseal("prod/db", &spec, &ring(&[&identity])).is_ok());
}

#[test]
fn an_item_that_was_not_sealed_for_templates_stays_out_of_them() {
    let error = refused(|spec| drop(spec.template.data.insert("leak".into(), "$(a)".into())));
    assert_eq!(error, UnsealError::NotForTemplates { item: item("a") });
    assert_eq!(
        error.to_string(),
        "template.data refers to item a, which was not sealed for use in templates"
    );
}

/// A recipient may rewrap what it holds, but the id holds the key to its flag.
#[test]
fn a_flipped_template_flag_is_refused() {
    let identity = x25519();
    let mut spec = Sealing::to(&[&identity]).item("a", "1").spec();
    spec.template.data.insert("leak".into(), "$(a)".into());
    let mut keys = data_keys(&spec, 0, &identity);
    keys[0].key.template = true;
    let binding = Binding::new(Scope::Strict, &place("prod/db"));
    let forged = wrap(&binding, &[identity.recipient()], &keys);
    let (old_id, new_id) = (id_of(&spec, "a").to_owned(), forged.keys[0].clone());
    let open = |spec: &SealedSecretSpec| unseal("prod/db", spec, &ring(&[&identity]));

    spec.envelopes[0].age = forged.age;
    assert_eq!(open(&spec), Err(UnsealError::WrongKeys { envelope: 0 }));
    spec.envelopes[0].keys = vec![new_id.clone()];
    let (item, id) = (item("a"), old_id.clone());
    assert_eq!(open(&spec), Err(UnsealError::MissingKey { item: item.clone(), id }));
    let line = spec.encrypted_data["a"].replace(&old_id, &new_id);
    spec.encrypted_data.insert("a".into(), line);
    assert_eq!(open(&spec), Err(UnsealError::ItemAltered { item }));
}

/// Every flip of a bit of the decoded age file in steps of `step`, by reason.
fn flip_age(identity: &Identity, step: usize) -> BTreeMap<&'static str, usize> {
    let spec = Sealing::to(&[identity]).item("a", "1").spec();
    let keys = ring(&[identity]);
    let file = BASE64.decode(&spec.envelopes[0].age).unwrap();
    let mut reasons = BTreeMap::new();
    for bit in (0..file.len() * 8).step_by(step) {
        let mut flipped = file.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        let mut changed = spec.clone();
        changed.envelopes[0].age = BASE64.encode(flipped);
        match unseal("prod/db", &changed, &keys) {
            Err(error) => *reasons.entry(error.reason().as_str()).or_default() += 1,
            Ok(_) => panic!("bit {bit} of the age file can be flipped"),
        }
    }
    reasons
}

#[test]
fn no_bit_of_an_age_file_can_be_flipped() {
    let classic = flip_age(&x25519(), 1);
    let hybrid = flip_age(&hybrid(), 7);
    for reasons in [classic, hybrid] {
        // A changed stanza may look like one for another recipient. A broken header is malformed. Every other change,
        // above all any change of the payload, is detected as such.
        let found: Vec<_> = reasons.keys().copied().collect();
        assert_eq!(found, ["EnvelopeAltered", "Malformed", "NoMatchingKey"]);
        assert!(reasons["EnvelopeAltered"] > reasons["Malformed"], "{reasons:?}");
    }
}

/// Key shares that a curve or a KEM chokes on: of low order, out of range, of the wrong length, none.
#[test]
fn hostile_key_shares_are_refused_without_a_panic() {
    for identity in [hybrid(), x25519(), ssh_ed25519()] {
        let spec = Sealing::to(&[&identity]).item("a", "1").spec();
        let file = BASE64.decode(&spec.envelopes[0].age).unwrap();
        let header_end = file.windows(4).position(|bytes| bytes == b"\n---").unwrap();
        let (header, rest) = file.split_at(header_end);
        let header = std::str::from_utf8(header).unwrap();
        let stanza = format!("-> {} ", identity.kind());
        let line = header.lines().find(|line| line.starts_with(&stanza)).unwrap();
        let (before, share) = line.rsplit_once(' ').unwrap();
        let length = BASE64_NO_PAD.decode(share).unwrap().len();
        let hostile = [
            vec![0; length],
            vec![255; length],
            [vec![1], vec![0; length - 1]].concat(),
            vec![0; length - 1],
            vec![0; length + 1],
            Vec::new(),
        ];
        for share in hostile {
            let with = format!("{before} {}", BASE64_NO_PAD.encode(share));
            let mut changed = spec.clone();
            changed.envelopes[0].age = BASE64.encode([header.replace(line, &with).as_bytes(), rest].concat());
            let error = unseal("prod/db", &changed, &ring(&[&identity])).unwrap_err();
            assert!(
                matches!(error.reason().as_str(), "EnvelopeAltered" | "NoMatchingKey"),
                "{with}: {error}"
            );
        }
    }
}

#[test]
fn no_byte_can_be_cut_from_or_added_to_an_age_file() {
    let identity = x25519();
    let spec = Sealing::to(&[&identity]).item("a", "1").spec();
    let file = BASE64.decode(&spec.envelopes[0].age).unwrap();
    let longer = [&file[..], b"\0"].concat();
    let cuts = (1..file.len()).map(|end| &file[..end]).chain([&*longer]);
    for changed in cuts {
        let mut spec = spec.clone();
        spec.envelopes[0].age = BASE64.encode(changed);
        let error = unseal("prod/db", &spec, &ring(&[&identity])).expect_err("cut or added to");
        let length = changed.len();
        assert!(matches!(error.reason().as_str(), "EnvelopeAltered" | "Malformed"), "{length}: {error}");
    }
}

#[test]
fn no_bit_of_a_line_can_be_flipped() {
    let identity = x25519();
    let spec = Sealing::to(&[&identity]).item("a", "1").item("b", "2").spec();
    let keys = ring(&[&identity]);
    let line = spec.encrypted_data["a"].as_bytes();
    let mut reasons: BTreeMap<_, usize> = BTreeMap::new();
    for bit in 0..line.len() * 8 {
        let mut flipped = line.to_vec();
        flipped[bit / 8] ^= 1 << (bit % 8);
        // Bytes that aren't text aren't YAML either.
        let Ok(flipped) = String::from_utf8(flipped) else {
            continue;
        };
        let mut changed = spec.clone();
        changed.encrypted_data.insert("a".into(), flipped);
        match unseal("prod/db", &changed, &keys) {
            Err(error) => *reasons.entry(error.reason().as_str()).or_default() += 1,
            Ok(_) => panic!("bit {bit} of the line can be flipped"),
        }
    }
    let found: Vec<_> = reasons.keys().copied().collect();
    assert_eq!(found, ["ItemAltered", "Malformed", "MissingKey"]);
}

#[test]
fn an_envelope_to_somebody_else_with_borrowed_hints_stays_closed() {
    let (us, them) = (x25519(), x25519());
    let mut spec = Sealing::to(&[&us]).item("a", "1").spec();
    spec.envelopes[0].age = Sealing::to(&[&them]).item("a", "1").spec().envelopes.remove(0).age;
    let (sealed_to, tried) = (sealed_to(&us), vec![us.fingerprint()]);
    assert_eq!(
        unseal("prod/db", &spec, &ring(&[&us])),
        Err(UnsealError::NoMatchingKey { envelope: 0, sealed_to, tried })
    );
}

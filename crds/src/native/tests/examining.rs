//! Tests of the examination of an object: which keys it needs, whatever its author did to mislead, and which items are
//! exposed.
//!
//! Invariant: every answer is compared with the definition: a key is needed if the object doesn't unseal with all other
//! keys of the keyring.

use std::collections::HashSet;
use std::io::Write as _;

use age_core::format::{FileKey, Stanza};

use super::*;
use crate::format::Examined;
use crate::keys::Fingerprint;
use crate::native::document;
use crate::resources::RecipientHint;

/// A stanza of an age header that somebody made by hand.
#[derive(Clone, Copy)]
enum Line<'a> {
    /// The file key, for this identity.
    To(&'a Identity),
    /// Another file key, for this identity.
    Other(&'a Identity),
    /// The file key, in a stanza that lost its last byte.
    Cut(&'a Identity),
    /// The file key, under the tag of another kind of recipient.
    Tagged(&'a Identity, &'a str),
    /// A stanza of no known kind.
    Grease,
}

struct Header<'a>(Vec<Line<'a>>);

impl age::Recipient for Header<'_> {
    fn wrap_file_key(&self, file_key: &FileKey) -> Result<(Vec<Stanza>, HashSet<String>), age::EncryptError> {
        let other = FileKey::new(Box::new([7; 16]));
        let mut stanzas = Vec::new();
        for line in &self.0 {
            let wrap = |identity: &Identity, key: &FileKey| -> Result<Stanza, age::EncryptError> {
                Ok(identity.recipient().as_age().wrap_file_key(key)?.0.remove(0))
            };
            stanzas.push(match line {
                Line::To(identity) => wrap(identity, file_key)?,
                Line::Other(identity) => wrap(identity, &other)?,
                Line::Cut(identity) => {
                    let mut stanza = wrap(identity, file_key)?;
                    stanza.body.pop();
                    stanza
                }
                Line::Tagged(identity, tag) => Stanza { tag: (*tag).into(), ..wrap(identity, file_key)? },
                Line::Grease => Stanza { tag: "grease".into(), args: vec!["x".into()], body: vec![1; 40] },
            });
        }
        Ok((stanzas, HashSet::new()))
    }
}

/// An object with one item, whose envelope has these stanzas. `inside` are the recipients that the document names, and
/// `hints` those that the public list names.
fn made(lines: &[Line<'_>], inside: &[&Identity], hints: &[&Identity]) -> SealedSecretSpec {
    let honest = x25519();
    let mut spec = Sealing::to(&[&honest]).item("a", "1").spec();
    spec.envelopes[0].age = BASE64.encode(file(&spec, &honest, lines, inside));
    spec.envelopes[0].recipients = hints.iter().map(|identity| hint(identity)).collect();
    spec
}

fn hint(identity: &Identity) -> RecipientHint {
    RecipientHint { name: None, fingerprint: identity.fingerprint().to_string() }
}

fn file(spec: &SealedSecretSpec, honest: &Identity, lines: &[Line<'_>], inside: &[&Identity]) -> Vec<u8> {
    let known = data_keys(spec, 0, honest).into_iter().map(|known| KnownKey::fresh(known.key));
    let inside: Vec<Fingerprint> = inside.iter().map(|identity| identity.fingerprint()).collect();
    let binding = Binding::new(Scope::Strict, &place("prod/db"));
    let document = document::write(&binding, &inside, &known.collect::<Vec<_>>());
    let document = document.ok().unwrap();
    let header = Header(lines.to_vec());
    let encryptor = age::Encryptor::with_recipients(std::iter::once(&header as &dyn age::Recipient)).unwrap();
    let mut file = Vec::new();
    let mut writer = encryptor.wrap_output(&mut file).unwrap();
    writer.write_all(&document).unwrap();
    writer.finish().unwrap();
    file
}

fn examine(spec: &SealedSecretSpec, keys: &Keyring) -> Result<Examined, UnsealError> {
    NativeSealed::parse(place("prod/db"), spec, &BTreeSet::new())?.examine(keys, &BTreeSet::new())
}

/// The keys that the examination finds to be needed, after a comparison with the definition.
#[track_caller]
fn only(case: &str, spec: &SealedSecretSpec, ring_of: &[&Identity]) -> Result<Vec<Fingerprint>, UnsealError> {
    let unsealed = unseal_all("prod/db", spec, &ring(ring_of));
    let examined = examine(spec, &ring(ring_of));
    assert_eq!(examined.as_ref().err(), unsealed.as_ref().err(), "{case}");
    let examined = examined?;
    assert_eq!(examined.unsealed.opened_by, unsealed.unwrap().opened_by, "{case}");
    for left_out in ring_of {
        let others: Vec<&Identity> =
            ring_of.iter().filter(|one| one.fingerprint() != left_out.fingerprint()).copied().collect();
        let opens = unseal_all("prod/db", spec, &ring(&others)).is_ok();
        let is_needed = examined.only.contains(&left_out.fingerprint());
        assert_eq!(is_needed, !opens, "{case}, without {}", left_out.kind());
    }
    Ok(examined.only.into_iter().collect())
}

/// The proof that a key may be deleted stands on this: an author who makes a key look needed wastes nobody's time but
/// the operator's, and one who makes a needed key look unneeded would destroy a Secret.
#[test]
fn no_trick_with_stanzas_hints_or_lists_makes_a_needed_key_look_unneeded() {
    use Line::{Cut, Grease, Other, Tagged, To};
    let [a, b, gone] = [hybrid(), hybrid(), hybrid()];
    let classic = x25519();
    let (a, b, gone, c) = (&a, &b, &gone, &classic);
    // age adds one stanza of its own.
    let many_a = [To(a); 19];
    let (ab, ba) = ([To(a), To(b)], [To(b), To(a)]);
    let late = |last| [vec![Grease; 18], vec![last]].concat();
    type Case<'a> = (&'a str, &'a [Line<'a>], &'a [&'a Identity], &'a [&'a Identity]);
    let (late_a, late_other) = (late(To(a)), late(Other(a)));
    // The case; the stanzas; the list inside, which the hints repeat; the keys that are needed.
    let cases: &[Case<'_>] = &[
        ("sealed to one", &[To(a)], &[a], &[a]),
        ("sealed to both", &ab, &[a, b], &[]),
        ("sealed to both, in another order", &ba, &[a, b], &[]),
        ("listed in another order", &ab, &[b, a], &[]),
        ("listed but not sealed to", &[To(a)], &[a, b], &[a]),
        ("listed first but not sealed to", &[To(a)], &[b, a], &[a]),
        ("the other one listed but not sealed to", &[To(b)], &[a, b], &[b]),
        ("sealed to, but hidden", &ab, &[a], &[a]),
        ("the hidden one's stanza first", &ba, &[a], &[a]),
        ("the hidden one opens nothing", &ab, &[b], &[b]),
        ("a stanza for a key that is gone", &[To(gone), To(a)], &[gone, a], &[a]),
        ("a hidden stanza for a key that is gone", &[To(gone), To(a)], &[a], &[a]),
        ("only listed: a key that is gone", &[To(a)], &[gone, a], &[a]),
        ("both, and a key that is gone", &[To(a), To(gone), To(b)], &[gone, a, b], &[]),
        ("another file key for the other", &[To(a), Other(b)], &[a, b], &[a]),
        ("another file key for the other, first", &[Other(b), To(a)], &[a, b], &[a]),
        ("another file key and the right one", &[To(a), Other(b), To(b)], &[a, b], &[a]),
        ("the right one and another file key", &[To(a), To(b), Other(b)], &[a, b], &[]),
        ("another file key for a hidden one", &[To(a), Other(b)], &[a], &[a]),
        ("another file key for one that is gone", &[Other(gone), To(a)], &[a, gone], &[a]),
        ("a stanza cut short", &[To(a), Cut(b)], &[a, b], &[a]),
        ("a stanza cut short, for one that is gone", &[To(a), Cut(gone)], &[a, gone], &[a]),
        ("a stanza cut short between", &[To(a), Cut(gone), To(b)], &[a, b], &[a]),
        ("grease before", &[Grease, To(a)], &[a], &[a]),
        ("grease between", &[To(a), Grease, To(b)], &[a, b], &[]),
        ("grease after", &[To(a), Grease, Grease], &[a], &[a]),
        ("grease as far as it goes", &late_a, &[a], &[a]),
        ("the same twice", &[To(a), To(a)], &[a], &[a]),
        ("the same as often as it goes", &many_a, &[a], &[a]),
        ("the same twice, and the other", &[To(a), To(a), To(b)], &[a, b], &[]),
        ("another kind's tag", &[To(a), Tagged(b, "X25519")], &[a, b], &[a]),
        ("another kind's tag first", &[Tagged(b, "X25519"), To(a)], &[a, b], &[a]),
        ("an unknown tag first", &[Tagged(b, "x"), To(a), To(b)], &[a, b], &[]),
        ("an unknown tag", &[To(a), Tagged(b, "mlkem768x25519-2")], &[a, b], &[a]),
        ("a classic key beside", &[To(a), To(c)], &[a, c], &[]),
        ("a classic key beside, hidden", &[To(a), To(c)], &[a], &[a]),
        ("a classic key beside, of another file key", &[To(a), Other(c)], &[a, c], &[a]),
        ("a classic key alone", &[To(c)], &[c], &[c]),
        ("a classic key alone, and all listed", &[To(c)], &[a, b, c], &[c]),
        ("three", &[To(c), To(b), To(a)], &[a, b, c], &[]),
        ("three, one hidden", &[To(c), To(b), To(a)], &[c, b], &[]),
        ("three, two hidden", &[To(c), To(b), To(a)], &[b], &[b]),
        ("three, the last of another file key", &[To(c), Other(b), To(a)], &[c, a, b], &[]),
        ("three, the second of another file key", &[To(c), Other(b), To(a)], &[c, b, a], &[c]),
    ];
    assert!(cases.len() >= 40, "{}", cases.len());
    for (case, lines, inside, needed) in cases {
        let spec = made(lines, inside, inside);
        let mut needed: Vec<Fingerprint> = needed.iter().map(|identity| identity.fingerprint()).collect();
        needed.sort();
        assert_eq!(only(case, &spec, &[a, b, c]), Ok(needed), "{case}");
        // In whatever order the keys are loaded, the answer is the definition's.
        for order in [[a, c, b], [b, a, c], [b, c, a], [c, a, b], [c, b, a]] {
            drop(only(case, &spec, &order));
        }
    }
    // What doesn't open at all is an error, and never an object that needs nothing.
    for (lines, inside) in [
        (&[To(gone)][..], &[gone][..]),
        (&[Other(a)], &[a]),
        (&late_other, &[a]),
        (&[Cut(a)], &[a]),
        // A stanza of a known kind that isn't in its form stops every identity of that kind that comes to it.
        (&[Cut(b), To(a)], &[a, b]),
        (&[Cut(gone), To(a)], &[a, gone]),
        (&[Grease], &[a]),
        (&[To(a), Other(a), To(b)], &[gone]),
    ] {
        let spec = made(lines, inside, inside);
        assert!(only("refused", &spec, &[a, b, c]).is_err());
    }
}

#[test]
fn forged_hints_are_refused_and_decide_nothing() {
    let [a, b] = [hybrid(), hybrid()];
    let lines = [Line::To(&a), Line::To(&b)];
    for hints in [&[&b, &a][..], &[&a], &[&b], &[&a, &b, &a], &[]] {
        let spec = made(&lines, &[&a, &b], hints);
        assert!(only("forged hints", &spec, &[&a, &b]).is_err(), "{}", hints.len());
    }
}

#[test]
fn each_envelope_may_need_a_key_of_its_own() {
    let [a, b, c] = [x25519(), x25519(), x25519()];
    let spec = [
        Sealing::to(&[&a]).item("a", "1"),
        Sealing::to(&[&b, &c]).item("b", "2"),
        Sealing::to(&[&c]).item("c", "3"),
    ];
    let [one, two, three] = spec.map(Sealing::spec);
    let spec = merge(merge(one, two), three);
    let mut needed = [a.fingerprint(), c.fingerprint()];
    needed.sort();
    assert_eq!(only("three envelopes", &spec, &[&a, &b, &c]), Ok(needed.to_vec()));
}

/// Whoever decides by this when to examine an object has to know what its author can make that cost.
#[test]
fn an_examination_tries_every_other_key_on_every_envelope() {
    let keys = [x25519(), x25519(), x25519()];
    let one = Sealing::to(&[&keys[0]]).item("a", "1").spec();
    let two = merge(one.clone(), Sealing::to(&[&keys[1]]).item("b", "2").spec());
    let tries = |spec: &SealedSecretSpec, keys: &[&Identity]| {
        NativeSealed::parse(place("prod/db"), spec, &BTreeSet::new()).unwrap().more_tries(&ring(keys))
    };
    assert_eq!(tries(&one, &[&keys[0]]), 0, "an opening tries the only key");
    assert_eq!(tries(&one, &keys.each_ref()), 2);
    assert_eq!(tries(&two, &keys.each_ref()), 4);
}

/// The largest keyring that is tried, with the key that is needed at every place in it.
#[test]
fn a_key_is_found_wherever_it_is_in_a_large_keyring() {
    let identities: Vec<Identity> = (0..66).map(|_| x25519()).collect();
    let all: Vec<&Identity> = identities.iter().collect();
    for (one, other) in [(0, 64), (63, 64), (5, 65)] {
        let spec = made(
            &[Line::To(all[one]), Line::To(all[other])],
            &[all[one], all[other]],
            &[all[one], all[other]],
        );
        assert_eq!(only("hinted", &spec, &all), Ok(Vec::new()));
        let spec = made(&[Line::To(all[one])], &[all[one]], &[all[one]]);
        assert_eq!(only("alone", &spec, &all), Ok(vec![all[one].fingerprint()]));
    }
}

#[test]
fn an_item_is_exposed_if_its_data_key_was_ever_wrapped_to_one_of_these() {
    let [leaked, kept, new] = [x25519(), x25519(), x25519()];
    let spec = merge(
        Sealing::to(&[&leaked, &kept]).item("a", "1").template_item("b", "2").spec(),
        Sealing::to(&[&kept]).item("c", "3").spec(),
    );
    let exposed = |spec: &SealedSecretSpec, keys: &Keyring, exposing: &[&Identity]| {
        let exposing = exposing.iter().map(|identity| identity.fingerprint()).collect();
        let sealed = NativeSealed::parse(place("prod/db"), spec, &BTreeSet::new()).unwrap();
        let examined = sealed.examine(keys, &exposing).unwrap();
        examined.exposed.into_keys().map(|item| item.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(exposed(&spec, &ring(&[&kept]), &[&leaked]), ["a", "b"]);
    assert_eq!(exposed(&spec, &ring(&[&kept]), &[&leaked, &kept]), ["a", "b", "c"]);
    assert_eq!(exposed(&spec, &ring(&[&kept]), &[&new]), [""; 0]);
    // A rewrap takes nothing back.
    let sealed = NativeSealed::parse(place("prod/db"), &spec, &BTreeSet::new()).unwrap();
    let offered = sealed.offer(&ring(&[&kept]), &Sealing::to(&[&new]).recipients).unwrap().ok().unwrap();
    let rewrapped = SealedSecretSpec { envelopes: vec![offered], ..spec };
    assert_eq!(exposed(&rewrapped, &ring(&[&new]), &[&leaked]), ["a", "b"]);
}

/// The threat: an item comes under envelopes that were examined, and its data key is exposed.
#[test]
fn items_that_come_and_go_under_the_same_envelopes_are_another_question() {
    let key = x25519();
    let spec = Sealing::to(&[&key]).item("a", "1").item("b", "2").spec();
    let parsed = |spec: &SealedSecretSpec| {
        NativeSealed::parse(place("prod/db"), spec, &BTreeSet::new()).map_err(drop).ok().unwrap()
    };
    let mut fewer = spec.clone();
    fewer.encrypted_data.remove("b");
    assert_eq!(parsed(&fewer).source(), parsed(&spec).source());
    assert_ne!(parsed(&fewer).assignment(), parsed(&spec).assignment());
    let unchecked = crate::native::assignment(&spec.encrypted_data);
    assert_eq!(unchecked, Some(parsed(&spec).assignment()));
    let mut swapped = spec.clone();
    let b = swapped.encrypted_data["b"].clone();
    swapped.encrypted_data.insert("a".into(), b);
    assert_eq!(
        parsed(&swapped).assignment(),
        parsed(&spec).assignment(),
        "a value says nothing of data keys"
    );
}

//! Tests of sizes and counts: an object at a bound opens, an object above it is refused.
//!
//! The bounds of the header of an age file are tested beside its parser. Invariant: every bound but that of the
//! values is checked before any key is tried.

use super::*;
use crate::native::{MAX_AGE_SIZE, MAX_DATA_KEYS, MAX_ENVELOPES, MAX_ITEMS, MAX_RECIPIENTS};
use crate::secret::MAX_SECRET_SIZE;

/// The error of a manifest, found without a key.
fn refused(spec: &SealedSecretSpec) -> UnsealError {
    NativeSealed::parse(place("prod/db"), spec, &BTreeSet::new())
        .err()
        .expect("what is out of bounds must be refused without a key")
}

fn too_large(path: &str, found: usize, limit: usize, unit: &'static str) -> UnsealError {
    let path = path.to_owned();
    UnsealError::TooLarge { path, found, limit, unit }
}

fn malformed(path: &str, problem: &str) -> UnsealError {
    UnsealError::Malformed { path: path.into(), problem: problem.into() }
}

#[test]
fn sixteen_envelopes_open_and_seventeen_do_not() {
    let identity = x25519();
    let one = |n: usize| Sealing::to(&[&identity]).item(&n.to_string(), "v").spec();
    let sixteen = (1..MAX_ENVELOPES).fold(one(0), |spec, n| merge(spec, one(n)));
    assert_eq!(unseal("prod/db", &sixteen, &ring(&[&identity])).unwrap().len(), 16);
    let error = refused(&merge(sixteen, one(16)));
    assert_eq!(error, too_large("envelopes", 17, 16, "envelopes"));
    assert_eq!(error.to_string(), "envelopes has 17 envelopes; at most 16 are allowed");
}

#[test]
fn an_object_has_at_most_256_data_keys_in_all() {
    let identity = x25519();
    let spec = Sealing::to(&[&identity]).item("a", "1").spec();
    let binding = Binding::new(Scope::Strict, &place("prod/db"));
    let with_keys = |count: usize| {
        let mut keys = data_keys(&spec, 0, &identity);
        keys.extend((1..count).map(|_| KnownKey::fresh(DataKey::generate(false))));
        let mut spec = spec.clone();
        spec.envelopes = vec![wrap(&binding, &[identity.recipient()], &keys)];
        spec
    };
    let most = with_keys(MAX_DATA_KEYS);
    assert_eq!(unseal("prod/db", &most, &ring(&[&identity])), Ok(values([("a", b"1")])));
    let error = refused(&with_keys(MAX_DATA_KEYS + 1));
    assert_eq!(error, too_large("envelopes[0].keys", 257, 256, "data keys"));
    // The object is refused even if no single envelope has too many.
    let error = refused(&merge(most, Sealing::to(&[&identity]).item("b", "2").spec()));
    assert_eq!(error, too_large("envelopes", 257, 256, "data keys"));
}

#[test]
fn an_envelope_has_at_most_sixteen_recipients() {
    let identities: Vec<_> = (0..MAX_RECIPIENTS).map(|_| x25519()).collect();
    let to: Vec<_> = identities.iter().collect();
    let mut spec = Sealing::to(&to).item("a", "1").spec();
    let last = ring(&to[MAX_RECIPIENTS - 1..]);
    assert_eq!(unseal("prod/db", &spec, &last), Ok(values([("a", b"1")])));
    let hints = &mut spec.envelopes[0].recipients;
    hints.push(hints[0].clone());
    let error = too_large("envelopes[0].recipients", 17, 16, "recipients");
    assert_eq!(refused(&spec), error);
}

#[test]
fn sixteen_hybrid_recipients_stay_within_the_size_of_an_age_file() {
    let identities: Vec<_> = (0..MAX_RECIPIENTS).map(|_| hybrid()).collect();
    let spec = Sealing::to(&identities.iter().collect::<Vec<_>>()).item("a", "1").spec();
    let last = ring(&[&identities[MAX_RECIPIENTS - 1]]);
    assert_eq!(unseal("prod/db", &spec, &last), Ok(values([("a", b"1")])));
}

#[test]
fn age_files_are_bounded_one_by_one_and_together() {
    let identity = x25519();
    let large = |item: &str, size: usize| {
        let mut spec = Sealing::to(&[&identity]).item(item, "v").spec();
        let file = envelope::wrap(&vec![b' '; size], &[identity.recipient()]).unwrap();
        spec.envelopes[0].age = BASE64.encode(file);
        spec
    };
    assert_eq!(refused(&large("a", MAX_AGE_SIZE)), malformed("envelopes[0].age", "is larger than 128 KiB"));
    // One file may use the whole limit of all files.
    for most in [large("a", 130_000), merge(large("a", 60_000), large("b", 60_000))] {
        assert!(NativeSealed::parse(place("prod/db"), &most, &BTreeSet::new()).is_ok());
        let error = refused(&merge(most, large("c", 60_000)));
        let UnsealError::TooLarge { path, limit, unit, .. } = &error else { panic!("{error}") };
        assert_eq!((&**path, *limit, *unit), ("envelopes", 128 * 1024, "bytes of age files"));
    }
}

#[test]
fn files_that_are_no_binary_age_to_recipients_are_refused() {
    let stanzas = "-> X25519 a\nb\n".repeat(21);
    for (file, problem) in [
        (
            "age-encryption.org/v1\n-> scrypt c2FsdA 18\nYm9keQ\n--- bWFj\n".to_owned(),
            "is encrypted to a passphrase; only recipients are allowed",
        ),
        (format!("age-encryption.org/v1\n{stanzas}--- bWFj\n"), "has more than 20 stanzas"),
        (
            "-----BEGIN AGE ENCRYPTED FILE-----\n".to_owned(),
            "is armoured; only the binary form of an age file is allowed",
        ),
        ("not age".to_owned(), "is not an age file"),
    ] {
        let mut spec = Sealing::to(&[&x25519()]).item("a", "1").spec();
        spec.envelopes[0].age = BASE64.encode(file);
        assert_eq!(refused(&spec), malformed("envelopes[0].age", problem));
    }
}

#[test]
fn texts_that_are_not_canonical_are_refused() {
    let spec = Sealing::to(&[&x25519()]).item("a", "1").spec();
    let refused_after = |change: &dyn Fn(&mut SealedSecretSpec)| {
        let mut spec = spec.clone();
        change(&mut spec);
        refused(&spec)
    };
    let age = "is not canonical base64";
    let id = "has an id that is not 43 characters of canonical base64url";
    let hint = "has a fingerprint that is not 64 hex digits";
    type Change<'a> = &'a dyn Fn(&mut SealedSecretSpec);
    let cases: [(Change<'_>, &str, &str); 7] = [
        (&|spec| spec.envelopes[0].age.insert(0, '\n'), "envelopes[0].age", age),
        (&|spec| spec.envelopes[0].age.push('='), "envelopes[0].age", age),
        (&|spec| spec.envelopes[0].keys[0].push('='), "envelopes[0].keys", id),
        (&|spec| spec.envelopes[0].keys[0] = "A".repeat(42) + "B", "envelopes[0].keys", id),
        (
            &|spec| spec.envelopes[0].recipients[0].fingerprint.make_ascii_uppercase(),
            "envelopes[0].recipients",
            hint,
        ),
        (
            &|spec| drop(spec.encrypted_data.insert("a".into(), "x".into())),
            "encryptedData.a",
            "is not <data key id>.<ciphertext>",
        ),
        (&|spec| spec.envelopes[0].keys.clear(), "envelopes[0].keys", "is empty"),
    ];
    for (change, path, problem) in cases {
        assert_eq!(refused_after(change), malformed(path, problem));
    }
}

#[test]
fn nothing_is_empty() {
    let spec = Sealing::to(&[&x25519()]).item("a", "1").spec();
    type Change = fn(&mut SealedSecretSpec);
    let changes: [(Change, &str); 4] = [
        (|spec| spec.envelopes.clear(), "envelopes"),
        (|spec| spec.envelopes[0].keys.clear(), "envelopes[0].keys"),
        (|spec| spec.envelopes[0].recipients.clear(), "envelopes[0].recipients"),
        (|spec| spec.encrypted_data.clear(), "encryptedData"),
    ];
    for (change, path) in changes {
        let mut spec = spec.clone();
        change(&mut spec);
        assert_eq!(refused(&spec), malformed(path, "is empty"));
    }
}

#[test]
fn an_object_has_at_most_1024_items_and_as_many_template_keys() {
    let identity = x25519();
    let sealing = |items: usize| {
        (0..items).fold(Sealing::to(&[&identity]), |sealing, n| sealing.item(&n.to_string(), "v"))
    };
    let most = sealing(MAX_ITEMS).spec();
    assert_eq!(unseal("prod/db", &most, &ring(&[&identity])).unwrap().len(), MAX_ITEMS);
    let Err(SealError::Refused(error)) = sealing(MAX_ITEMS + 1).seal() else {
        panic!("1025 items must be refused")
    };
    assert_eq!(error, too_large("encryptedData", 1025, 1024, "items"));

    let mut spec = sealing(1).spec();
    spec.template.data = (0..=MAX_ITEMS).map(|n| (format!("t{n}"), String::new())).collect();
    assert_eq!(refused(&spec), too_large("template.data", 1025, 1024, "keys"));
}

#[test]
fn the_values_of_an_object_are_at_most_1_mib_together() {
    let identity = x25519();
    // Four bytes less: with their length prefix, two such values are just what padding leaves as they are.
    let half = |item: &str, more: usize| {
        Sealing::to(&[&identity]).item(item, vec![b'x'; MAX_SECRET_SIZE / 2 - 4 + more]).spec()
    };
    let most = merge(half("a", 0), half("b", 0));
    assert!(unseal("prod/db", &most, &ring(&[&identity])).is_ok());
    let error = refused(&merge(half("a", 0), half("b", 1)));
    let limit = MAX_SECRET_SIZE;
    assert_eq!(error, UnsealError::SecretTooLarge { limit });
    assert_eq!(error.to_string(), "the Secret would be larger than 1048576 bytes");
    // The text that templates add counts too.
    let mut spec = half("a", 0);
    spec.template.data.insert("t".into(), "x".repeat(MAX_SECRET_SIZE / 2 + 5));
    assert_eq!(refused(&spec), UnsealError::SecretTooLarge { limit });
}

#[test]
fn a_secret_is_bounded_with_its_metadata_whatever_the_values_are() {
    use crate::secret::{MAX_STORED_SIZE, SecretError};
    let identity = x25519();
    let outcome = |length: usize, keys: usize, annotation: usize| {
        let mut spec = Sealing::to(&[&identity]).item("a", vec![b'x'; length]).spec();
        let key = |n| format!("{n:04}{}", "k".repeat(200));
        spec.template.data = (0..keys).map(|n| (key(n), "x".repeat(500))).collect();
        spec.template.metadata.annotations.insert("a".into(), "x".repeat(annotation));
        NativeSealed::parse(place("prod/db"), &spec, &BTreeSet::new()).map(|_| ())
    };
    // One padded length: the shortest value and the longest.
    let (short, long) = (508_000, 524_000);
    for fits in [(0, 200_000), (500, 200_000), (700, 100_000)] {
        assert_eq!([short, long].map(|length| outcome(length, fits.0, fits.1)), [Ok(()), Ok(())], "{fits:?}");
    }
    let too_large = || Err(UnsealError::SecretTooLarge { limit: MAX_STORED_SIZE });
    assert_eq!([short, long].map(|length| outcome(length, 700, 250_000)), [too_large(), too_large()]);

    let mut spec = Sealing::to(&[&identity]).item("a", "1").spec();
    spec.template.metadata.labels = (0..1000).map(|n| (format!("{n:063}"), "1".to_owned())).collect();
    assert!(NativeSealed::parse(place("prod/db"), &spec, &BTreeSet::new()).is_ok());
    spec.template.metadata.labels = (0..1100).map(|n| (format!("{n:063}"), "1".to_owned())).collect();
    assert_eq!(refused(&spec), SecretError::LabelsTooLarge(1100 * 64).into());
    let mut release = Sealing::to(&[&identity]).item("a", "1").spec();
    release.template.metadata.labels.insert("owner".into(), "helm".into());
    assert_eq!(refused(&release), SecretError::HelmRelease.into());
}

#[test]
fn the_size_that_is_refused_does_not_depend_on_the_values() {
    let identity = x25519();
    // The longest text beside a value that still fits.
    let most = |length: usize| {
        let mut spec = Sealing::to(&[&identity]).item("a", vec![b'x'; length]).spec();
        let mut fits = |filler: usize| {
            spec.template.data.insert("t".into(), "x".repeat(filler));
            NativeSealed::parse(place("prod/db"), &spec, &BTreeSet::new()).is_ok()
        };
        let (mut low, mut high) = (0, MAX_SECRET_SIZE);
        while high - low > 1 {
            let middle = low.midpoint(high);
            if fits(middle) { low = middle } else { high = middle }
        }
        low
    };
    // Two values of one padded length, the shortest and the longest.
    assert_eq!([most(0), most(60)], [MAX_SECRET_SIZE - 60; 2]);
}

//! Tests of the verb seal: its refusals, and its promises about its results.
//!
//! Invariant: no result is one that a reader would refuse.

use super::*;
use crate::secret::{MAX_SECRET_SIZE, REFUSED_TYPES};

#[test]
fn post_quantum_and_classic_recipients_do_not_mix_and_the_error_names_one_of_each() {
    let hybrid = hybrid();
    for classic in [x25519(), ssh_ed25519()] {
        for to in [[&hybrid, &classic], [&classic, &hybrid]] {
            let error = Sealing::to(&to).item("a", "1").seal().unwrap_err();
            let message = format!(
                "post-quantum and classic recipients can't share an envelope: {} is post-quantum, {} is not",
                hybrid.fingerprint().short(),
                classic.fingerprint().short()
            );
            assert_eq!(error.to_string(), message);
        }
    }
}

#[test]
fn a_recipient_that_is_named_twice_counts_once() {
    let (a, b) = (x25519(), x25519());
    let mut to: Vec<_> = std::iter::repeat_n(&a, 20).collect();
    to.push(&b);
    let spec = Sealing::to(&to).item("a", "1").spec();
    let hints: Vec<_> = spec.envelopes[0].recipients.iter().map(|hint| &*hint.fingerprint).collect();
    assert_eq!(hints, [a.fingerprint().to_string(), b.fingerprint().to_string()]);
    assert!(unseal("prod/db", &spec, &ring(&[&b])).is_ok());
}

#[test]
fn nobody_nothing_and_too_many_are_refused() {
    let many: Vec<_> = (0..17).map(|_| x25519()).collect();
    let many: Vec<_> = many.iter().collect();
    for (sealing, message) in [
        (Sealing::to(&[]).item("a", "1"), "no recipient"),
        (Sealing::to(&many[..1]), "no items"),
        (Sealing::to(&many).item("a", "1"), "17 recipients; at most 16 are allowed"),
    ] {
        assert_eq!(sealing.seal().unwrap_err().to_string(), message);
    }
}

#[test]
fn values_larger_than_a_secret_are_refused_with_what_templates_add() {
    let identity = x25519();
    let error = Sealing::to(&[&identity]).item("a", vec![0; MAX_SECRET_SIZE + 1]).seal();
    assert_eq!(
        error.unwrap_err().to_string(),
        "the values are 1048577 bytes together; a Secret may have 1048576"
    );
    // 16 times 40,000 bytes, each written as two digits, and the item itself.
    let error = Sealing::to(&[&identity])
        .template_item("a", vec![0; 40_000])
        .template_data("t", &"$(a|hex)".repeat(16))
        .seal();
    assert!(matches!(error, Err(SealError::Refused(UnsealError::SecretTooLarge { .. }))));
}

#[test]
fn a_template_over_items_that_are_not_for_templates_is_refused() {
    let error = Sealing::to(&[&x25519()]).item("a", "1").template_data("t", "$(a)").seal();
    assert_eq!(
        error.unwrap_err().to_string(),
        "template.data refers to item a, which is not sealed for use in templates"
    );
}

#[test]
fn what_every_reader_would_refuse_is_not_sealed() {
    let identity = x25519();
    let sealing = || Sealing::to(&[&identity]).template_item("a", "1");
    for (sealing, message) in [
        (
            sealing().typed(REFUSED_TYPES[0]),
            "template: type kubernetes.io/service-account-token may not be sealed: the control plane acts on Secrets of this type",
        ),
        (sealing().typed("kubernetes.io/tls"), "template: type kubernetes.io/tls needs the key tls.crt"),
        (sealing().template_data("a", "x"), "template.data.a is also an item in encryptedData"),
        (
            sealing().template_data("t", "$(b)"),
            "template.data.t refers to item b, which encryptedData doesn't have",
        ),
        (
            sealing().template_data("t", "$(a"),
            "template.data.t: \"$(a\" is not $(item) or $(item|encoder); write $$( for a literal $(",
        ),
        (
            sealing().template_data("t", "$(a|rot13)"),
            "template.data.t: unknown encoder \"rot13\"; there are base64, hex, json and url",
        ),
        (
            sealing().template_data("t", &"$(a)".repeat(10)).template_data("u", &"$(a|hex)".repeat(7)),
            "item a is substituted 17 times; at most 16 are allowed",
        ),
        (
            sealing().template_data("..", "x"),
            "item name \"..\" is not a Secret key (1 to 253 of a-z, A-Z, 0-9, '-', '_' and '.'; not \".\", no leading \"..\")",
        ),
    ] {
        let error = sealing.seal().unwrap_err();
        assert!(matches!(error, SealError::Refused(_)), "{error}");
        assert_eq!(error.to_string(), message);
    }
}

#[test]
fn a_refused_type_opens_only_where_it_is_allowed() {
    let identity = x25519();
    for type_ in REFUSED_TYPES {
        let mut spec = Sealing::to(&[&identity]).item("a", "1").spec();
        spec.template.type_ = Some(type_.to_owned());
        let parse = |allowed| NativeSealed::parse(place("prod/db"), &spec, &allowed);
        assert_eq!(
            parse(BTreeSet::new()).err().map(|error| error.reason().as_str()),
            Some("InvalidTemplate")
        );
        let other = BTreeSet::from(["Opaque".to_owned()]);
        assert!(parse(other).is_err());
        assert!(parse(BTreeSet::from([type_.to_owned()])).unwrap().unseal(&ring(&[&identity])).is_ok());
    }
}

#[test]
fn every_sealing_uses_fresh_data_keys_and_nonces() {
    let identity = x25519();
    let seal = || Sealing::to(&[&identity]).item("a", "1").item("b", "1").spec();
    let (one, two) = (seal(), seal());
    assert_ne!(one.envelopes[0].keys, two.envelopes[0].keys);
    let ciphertext = |item| one.encrypted_data[item].split_once('.').unwrap().1;
    assert_ne!(ciphertext("a")[..32], ciphertext("b")[..32], "the nonces of two items");
}

#[test]
fn every_built_in_type_that_is_allowed_seals_and_opens() {
    let identity = x25519();
    for (type_, keys) in [
        ("Opaque", &["anything"][..]),
        ("kubernetes.io/tls", &["tls.crt", "tls.key"]),
        ("kubernetes.io/dockerconfigjson", &[".dockerconfigjson"]),
        ("kubernetes.io/dockercfg", &[".dockercfg"]),
        ("kubernetes.io/basic-auth", &["username"]),
        ("kubernetes.io/basic-auth", &["password"]),
        ("kubernetes.io/ssh-auth", &["ssh-privatekey"]),
        ("example.com/custom", &["anything"]),
    ] {
        let sealing = Sealing::to(&[&identity]).typed(type_);
        let spec = keys.iter().fold(sealing, |sealing, key| sealing.item(key, *key)).spec();
        let opened = unseal("prod/db", &spec, &ring(&[&identity])).unwrap();
        assert_eq!(opened.into_keys().collect::<Vec<_>>(), keys, "{type_}");
    }
}

//! Tests of objects that open, by recipient.
//!
//! Invariant: every test compares all values of the object, never a part.

use super::*;
use crate::names::ItemName;

#[test]
fn every_scope_opens_for_every_kind_of_recipient() {
    for identity in [hybrid(), x25519(), ssh_ed25519()] {
        for scope in Scope::ALL {
            let spec = Sealing::to(&[&identity])
                .scoped(scope)
                .item("password", "hunter2")
                .item("empty", "")
                .item("binary", [0, 255, 10, 13, 0])
                .spec();
            let opened = unseal("prod/db", &spec, &ring(&[&identity]));
            let expected =
                values([("binary", &[0, 255, 10, 13, 0]), ("empty", b""), ("password", b"hunter2")]);
            assert_eq!(opened, Ok(expected), "{} {scope}", identity.kind());
        }
    }
}

#[test]
fn every_recipient_alone_opens_the_whole_object() {
    for identities in [[hybrid(), hybrid()], [x25519(), ssh_ed25519()]] {
        let [a, b] = &identities;
        let spec = Sealing::to(&[a, b]).item("a", "1").spec();
        for identity in [a, b] {
            let opened = unseal_all("prod/db", &spec, &ring(&[identity])).unwrap();
            assert_eq!(opened.data[&"a".parse::<ItemName>().unwrap()].expose(), b"1");
            assert_eq!(opened.opened_by, [identity.fingerprint()]);
        }
    }
}

#[test]
fn nobody_else_opens_it_and_the_error_says_who_could() {
    let (to, other) = (hybrid(), hybrid());
    let spec = Sealing::to(&[&to]).item("a", "1").spec();
    for keys in [ring(&[&other]), ring(&[&x25519(), &ssh_ed25519()]), ring(&[])] {
        let error = unseal("prod/db", &spec, &keys).unwrap_err();
        let (sealed_to, tried) = (sealed_to(&to), keys.fingerprints().collect());
        assert_eq!(error, UnsealError::NoMatchingKey { envelope: 0, sealed_to, tried });
        assert!(error.may_pass_with_other_keys());
        let message = format!(
            "no identity at hand opens envelopes[0]; it says it is sealed to {} ({}); ",
            to.fingerprint().short(),
            to.kind()
        );
        assert!(error.to_string().starts_with(&message), "{error}");
    }
}

#[test]
fn who_could_open_it_is_named_by_name_and_fingerprint_and_so_are_the_keys_that_were_tried() {
    let (to, other) = (x25519(), x25519());
    let mut spec = Sealing::to(&[&to]).item("a", "1").spec();
    let mut said = |name: &str, keys: &[&Identity]| {
        spec.envelopes[0].recipients[0].name = Some(name.to_owned());
        unseal("prod/db", &spec, &ring(keys)).unwrap_err().to_string()
    };
    let (sealed_to, tried) = (to.fingerprint().short(), other.fingerprint().short());
    assert!(said("prod-2026", &[&other]).ends_with(&format!("{sealed_to} (prod-2026); tried: {tried}")));
    assert!(
        said("prod-2026", &[]).ends_with(&format!("{sealed_to} (prod-2026); there is no identity to try"))
    );
    // The author of the manifest chooses the name, and it goes to logs and terminals.
    for hostile in ["", "\u{1b}]0;x\u{7}", "a\nb", "\u{202e}dorp", &"x".repeat(81)] {
        assert!(said(hostile, &[&other]).ends_with(&format!("{sealed_to}; tried: {tried}")), "{hostile:?}");
    }
    let many: Vec<_> = (0..10).map(|_| x25519()).collect();
    assert!(said("a", &many.iter().collect::<Vec<_>>()).ends_with(" and 2 more"));
}

#[test]
fn item_names_that_yaml_reads_as_something_else_are_names_like_any_other() {
    let identity = x25519();
    let names = ["on", "null", "true", "1", "1e3", "-", "_", ".dockerconfigjson"];
    let spec = names.iter().fold(Sealing::to(&[&identity]), |sealing, name| sealing.item(name, *name)).spec();
    let text = serde_yaml::to_string(&spec).unwrap();
    let read: SealedSecretSpec = serde_yaml::from_str(&text).unwrap();
    let expected = names.map(|name| (name, name.as_bytes()));
    assert_eq!(unseal("prod/db", &read, &ring(&[&identity])), Ok(values(expected)));
}

#[test]
fn two_sealings_of_one_place_merge_into_one_object() {
    let identity = hybrid();
    let first = Sealing::to(&[&identity]).item("a", "1").item("b", "old").spec();
    let second = Sealing::to(&[&identity]).item("b", "new").spec();
    let merged = merge(first, second);
    assert_eq!(merged.envelopes.len(), 2);
    let opened = unseal_all("prod/db", &merged, &ring(&[&identity])).unwrap();
    assert_eq!(opened.opened_by, [identity.fingerprint(); 2]);
    assert_eq!(unseal("prod/db", &merged, &ring(&[&identity])), Ok(values([("a", b"1"), ("b", b"new")])));
}

#[test]
fn each_envelope_may_need_another_identity() {
    let (old, new) = (x25519(), hybrid());
    let merged =
        merge(Sealing::to(&[&old]).item("a", "1").spec(), Sealing::to(&[&new]).item("b", "2").spec());
    let opened = unseal_all("prod/db", &merged, &ring(&[&new, &old])).unwrap();
    assert_eq!(opened.opened_by, [old.fingerprint(), new.fingerprint()]);
    // All or nothing: with one of the two identities, even the items that it could open stay closed.
    let error = unseal("prod/db", &merged, &ring(&[&old])).unwrap_err();
    let (sealed_to, tried) = (sealed_to(&new), vec![old.fingerprint()]);
    assert_eq!(error, UnsealError::NoMatchingKey { envelope: 1, sealed_to, tried });
}

#[test]
fn the_hinted_identity_is_tried_first_and_the_others_too() {
    let (a, b, c) = (x25519(), x25519(), x25519());
    let spec = Sealing::to(&[&a, &b]).item("a", "1").spec();
    // Both open it; the order of the hints decides, not that of the keyring.
    let opened = unseal_all("prod/db", &spec, &ring(&[&c, &b, &a])).unwrap();
    assert_eq!(opened.opened_by, [a.fingerprint()]);
    // A false hint changes the order of the trials, not their result. The error that it is false comes once that is
    // proven.
    let mut lying = spec;
    lying.envelopes[0].recipients[0].fingerprint = c.fingerprint().to_string();
    let error = unseal("prod/db", &lying, &ring(&[&c, &a])).unwrap_err();
    assert!(matches!(error, UnsealError::WrongRecipients { .. }), "{error}");
}

#[test]
fn a_hint_finds_its_identity_behind_more_than_may_be_tried() {
    let identity = x25519();
    let strangers: Vec<_> = (0..64).map(|_| x25519()).collect();
    let keys: Vec<_> = strangers.iter().chain([&identity]).collect();
    let mut spec = Sealing::to(&[&identity]).item("a", "1").spec();
    assert_eq!(unseal("prod/db", &spec, &ring(&keys)), Ok(values([("a", b"1")])));
    // Without the hint, it is the 65th identity, and 64 are tried.
    let sealed_to = sealed_to(&strangers[0]);
    spec.envelopes[0].recipients[0].fingerprint = sealed_to[0].fingerprint.to_string();
    let tried = strangers.iter().map(Identity::fingerprint).collect();
    let error = UnsealError::NoMatchingKey { envelope: 0, sealed_to, tried };
    assert_eq!(unseal("prod/db", &spec, &ring(&keys)), Err(error));
}

#[test]
fn items_for_templates_have_a_data_key_of_their_own() {
    let identity = hybrid();
    let spec = Sealing::to(&[&identity])
        .item("password", "hunter2")
        .template_item("user", "me")
        .template_item("host", "db")
        .template_data("url", "pg://$(user)@$(host|url)/$$(x)")
        .spec();
    assert_eq!(spec.envelopes[0].keys.len(), 2);
    assert_eq!(id_of(&spec, "user"), id_of(&spec, "host"));
    assert_ne!(id_of(&spec, "user"), id_of(&spec, "password"));
    assert_eq!(
        unseal("prod/db", &spec, &ring(&[&identity])),
        Ok(values(
            [("host", b"db"), ("password", b"hunter2"), ("url", b"pg://me@db/$(x)"), ("user", b"me"),]
        ))
    );
}

#[test]
fn a_removed_item_leaves_its_data_key_and_the_rest_opens() {
    let identity = x25519();
    let mut spec = Sealing::to(&[&identity]).item("a", "1").template_item("b", "2").spec();
    spec.encrypted_data.remove("b");
    assert_eq!(unseal("prod/db", &spec, &ring(&[&identity])), Ok(values([("a", b"1")])));
}

#[test]
fn an_older_revision_of_the_same_object_opens() {
    // A rollback by a writer to Git looks like a revision: SECURITY.md says so, and this shows it.
    let identity = x25519();
    let old = Sealing::to(&[&identity]).item("a", "old").spec();
    let new = Sealing::to(&[&identity]).item("a", "new").item("b", "2").spec();
    let mut spliced = merge(new, old.clone());
    assert_eq!(unseal("prod/db", &spliced, &ring(&[&identity])), Ok(values([("a", b"old"), ("b", b"2")])));
    spliced = old;
    assert_eq!(unseal("prod/db", &spliced, &ring(&[&identity])), Ok(values([("a", b"old")])));
}

#[test]
fn an_object_reads_back_from_yaml_and_json_to_the_same_values_and_digest() {
    let identity = x25519();
    let spec = Sealing::to(&[&identity]).item("a", "é\n").typed("example.com/x").spec();
    let digest = |spec: &SealedSecretSpec| {
        NativeSealed::parse(place("prod/db"), spec, &BTreeSet::new()).unwrap().digest()
    };
    let yaml: SealedSecretSpec = serde_yaml::from_str(&serde_yaml::to_string(&spec).unwrap()).unwrap();
    let json: SealedSecretSpec = serde_json::from_str(&serde_json::to_string(&spec).unwrap()).unwrap();
    for read in [yaml, json] {
        assert_eq!(digest(&read), digest(&spec));
        let opened = unseal("prod/db", &read, &ring(&[&identity]));
        assert_eq!(opened, Ok(values([("a", "é\n".as_bytes())])));
    }
}

#[test]
fn everything_but_the_values_is_known_without_a_key() {
    let identity = hybrid();
    let spec = Sealing::to(&[&identity])
        .at("prod/web")
        .scoped(Scope::NamespaceWide)
        .item("tls.crt", "c")
        .item("tls.key", "k")
        .template_data("note", "n")
        .typed("kubernetes.io/tls")
        .spec();
    let sealed = NativeSealed::parse(place("prod/web"), &spec, &BTreeSet::new()).unwrap();
    assert_eq!(sealed.place(), &place("prod/web"));
    assert_eq!(sealed.scope(), Scope::NamespaceWide);
    assert_eq!(sealed.shape().type_, "kubernetes.io/tls");
    let keys: Vec<_> = sealed.shape().keys.iter().map(ItemName::as_str).collect();
    assert_eq!(keys, ["note", "tls.crt", "tls.key"]);
    let opened: Vec<_> = sealed.unseal(&ring(&[&identity])).unwrap().data.into_keys().collect();
    assert_eq!(opened, sealed.shape().keys.iter().cloned().collect::<Vec<_>>());
}

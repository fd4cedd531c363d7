//! Tests of objects that don't open: one error for every cryptographic failure, with everything that was tried.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::*;

fn cannot_open(what: &str, scope: Scope, binding: &str, candidates: &[&str]) -> UnsealError {
    UnsealError::CannotOpen {
        what: what.into(),
        scope,
        binding: binding.into(),
        candidates: candidates.iter().map(|pem| fingerprint(pem)).collect(),
    }
}

/// The item with its bytes changed.
fn changed(object: &Object, change: impl Fn(&mut Vec<u8>)) -> Object {
    let mut object = object.clone();
    let mut bytes = BASE64.decode(&object.spec.encrypted_data["a"]).unwrap();
    change(&mut bytes);
    object.spec.encrypted_data.insert("a".into(), BASE64.encode(bytes));
    object
}

#[test]
fn every_cryptographic_failure_is_the_same() {
    let object = Object::new(Scope::Strict).item("a", "hunter2");
    let expected = cannot_open("item a", Scope::Strict, "prod/db", &[RSA_2048]);
    let larger_than_the_modulus = |bytes: &mut Vec<u8>| bytes[2..258].fill(0xff);
    let sealed_to_a_session_key_of_16_bytes = |bytes: &mut Vec<u8>| {
        let sealed = key(RSA_2048).public_key().seal_oaep(&[7; 16], b"prod/db");
        bytes[2..258].copy_from_slice(&sealed);
    };
    let other_item = BASE64.decode(object.seal("hunter2")).unwrap();
    for failure in [
        changed(&object, |bytes| bytes[2] ^= 1),
        changed(&object, |bytes| bytes[257] ^= 1),
        changed(&object, |bytes| bytes[258] ^= 1),
        changed(&object, |bytes| bytes[280] ^= 1),
        changed(&object, |bytes| bytes.truncate(280)),
        changed(&object, |bytes| bytes.push(0)),
        changed(&object, |bytes| bytes[2..258].fill(0)),
        changed(&object, larger_than_the_modulus),
        changed(&object, sealed_to_a_session_key_of_16_bytes),
        changed(&object, |bytes| bytes[2..258].copy_from_slice(&other_item[2..258])),
        // Another label.
        {
            let mut object = object.clone();
            object.binding = Binding::new(Scope::Strict, &place("prod/other"));
            object.item("a", "hunter2")
        },
        {
            let mut object = object.clone();
            object.binding = Binding::new(Scope::ClusterWide, &place("prod/db"));
            object.item("a", "hunter2")
        },
    ] {
        assert_eq!(failure.unseal(&[RSA_2048]).unwrap_err(), expected);
    }
}

#[test]
fn the_error_names_what_was_tried_and_what_to_look_at() {
    let object = Object::new(Scope::NamespaceWide).item("a", "1").found_at("staging/db");
    let error = object.unseal(&[RSA_2048, RSA_4096]).unwrap_err();
    assert_eq!(error, cannot_open("item a", Scope::NamespaceWide, "namespace staging", &[RSA_2048]));
    assert_eq!(
        error.to_string(),
        format!(
            "item a can't be opened as namespace staging (scope namespace-wide) with the RSA keys at hand, {}: it \
             was sealed with another certificate, or for another namespace, name or scope, or was changed since; \
             compare them, or seal it again",
            fingerprint(RSA_2048).short()
        )
    );
}

#[test]
fn a_key_that_is_missing_is_told_by_its_size_where_that_is_enough() {
    let object = Object::new(Scope::Strict).to(RSA_4096).item("a", "1");
    let missing = |at_hand: &[&str]| UnsealError::NoRsaKey {
        what: "item a".into(),
        bits: 4096,
        at_hand: at_hand.iter().map(|pem| fingerprint(pem)).collect(),
    };
    assert_eq!(object.unseal(&[]).unwrap_err(), missing(&[]));
    assert_eq!(object.unseal(&[RSA_2048, RSA_3072]).unwrap_err(), missing(&[RSA_2048, RSA_3072]));
    assert!(object.unseal(&[RSA_2048, RSA_4096]).is_ok());
}

#[test]
fn nothing_is_released_where_one_item_does_not_open() {
    let object = Object::new(Scope::Strict).item("a", "1").to(RSA_4096).item("b", "2");
    let error = object.unseal(&[RSA_2048]).unwrap_err();
    assert!(matches!(error, UnsealError::NoRsaKey { what, .. } if &*what == "item b"));
}

#[test]
fn an_object_that_no_scope_opens_keeps_the_claimed_one_in_the_error() {
    let object = Object::new(Scope::NamespaceWide).item("a", "1").found_at("staging/db");
    assert_eq!(
        object.sealed_scope(&[RSA_2048]),
        Err(cannot_open("item a", Scope::NamespaceWide, "namespace staging", &[RSA_2048]))
    );
}

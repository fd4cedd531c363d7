//! Tests of sealing values again to another key: what changes, what stays, and what is refused.
//!
//! Invariant: every result is opened again, with the new key alone.

use serde_json::json;

use super::*;

/// The object with the values that were sealed again.
fn resealed(object: &Object, keys: &[&str], to: &str, all: bool) -> (Object, Vec<String>) {
    let again = object.parse().unwrap().reseal(&ring(keys), key(to).public_key(), all).unwrap();
    assert_eq!(again.is_empty(), again.encrypted_data.is_empty() && again.data.is_none());
    let (mut changed, mut result) = (Vec::new(), object.clone());
    for (name, line) in again.encrypted_data {
        changed.push(name.to_string());
        result.spec.encrypted_data.insert(name.to_string(), line);
    }
    if let Some(data) = again.data {
        changed.push("(data)".to_owned());
        result.spec.data = Some(data);
    }
    (result, changed)
}

#[test]
fn only_values_of_other_keys_are_sealed_again_unless_all_are_asked_for() {
    for scope in Scope::ALL {
        let object = Object::new(scope).item("old", "1").to(RSA_3072).item("new", "2");
        let (result, changed) = resealed(&object, &[RSA_2048, RSA_3072], RSA_3072, false);
        assert_eq!(changed, ["old"]);
        assert_eq!(result.unseal(&[RSA_3072]), Ok(values([("new", b"2"), ("old", b"1")])));
        let (again, changed) = resealed(&result, &[RSA_3072], RSA_3072, false);
        assert!(changed.is_empty());
        let (all, changed) = resealed(&again, &[RSA_3072], RSA_3072, true);
        assert_eq!(changed, ["new", "old"]);
        assert_eq!(all.unseal(&[RSA_3072]), Ok(values([("new", b"2"), ("old", b"1")])));
    }
}

#[test]
fn the_deprecated_data_is_sealed_again_as_the_whole_that_it_is() {
    let secret =
        json!({"kind": "Secret", "apiVersion": "v1", "data": {"a": "MQ=="}, "type": "example.com/x"});
    let object = Object::new(Scope::Strict).whole(secret.to_string());
    let (result, changed) = resealed(&object, &[RSA_2048], RSA_3072, false);
    assert_eq!(changed, ["(data)"]);
    let revealed = result.parse().unwrap().reveal(&ring(&[RSA_3072])).unwrap().unwrap();
    assert_eq!(revealed.shape().type_, "example.com/x");
    assert_eq!(result.unseal(&[RSA_3072]), Ok(values([("a", b"1")])));
    let nonsense = Object::new(Scope::Strict).whole("no Secret");
    let to = key(RSA_3072);
    assert!(nonsense.parse().unwrap().reseal(&ring(&[RSA_2048]), to.public_key(), true).is_err());
}

#[test]
fn what_opens_under_another_scope_than_it_claims_is_not_sealed_again() {
    let mut object = Object::new(Scope::Strict).item("a", "1");
    let to = key(RSA_3072);
    for claimed in [CLUSTER_WIDE, NAMESPACE_WIDE] {
        object.annotations = [(claimed.to_owned(), "true".to_owned())].into();
        let error = object.parse().unwrap().reseal(&ring(&[RSA_2048]), to.public_key(), false).err().unwrap();
        assert!(matches!(error, UnsealError::CannotOpen { .. }), "{error}");
    }
    object.annotations.clear();
    let elsewhere = object.clone().found_at("prod/other").parse().unwrap();
    assert!(elsewhere.reseal(&ring(&[RSA_2048]), to.public_key(), false).is_err());
    assert!(object.parse().unwrap().reseal(&ring(&[RSA_3072]), to.public_key(), false).is_err(), "no key");
}

#[test]
fn it_is_known_which_key_each_item_is_sealed_to() {
    let object = Object::new(Scope::Strict).item("a", "1").to(RSA_3072).item("b", "2").item("c", "3");
    let opened = object.parse().unwrap().open_under([Scope::Strict], &ring(&[RSA_3072, RSA_2048])).unwrap();
    let found: Vec<_> = opened.sealed_to.iter().map(|(name, by)| (name.as_str(), *by)).collect();
    let [one, two] = [fingerprint(RSA_2048), fingerprint(RSA_3072)];
    assert_eq!(found, [("a", one), ("b", two), ("c", two)]);
    assert_eq!(opened.by, [one, two]);
}

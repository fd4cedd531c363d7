//! Tests of the deprecated `data`: a whole Secret as JSON, sealed at once, which has its own shape.

use serde_json::json;

use super::*;
use crate::resources::bitnami::SKIP_SET_OWNER_REFERENCES;

fn secret() -> serde_json::Value {
    json!({
        "kind": "Secret", "apiVersion": "v1",
        "metadata": {
            "name": "another", "namespace": "elsewhere", "creationTimestamp": null,
            "labels": {"app": "db"},
            "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{}", "note": "x"},
        },
        "immutable": true,
        "data": {"password": "aHVudGVyMg==", "empty": ""},
        "stringData": {"user": "me\n"},
        "type": "example.com/x",
    })
}

fn object(secret: &serde_json::Value) -> Object {
    Object::new(Scope::Strict).whole(secret.to_string())
}

#[test]
fn the_shape_is_known_once_it_is_revealed() {
    let object = object(&secret());
    let keys = ring(&[RSA_2048]);
    let sealed = object.parse().unwrap();
    assert!(!sealed.is_revealed());
    let revealed = sealed.reveal(&keys).unwrap().unwrap();
    assert!(revealed.is_revealed() && revealed.reveal(&keys).unwrap().is_some());
    assert_eq!((revealed.place(), revealed.scope()), (&place("prod/db"), Scope::Strict));
    assert_eq!(revealed.digest(), sealed.digest());
    let shape = revealed.shape();
    assert_eq!((shape.type_.as_str(), shape.immutable, shape.owned), ("example.com/x", Some(true), true));
    assert_eq!(shape.labels, [("app".to_owned(), "db".to_owned())].into());
    assert_eq!(shape.annotations, [("note".to_owned(), "x".to_owned())].into());
    let data = revealed.unseal(&keys).unwrap().data;
    assert_eq!(data.keys().cloned().collect::<BTreeSet<_>>(), shape.keys);
    assert_eq!(
        object.unseal(&[RSA_2048]).unwrap(),
        values([("password", b"hunter2"), ("empty", b""), ("user", b"me\n")])
    );
}

#[test]
fn an_object_with_items_was_known_before() {
    let sealed = Object::new(Scope::Strict).item("a", "1").parse().unwrap();
    assert!(sealed.is_revealed() && sealed.reveal(&ring(&[RSA_2048])).unwrap().is_none());
}

#[test]
fn ownership_is_the_templates_to_give_up_as_in_the_peer() {
    let keys = ring(&[RSA_2048]);
    let owned = |object: Object| object.parse().unwrap().reveal(&keys).unwrap().unwrap().shape().owned;
    assert!(!owned(object(&secret()).annotated(SKIP_SET_OWNER_REFERENCES, "true")));
    let mut sealed_in = secret();
    sealed_in["metadata"]["annotations"][SKIP_SET_OWNER_REFERENCES] = "true".into();
    assert!(owned(object(&sealed_in)));
}

#[test]
fn what_is_sealed_has_to_be_a_secret_and_is_not_repeated() {
    let refused = |plaintext: &str| {
        let object = Object::new(Scope::Strict).whole(plaintext);
        object.unseal(&[RSA_2048]).unwrap_err()
    };
    let changed = |at: &str, value: serde_json::Value| {
        let mut secret = secret();
        let (parent, key) = at.rsplit_once('/').unwrap();
        secret.pointer_mut(parent).unwrap()[key] = value;
        refused(&secret.to_string())
    };
    let no_secret = malformed(
        "data",
        "doesn't hold, as JSON, a Secret that may be made; this field is deprecated: seal it again with kubeseal",
    );
    for plaintext in ["", "hunter2", "[]", "{}", r#"{"kind": "Secret", "apiVersion": "v1"} {}"#] {
        assert_eq!(refused(plaintext), no_secret);
    }
    for (at, value) in [
        ("/kind", json!("ConfigMap")),
        ("/data/password", json!(1)),
        ("/data/password", json!("hunter2!")),
        ("/data/..", json!("")),
        ("/type", json!("helm.sh/release.v1")),
        ("/type", json!("kubernetes.io/tls")),
        ("/metadata/labels", json!({"hunter2!": ""})),
        ("/stringData/user", json!("x".repeat(1 << 20))),
    ] {
        assert_eq!(changed(at, value), no_secret, "{at}");
    }
}

#[test]
fn a_secret_without_values_is_one() {
    let object = object(&json!({"kind": "Secret", "apiVersion": "v1", "metadata": null, "data": null}));
    assert_eq!(object.unseal(&[RSA_2048]).unwrap(), values([]));
}

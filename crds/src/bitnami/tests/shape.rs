//! Tests of the shape of the Secret: the parts of the template that it takes over, and the parts that it doesn't.

use super::*;
use crate::resources::bitnami::{MANAGED, PATCH, SEALING_KEY_LABEL, SKIP_SET_OWNER_REFERENCES};
use crate::secret::SecretError;

fn object() -> Object {
    Object::new(Scope::Strict).item("a", "1")
}

#[test]
fn the_shape_is_that_of_the_template() {
    let mut object = object().typed("example.com/x").labelled("app", "db").annotated("example.com/a", "b");
    object.spec.template.immutable = Some(true);
    let shape = object.parse().unwrap().shape().clone();
    assert_eq!((shape.type_.as_str(), shape.immutable, shape.owned), ("example.com/x", Some(true), true));
    assert_eq!((shape.labels["app"].as_str(), shape.annotations["example.com/a"].as_str()), ("db", "b"));
    assert_eq!(shape.keys, ["a".parse().unwrap()].into());
    assert_eq!(object.typed("").parse().unwrap().shape().type_, "Opaque");
}

#[test]
fn annotations_of_the_peer_are_copied_and_marks_of_tools_left_out_and_named() {
    let own = [MANAGED, PATCH, CLUSTER_WIDE, NAMESPACE_WIDE, SKIP_SET_OWNER_REFERENCES];
    let marks = [
        "argocd.argoproj.io/tracking-id",
        "kustomize.toolkit.fluxcd.io/name",
        "kubectl.kubernetes.io/last-applied-configuration",
        "sealedsecrets.bitnami.com/unknown",
    ];
    let object = own.iter().chain(&marks).fold(object(), |object, key| object.annotated(key, "true"));
    let shape = object.labelled("argocd.argoproj.io/instance", "db").parse().unwrap().shape().clone();
    assert_eq!(shape.annotations.keys().collect::<BTreeSet<_>>(), own.map(String::from).iter().collect());
    assert!(shape.labels.is_empty() && !shape.owned);
    let left_out: BTreeSet<_> = shape.left_out.iter().map(|left_out| left_out.key.as_str()).collect();
    assert_eq!(left_out, marks.into_iter().chain(["argocd.argoproj.io/instance"]).collect());
}

#[test]
fn only_true_gives_up_ownership() {
    for (value, owned) in [("true", false), ("True", true), ("", true), ("false", true)] {
        let object = object().annotated(SKIP_SET_OWNER_REFERENCES, value);
        assert_eq!(object.parse().unwrap().shape().owned, owned, "{value}");
    }
}

#[test]
fn what_would_speak_for_a_controller_is_left_out_and_named() {
    // The last one would make the Secret a sealing key, if it were in the controller's namespace.
    for key in ["sealing.dev/adopt", "sealing.dev/digest", SEALING_KEY_LABEL] {
        let shape = object().annotated(key, "db").labelled(key, "active").parse().unwrap().shape().clone();
        assert!(shape.labels.is_empty() && shape.annotations.is_empty());
        let left_out: Vec<_> = shape.left_out.iter().map(|it| (it.what, it.key.as_str())).collect();
        assert_eq!(left_out, [("label", key), ("annotation", key)]);
    }
}

/// A cluster that is built again from Git gets these Secrets from no other source.
#[test]
fn what_other_tools_act_by_is_copied() {
    let object = object().labelled("argocd.argoproj.io/secret-type", "repository");
    let object =
        object.labelled("app.kubernetes.io/instance", "db").annotated("meta.helm.sh/release-name", "db");
    let shape = object.parse().unwrap().shape().clone();
    assert_eq!((shape.labels.len(), shape.annotations.len(), shape.left_out.len()), (2, 1, 0));
}

#[test]
fn what_helm_takes_for_a_release_is_refused_with_its_type() {
    let at = |name: &str| Object { at: place(name), ..object() };
    for mut object in [at("prod/sh.helm.release.v1.db.v1"), object().labelled("owner", "helm")] {
        assert_eq!(object.refused(), SecretError::HelmRelease.into());
        object.allowed_types.insert("helm.sh/release.v1".to_owned());
        assert!(object.parse().is_ok());
    }
}

/// Labels of more and more bytes, beside a value that a template makes long for some items. With etcd's limit alone,
/// the outcome would tell something about the items.
#[test]
fn a_secret_is_bounded_with_its_metadata_whatever_the_items_are() {
    use crate::secret::MAX_STORED_SIZE;
    let outcome = |pin: &str, labels: usize, label: usize, annotation: usize| {
        let text = r#"{{ ternary (repeat 1000000 "a") "" (hasPrefix "S3" .pin) }}"#;
        let object = Object::new(Scope::Strict).item("pin", pin).template("q", text);
        let key = |n: usize| format!("{}.example.com/{}{n:04}", "a".repeat(63), "b".repeat(label));
        let object = (0..labels).fold(object, |object, n| object.labelled(&key(n), ""));
        object.annotated("example.com/a", &"x".repeat(annotation)).unseal(&[RSA_2048]).map(|_| ())
    };
    let too_large = |limit| Err(UnsealError::SecretTooLarge { limit });
    for pin in ["S3cr3t", "hunter"] {
        assert_eq!(outcome(pin, 10, 50, 1000), Ok(()));
        assert_eq!(outcome(pin, 400, 50, 250_000), too_large(MAX_STORED_SIZE));
        let refused = outcome(pin, 1000, 50, 0).unwrap_err();
        assert!(matches!(refused, UnsealError::Secret(SecretError::LabelsTooLarge(_))), "{refused}");
    }
}

#[test]
fn types_follow_the_rules_of_the_native_format() {
    for type_ in crate::secret::REFUSED_TYPES {
        let mut object = object().typed(type_);
        assert_eq!(object.refused(), SecretError::RefusedType(type_.to_owned()).into());
        object.allowed_types.insert(type_.to_owned());
        assert!(object.parse().is_ok());
    }
    let refused = object().typed("kubernetes.io/tls").refused();
    assert!(matches!(refused, UnsealError::Secret(SecretError::MissingKey { .. })));
}

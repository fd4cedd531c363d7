//! Tests of objects that open, by place, scope and key: objects of the real kubeseal, and objects sealed here.

use super::*;

const MADE_BY_KUBESEAL: [(Scope, &str); 3] = [
    (Scope::Strict, include_str!("../testdata/kubeseal-strict.json")),
    (Scope::NamespaceWide, include_str!("../testdata/kubeseal-namespace-wide.json")),
    (Scope::ClusterWide, include_str!("../testdata/kubeseal-cluster-wide.json")),
];

fn parse(at: &str, manifest: &str) -> BitnamiSealed {
    let manifest: serde_json::Value = serde_json::from_str(manifest).unwrap();
    let annotations = manifest["metadata"].get("annotations").cloned().unwrap_or_default();
    let annotations: Option<BTreeMap<String, String>> = serde_json::from_value(annotations).unwrap();
    let spec = SealedSecretSpec::from_json(&manifest["spec"]).unwrap();
    let annotations = annotations.unwrap_or_default();
    BitnamiSealed::parse(place(at), &annotations, &spec, &BTreeSet::new(), Branching::Refused).unwrap()
}

fn opens(sealed: &BitnamiSealed) -> bool {
    match sealed.unseal(&ring(&[RSA_2048])) {
        Ok(unsealed) => {
            assert_eq!(unsealed.data[&"password".parse().unwrap()].expose(), b"hunter2");
            assert!(unsealed.data[&"empty".parse().unwrap()].is_empty());
            assert_eq!(unsealed.opened_by, [fingerprint(RSA_2048)]);
            true
        }
        Err(UnsealError::CannotOpen { candidates, .. }) => {
            assert_eq!(candidates, [fingerprint(RSA_2048)]);
            false
        }
        Err(other) => panic!("{other}"),
    }
}

#[test]
fn what_kubeseal_sealed_opens_where_its_scope_allows() {
    for (scope, manifest) in MADE_BY_KUBESEAL {
        let found = parse("prod/db", manifest);
        assert_eq!((found.scope(), found.shape().labels["app"].as_str()), (scope, "db"));
        assert!(opens(&found));
        assert_eq!(opens(&parse("prod/other", manifest)), scope != Scope::Strict);
        assert_eq!(opens(&parse("other/db", manifest)), scope == Scope::ClusterWide);
    }
}

#[test]
fn the_scope_is_found_by_the_label_that_opens_not_by_annotations() {
    for (scope, manifest) in MADE_BY_KUBESEAL {
        for claimed in Scope::ALL {
            let claim = parse("prod/db", manifest).with_scope(claimed);
            let opened = claim.open_under(claim.scopes(), &ring(&[RSA_2048])).unwrap();
            assert_eq!(opened.scope, scope);
            assert_eq!(opens(&claim), claimed == scope);
        }
    }
}

#[test]
fn what_is_sealed_here_opens_under_its_binding_only() {
    for scope in Scope::ALL {
        let object = Object::new(scope).item("password", "hunter2").item("empty", "");
        let sealed = object.parse().unwrap();
        assert_eq!(sealed.scope(), scope);
        assert!(opens(&sealed));
        assert_eq!(object.sealed_scope(&[RSA_2048]), Ok(scope));
        assert_eq!(opens(&object.found_at("prod/other").parse().unwrap()), scope != Scope::Strict);
    }
}

#[test]
fn cluster_wide_wins_over_namespace_wide_and_only_true_counts() {
    for (annotations, expected) in [
        (&[(CLUSTER_WIDE, "true"), (NAMESPACE_WIDE, "true")][..], Scope::ClusterWide),
        (&[(CLUSTER_WIDE, "false"), (NAMESPACE_WIDE, "true")], Scope::NamespaceWide),
        (&[(CLUSTER_WIDE, "True"), (NAMESPACE_WIDE, "yes")], Scope::Strict),
        (&[], Scope::Strict),
    ] {
        let mut object = Object::new(Scope::Strict).item("a", "1");
        object.annotations =
            annotations.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect();
        assert_eq!(object.parse().unwrap().scope(), expected);
    }
}

#[test]
fn items_may_be_sealed_to_different_keys_and_the_last_ones_are_tried_first() {
    let object = Object::new(Scope::Strict).item("a", "1").to(RSA_4096).item("b", "2").item("c", "3");
    let sealed = object.parse().unwrap();
    let [small, large] = [RSA_2048, RSA_4096].map(fingerprint);
    for keys in [[RSA_2048, RSA_4096], [RSA_4096, RSA_2048]] {
        let opened = sealed.unseal(&ring(&keys)).unwrap();
        assert_eq!(opened.opened_by, [small, large]);
        assert_eq!(opened.data[&"c".parse().unwrap()].expose(), b"3");
    }
    // The order of the keys doesn't change the result, and a key that is no longer at hand is no obstacle.
    let trying = |first: Vec<Fingerprint>| object.parse().unwrap().trying_first(first);
    for first in [vec![large, small], vec![fingerprint(RSA_3072)], vec![small, small]] {
        let sealed = trying(first);
        assert_eq!(sealed.unseal(&ring(&[RSA_2048, RSA_4096])).unwrap().opened_by, [small, large]);
    }
    let sealed = trying(vec![large]);
    let keys = ring(&[RSA_2048, RSA_3072, RSA_4096]);
    let order: Vec<_> = sealed.candidates(&keys).into_iter().map(RsaPrivateKey::fingerprint).collect();
    assert_eq!(order, [large, small, fingerprint(RSA_3072)]);
}

#[test]
fn line_ends_and_spare_bits_in_base64_are_read_as_go_reads_them() {
    let mut object = Object::new(Scope::Strict).item("a", "1");
    let text = &object.spec.encrypted_data["a"];
    let at = text.find('=').expect("the last character has two spare bits") - 1;
    // The spare bits are zero, so the next letter of the alphabet differs in them alone.
    let spare = char::from(text.as_bytes()[at] + 1);
    let spared = format!("{}{spare}{}", &text[..at], &text[at + 1..]);
    for changed in [format!("{}\n{}\r\n", &text[..70], &text[70..]), spared] {
        object.spec.encrypted_data.insert("a".into(), changed);
        assert_eq!(object.unseal(&[RSA_2048]).unwrap(), values([("a", b"1")]));
    }
}

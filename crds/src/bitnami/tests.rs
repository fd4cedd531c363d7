//! The peer's format as a whole, over what the real kubeseal made; `testdata/kubeseal-*.json` is its output for
//! `testdata/rsa-2048.crt` of the keys' tests.

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::format::{Sealed, UnsealError};
use crate::keys::{Certificate, Keyring, RsaPrivateKey};
use crate::resources::bitnami::SealedSecretSpec;
use crate::scope::{Place, Scope};

const KEY: &str = include_str!("../keys/testdata/rsa-2048.pem");
const CERTIFICATE: &str = include_str!("../keys/testdata/rsa-2048.crt");
const MADE_BY_KUBESEAL: [(Scope, &str); 3] = [
    (Scope::Strict, include_str!("testdata/kubeseal-strict.json")),
    (Scope::NamespaceWide, include_str!("testdata/kubeseal-namespace-wide.json")),
    (Scope::ClusterWide, include_str!("testdata/kubeseal-cluster-wide.json")),
];

fn keys() -> Keyring {
    let mut keys = Keyring::default();
    keys.insert_rsa_key(RsaPrivateKey::from_pem(KEY).unwrap());
    keys
}

fn place(namespace: &str, name: &str) -> Place {
    Place { namespace: namespace.parse().unwrap(), name: name.parse().unwrap() }
}

fn parse(place: Place, manifest: &str) -> BitnamiSealed {
    let manifest: serde_json::Value = serde_json::from_str(manifest).unwrap();
    let annotations = manifest["metadata"].get("annotations").cloned().unwrap_or_default();
    let annotations: Option<BTreeMap<String, String>> = serde_json::from_value(annotations).unwrap();
    let spec = SealedSecretSpec::from_json(&manifest["spec"]).unwrap();
    BitnamiSealed::parse(place, &annotations.unwrap_or_default(), &spec, &BTreeSet::new()).unwrap()
}

fn opens(sealed: &BitnamiSealed) -> bool {
    match sealed.unseal(&keys()) {
        Ok(unsealed) => {
            assert_eq!(unsealed.data[&"password".parse().unwrap()].expose(), b"hunter2");
            assert!(unsealed.data[&"empty".parse().unwrap()].is_empty());
            assert_eq!(
                unsealed.opened_by,
                [Certificate::from_pem(CERTIFICATE).unwrap().public_key().fingerprint()]
            );
            true
        }
        Err(UnsealError::CannotOpen { candidates, .. }) => {
            assert_eq!(candidates.len(), 1);
            false
        }
        Err(other) => panic!("{other}"),
    }
}

#[test]
fn what_kubeseal_sealed_opens_where_its_scope_allows() {
    for (scope, manifest) in MADE_BY_KUBESEAL {
        let found = parse(place("prod", "db"), manifest);
        assert_eq!((found.scope(), found.shape().labels["app"].as_str()), (scope, "db"));
        assert!(opens(&found));
        assert_eq!(opens(&parse(place("prod", "other"), manifest)), scope != Scope::Strict);
        assert_eq!(opens(&parse(place("other", "db"), manifest)), scope == Scope::ClusterWide);
    }
}

#[test]
fn the_scope_is_found_by_the_label_that_opens_not_by_annotations() {
    for (scope, manifest) in MADE_BY_KUBESEAL {
        for claimed in Scope::ALL {
            let claim = parse(place("prod", "db"), manifest).with_scope(claimed);
            assert_eq!(claim.find_scope(&keys()), Ok(scope));
            assert_eq!(opens(&claim), claimed == scope);
        }
    }
}

#[test]
fn what_is_sealed_here_opens_under_its_binding_only() {
    let key = Certificate::from_pem(CERTIFICATE).unwrap();
    for scope in Scope::ALL {
        let binding = Binding::new(scope, &place("prod", "db"));
        let mut spec = SealedSecretSpec::default();
        spec.encrypted_data.insert("password".into(), seal_item(key.public_key(), &binding, b"hunter2"));
        spec.encrypted_data.insert("empty".into(), seal_item(key.public_key(), &binding, b""));
        let annotations = scope_annotation(scope).map(|key| (key.to_owned(), "true".to_owned()));
        let annotations: BTreeMap<_, _> = annotations.into_iter().collect();
        let sealed =
            BitnamiSealed::parse(place("prod", "db"), &annotations, &spec, &BTreeSet::new()).unwrap();
        assert_eq!(sealed.scope(), scope);
        assert!(opens(&sealed));
        assert_eq!(sealed.find_scope(&keys()), Ok(scope));
    }
}

//! From a Secret to a SealedSecret of bitnami.com, as kubeseal writes it.
//!
//! The callers choose the certificate. Invariant: beside ciphertext, the result contains only what the Secret
//! contained, without the notes that tools keep there: a copy of the applied object would contain the values.

use std::collections::BTreeMap;

use seal_crds::bitnami::seal_item;
use seal_crds::keys::RsaPublicKey;
use seal_crds::resources::SEALED_SECRET;
use seal_crds::resources::bitnami::API_VERSION;
use seal_crds::{Binding, Scope};
use seal_documents::yaml::written::Written;

use super::mapping;
use crate::objects::name::ObjectName;
use crate::objects::secret::Secret;

/// Everything that sealing in the Bitnami format needs.
pub(crate) struct BitnamiSealer {
    pub(crate) key: RsaPublicKey,
    pub(crate) scope: Scope,
}

/// Seals a Secret in the Bitnami format, and consumes it.
pub(crate) fn seal(secret: Secret, object_name: &ObjectName, sealer: &BitnamiSealer) -> Written {
    let binding = Binding::new(sealer.scope, &object_name.to_place());
    let items: BTreeMap<String, String> = secret
        .items
        .iter()
        .map(|(item, value)| (item.to_string(), seal_item(&sealer.key, &binding, value.expose())))
        .collect();
    let mark = sealer.scope.bitnami_annotation().map(|key| (key.to_owned(), "true".to_owned()));
    let own: BTreeMap<String, String> = mark.into_iter().collect();
    let mut annotations = secret.annotations;
    annotations.extend(secret.bitnami_annotations);
    annotations.extend(own.clone());
    let unless_empty = |name, strings: &BTreeMap<String, String>| {
        (!strings.is_empty()).then(|| (name, Written::strings(strings)))
    };
    let name = || Some(("name", Written::text(object_name.name.as_str())));
    let namespace =
        || object_name.namespace.as_ref().map(|namespace| ("namespace", Written::text(namespace.as_str())));
    let metadata = mapping([
        unless_empty("annotations", &annotations),
        unless_empty("labels", &secret.labels),
        name(),
        namespace(),
    ]);
    let template = mapping([
        secret.immutable.map(|immutable| ("immutable", Written::Bool(immutable))),
        Some(("metadata", metadata)),
        Some(("type", Written::text(secret.type_))),
    ]);
    mapping([
        Some(("apiVersion", Written::text(API_VERSION))),
        Some(("kind", Written::text(SEALED_SECRET))),
        Some(("metadata", mapping([unless_empty("annotations", &own), name(), namespace()]))),
        Some((
            "spec",
            mapping([Some(("encryptedData", Written::strings(&items))), Some(("template", template))]),
        )),
    ])
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use seal_crds::bitnami::BitnamiSealed;
    use seal_crds::keys::{Keyring, RsaPrivateKey};
    use seal_crds::resources::bitnami::SealedSecretSpec;
    use seal_crds::{Plaintext, Sealed as _};
    use seal_go::template::Branching;

    use super::*;

    #[test]
    fn what_is_written_opens_in_its_scope_and_says_which() {
        let mut keys = Keyring::default();
        keys.insert_rsa_key(
            RsaPrivateKey::from_pem(include_str!("../../../../crds/src/keys/testdata/rsa-2048.pem")).unwrap(),
        );
        for scope in Scope::ALL {
            let secret = Secret {
                namespace: None,
                name: None,
                type_: "Opaque".to_owned(),
                immutable: Some(true),
                labels: BTreeMap::from([("app".to_owned(), "db".to_owned())]),
                annotations: BTreeMap::new(),
                bitnami_annotations: BTreeMap::from([(
                    "sealedsecrets.bitnami.com/managed".to_owned(),
                    "true".to_owned(),
                )]),
                items: BTreeMap::from([("a".parse().unwrap(), Plaintext::from(b"x".to_vec()))]),
            };
            let object_name =
                ObjectName { namespace: Some("prod".parse().unwrap()), name: "db".parse().unwrap() };
            let sealer = BitnamiSealer { key: keys.rsa_keys()[0].public_key().clone(), scope };
            let text = seal(secret, &object_name, &sealer).to_yaml(0);
            let object: serde_json::Value = serde_yaml::from_str(&text).unwrap();
            let annotations = object["metadata"].get("annotations").cloned().unwrap_or_default();
            let annotations: Option<BTreeMap<String, String>> = serde_json::from_value(annotations).unwrap();
            let spec = SealedSecretSpec::from_json(&object["spec"]).unwrap();
            assert_eq!(spec.template.metadata.annotations.len(), 1 + usize::from(scope != Scope::Strict));
            let sealed = BitnamiSealed::parse(
                object_name.to_place(),
                &annotations.unwrap_or_default(),
                &spec,
                &BTreeSet::new(),
                Branching::Refused,
            );
            let sealed = sealed.unwrap();
            assert_eq!((sealed.scope(), sealed.shape().immutable), (scope, Some(true)));
            assert_eq!(sealed.unseal(&keys).unwrap().data[&"a".parse().unwrap()].expose(), b"x");
        }
    }
}

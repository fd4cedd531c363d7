//! Whom SealedSecrets say they are sealed to, read without a key.
//!
//! A native object names the recipients of each envelope; the list that counts is sealed inside, so this is a claim, and
//! a person who edits the file can change it. An object of bitnami.com names no key at all. Invariant: a text that looks
//! like a SealedSecret is either read or returned as unread, and never passed over.

use std::collections::{BTreeMap, BTreeSet};

use seal_crds::Format;
use seal_crds::keys::Fingerprint;
use seal_crds::resources::{SealedSecretSpec, bitnami};
use seal_documents::manifest::{Kind, Manifest};
use seal_documents::source::Source;

use crate::objects::outline::mentions_sealed_secret;
use crate::objects::sealed::{self, Extent};

/// The claims of one SealedSecret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Claimed {
    /// Namespace and name, or the name alone if the object has no namespace.
    pub(crate) object: String,
    pub(crate) format: Format,
    /// The recipients that it names. Empty for bitnami.com.
    pub(crate) recipients: BTreeMap<Fingerprint, SealedItems>,
    /// All its items.
    pub(crate) items: BTreeSet<String>,
}

/// What an object says of one recipient.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct SealedItems {
    /// The name of the recipient, for people.
    pub(crate) name: Option<String>,
    /// The items whose data key the recipient can open.
    pub(crate) items: BTreeSet<String>,
}

/// The SealedSecrets of a text.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) objects: Vec<Claimed>,
    /// Part of the text looks like a SealedSecret and can't be read as one.
    pub(crate) is_unread: bool,
}

/// Reads the claims of all SealedSecrets in a text.
pub(crate) fn read(source: &Source) -> Found {
    let mut found = Found::default();
    if !mentions_sealed_secret(source.text()) {
        return found;
    }
    let Ok(manifest) = Manifest::parse(source) else {
        found.is_unread = true;
        return found;
    };
    for object in manifest.objects.iter().filter(|object| object.kind == Kind::SealedSecret) {
        let name = sealed::read_name(&manifest, object, None, true).map(|name| name.to_string());
        let format = sealed::format(&manifest, object);
        // A patch without anything sealed claims nothing. One with items leaves it open whom they are sealed to.
        if format.as_ref().is_ok_and(|format| sealed::extent(&manifest, object, *format) == Extent::Patch) {
            continue;
        }
        let claimed = match (name, format) {
            (Ok(name), Ok(Format::Native)) => {
                manifest.spec(object).ok().map(|spec| Claimed::native(name, &spec))
            }
            (Ok(name), Ok(Format::Bitnami)) => {
                let items = |spec: bitnami::SealedSecretSpec| spec.encrypted_data.into_keys().collect();
                manifest.bitnami_spec(object).ok().map(|spec| Claimed::bitnami(name, items(spec)))
            }
            _ => None,
        };
        found.is_unread |= claimed.is_none();
        found.objects.extend(claimed);
    }
    found
}

impl Claimed {
    /// The claims of a native object.
    pub(crate) fn native(object: String, spec: &SealedSecretSpec) -> Self {
        let mut recipients: BTreeMap<Fingerprint, SealedItems> = BTreeMap::new();
        for envelope in &spec.envelopes {
            let items = spec.encrypted_data.iter().filter(|(_, sealed)| {
                sealed.split_once('.').is_some_and(|(key, _)| envelope.keys.iter().any(|id| id == key))
            });
            let items: BTreeSet<String> = items.map(|(item, _)| item.clone()).collect();
            for hint in &envelope.recipients {
                let Ok(fingerprint) = hint.fingerprint.parse() else { continue };
                let said = recipients.entry(fingerprint).or_default();
                said.name = said.name.take().or_else(|| hint.name.clone());
                said.items.extend(items.iter().cloned());
            }
        }
        let items = spec.encrypted_data.keys().cloned().collect();
        Self { object, format: Format::Native, recipients, items }
    }

    /// The claims of an object of bitnami.com.
    pub(crate) fn bitnami(object: String, items: BTreeSet<String>) -> Self {
        Self { object, format: Format::Bitnami, recipients: BTreeMap::new(), items }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use zeroize::Zeroizing;

    fn found(text: &str) -> Found {
        read(&Source::new("x.yaml".to_owned(), Zeroizing::new(text.to_owned())))
    }

    fn native(recipients: &[(&str, &str)]) -> String {
        let (one, two) = ("A".repeat(43), "B".repeat(43));
        let envelope = |key: &str, fingerprint: &str, name: &str| {
            format!(
                "  - keys: [{key}]\n    age: AAAA\n    recipients: [{{name: {name}, fingerprint: {fingerprint}}}]\n"
            )
        };
        let envelopes: String = recipients
            .iter()
            .zip([&one, &two])
            .map(|((fingerprint, name), key)| envelope(key, fingerprint, name))
            .collect();
        format!(
            "apiVersion: sealing.dev/v1alpha1\nkind: SealedSecret\nmetadata: {{name: db, namespace: prod}}\nspec:\n  \
             scope: strict\n  envelopes:\n{envelopes}  encryptedData:\n    user: {one}.AAAA\n    password: {two}.AAAA\n"
        )
    }

    #[test]
    fn each_recipient_is_claimed_with_the_items_of_its_envelopes() {
        let (a, b) = ("aa".repeat(32), "bb".repeat(32));
        let found = found(&native(&[(&a, "prod"), (&b, "laptop")]));
        assert!(!found.is_unread);
        let [object] = &found.objects[..] else { panic!("{found:?}") };
        assert_eq!((object.object.as_str(), object.format), ("prod/db", Format::Native));
        let of = |fingerprint: &str| {
            let said = &object.recipients[&fingerprint.parse().unwrap()];
            (said.name.clone().unwrap(), said.items.iter().cloned().collect::<Vec<_>>())
        };
        assert_eq!(of(&a), ("prod".to_owned(), vec!["user".to_owned()]));
        assert_eq!(of(&b), ("laptop".to_owned(), vec!["password".to_owned()]));
    }

    #[test]
    fn an_object_of_bitnami_claims_no_key() {
        let found = found(
            "apiVersion: bitnami.com/v1alpha1\nkind: SealedSecret\nmetadata: {name: db, namespace: prod}\n\
             spec:\n  encryptedData:\n    password: AAAA\n",
        );
        let [object] = &found.objects[..] else { panic!("{found:?}") };
        assert_eq!(object.format, Format::Bitnami);
        assert!(object.recipients.is_empty() && object.items.contains("password"));
    }

    #[test]
    fn what_looks_like_a_sealed_secret_and_cannot_be_read_is_not_passed_over() {
        let object = native(&[(&"aa".repeat(32), "prod")]);
        for unread in [
            format!("{{{{ if .x }}}}\n{object}"),
            object.replace("sealing.dev/v1alpha1", "bitnami.com/v9"),
            object.replace("scope: strict", "scope: strict\n  more: 1"),
            object.replace("name: db", "x: y"),
        ] {
            assert!(found(&unread).is_unread, "{unread}");
        }
        let (object, patch) = (
            native(&[(&"aa".repeat(32), "prod")]),
            "kind: SealedSecret\napiVersion: sealing.dev/v1alpha1\n\
            metadata: {name: db}\nspec: {template: {type: Opaque}}\n",
        );
        assert_eq!(found(patch), Found::default(), "a patch of kustomize");
        assert_eq!(found(&format!("{object}---\n{patch}")).objects.len(), 1);
        assert!(
            found(&patch.replace("template", "encryptedData")).is_unread,
            "its items are sealed to somebody"
        );
        for unrelated in ["a: [", "kind: Secret\n", "kind: SealedSecret\napiVersion: example.com/v1\n"] {
            assert_eq!(found(unrelated), Found::default(), "{unrelated}");
        }
    }
}

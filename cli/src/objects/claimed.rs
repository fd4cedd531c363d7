//! Whom SealedSecrets say they are sealed to, read without a key.
//!
//! A native object names the recipients of each envelope; the list that counts is sealed inside, so this is a claim, and
//! a person who edits the file can change it. An object of bitnami.com names no key at all. What is in a file comes from
//! its [outline](super::outline). Invariant: a text that looks like a SealedSecret is either read or returned as unread,
//! and never passed over.

use std::collections::{BTreeMap, BTreeSet};

use seal_crds::Format;
use seal_crds::keys::Fingerprint;
use seal_crds::resources::SealedSecretSpec;
use seal_documents::manifest::Manifest;
use seal_documents::source::Source;

use crate::objects::outline::{self, Fault, Outline, OutlineItem, mentions_sealed_secret};
use crate::objects::sealed;

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
    for outline in outline::read_all(&manifest) {
        // A patch without anything sealed claims nothing, if its version is known: another one may seal in other fields.
        // A patch with items leaves it open whom they are sealed to, and is a fault.
        let is_unread = match &outline.fault {
            Some(Fault::Unread(_)) => true,
            Some(Fault::Refused(_)) => false,
            None => sealed::format(&manifest, &manifest.objects[outline.object]).is_err(),
        };
        found.is_unread |= is_unread;
        if !is_unread && !outline.is_patch() {
            found.objects.push(Claimed::of(&outline));
        }
    }
    found
}

impl Claimed {
    /// The claims of an object in a file.
    fn of(outline: &Outline) -> Self {
        let items = || outline.items.iter();
        let names = items().map(|(name, _)| name.clone()).collect();
        let mut claimed = Self::new(outline.object_name.to_string(), outline.format, names);
        for envelope in &outline.envelopes {
            let holds = |item: &OutlineItem| item.data_key.as_deref().is_some_and(|key| envelope.holds(key));
            let items = items().filter(|(_, item)| holds(item)).map(|(name, _)| name);
            for recipient in &envelope.recipients {
                claimed.add(recipient.fingerprint, recipient.name.as_ref(), items.clone());
            }
        }
        claimed
    }

    /// The claims of a native object in a cluster.
    pub(crate) fn native(object: String, spec: &SealedSecretSpec) -> Self {
        let items = || spec.encrypted_data.iter();
        let names = items().map(|(name, _)| name.clone()).collect();
        let mut claimed = Self::new(object, Format::Native, names);
        for envelope in &spec.envelopes {
            let holds = |line: &str| {
                line.split_once('.').is_some_and(|(key, _)| envelope.keys.iter().any(|id| id == key))
            };
            let items = items().filter(|(_, line)| holds(line)).map(|(name, _)| name);
            for hint in &envelope.recipients {
                let Ok(fingerprint) = hint.fingerprint.parse() else { continue };
                claimed.add(fingerprint, hint.name.as_ref(), items.clone());
            }
        }
        claimed
    }

    /// The claims of an object of bitnami.com.
    pub(crate) fn bitnami(object: String, items: BTreeSet<String>) -> Self {
        Self::new(object, Format::Bitnami, items)
    }

    fn new(object: String, format: Format, items: BTreeSet<String>) -> Self {
        Self { object, format, recipients: BTreeMap::new(), items }
    }

    /// Adds a recipient of an envelope. The first name that an envelope says for it counts.
    fn add<'i>(&mut self, key: Fingerprint, name: Option<&String>, items: impl Iterator<Item = &'i String>) {
        let said = self.recipients.entry(key).or_default();
        said.name = said.name.take().or_else(|| name.cloned());
        said.items.extend(items.cloned());
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
            "kind: SealedSecret\napiVersion: bitnami.com/v9\nmetadata: {name: db}\nspec: {sealed: AAAA}\n"
                .to_owned(),
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

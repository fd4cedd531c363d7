//! From a Secret to the SealedSecret that replaces it.
//!
//! The contract crate seals. This module puts the result's fields into a fixed order (fields that change
//! least come first, each item on one line), and tells when the result is too large for the way most users
//! apply it.

pub(crate) mod bitnami;

use std::collections::{BTreeMap, BTreeSet};

use seal_crds::keys::Fingerprint;
use seal_crds::native::{self, Item, NamedRecipient, SealError};
use seal_crds::resources::{
    API_VERSION, Envelope, SEALED_SECRET, SealedSecretSpec, Template, TemplateMetadata,
};
use seal_crds::{ItemName, Reason, Scope};
use seal_documents::yaml::written::Written;

use crate::objects::name::ObjectName;
use crate::objects::secret::Secret;
use crate::talk::exit::Exit;
use crate::talk::failure::{Explain, Rule};

/// The most bytes that the API server takes for all annotations of an object. kubectl's client-side apply
/// puts the whole object into one of them.
const MAX_ANNOTATIONS: usize = 262_144;
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// The format to seal in, with everything that sealing needs. It is the same for all Secrets of one run.
pub(crate) enum Sealer {
    Native(NativeSealer),
    Bitnami(bitnami::BitnamiSealer),
}

impl Sealer {
    /// Seals a Secret, and consumes it.
    pub(crate) fn seal(&self, secret: Secret, object_name: &ObjectName) -> Result<Written, SealingError> {
        match self {
            Self::Native(sealer) => seal(secret, object_name, sealer),
            Self::Bitnami(sealer) => Ok(bitnami::seal(secret, object_name, sealer)),
        }
    }
}

/// Everything that sealing in the native format needs.
pub(crate) struct NativeSealer {
    pub(crate) recipients: Vec<NamedRecipient>,
    pub(crate) scope: Scope,
    pub(crate) template_items: BTreeSet<ItemName>,
}

impl NativeSealer {
    /// The fingerprints of the recipients.
    pub(crate) fn fingerprints(&self) -> BTreeSet<Fingerprint> {
        self.recipients.iter().map(|named| named.recipient.fingerprint()).collect()
    }
}

#[derive(Debug, thiserror::Error)]
#[error("{object_name} can't be sealed")]
pub(crate) struct SealingError {
    object_name: String,
    source: Box<SealError>,
}

impl SealingError {
    pub(crate) fn new(object_name: &ObjectName, source: SealError) -> Self {
        Self { object_name: object_name.to_string(), source: Box::new(source) }
    }
}

impl Explain for SealingError {
    fn rule(&self) -> Rule {
        match &*self.source {
            SealError::NoRecipients
            | SealError::TooManyRecipients(_)
            | SealError::MixedRecipients { .. }
            | SealError::PastFull(_)
            | SealError::Encrypt(_) => Rule::BadRecipient,
            SealError::NoItems => Rule::NothingToDo,
            SealError::TooLarge(_) => Rule::Refused(Reason::SecretTooLarge),
            SealError::NotForTemplates(_) => Rule::Refused(Reason::NotForTemplates),
            SealError::Refused(error) => Rule::Refused(error.reason()),
        }
    }

    fn exit(&self) -> Exit {
        match *self.source {
            SealError::MixedRecipients { .. } | SealError::TooManyRecipients(_) => Exit::Usage,
            _ => Exit::Failure,
        }
    }

    fn hint(&self) -> Option<String> {
        match &*self.source {
            SealError::NotForTemplates(item) => Some(format!(
                "if you trust the template with its value, say --template-item {item}; else take it out of the template"
            )),
            SealError::MixedRecipients { .. } => Some(
                "an age file holds one sort or the other; post-quantum recipients start with age1pq1 \
                 (seal keys new makes an identity for one)"
                    .to_owned(),
            ),
            _ => None,
        }
    }
}

/// Seals a Secret in the native format, and consumes it.
fn seal(secret: Secret, object_name: &ObjectName, sealer: &NativeSealer) -> Result<Written, SealingError> {
    let template = template(secret.type_, secret.immutable, secret.labels, secret.annotations);
    let items: BTreeMap<ItemName, Item> = secret
        .items
        .into_iter()
        .map(|(name, value)| {
            let template = sealer.template_items.contains(&name);
            (name, Item::new(value, template))
        })
        .collect();
    let spec = seal_items(object_name, sealer.scope, &sealer.recipients, &items, template)?;
    Ok(object(object_name, &spec))
}

/// The template for a Secret of this shape.
pub(crate) fn template(
    type_: String,
    immutable: Option<bool>,
    labels: BTreeMap<String, String>,
    annotations: BTreeMap<String, String>,
) -> Template {
    let metadata = TemplateMetadata { labels, annotations };
    Template { type_: Some(type_), immutable, metadata, data: BTreeMap::new() }
}

/// Seals items into a spec.
pub(crate) fn seal_items(
    object_name: &ObjectName,
    scope: Scope,
    recipients: &[NamedRecipient],
    items: &BTreeMap<ItemName, Item>,
    template: Template,
) -> Result<SealedSecretSpec, SealingError> {
    let spec = native::seal(&object_name.to_place(), scope, recipients, items, template, &BTreeSet::new());
    spec.map_err(|source| SealingError::new(object_name, source))
}

/// Whether the object is too large for client-side `kubectl apply`.
pub(crate) fn is_too_large_to_apply(object: &Written) -> bool {
    // kubectl adds an empty mapping of annotations before it measures, and a line break.
    let added = r#""annotations":{},"#.len() + "\n".len();
    object.to_compact_json().len() + added + LAST_APPLIED.len() > MAX_ANNOTATIONS
}

/// A SealedSecret with its fields in their fixed order.
pub(crate) fn object(object_name: &ObjectName, spec: &SealedSecretSpec) -> Written {
    let namespace =
        object_name.namespace.as_ref().map(|namespace| ("namespace", Written::text(namespace.as_str())));
    mapping([
        Some(("apiVersion", Written::text(API_VERSION))),
        Some(("kind", Written::text(SEALED_SECRET))),
        Some(("metadata", mapping([Some(("name", Written::text(object_name.name.as_str()))), namespace]))),
        Some(("spec", spec_value(spec))),
    ])
}

/// The spec with its fields in their fixed order.
pub(crate) fn spec_value(spec: &SealedSecretSpec) -> Written {
    let template = (!spec.template.is_default()).then(|| ("template", template_value(&spec.template)));
    mapping([
        Some(("scope", Written::text(spec.scope.as_str()))),
        Some(("envelopes", envelopes_value(&spec.envelopes))),
        Some(("encryptedData", Written::strings(&spec.encrypted_data))),
        template,
    ])
}

/// The envelopes of a spec.
pub(crate) fn envelopes_value(envelopes: &[Envelope]) -> Written {
    Written::Sequence(envelopes.iter().map(envelope_value).collect())
}

fn envelope_value(envelope: &Envelope) -> Written {
    let recipient = |hint: &seal_crds::resources::RecipientHint| {
        let name = hint.name.as_ref().map(|name| ("name", Written::text(name.as_str())));
        mapping([name, Some(("fingerprint", Written::text(hint.fingerprint.as_str())))])
    };
    mapping([
        Some((
            "keys",
            Written::Sequence(envelope.keys.iter().map(|key| Written::text(key.as_str())).collect()),
        )),
        Some(("recipients", Written::Sequence(envelope.recipients.iter().map(recipient).collect()))),
        Some(("age", Written::text(envelope.age.as_str()))),
    ])
}

fn template_value(template: &Template) -> Written {
    let unless_empty = |name, strings: &BTreeMap<String, String>| {
        (!strings.is_empty()).then(|| (name, Written::strings(strings)))
    };
    let metadata = (!template.metadata.is_empty()).then(|| {
        let (labels, annotations) = (&template.metadata.labels, &template.metadata.annotations);
        ("metadata", mapping([unless_empty("labels", labels), unless_empty("annotations", annotations)]))
    });
    mapping([
        template.type_.as_ref().map(|type_| ("type", Written::text(type_.as_str()))),
        template.immutable.map(|immutable| ("immutable", Written::Bool(immutable))),
        metadata,
        unless_empty("data", &template.data),
    ])
}

fn mapping<const N: usize>(entries: [Option<(&str, Written)>; N]) -> Written {
    Written::Mapping(entries.into_iter().flatten().map(|(key, value)| (key.to_owned(), value)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use seal_crds::Plaintext;
    use seal_crds::keys::Identity;
    use seal_crds::resources::SealedSecret;

    fn sealed(scope: Scope, value: &[u8]) -> Written {
        let secret = Secret {
            namespace: None,
            name: None,
            type_: "Opaque".to_owned(),
            immutable: Some(true),
            labels: BTreeMap::from([("on".to_owned(), "null".to_owned())]),
            annotations: BTreeMap::from([("a".to_owned(), "b\n\u{1b}é".to_owned())]),
            bitnami_annotations: BTreeMap::new(),
            items: BTreeMap::from([("null".parse().unwrap(), Plaintext::from(value.to_vec()))]),
        };
        let recipient = Identity::generate().recipient().clone();
        let sealer = NativeSealer {
            recipients: vec![NamedRecipient { recipient, name: Some("yes".to_owned()) }],
            scope,
            template_items: BTreeSet::new(),
        };
        let object_name =
            ObjectName { namespace: Some("prod".parse().unwrap()), name: "db".parse().unwrap() };
        seal(secret, &object_name, &sealer).unwrap()
    }

    #[test]
    fn the_written_form_reads_back_as_the_resource() {
        let value = sealed(Scope::Strict, b"x");
        let from_yaml: SealedSecret = serde_yaml::from_str(&value.to_yaml(0)).unwrap();
        let from_json: SealedSecret = serde_json::from_str(&value.to_json(0, 2)).unwrap();
        assert_eq!(from_yaml, from_json);
        assert_eq!(from_yaml.spec.template.metadata.annotations["a"], "b\n\u{1b}é");
        assert_eq!(from_yaml.spec.envelopes[0].recipients[0].name.as_deref(), Some("yes"));
        assert_eq!(from_yaml.status, None);
    }

    #[test]
    fn fields_come_in_a_fixed_order_and_each_item_on_one_line() {
        let text = sealed(Scope::NamespaceWide, &[0; 5000]).to_yaml(0);
        let keys: Vec<_> = text.lines().filter_map(|line| line.split_once(':')).map(|(key, _)| key).collect();
        assert_eq!(
            keys,
            [
                "apiVersion",
                "kind",
                "metadata",
                "  name",
                "  namespace",
                "spec",
                "  scope",
                "  envelopes",
                "    - keys",
                "      recipients",
                "        - name",
                "          fingerprint",
                "      age",
                "  encryptedData",
                "    \"null\"",
                "  template",
                "    type",
                "    immutable",
                "    metadata",
                "      labels",
                "        \"on\"",
                "      annotations",
                "        a",
            ]
        );
    }

    #[test]
    fn a_large_object_is_told_apart_from_a_small_one() {
        assert!(!is_too_large_to_apply(&sealed(Scope::Strict, &[0; 100_000])));
        assert!(is_too_large_to_apply(&sealed(Scope::Strict, &[0; 200_000])));
    }
}

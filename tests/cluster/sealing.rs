//! SealedSecrets for tests, built one property at a time.
//!
//! Not the command line's sealing, though both call the same function of the contract crate. Invariant: an object
//! built here is valid unless a test breaks it afterwards.

use std::collections::{BTreeMap, BTreeSet};

use seal_crds::native::{Item, NamedRecipient, seal};
use seal_crds::resources::{SealedSecretSpec, Template};
use seal_crds::{ItemName, Place, Plaintext, Scope};
use serde_json::{Value, json};

use super::scene::Scene;

/// A Secret that is about to be sealed.
pub(crate) struct Sealing<'a> {
    scene: &'a Scene<'a>,
    place: Place,
    scope: Scope,
    recipients: Vec<NamedRecipient>,
    items: BTreeMap<ItemName, Item>,
    template: Template,
    found_as: Option<String>,
}

impl<'a> Sealing<'a> {
    pub(super) fn new(scene: &'a Scene<'a>, name: &str) -> Self {
        Self {
            scene,
            place: Place { namespace: scene.namespace.parse().unwrap(), name: name.parse().unwrap() },
            scope: Scope::Strict,
            recipients: Vec::new(),
            items: BTreeMap::new(),
            template: Template::default(),
            found_as: None,
        }
    }

    /// Adds an item.
    pub(crate) fn item(self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.with(name, value.as_ref(), false)
    }

    /// Adds an item that templates may use.
    pub(crate) fn template_item(self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.with(name, value.as_ref(), true)
    }

    fn with(mut self, name: &str, value: &[u8], template: bool) -> Self {
        let value = Plaintext::from(value.to_vec());
        self.items.insert(name.parse().unwrap(), Item::new(value, template));
        self
    }

    /// Sets another scope than strict.
    pub(crate) fn scope(mut self, scope: Scope) -> Self {
        self.scope = scope;
        self
    }

    /// Seals for another namespace than the object is committed in.
    pub(crate) fn for_namespace(mut self, namespace: &str) -> Self {
        self.place.namespace = namespace.parse().unwrap();
        self
    }

    /// Commits the object under another name than it is sealed for.
    pub(crate) fn found_as(mut self, name: &str) -> Self {
        self.found_as = Some(name.to_owned());
        self
    }

    /// Seals to this recipient instead of the controller's.
    pub(crate) fn to(mut self, recipient: &NamedRecipient) -> Self {
        self.recipients.push(recipient.clone());
        self
    }

    /// Sets another type than Opaque.
    pub(crate) fn of_type(mut self, type_: &str) -> Self {
        self.template.type_ = Some(type_.to_owned());
        self
    }

    pub(crate) fn immutable(mut self) -> Self {
        self.template.immutable = Some(true);
        self
    }

    pub(crate) fn label(mut self, key: &str, value: &str) -> Self {
        self.template.metadata.labels.insert(key.to_owned(), value.to_owned());
        self
    }

    pub(crate) fn annotation(mut self, key: &str, value: &str) -> Self {
        self.template.metadata.annotations.insert(key.to_owned(), value.to_owned());
        self
    }

    /// Adds a key whose value is a template.
    pub(crate) fn template(mut self, key: &str, text: &str) -> Self {
        self.template.data.insert(key.to_owned(), text.to_owned());
        self
    }

    pub(crate) fn spec(&self) -> SealedSecretSpec {
        let recipients =
            if self.recipients.is_empty() { vec![self.scene.recipient()] } else { self.recipients.clone() };
        let template = self.template.clone();
        seal(&self.place, self.scope, &recipients, &self.items, template, &BTreeSet::new()).unwrap()
    }

    /// The manifest that is committed.
    pub(crate) fn manifest(&self) -> Value {
        json!({
            "apiVersion": "sealing.dev/v1alpha1", "kind": "SealedSecret",
            "metadata": {"name": self.found_as.as_deref().unwrap_or(self.place.name.as_str())},
            "spec": self.spec(),
        })
    }

    /// Commits the object to the scene's namespace, and returns the manifest.
    #[track_caller]
    pub(crate) fn commit(self) -> Value {
        let manifest = self.manifest();
        self.scene.commit(&manifest).unwrap();
        manifest
    }

    /// The values that were sealed.
    pub(crate) fn values(&self) -> BTreeMap<String, Vec<u8>> {
        let value = |(name, item): (&ItemName, &Item)| (name.to_string(), item.value.expose().to_vec());
        self.items.iter().map(value).collect()
    }
}

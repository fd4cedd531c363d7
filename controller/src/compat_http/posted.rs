//! A posted SealedSecret of the Bitnami format: whether it opens, and the same object sealed again.
//!
//! The functions are pure: text in, object out. Invariants: the policy refuses here what it refuses to a SealedSecret in
//! the cluster. An object that is sealed again has the scope of the label that opened it, whatever the annotations say
//! (CVE-2026-22728). No answer and no error has a value in it. No template is rendered, so none can turn a question
//! about a value into an answer.

use std::collections::BTreeMap;

use seal_crds::bitnami::{BitnamiSealed, scope_annotations, seal_item};
use seal_crds::keys::{Keyring, RsaPublicKey};
use seal_crds::resources::bitnami::{API_VERSION, SealedSecretSpec};
use seal_crds::resources::{SEALED_SECRET, SpecError};
use seal_crds::{Binding, Name, NameError, Place, Reason, Scope, Sealed, Shape, UnsealError};
use seal_documents::manifest::DecodeError;
use seal_documents::room::Room;
use seal_documents::source::AtLine;
use seal_documents::values::{self, DocumentError};
use seal_documents::yaml::Syntax;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::failure::Failure;
use crate::policy::Policy;

/// Bytes of memory that the values of a body may take up; the tree that they are read from may take up as much again.
/// The values of the largest object that a cluster takes weigh a small part of it.
pub(super) const MAX_WEIGHT: usize = 16 << 20;

/// Fields of `metadata` that the API server fills in, and that mean nothing in a manifest.
const FILLED_IN: [&str; 8] = [
    "creationTimestamp",
    "deletionGracePeriodSeconds",
    "deletionTimestamp",
    "generation",
    "managedFields",
    "resourceVersion",
    "selfLink",
    "uid",
];
/// Of a name, in bytes.
const MAX_NAME: usize = 253;
/// A whole copy of what was applied before; on a template, perhaps of a Secret in plain.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// Why a body was refused.
#[derive(Debug, thiserror::Error)]
pub(super) enum PostedError {
    /// The body can't be read.
    #[error("the body {0}")]
    Document(AtLine<DocumentError>),
    /// A document that readers could disagree on.
    #[error("{0}")]
    Decode(AtLine<DecodeError>),
    /// Several documents, or none.
    #[error("the body has {0} documents; one is taken")]
    Documents(usize),
    /// Another kind of object.
    #[error("the body is no SealedSecret of {API_VERSION}")]
    WrongKind,
    /// Metadata of another form.
    #[error("metadata has a field of the wrong form")]
    WrongMetadata,
    /// A spec of another form.
    #[error("the spec {0}")]
    WrongSpec(SpecError),
    /// A name or namespace that can't be one.
    #[error("{0}")]
    WrongName(NameError),
    /// A SealedSecret that doesn't open, or isn't welcome.
    #[error("{0}")]
    Refused(Failure),
}

impl From<Failure> for PostedError {
    fn from(failure: Failure) -> Self {
        Self::Refused(failure)
    }
}

impl From<UnsealError> for PostedError {
    fn from(error: UnsealError) -> Self {
        Self::Refused(error.into())
    }
}

/// A SealedSecret whose public text has passed every check.
pub(super) struct Posted {
    object: Value,
    sealed: BitnamiSealed,
    /// Whether the object says its namespace. One that doesn't may be applied to any namespace, so it can be judged only
    /// under a scope that doesn't bind the namespace.
    is_placed: bool,
    /// A name that no cluster takes, while kubeseal seals for it; `sealed` has another in its place.
    misnamed: Option<NameError>,
}

#[derive(Default, Deserialize)]
struct Metadata {
    name: Option<String>,
    namespace: Option<String>,
    annotations: Option<BTreeMap<String, String>>,
}

impl Posted {
    /// From JSON or YAML.
    ///
    /// # Errors
    ///
    /// Any [`PostedError`] that needs no key.
    pub(super) fn parse(body: &[u8], policy: &Policy) -> Result<Self, PostedError> {
        let object = read(body)?;
        let says = |field: &str, expected: &str| object[field] == expected;
        if !says("apiVersion", API_VERSION) || !says("kind", SEALED_SECRET) {
            return Err(PostedError::WrongKind);
        }
        let metadata = &object["metadata"];
        // serde would also take an array of the values, in order.
        if !metadata.is_object() {
            return Err(PostedError::WrongMetadata);
        }
        let metadata = Metadata::deserialize(metadata).map_err(|_| PostedError::WrongMetadata)?;
        let namespace = metadata.namespace.filter(|namespace| !namespace.is_empty());
        let is_placed = namespace.is_some();
        let (name, misnamed) = name(&metadata.name.unwrap_or_default()).map_err(PostedError::WrongName)?;
        let place = Place {
            // A stand-in: an object without a namespace is judged only where the namespace isn't bound.
            namespace: namespace.as_deref().unwrap_or("default").parse().map_err(PostedError::WrongName)?,
            name,
        };
        if is_placed {
            policy.admit_place(&place)?;
        }
        let spec = SealedSecretSpec::from_json(&object["spec"]).map_err(PostedError::WrongSpec)?;
        let annotations = metadata.annotations.unwrap_or_default();
        let sealed = BitnamiSealed::parse(place, &annotations, &spec, &policy.types, policy.branching)?;
        let sealed = match &misnamed {
            None => sealed,
            Some(error) => {
                let namespace = sealed.place().namespace.to_string();
                sealed.sealed_for(&namespace, &error.name)
            }
        };
        Ok(Self { object, sealed, is_placed, misnamed })
    }

    /// Namespace and name, as they stand, for people.
    pub(super) fn place(&self) -> String {
        let Place { namespace, name } = self.sealed.place();
        let name = self.misnamed.as_ref().map_or(name.as_str(), |error| error.name.as_str());
        format!("{namespace}/{}", name.escape_debug())
    }

    /// Checks that the public text is right and that every item opens.
    ///
    /// # Errors
    ///
    /// [`PostedError::Refused`].
    pub(super) fn verify(&self, keys: &Keyring, policy: &Policy) -> Result<(), PostedError> {
        let scope = self.sealed.scope();
        self.require_place(scope)?;
        policy.admit(&self.sealed)?;
        self.sealed.open_under([scope], keys)?;
        Ok(())
    }

    /// The object with every item sealed anew to `primary`, under the label that opened it, and with the annotations
    /// that say so. Fields that the API server filled in are left out. Everything else stays, where sealed-secrets drops
    /// the template's metadata and data. The deprecated `data` becomes template and `encryptedData`.
    ///
    /// # Errors
    ///
    /// [`PostedError::Refused`]; [`PostedError::WrongName`], for a name that no cluster takes.
    pub(super) fn reseal(
        mut self,
        keys: &Keyring,
        policy: &Policy,
        primary: &RsaPublicKey,
    ) -> Result<Value, PostedError> {
        if let Some(error) = self.misnamed {
            return Err(PostedError::WrongName(error));
        }
        let place = self.sealed.place().clone();
        let opened = self.sealed.open_under(self.sealed.scopes(), keys)?;
        let scope = opened.scope;
        self.require_place(scope)?;
        policy.admit(&self.sealed.with_scope(scope))?;
        let binding = Binding::new(scope, &place);
        let encrypted_data: Map<String, Value> = opened
            .items
            .iter()
            .map(|(name, value)| (name.to_string(), seal_item(primary, &binding, value.expose()).into()))
            .collect();

        let object = self.object.as_object_mut().expect("it has an apiVersion");
        object.remove("status");
        let metadata = child(object, "metadata");
        FILLED_IN.iter().for_each(|field| drop(metadata.remove(*field)));
        mark(metadata, scope);
        let spec = child(object, "spec");
        if let Some(shape) = &opened.shape {
            spec.remove("data");
            spec.insert("template".to_owned(), template(shape));
        }
        let template = child(spec, "template");
        mark(child(template, "metadata"), scope);
        spec.insert("encryptedData".to_owned(), encrypted_data.into());
        Ok(self.object)
    }

    fn require_place(&self, scope: Scope) -> Result<(), Failure> {
        if self.is_placed || !scope.binds_namespace() {
            return Ok(());
        }
        Err(Failure::new(
            Reason::NamespaceMissing,
            format!("metadata.namespace is missing, and scope {scope} is tied to it"),
        ))
    }
}

/// A name, or a stand-in and what is wrong with the name.
fn name(text: &str) -> Result<(Name, Option<NameError>), NameError> {
    match text.parse() {
        Ok(name) => Ok((name, None)),
        Err(error) if text.is_empty() || text.len() > MAX_NAME => Err(error),
        Err(error) => Ok(("misnamed".parse()?, Some(error))),
    }
}

fn read(body: &[u8]) -> Result<Value, PostedError> {
    let is_json = body.trim_ascii_start().starts_with(b"{");
    let documents = if is_json { read_json(body)? } else { read_yaml(body)? };
    let found = documents.len();
    let [document] = <[Value; 1]>::try_from(documents).map_err(|_| PostedError::Documents(found))?;
    Ok(document)
}

fn read_json(body: &[u8]) -> Result<Vec<Value>, PostedError> {
    let documents = values::read_json(body, MAX_WEIGHT).into_iter();
    documents.collect::<Result<_, _>>().map_err(PostedError::Document)
}

/// The documents that aren't empty.
fn read_yaml(body: &[u8]) -> Result<Vec<Value>, PostedError> {
    let mut room = Room::new(MAX_WEIGHT);
    let mut found = Vec::new();
    for document in values::documents(body, Syntax::Yaml, room) {
        let document = document.map_err(PostedError::Document)?;
        let Some(root) = document.root() else { continue };
        document.claims(root).ok_or(PostedError::WrongKind)?;
        found.push(document.object(root, &mut room).map_err(PostedError::Decode)?);
    }
    Ok(found)
}

/// The object in this field, made where there is none.
fn child<'m>(parent: &'m mut Map<String, Value>, field: &str) -> &'m mut Map<String, Value> {
    let value = parent.entry(field).or_insert_with(|| json!({}));
    if value.is_null() {
        *value = json!({});
    }
    value.as_object_mut().expect("whatever is of another form was refused when it was parsed")
}

/// Makes the annotations say this scope and no other.
fn mark(metadata: &mut Map<String, Value>, scope: Scope) {
    let annotations = child(metadata, "annotations");
    for key in scope_annotations().chain([LAST_APPLIED]) {
        annotations.remove(key);
    }
    if let Some(key) = scope.bitnami_annotation() {
        annotations.insert(key.to_owned(), "true".into());
    }
    if annotations.is_empty() {
        metadata.remove("annotations");
    }
}

/// The shape that was sealed into the object, as a template.
fn template(shape: &Shape) -> Value {
    let mut template = json!({
        "metadata": {"labels": shape.labels, "annotations": shape.annotations},
        "type": shape.type_,
    });
    if let Some(immutable) = shape.immutable {
        template["immutable"] = immutable.into();
    }
    template
}

#[cfg(test)]
mod tests;

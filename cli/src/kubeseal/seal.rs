//! Secrets of the input to SealedSecrets.
//!
//! [`read`] reads the documents. As in kubeseal, a name may be any text; a warning names one that no cluster
//! takes. Invariant: every Secret of the input is checked before anything is printed, and the value of an
//! item leaves memory only in sealed form.

use std::collections::BTreeMap;

use seal_crds::bitnami::{Label, claimed_scope, scope_annotations};
use seal_crds::keys::Certificate;
use seal_crds::resources::bitnami::API_VERSION;
use seal_crds::{ItemName, Name, NameError, Namespace, Plaintext, Scope};
use seal_documents::data::decode;
use seal_documents::source::{Source, Spot};

use super::failure::KubesealError;
use super::go_value::{GoValue, strings};
use super::namespace;
use super::options::Options;
use super::read::{self, Document};
use super::schema::{Form, OBJECT_META, SEALED_SECRET, SECRET, SPEC, TEMPLATE, complete, set};
use crate::talk::failure::Failure;
use crate::talk::terminal;

/// Fields of the metadata that don't go into a SealedSecret: the server sets them, or they hold for one
/// cluster only.
const STRIPPED: [&str; 8] = [
    "selfLink",
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "ownerReferences",
];

/// Annotations that hold a copy of the whole Secret in the clear.
const LAST_APPLIED: [&str; 2] =
    ["kubectl.kubernetes.io/last-applied-configuration", "kubecfg.ksonnet.io/last-applied-configuration"];

/// The parts of the SealedSecret to merge into that replace those of the Secret.
#[derive(Default)]
pub(super) struct Overrides<'a> {
    pub(super) name: Option<&'a str>,
    pub(super) namespace: Option<&'a str>,
    /// The scope, if neither a flag nor the Secret gives one.
    pub(super) scope: Option<Scope>,
}

/// Seals every Secret of the input.
pub(super) fn seal(
    options: &Options,
    overrides: &Overrides<'_>,
    source: &Source,
    certificate: &Certificate,
) -> Result<Vec<GoValue>, Failure> {
    let documents = read::documents(source, "Secret", &SECRET)?;
    if documents.is_empty() {
        return Err(KubesealError::NoSecrets.into());
    }
    let seal_document = |Document { value, spot }| {
        seal_one(options, overrides, value, &spot, certificate).map_err(|error| Failure::from(error).at(spot))
    };
    documents.into_iter().map(seal_document).collect()
}

fn seal_one(
    options: &Options,
    overrides: &Overrides<'_>,
    mut secret: GoValue,
    spot: &Spot,
    certificate: &Certificate,
) -> Result<GoValue, KubesealError> {
    let is_empty = |key| secret.get(key).is_none_or(GoValue::is_empty);
    if is_empty("data") && is_empty("stringData") && !options.may_be_empty {
        return Err(KubesealError::Empty);
    }
    if !matches!(secret.text_at("kind"), "" | "Secret") {
        return Err(KubesealError::NotSecret(secret.text_at("kind").to_owned()));
    }
    let items = take_items(&mut secret)?;
    let mut metadata = secret.take("metadata").expect("a Secret that was read always has it");
    if let Some(name) = overrides.name.or(options.name.as_deref()) {
        set(&mut metadata, &OBJECT_META, "name", GoValue::text(name));
    }
    let name = metadata.text_at("name").to_owned();
    if name.is_empty() {
        return Err(KubesealError::NoName);
    }
    if let Some(namespace) = overrides.namespace {
        set(&mut metadata, &OBJECT_META, "namespace", GoValue::text(namespace));
    }
    let from_annotations = Some(claimed(&metadata)).filter(|scope| *scope != Scope::default());
    let scope = options.scope.or(from_annotations).or(overrides.scope).unwrap_or_default();
    claim(&mut metadata, scope, options.scope.is_some() || overrides.scope.is_some());
    let namespace = namespace_for(options, &metadata, scope)?;
    set(&mut metadata, &OBJECT_META, "namespace", GoValue::text(namespace.as_str()));
    for field in STRIPPED {
        metadata.take(field);
    }
    without_annotations(&mut metadata, &LAST_APPLIED);

    warn_of_names(&namespace, &name, Some(spot));
    let label = Label::from_text(scope, &namespace, &name);
    let sealed = items.iter().map(|(item, value)| {
        (item.to_string(), GoValue::text(label.seal_item(certificate.public_key(), value.expose())))
    });
    let encrypted = GoValue::Map(sealed.collect());
    let entry = |(name, value): (&str, Option<GoValue>)| value.map(|value| (name.to_owned(), value));
    let template = [
        ("metadata", Some(metadata)),
        ("type", secret.take("type")),
        ("immutable", secret.take("immutable")),
    ];
    let template = complete(template.into_iter().filter_map(entry).collect(), &TEMPLATE);
    let spec = [("template", Some(GoValue::Map(template))), ("encryptedData", Some(encrypted))];
    let spec = complete(spec.into_iter().filter_map(entry).collect(), &SPEC);
    let mut own = Form::Object(&OBJECT_META).zero();
    set(&mut own, &OBJECT_META, "name", GoValue::text(name));
    set(&mut own, &OBJECT_META, "namespace", GoValue::text(namespace));
    claim(&mut own, scope, true);
    let object = [
        ("kind", Some(GoValue::text("SealedSecret"))),
        ("apiVersion", Some(GoValue::text(API_VERSION))),
        ("metadata", Some(own)),
        ("spec", Some(GoValue::Map(spec))),
    ];
    Ok(GoValue::Map(complete(object.into_iter().filter_map(entry).collect(), &SEALED_SECRET)))
}

/// Takes the items of `data` and of `stringData` out of a Secret; an item of `stringData` wins.
fn take_items(secret: &mut GoValue) -> Result<BTreeMap<ItemName, Plaintext>, KubesealError> {
    let mut items = BTreeMap::new();
    for under in ["data", "stringData"] {
        let values = secret.take(under);
        for (key, value) in strings(values.as_ref()) {
            let item: ItemName =
                key.parse().map_err(|error: NameError| KubesealError::NotItem { under, rule: error.rule })?;
            let value = if under == "data" {
                decode(value).map_err(|_| KubesealError::NotBase64(item.to_string()))?
            } else {
                Plaintext::from(value.as_bytes().to_vec())
            };
            items.insert(item, value);
        }
    }
    Ok(items)
}

/// The namespace to seal for under this scope: the Secret's own, or the one for Secrets that have none.
fn namespace_for(options: &Options, metadata: &GoValue, scope: Scope) -> Result<String, KubesealError> {
    let own = metadata.text_at("namespace").to_owned();
    if !scope.binds_namespace() {
        return Ok(own);
    }
    match namespace::find(options.namespace.as_deref(), &options.access) {
        Ok(found) if found.is_typed && !own.is_empty() && own != found.namespace => {
            Err(KubesealError::OtherNamespace { found: own, wanted: found.namespace })
        }
        Ok(found) if own.is_empty() => Ok(found.namespace),
        Err(_) if own.is_empty() => Err(KubesealError::NoNamespace),
        _ => Ok(own),
    }
}

/// Warns of a namespace or a name that no cluster takes: a SealedSecret for it is of no use.
pub(super) fn warn_of_names(namespace: &str, name: &str, spot: Option<&Spot>) {
    let namespace = Some(namespace).filter(|text| !text.is_empty()).map(str::parse::<Namespace>);
    let name = Some(name).filter(|text| !text.is_empty()).map(str::parse::<Name>);
    let wrong = [namespace.and_then(Result::err), name.and_then(Result::err)];
    for error in wrong.into_iter().flatten() {
        terminal::warn(&format!("{error}; no cluster takes such a Secret"), spot);
    }
}

/// The scope that an object's annotations claim.
pub(super) fn claimed(metadata: &GoValue) -> Scope {
    claimed_scope(strings(metadata.get("annotations")))
}

/// Makes the annotations claim this scope and no other, if `alone`; does nothing otherwise.
fn claim(metadata: &mut GoValue, scope: Scope, alone: bool) {
    if !alone {
        return;
    }
    without_annotations(metadata, &scope_annotations().collect::<Vec<_>>());
    if let Some(annotation) = scope.bitnami_annotation() {
        let mut annotations = metadata.take("annotations").unwrap_or(GoValue::Map(Vec::new()));
        let entries = annotations.map_mut();
        entries.push((annotation.to_owned(), GoValue::text("true")));
        entries.sort_by(|(a, _), (b, _)| a.cmp(b));
        set(metadata, &OBJECT_META, "annotations", annotations);
    }
}

fn without_annotations(metadata: &mut GoValue, keys: &[&str]) {
    let Some(mut annotations) = metadata.take("annotations") else { return };
    annotations.map_mut().retain(|(key, _)| !keys.contains(&key.as_str()));
    set(metadata, &OBJECT_META, "annotations", annotations);
}

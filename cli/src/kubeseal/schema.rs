//! The Kubernetes types that the peer reads and prints, as far as order and omission of fields go: those of Go's
//! structs, which is the order in its JSON.
//!
//! Not a validation of what a server would take. Invariant: a field that isn't listed is dropped, as Go's decoder drops
//! it; each list is in the order of its struct.

use super::go_value::{Entries, GoValue};

/// What a field holds.
pub(super) enum Form {
    Text,
    Bool,
    Integer,
    /// A map of strings.
    Strings,
    /// A map of strings, of which some are `null` and stay so.
    NullableStrings,
    List(&'static Form),
    Object(&'static [StructField]),
    /// Anything, of which nothing is kept.
    Dropped,
}

/// When a field is printed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum When {
    /// If it isn't empty, false or zero.
    Set,
    /// If it stood there, whatever it held.
    Given,
    Always,
}

/// One field of a struct.
pub(super) struct StructField {
    pub(super) name: &'static str,
    pub(super) form: Form,
    pub(super) when: When,
}

const fn field(name: &'static str, form: Form, when: When) -> StructField {
    StructField { name, form, when }
}

/// `meta/v1.ObjectMeta`.
pub(super) static OBJECT_META: [StructField; 15] = [
    field("name", Form::Text, When::Set),
    field("generateName", Form::Text, When::Set),
    field("namespace", Form::Text, When::Set),
    field("selfLink", Form::Text, When::Set),
    field("uid", Form::Text, When::Set),
    field("resourceVersion", Form::Text, When::Set),
    field("generation", Form::Integer, When::Set),
    field("creationTimestamp", Form::Text, When::Set),
    field("deletionTimestamp", Form::Text, When::Set),
    field("deletionGracePeriodSeconds", Form::Integer, When::Given),
    field("labels", Form::Strings, When::Set),
    field("annotations", Form::Strings, When::Set),
    field("ownerReferences", Form::List(&Form::Object(&OWNER_REFERENCE)), When::Set),
    field("finalizers", Form::List(&Form::Text), When::Set),
    // A server's notes on which tool wrote which field: nothing that anybody means to be in a manifest.
    field("managedFields", Form::Dropped, When::Set),
];

static OWNER_REFERENCE: [StructField; 6] = [
    field("apiVersion", Form::Text, When::Always),
    field("kind", Form::Text, When::Always),
    field("name", Form::Text, When::Always),
    field("uid", Form::Text, When::Always),
    field("controller", Form::Bool, When::Given),
    field("blockOwnerDeletion", Form::Bool, When::Given),
];

/// `core/v1.Secret`.
pub(super) static SECRET: [StructField; 7] = [
    field("kind", Form::Text, When::Set),
    field("apiVersion", Form::Text, When::Set),
    field("metadata", Form::Object(&OBJECT_META), When::Always),
    field("immutable", Form::Bool, When::Given),
    field("data", Form::Strings, When::Set),
    field("stringData", Form::Strings, When::Set),
    field("type", Form::Text, When::Set),
];

/// The peer's SealedSecret.
pub(super) static SEALED_SECRET: [StructField; 5] = [
    field("kind", Form::Text, When::Set),
    field("apiVersion", Form::Text, When::Set),
    field("metadata", Form::Object(&OBJECT_META), When::Always),
    field("spec", Form::Object(&SPEC), When::Always),
    field("status", Form::Object(&STATUS), When::Given),
];

/// Its `spec`.
pub(super) static SPEC: [StructField; 3] = [
    field("template", Form::Object(&TEMPLATE), When::Always),
    field("data", Form::Text, When::Set),
    field("encryptedData", Form::Strings, When::Always),
];

/// Its `spec.template`.
pub(super) static TEMPLATE: [StructField; 4] = [
    field("metadata", Form::Object(&OBJECT_META), When::Always),
    field("type", Form::Text, When::Set),
    field("immutable", Form::Bool, When::Given),
    field("data", Form::NullableStrings, When::Set),
];

static STATUS: [StructField; 2] = [
    field("observedGeneration", Form::Integer, When::Set),
    field("conditions", Form::List(&Form::Object(&CONDITION)), When::Set),
];

static CONDITION: [StructField; 6] = [
    field("type", Form::Text, When::Always),
    field("status", Form::Text, When::Always),
    field("lastUpdateTime", Form::Text, When::Given),
    field("lastTransitionTime", Form::Text, When::Given),
    field("reason", Form::Text, When::Set),
    field("message", Form::Text, When::Set),
];

impl Form {
    /// What Go has where nothing was given.
    pub(super) fn zero(&self) -> GoValue {
        match self {
            Self::Text => GoValue::text(""),
            Self::Bool => GoValue::Bool(false),
            Self::Integer => GoValue::Number(0),
            Self::Strings | Self::NullableStrings | Self::List(_) | Self::Dropped => GoValue::Null,
            Self::Object(fields) => GoValue::Map(complete(Vec::new(), fields)),
        }
    }
}

/// The entries in the order of their struct, those left out that it leaves out, and those added that are always
/// there.
pub(super) fn complete(mut entries: Entries, fields: &'static [StructField]) -> Entries {
    let mut complete = Vec::with_capacity(fields.len());
    for field in fields {
        let found = entries.iter().position(|(key, _)| key == field.name);
        let value = found.map(|index| entries.swap_remove(index).1);
        let value = match (value, field.when) {
            (Some(value), When::Set) if value.is_empty() => None,
            (None, When::Always) => Some(field.form.zero()),
            (value, _) => value,
        };
        complete.extend(value.map(|value| (field.name.to_owned(), value)));
    }
    complete
}

/// Sets a field, at its place; an empty one goes where the struct leaves it out.
pub(super) fn set(object: &mut GoValue, fields: &'static [StructField], name: &str, value: GoValue) {
    let entries = object.map_mut();
    entries.retain(|(key, _)| key != name);
    entries.push((name.to_owned(), value));
    let all = std::mem::take(entries);
    *entries = complete(all, fields);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kubeseal::print::compact;

    #[test]
    fn a_field_is_set_at_its_place_and_goes_when_it_is_empty() {
        let mut metadata = Form::Object(&OBJECT_META).zero();
        for (name, value) in [("namespace", "prod"), ("uid", "u"), ("name", "db"), ("uid", "")] {
            set(&mut metadata, &OBJECT_META, name, GoValue::text(value));
        }
        assert_eq!(compact(&metadata).bytes(), br#"{"name":"db","namespace":"prod"}"#);
    }

    #[test]
    fn what_is_always_there_is_there() {
        let zero = Form::Object(&SEALED_SECRET).zero();
        let expected = br#"{"metadata":{},"spec":{"template":{"metadata":{}},"encryptedData":null}}"#;
        assert_eq!(compact(&zero).bytes(), expected);
    }
}

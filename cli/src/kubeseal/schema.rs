//! The Kubernetes types that kubeseal reads and prints. They give the order of fields and tell which fields
//! are left out, as Go's structs do in JSON.
//!
//! A server's validation isn't here. Invariant: a field that isn't listed is dropped, as Go's decoder drops
//! it; each list is in the order of its struct.

use super::go_value::{Entries, GoValue};

/// The type of a field's value.
pub(super) enum Form {
    Text,
    Bool,
    Integer,
    /// A map of strings.
    Strings,
    /// A map of strings, in which a `null` stays `null`.
    NullableStrings,
    List(&'static Form),
    Object(&'static [StructField]),
    /// Any value; it is dropped.
    Dropped,
}

/// The condition under which a field is printed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum When {
    /// The field is printed unless its value is empty, false or zero (Go's `omitempty`).
    Set,
    /// The field is printed if the input had it, with any value.
    Given,
    /// The field is always printed.
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
    // The server's notes on which tool wrote which field; they don't belong in a manifest.
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

/// The SealedSecret of bitnami.com.
pub(super) static SEALED_SECRET: [StructField; 5] = [
    field("kind", Form::Text, When::Set),
    field("apiVersion", Form::Text, When::Set),
    field("metadata", Form::Object(&OBJECT_META), When::Always),
    field("spec", Form::Object(&SPEC), When::Always),
    field("status", Form::Object(&STATUS), When::Given),
];

/// The `spec` of a SealedSecret.
pub(super) static SPEC: [StructField; 3] = [
    field("template", Form::Object(&TEMPLATE), When::Always),
    field("data", Form::Text, When::Set),
    field("encryptedData", Form::Strings, When::Always),
];

/// The `spec.template` of a SealedSecret.
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
    /// The zero value that Go has for a field that wasn't given.
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

/// The entries in the order of their struct: without the fields that it leaves out, and with those that it
/// always prints.
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

/// Sets a field at its position in the struct. An empty value removes the field if the struct leaves it out.
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

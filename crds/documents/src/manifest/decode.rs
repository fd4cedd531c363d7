//! A part of a document as a serde value, for types that are read with serde.
//!
//! For public parts only (the spec of a SealedSecret): the copy isn't wiped.
//! Scalars become what they are to kubectl; numbers, which nothing here has,
//! are refused.

use std::collections::BTreeMap;

use seal_crds::resources::{SealedSecretSpec, SpecError, bitnami};
use serde_json::{Map, Value};

use super::{
    Manifest, Object,
    fields::{FieldError, Fields, text_of},
};
use crate::{
    source::{Located, Spotted},
    yaml::{
        resolve::{Plain, plain},
        tree::{NodeId, NodeKind, Style, Tree},
    },
};

#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    #[error(transparent)]
    Field(#[from] FieldError),
    #[error("the SealedSecret has no spec")]
    NoSpec,
    #[error("the spec {0}")]
    NotSpec(SpecError),
}

impl DecodeError {
    /// What to try.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Field(error) => error.hint(),
            Self::NotSpec(_) => Some("was it edited, or made by a later version?".to_owned()),
            Self::NoSpec => None,
        }
    }
}

impl Manifest<'_> {
    /// The spec of a SealedSecret of the native format.
    pub fn spec(&self, object: &Object) -> Result<SealedSecretSpec, Spotted<DecodeError>> {
        self.decode_spec(object, SealedSecretSpec::from_json)
    }

    /// The spec of a SealedSecret of the peer's.
    pub fn bitnami_spec(&self, object: &Object) -> Result<bitnami::SealedSecretSpec, Spotted<DecodeError>> {
        self.decode_spec(object, bitnami::SealedSecretSpec::from_json)
    }

    fn decode_spec<T>(
        &self,
        object: &Object,
        from_json: impl Fn(&Value) -> Result<T, SpecError>,
    ) -> Result<T, Spotted<DecodeError>> {
        let tree = self.tree(object);
        let decode = || {
            let fields =
                Fields::read(tree, object.node, "the SealedSecret").map_err(|e| e.map(DecodeError::from))?;
            let at = tree.range(object.node).start;
            let spec = fields.get("spec").ok_or(Located { error: DecodeError::NoSpec, at })?;
            let value = Decoder { tree, source: self.source.text() }.value(spec)?;
            from_json(&value)
                .map_err(|error| Located { error: DecodeError::NotSpec(error), at: tree.range(spec).start })
        };
        decode().map_err(|error| self.locate(error))
    }

    /// The annotations of an object.
    pub fn annotations(&self, object: &Object) -> Result<BTreeMap<String, String>, Spotted<FieldError>> {
        let (tree, source) = (self.tree(object), self.source.text());
        let decode = || {
            let fields = Fields::read(tree, object.node, "the SealedSecret")?;
            let Some(metadata) = fields.get("metadata") else { return Ok(BTreeMap::new()) };
            let metadata = Fields::read(tree, metadata, "metadata")?;
            let Some(annotations) = metadata.get("annotations") else { return Ok(BTreeMap::new()) };
            Fields::read(tree, annotations, "metadata.annotations")?
                .iter()
                .map(|field| {
                    let text = text_of(tree, source, field.value, || format!("annotation {}", field.key))?;
                    Ok((field.key.to_owned(), text.to_owned()))
                })
                .collect()
        };
        decode().map_err(|error: Located<FieldError>| self.locate(error))
    }
}

struct Decoder<'t, 'a> {
    tree: &'t Tree<'a>,
    source: &'t str,
}

impl Decoder<'_, '_> {
    fn value(&self, id: NodeId) -> Result<Value, Located<DecodeError>> {
        match self.tree.kind(id) {
            NodeKind::Sequence { items, .. } => {
                items.iter().map(|item| self.value(*item)).collect::<Result<_, _>>().map(Value::Array)
            }
            NodeKind::Mapping { .. } => {
                let fields =
                    Fields::read(self.tree, id, "this").map_err(|error| error.map(DecodeError::from))?;
                let mut map = Map::new();
                for field in fields.iter() {
                    map.insert(field.key.to_owned(), self.value(field.value)?);
                }
                Ok(Value::Object(map))
            }
            NodeKind::Scalar { text, style: Style::Plain } => match plain(text.as_str()) {
                Plain::Null => Ok(Value::Null),
                Plain::Bool(value) => Ok(Value::Bool(value)),
                Plain::Text | Plain::Number => self.text(id),
            },
            NodeKind::Scalar { .. } | NodeKind::Alias(_) => self.text(id),
        }
    }

    fn text(&self, id: NodeId) -> Result<Value, Located<DecodeError>> {
        let text = text_of(self.tree, self.source, id, || "this value".to_owned());
        text.map(|text| Value::String(text.to_owned())).map_err(|error| error.map(DecodeError::from))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Source;
    use zeroize::Zeroizing;

    fn spec(spec: &str) -> Result<SealedSecretSpec, Spotted<DecodeError>> {
        let text = format!("apiVersion: sealing.dev/v1alpha1\nkind: SealedSecret\nspec: {spec}\n");
        let source = Source::new("f".to_owned(), Zeroizing::new(text));
        let manifest = Manifest::parse(&source).unwrap();
        manifest.spec(&manifest.objects[0])
    }

    #[test]
    fn a_spec_reads_as_kubectl_would_send_it() {
        let found =
            spec("{scope: strict, envelopes: [], encryptedData: {\"on\": a}, template: {immutable: yes}}")
                .unwrap();
        assert_eq!(found.encrypted_data["on"], "a");
        assert_eq!(found.template.immutable, Some(true));
    }

    #[test]
    fn what_readers_could_disagree_on_is_refused() {
        for bad in [
            "{scope: strict, envelopes: [], encryptedData: {on: a}}",
            "{scope: strict, scope: strict, envelopes: [], encryptedData: {}}",
            "{scope: strict, envelopes: [], encryptedData: {a: 1}}",
            "{scope: strict, envelopes: [], encryptedData: {a: !x b}}",
            "{scope: loose, envelopes: [], encryptedData: {}}",
            "{scope: strict, envelopes: [], encryptedData: {}, more: x}",
            "text",
        ] {
            assert!(spec(bad).is_err(), "{bad}");
        }
    }
}

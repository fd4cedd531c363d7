//! The shape of the Secret (its type, labels and annotations) in the native template.
//!
//! An annotation for the controller of sealed-secrets is left out, with a warning that says what changes. There is
//! no warning if its value isn't `true`, since it then asked for nothing. Invariant: a label, annotation or field
//! that a person wrote is kept, or a warning tells that it is left out. Exceptions are the fields that the API
//! server sets, and the marks of the scope, which `spec.scope` replaces.

use std::collections::BTreeMap;

use seal_crds::Shape;
use seal_crds::bitnami::scope_of_annotation;
use seal_crds::resources::bitnami::{MANAGED, PATCH, SKIP_SET_OWNER_REFERENCES, SealedSecretSpec};
use seal_crds::resources::{Template, TemplateMetadata};
use seal_crds::secret::Mark;

use super::Draft;

const OWNED: &str = "from now on the Secret goes when its SealedSecret goes, and one that is there has to be \
                     annotated with sealing.dev/adopt";

impl Draft<'_, '_> {
    /// The native template, without `data`.
    pub(super) fn template(&mut self, spec: &SealedSecretSpec) -> Template {
        let metadata = &spec.template.metadata;
        Template {
            type_: spec.template.type_.clone().filter(|type_| !type_.is_empty()),
            immutable: spec.template.immutable,
            metadata: TemplateMetadata {
                labels: self.kept("label", &metadata.labels),
                annotations: self.kept("annotation", &metadata.annotations),
            },
            data: BTreeMap::new(),
        }
    }

    /// The native template of an object whose shape was sealed along with its values, without `data`.
    pub(super) fn sealed_in_template(&mut self, spec: &SealedSecretSpec, shape: Shape) -> Template {
        self.warn(
            &["spec", "data"],
            "type, labels and annotations of the Secret were sealed in, and can be read now".to_owned(),
        );
        if !shape.owned {
            self.warn(
                &["spec", "template"],
                format!("annotation {SKIP_SET_OWNER_REFERENCES} is left out: {OWNED}"),
            );
        } else if !spec.template.is_default() {
            self.warn(
                &["spec", "template"],
                "spec.template is replaced: beside spec.data it didn't count".to_owned(),
            );
        }
        Template {
            type_: Some(shape.type_),
            immutable: shape.immutable,
            metadata: TemplateMetadata {
                labels: self.kept("label", &shape.labels),
                annotations: self.kept("annotation", &shape.annotations),
            },
            data: BTreeMap::new(),
        }
    }

    fn kept(&mut self, what: &str, entries: &BTreeMap<String, String>) -> BTreeMap<String, String> {
        let mut kept = BTreeMap::new();
        for (key, value) in entries {
            match dropped(key, value) {
                None => {
                    kept.insert(key.clone(), value.clone());
                }
                Some(None) => {}
                Some(Some(why)) => {
                    let field = format!("{what}s");
                    self.warn(
                        &["spec", "template", "metadata", &field, key],
                        format!("{what} {key} is left out: {why}"),
                    );
                }
            }
        }
        kept
    }

    /// Warns of fields that sealed-secrets ignores and the native format refuses.
    pub(super) fn warn_of_fields(&mut self) {
        const KNOWN: [(&[&str], &[&str]); 3] = [
            (&["spec"], &["encryptedData", "data", "template"]),
            (&["spec", "template"], &["type", "immutable", "metadata", "data"]),
            // The API server and kubeseal set name and namespace; those of the SealedSecret override them.
            (
                &["spec", "template", "metadata"],
                &["name", "namespace", "creationTimestamp", "labels", "annotations"],
            ),
        ];
        for (path, known) in KNOWN {
            let entries = self.node(path).and_then(|node| self.tree.mapping(node)).unwrap_or_default();
            let unknown = |(key, _): &(usize, usize)| {
                self.tree.scalar(*key).filter(|key| !known.contains(key)).map(str::to_owned)
            };
            let unknown: Vec<String> = entries.iter().filter_map(unknown).collect();
            for key in unknown {
                let field = [path, &[key.as_str()]].concat();
                let shown = seal_documents::manifest::shown(&key);
                self.warn(&field, format!("{}.{shown} is left out: no SealedSecret has it", path.join(".")));
            }
        }
    }
}

/// Whether a label or annotation is left out: `None` if it stays, `Some(None)` if it goes in silence, else
/// the reason for the warning.
fn dropped(key: &str, value: &str) -> Option<Option<String>> {
    let mark = Mark::of(key)?;
    let is_set = value == "true";
    let why = match key {
        _ if scope_of_annotation(key).is_some() => return Some(None),
        MANAGED | PATCH | SKIP_SET_OWNER_REFERENCES if !is_set => return Some(None),
        MANAGED => {
            "a Secret that the peer's controller made is taken over by its owner; for any other, annotate the Secret \
             with sealing.dev/adopt"
        }
        PATCH => {
            "what others put into the Secret stays in any case; a Secret that others made has to be annotated with \
             sealing.dev/adopt"
        }
        SKIP_SET_OWNER_REFERENCES => OWNED,
        _ => return Some(Some(mark.to_string())),
    };
    Some(Some(why.to_owned()))
}

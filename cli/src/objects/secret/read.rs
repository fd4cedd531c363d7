//! A Secret out of a manifest, as kubectl and the API server would read it: `data` is base64, `stringData` is
//! text and wins, and both may be there.
//!
//! Fields that the server sets and notes that tools keep (`uid`, `managedFields`, Argo CD's tracking id)
//! aren't part of a Secret that a person writes, so they are left out. Every other label and annotation is
//! kept. An unknown field is refused: a misspelt `stringdata` would lose a value.
//!
//! A Secret may hold no values at all, as a placeholder or as a patch; the caller decides about those.

mod error;

use std::collections::BTreeMap;
use std::str::FromStr;

use base64::DecodeError;
use seal_crds::bitnami::scope_of_annotation;
use seal_crds::resources::DIGEST_ANNOTATION;
use seal_crds::resources::bitnami::{MANAGED, PATCH, SKIP_SET_OWNER_REFERENCES};
use seal_crds::secret::{Mark, OPAQUE, check_annotations, check_label};
use seal_crds::{ItemName, NameError, Plaintext};
use seal_documents::data::decode;
use seal_documents::manifest::{Field, FieldError, Fields, Look, is_directive, shown, text_of};
use seal_documents::source::Located;
use seal_documents::yaml::resolve::{Plain, plain};
use seal_documents::yaml::tree::{NodeId, NodeKind, Style, Tree};

use super::check::check;
use super::{Secret, content};

pub(crate) use error::ReadSecretError;

/// Annotations that tell the controller of sealed-secrets what it may do with a Secret.
const BITNAMI_ANNOTATIONS: [&str; 3] = [MANAGED, PATCH, SKIP_SET_OWNER_REFERENCES];

/// A Secret, with the warnings about its manifest.
pub(crate) struct Reading {
    pub(crate) secret: Secret,
    /// Whether the Secret is a patch, to be merged into another Secret. A patch has no items.
    pub(crate) is_patch: bool,
    pub(crate) offsets: Offsets,
    /// Warnings about parts that are left out, and about values that look odd.
    pub(crate) warnings: Vec<Located<String>>,
    /// Warnings about annotations that only the Bitnami format keeps.
    pub(crate) bitnami_warnings: Vec<Located<String>>,
}

/// Byte offsets of the Secret's parts in the text, for messages about them.
pub(crate) struct Offsets {
    /// The start of the Secret.
    pub(crate) whole: usize,
    /// The namespace, or the start of the Secret if it has none.
    pub(crate) namespace: usize,
    /// The name, or the start of the Secret if it has none.
    pub(crate) name: usize,
    /// The key `generateName`, if there is no name beside it.
    pub(crate) generate_name: Option<usize>,
}

/// Reads and checks the Secret at `node`. `source` is the text of the tree.
pub(crate) fn read(tree: &Tree<'_>, source: &str, node: NodeId) -> Result<Reading, Located<ReadSecretError>> {
    let (warnings, bitnami_warnings) = (Vec::new(), Vec::new());
    Reader { tree, source, directive: None, removal: None, warnings, bitnami_warnings }.secret(node)
}

struct Reader<'t, 'a> {
    tree: &'t Tree<'a>,
    source: &'t str,
    /// The first directive of a patch.
    directive: Option<Located<String>>,
    /// The first entry whose value is written as null, which in a patch means "remove it".
    removal: Option<Located<FieldError>>,
    warnings: Vec<Located<String>>,
    bitnami_warnings: Vec<Located<String>>,
}

type Reads<T> = Result<T, Located<ReadSecretError>>;

impl<'t> Reader<'t, '_> {
    fn secret(mut self, node: NodeId) -> Reads<Reading> {
        let at = self.at(node);
        let mut secret = Secret {
            namespace: None,
            name: None,
            type_: OPAQUE.to_owned(),
            immutable: None,
            labels: BTreeMap::new(),
            annotations: BTreeMap::new(),
            bitnami_annotations: BTreeMap::new(),
            items: BTreeMap::new(),
        };
        let mut offsets = Offsets { whole: at, namespace: at, name: at, generate_name: None };
        let mut item_at: BTreeMap<ItemName, usize> = BTreeMap::new();
        let mut type_at = at;
        let fields = self.fields(node, "the Secret")?;
        // This check comes first, because SOPS may have encrypted names, types and labels as well.
        if let Some(sops) = fields.iter().find(|field| field.key == "sops") {
            return Err(self.error(sops.key_id, ReadSecretError::Sops));
        }
        for field in fields.iter() {
            match field.key {
                _ if self.is_directive(field) => {}
                "apiVersion" | "kind" | "data" | "stringData" | "status" => {}
                "type" => {
                    type_at = self.at(field.value);
                    secret.type_ = self.optional_text(field.value, "type")?.unwrap_or(OPAQUE).to_owned();
                }
                "immutable" => secret.immutable = self.optional_bool(field.value)?,
                "metadata" => self.metadata(field.value, &mut secret, &mut offsets)?,
                other => return Err(self.unknown(other, field.key_id)),
            }
        }
        // `stringData` comes last, because it wins.
        for key in ["data", "stringData"] {
            let Some(values) = fields.get(key) else { continue };
            for field in self.fields(values, key)?.iter() {
                if self.is_directive(field)
                    || self.is_removal(field, || format!("item {} under {key}", shown(field.key)))
                {
                    continue;
                }
                let item: ItemName = field.key.parse().map_err(|error: NameError| {
                    self.error(field.key_id, ReadSecretError::NotItem { under: key, rule: error.rule })
                })?;
                let value = self.value(key, &item, field.value)?;
                item_at.insert(item.clone(), self.at(field.value));
                secret.items.insert(item, value);
            }
        }
        let is_patch = self.check_patch(!secret.items.is_empty())?;
        if !secret.items.is_empty() {
            check(&secret).map_err(|error| {
                let item = error.item().and_then(|item| item_at.get(item).copied());
                let about_type = error.is_about_type().then_some(type_at);
                Located { at: item.or(about_type).unwrap_or(at), error: error.into() }
            })?;
        }
        let doubts = content::doubts(&secret.items).into_iter();
        let mut doubts: Vec<Located<String>> =
            doubts.map(|doubt| Located { at: item_at[&doubt.item], error: doubt.words }).collect();
        doubts.sort_by_key(|doubt| doubt.at);
        self.warnings.extend(doubts);
        Ok(Reading {
            secret,
            is_patch,
            offsets,
            warnings: self.warnings,
            bitnami_warnings: self.bitnami_warnings,
        })
    }

    fn metadata(&mut self, node: NodeId, secret: &mut Secret, offsets: &mut Offsets) -> Reads<()> {
        let mut generate_name = None;
        for field in self.fields(node, "metadata")?.iter() {
            match field.key {
                _ if self.is_directive(field) => {}
                "namespace" => {
                    offsets.namespace = self.at(field.value);
                    secret.namespace = self.optional_name(field.value, "metadata.namespace")?;
                }
                "name" => {
                    offsets.name = self.at(field.value);
                    secret.name = self.optional_name(field.value, "metadata.name")?;
                }
                "generateName" => generate_name = Some(self.at(field.key_id)),
                "labels" => {
                    secret.labels = self.strings(field.value, "label")?;
                    for (key, value) in &secret.labels {
                        check_label(key, value).map_err(|error| self.error(field.value, error))?;
                    }
                }
                "annotations" => {
                    secret.bitnami_annotations = self.bitnami_annotations(field.value)?;
                    secret.annotations = self.strings(field.value, "annotation")?;
                    check_annotations(&secret.annotations).map_err(|error| self.error(field.value, error))?;
                }
                // The API server sets these fields.
                "creationTimestamp"
                | "resourceVersion"
                | "uid"
                | "managedFields"
                | "ownerReferences"
                | "selfLink"
                | "generation"
                | "deletionTimestamp"
                | "deletionGracePeriodSeconds" => {}
                other => self.warn(
                    field.key_id,
                    format!("metadata.{other} is left out: it isn't part of a SealedSecret"),
                ),
            }
        }
        offsets.generate_name = generate_name.filter(|_| secret.name.is_none());
        Ok(())
    }

    /// Reads labels or annotations, and leaves out the marks by which tools track objects.
    fn strings(&mut self, node: NodeId, what: &str) -> Reads<BTreeMap<String, String>> {
        let mut strings = BTreeMap::new();
        for field in self.fields(node, &format!("metadata.{what}s"))?.iter() {
            if self.is_directive(field) || self.is_removal(field, || format!("{what} {}", shown(field.key))) {
                continue;
            }
            // kubectl sets the first one on every object that it applied (it holds the values), and our
            // controller sets the second one on every Secret that it made.
            if matches!(field.key, "kubectl.kubernetes.io/last-applied-configuration" | DIGEST_ANNOTATION) {
                continue;
            }
            if what == "annotation" && BITNAMI_ANNOTATIONS.contains(&field.key) {
                let warning = format!("{what} {} is left out: it speaks to the peer's controller", field.key);
                self.bitnami_warnings.push(Located { error: warning, at: self.at(field.key_id) });
                continue;
            }
            if let Some(mark) = Mark::of(field.key) {
                let why = match scope_of_annotation(field.key) {
                    Some(scope) => format!("; the scope is set by --scope {scope}"),
                    None => format!(": {mark}"),
                };
                self.warn(field.key_id, format!("{what} {} is left out{why}", field.key));
                continue;
            }
            let text = self.text(field.value, || format!("{what} {}", field.key))?;
            strings.insert(field.key.to_owned(), text.to_owned());
        }
        Ok(strings)
    }

    fn bitnami_annotations(&self, node: NodeId) -> Reads<BTreeMap<String, String>> {
        let fields = self.fields(node, "metadata.annotations")?;
        let own = fields.iter().filter(|field| BITNAMI_ANNOTATIONS.contains(&field.key));
        own.map(|field| {
            let text = self.text(field.value, || format!("annotation {}", field.key))?;
            Ok((field.key.to_owned(), text.to_owned()))
        })
        .collect()
    }

    fn value(&self, key: &str, item: &ItemName, node: NodeId) -> Reads<Plaintext> {
        let text = self.text(node, || format!("item {item} under {key}"))?;
        if key == "stringData" {
            return Ok(Plaintext::from(text.as_bytes().to_vec()));
        }
        decode(text).map_err(|error| {
            let (offset, cut_off) = match error {
                DecodeError::InvalidByte(offset, _) | DecodeError::InvalidLastSymbol(offset, _) => {
                    (offset, false)
                }
                DecodeError::InvalidLength(_) | DecodeError::InvalidPadding => (0, true),
            };
            // If the text stands unescaped in the file, the error points at the wrong byte itself.
            let range = self.tree.range(self.tree.resolve(node));
            let quote = usize::from(self.source[range.clone()].starts_with(['"', '\'']));
            let plainly = self.source[range.clone()].get(quote..quote + text.len()) == Some(text);
            let at = if plainly { range.start + quote + offset } else { range.start };
            let look = Look::of(text.as_bytes());
            Located { error: ReadSecretError::NotBase64 { item: item.clone(), cut_off, look }, at }
        })
    }

    /// Whether a field is a directive of a patch; remembers the first one.
    fn is_directive(&mut self, field: &Field<'_>) -> bool {
        let is_directive = is_directive(field.key);
        if is_directive && self.directive.is_none() {
            self.directive = Some(Located { error: shown(field.key), at: self.at(field.key_id) });
        }
        is_directive
    }

    /// Whether the value of an entry is written as null; remembers the first one. An entry with no text after
    /// its key isn't a removal: its value was forgotten.
    fn is_removal(&mut self, field: &Field<'_>, what: impl Fn() -> String) -> bool {
        let is_removal = self.tree.is_null(field.value) && !self.tree.range(field.value).is_empty();
        if is_removal && self.removal.is_none() {
            self.removal = Some(Located { error: FieldError::NoValue(what()), at: self.at(field.value) });
        }
        is_removal
    }

    /// Whether the Secret is a patch. A patch with values is refused: sealing would make a Secret of its own,
    /// which isn't merged into the other one.
    fn check_patch(&mut self, has_values: bool) -> Reads<bool> {
        match (self.directive.take(), self.removal.take()) {
            (Some(directive), _) if has_values => {
                Err(directive.map(|directive| ReadSecretError::PatchWithValues { directive }))
            }
            // In a Secret that isn't a patch, a null is a forgotten value.
            (None, Some(removal)) if has_values => Err(removal.map(ReadSecretError::from)),
            (directive, _) => Ok(directive.is_some()),
        }
    }

    fn unknown(&self, field: &str, key: NodeId) -> Located<ReadSecretError> {
        const FIELDS: [&str; 6] =
            ["data", "stringData", "type", "immutable", "metadata", "metadata.annotations"];
        let likeness =
            |known: &&&str| strsim::damerau_levenshtein(&known.to_lowercase(), &field.to_lowercase());
        let near = FIELDS.iter().filter(|_| field.len() <= 32).min_by_key(likeness);
        let meant = near.filter(|known| likeness(known) <= 2).copied();
        self.error(key, ReadSecretError::UnknownField { field: shown(field), meant })
    }

    fn fields(&self, node: NodeId, what: &str) -> Reads<Fields<'t>> {
        Fields::read(self.tree, node, what).map_err(|error| error.map(ReadSecretError::from))
    }

    fn text(&self, node: NodeId, what: impl Fn() -> String) -> Reads<&'t str> {
        text_of(self.tree, self.source, node, what).map_err(|error| error.map(ReadSecretError::from))
    }

    /// Reads a string. Null and the empty string give `None`, since Go's JSON doesn't tell them from a
    /// missing field.
    fn optional_text(&self, node: NodeId, what: &str) -> Reads<Option<&'t str>> {
        if self.tree.is_null(node) {
            return Ok(None);
        }
        let text = self.text(node, || what.to_owned())?;
        Ok((!text.is_empty()).then_some(text))
    }

    fn optional_name<T: FromStr<Err = NameError>>(&self, node: NodeId, what: &str) -> Reads<Option<T>> {
        let text = self.optional_text(node, what)?;
        text.map(|text| text.parse().map_err(|error| self.error(node, error))).transpose()
    }

    fn optional_bool(&self, node: NodeId) -> Reads<Option<bool>> {
        match self.tree.kind(node) {
            _ if self.tree.is_null(node) => Ok(None),
            NodeKind::Scalar { text, style: Style::Plain } => match plain(text.as_str()) {
                Plain::Bool(value) => Ok(Some(value)),
                _ => Err(self.not_bool(node)),
            },
            _ => Err(self.not_bool(node)),
        }
    }

    fn not_bool(&self, node: NodeId) -> Located<ReadSecretError> {
        self.error(node, FieldError::NotBool { what: "immutable".to_owned() })
    }

    fn at(&self, node: NodeId) -> usize {
        self.tree.range(node).start
    }

    fn error(&self, node: NodeId, error: impl Into<ReadSecretError>) -> Located<ReadSecretError> {
        Located { error: error.into(), at: self.at(node) }
    }

    fn warn(&mut self, node: NodeId, warning: String) {
        self.warnings.push(Located { error: warning, at: self.at(node) });
    }
}

#[cfg(test)]
mod tests;

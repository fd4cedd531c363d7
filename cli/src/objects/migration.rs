//! Migrates one SealedSecret of bitnami.com into the native format: the new object, and the bytes of the file
//! that change.
//!
//! The command walks the files and prints the report. Annotations decide nothing that a key can't confirm:
//! the scope is that of the label under which the object opened. Invariant: the Secret stays the same, every
//! value byte for byte. An object for which that can't hold, now or later, is refused, or migrated with a
//! warning if the user asked for that.

mod metadata;
mod open;
mod template;

use std::collections::{BTreeMap, BTreeSet};

use seal_crds::bitnami::{Opened, claimed_scope, scope_annotations};
use seal_crds::keys::{Fingerprint, Keyring};
use seal_crds::native::{Item, NamedRecipient};
use seal_crds::resources::{API_VERSION, bitnami};
use seal_crds::{ItemName, NameError, Plaintext, Reason, Scope};
use seal_documents::manifest::{Edits, Manifest, Object};
use seal_documents::source::Located;
use seal_documents::yaml::tree::{NodeId, Tree};
use seal_documents::yaml::written::Written;

use crate::objects::name::ObjectName;
use crate::objects::sealed::{OpenError, PublicParts};
use crate::objects::sealing;
use crate::talk::failure::{Explain, Failure, Rule};

use template::Substitution;

/// The settings of a migration. They are the same for all objects of one run.
pub(crate) struct Settings<'h> {
    /// The private keys that open the objects.
    pub(crate) keys: &'h Keyring,
    /// The recipients to seal to.
    pub(crate) recipients: &'h [NamedRecipient],
    /// Whether a Go template without a counterpart becomes an item with the text that it renders to now.
    pub(crate) renders: bool,
}

/// The result of migrating one object.
pub(crate) struct Migrated {
    /// The changes to make in the file.
    pub(crate) edits: Edits,
    pub(crate) summary: Summary,
    pub(crate) warnings: Vec<Located<String>>,
}

/// The facts about a migrated object that the report shows.
pub(crate) struct Summary {
    /// The byte offset of the object in the file.
    pub(crate) at: usize,
    pub(crate) object_name: ObjectName,
    pub(crate) scope: Scope,
    /// The number of sealed items.
    pub(crate) items: usize,
    /// The keys that opened the object.
    pub(crate) opened_by: Vec<Fingerprint>,
    /// The keys of `template.data` that became items with their rendered text.
    pub(crate) rendered: Vec<ItemName>,
}

#[derive(Debug, thiserror::Error)]
enum MigrateError {
    #[error("template.data.{key}: {why}")]
    Untranslatable { key: ItemName, why: String },
    #[error("template.data.{key} can't be rendered")]
    Unrendered { key: ItemName, source: seal_go::template::GoTemplateError },
    #[error(transparent)]
    Name(#[from] NameError),
}

impl Explain for MigrateError {
    fn rule(&self) -> Rule {
        match self {
            Self::Untranslatable { .. } => Rule::UntranslatableTemplate,
            Self::Unrendered { .. } => Rule::Refused(Reason::InvalidTemplate),
            Self::Name(_) => Rule::Refused(Reason::InvalidName),
        }
    }

    fn hint(&self) -> Option<String> {
        matches!(self, Self::Untranslatable { .. }).then(|| {
            "write it with $(item) yourself after the migration, or give --render-templates, which seals what it \
             renders to now: then a change of an item no longer changes it"
                .to_owned()
        })
    }
}

/// Migrates one object.
pub(crate) fn migrate(
    manifest: &Manifest<'_>,
    object: &Object,
    public: PublicParts,
    settings: &Settings<'_>,
) -> Result<Migrated, Failure> {
    let tree = manifest.tree(object);
    let at = tree.range(object.node).start;
    let PublicParts { object_name, annotations, spec } = public;
    let place = object_name.to_place();
    let opened = open::open(&object_name, &annotations, &spec, settings.keys).map_err(|(source, hint)| {
        Failure::from(OpenError::with_hint(&place, source, hint)).at(manifest.spot(at))
    })?;
    let mut draft = Draft { tree, object: object.node, warnings: Vec::new() };
    draft.warn_of_scope(&annotations, opened.scope);
    draft.warn_of_fields();
    let Opened { scope, mut items, shape, by: opened_by, sealed_to } = opened;
    let mut template = match shape {
        None => draft.template(&spec),
        Some(shape) => draft.sealed_in_template(&spec, shape),
    };

    let mut rendered = Vec::new();
    let mut for_templates = BTreeSet::new();
    if spec.data.is_none() {
        let found =
            draft.translate(&spec, &items, settings.renders).map_err(|error| manifest.locate(error))?;
        template.data = found.texts.into_iter().map(|(key, text)| (key.to_string(), text)).collect();
        draft.warn_of_templates(&object_name, &found.uses);
        for_templates = found.uses;
        rendered = found.rendered.keys().cloned().collect();
        items.retain(|name, _| !found.omitted.contains(name));
        items.extend(found.rendered);
    }
    let items: BTreeMap<ItemName, Item> = items
        .into_iter()
        .map(|(name, value)| {
            let template = for_templates.contains(&name);
            // The threat: a leaked RSA key's values would look unexposed once they are native. A rendered value may have
            // come from any item.
            let seen = match sealed_to.get(&name).filter(|_| !rendered.contains(&name)) {
                Some(by) => BTreeSet::from([*by]),
                None => opened_by.iter().copied().collect(),
            };
            (name, Item { value, template, seen })
        })
        .collect();
    let count = items.len();
    let sealed = sealing::seal_items(&object_name, scope, settings.recipients, &items, template)
        .map_err(|error| Failure::from(error).at(manifest.spot(at)))?;
    let edits = draft.edits(object.document, sealing::spec_value(&sealed));
    let summary = Summary { at, object_name, scope, items: count, opened_by, rendered };
    Ok(Migrated { edits, summary, warnings: draft.warnings })
}

/// An object during its migration, with the warnings collected so far.
struct Draft<'m, 'a> {
    tree: &'m Tree<'a>,
    object: NodeId,
    warnings: Vec<Located<String>>,
}

/// The translation of `template.data`. It has no `Debug`, since it holds plaintext.
#[derive(Default)]
struct Translated {
    /// The native templates.
    texts: BTreeMap<ItemName, String>,
    /// The items that these texts use.
    uses: BTreeSet<ItemName>,
    /// The texts of templates without a counterpart, which become items.
    rendered: BTreeMap<ItemName, Plaintext>,
    /// The items that `template.data` keeps out of the Secret; no text uses them.
    omitted: BTreeSet<ItemName>,
}

impl Draft<'_, '_> {
    fn node(&self, path: &[&str]) -> Option<NodeId> {
        path.iter().try_fold(self.object, |node, key| self.tree.get(node, key))
    }

    /// The byte offset of a field's key, or that of the object if the field is missing.
    fn at(&self, path: &[&str]) -> usize {
        let key = path.split_last().and_then(|(name, path)| {
            let entries = self.tree.mapping(self.node(path)?)?;
            entries.iter().find(|(key, _)| self.tree.scalar(*key) == Some(name)).map(|(key, _)| *key)
        });
        self.tree.range(key.unwrap_or(self.object)).start
    }

    fn warn(&mut self, path: &[&str], warning: String) {
        let at = self.at(path);
        self.warnings.push(Located { error: warning, at });
    }

    fn warn_of_scope(&mut self, annotations: &BTreeMap<String, String>, scope: Scope) {
        let claimed = claimed_scope(annotations);
        if claimed != scope {
            let warning = format!(
                "the annotations claim scope {claimed}, but it was sealed with scope {scope}, which it keeps"
            );
            self.warn(&["metadata", "annotations"], warning);
        }
    }

    /// Warns of items that templates may use. In the native format the sealer of an item decides that, and
    /// here the user who migrates is the sealer.
    fn warn_of_templates(&mut self, object_name: &ObjectName, uses: &BTreeSet<ItemName>) {
        let items: Vec<&str> = uses.iter().map(ItemName::as_str).collect();
        let (item, is) = match items.len() {
            0 => return,
            1 => ("item", "is"),
            _ => ("items", "are"),
        };
        let items = items.join(", ");
        self.warn(
            &["spec", "template", "data"],
            format!(
                "{object_name}: {item} {items} {is} sealed for use in templates, because template.data uses {}: whoever \
                 can edit the manifest decides where in the Secret such a value stands",
                if uses.len() == 1 { "it" } else { "them" }
            ),
        );
    }

    fn translate(
        &mut self,
        spec: &bitnami::SealedSecretSpec,
        items: &BTreeMap<ItemName, Plaintext>,
        renders: bool,
    ) -> Result<Translated, Located<MigrateError>> {
        let data = &spec.template.data;
        let omitted = data.iter().filter(|(_, text)| text.is_none());
        let omitted: BTreeSet<ItemName> = omitted.filter_map(|(key, _)| key.parse().ok()).collect();
        let mut substitution = Substitution::new(items, &omitted, data);
        let mut translated = Translated { omitted: omitted.clone(), ..Translated::default() };
        for (key, text) in data {
            let path = ["spec", "template", "data", key.as_str()];
            let located = |error: MigrateError| Located { error, at: self.at(&path) };
            let key: ItemName = key.parse().map_err(|error: NameError| located(error.into()))?;
            let Some(text) = text else {
                let warning = if items.contains_key(&key) {
                    format!(
                        "item {key} is left out: template.data.{key} is null, so it never was in the Secret"
                    )
                } else {
                    format!("template.data.{key} is left out: it is null, and no item has that name")
                };
                self.warn(&path, warning);
                continue;
            };
            if items.contains_key(&key) {
                self.warn(
                    &path,
                    format!("template.data.{key} is left out: the item of that name always won"),
                );
                continue;
            }
            let type_ = spec.template.type_.as_deref().unwrap_or_default();
            let in_json = template::is_json(type_, &key);
            match substitution.translate(&key, text, in_json) {
                Ok((text, uses)) => {
                    translated.uses.extend(uses);
                    translated.texts.insert(key, text);
                }
                Err(_) if renders => {
                    let value = substitution.render(text, in_json);
                    let value = value
                        .map_err(|source| located(MigrateError::Unrendered { key: key.clone(), source }))?;
                    translated.rendered.insert(key, value);
                }
                Err(why) => return Err(located(MigrateError::Untranslatable { key, why: why.to_string() })),
            }
        }
        Ok(translated)
    }

    /// The changes to make in the file: the version, the spec, and the annotations about the scope, which go.
    fn edits(&self, document: usize, spec: Written) -> Edits {
        let version = self.node(&["apiVersion"]).map(|node| (node, Written::text(API_VERSION)));
        let spec = self.node(&["spec"]).map(|node| (node, spec));
        Edits { document, replaced: version.into_iter().chain(spec).collect(), removed: self.scope_marks() }
    }

    /// The annotations about the scope, to be removed: all annotations, if there are no others.
    fn scope_marks(&self) -> Vec<(NodeId, Vec<NodeId>)> {
        let Some(metadata) = self.node(&["metadata"]) else { return Vec::new() };
        let entry_of = |node: NodeId, name: &str| {
            let entries = self.tree.mapping(node).unwrap_or_default();
            entries.iter().find(|(key, _)| self.tree.scalar(*key) == Some(name)).copied()
        };
        let Some((key, annotations)) = entry_of(metadata, "annotations") else { return Vec::new() };
        let all = self.tree.mapping(annotations).unwrap_or_default().len();
        let marks: Vec<NodeId> =
            scope_annotations().filter_map(|mark| Some(entry_of(annotations, mark)?.0)).collect();
        match marks.len() {
            0 => Vec::new(),
            found if found == all => vec![(metadata, vec![key])],
            _ => vec![(annotations, marks)],
        }
    }
}

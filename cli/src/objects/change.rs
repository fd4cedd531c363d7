//! Changes one SealedSecret where it stands in a file, without a key: items sealed anew, added or removed.
//!
//! Of the native format [`seal_crds::native`] decides what becomes of items and envelopes; in that of bitnami.com each
//! item stands by itself, sealed under the scope that the annotations claim, as kubeseal does when it merges. Another
//! place or name for what is sealed is [`relocate`]'s part. Invariant: the edits touch `spec.encryptedData` and `spec.envelopes` alone, and lead to an object that every reader accepts
//! without a key.

mod error;
mod find;
mod relocate;
mod tidy;

use std::collections::{BTreeMap, BTreeSet};

use seal_crds::bitnami::{claimed_scope, seal_item};
use seal_crds::keys::{Fingerprint, RsaPublicKey};
use seal_crds::native::{self, Item, NamedRecipient};
use seal_crds::resources::SealedSecretSpec;
use seal_crds::secret::REFUSED_TYPES;
use seal_crds::{Binding, Format, ItemName, Plaintext, Scope};
use seal_documents::manifest::{Edits, Manifest, Object};
use seal_documents::yaml::tree::{NodeId, Tree};
use seal_documents::yaml::written::Written;

use crate::objects::name::ObjectName;
use crate::objects::sealed::{self, PublicParts};
use crate::objects::sealing;
use crate::talk::failure::Failure;

use error::ChangeFailed;
pub(crate) use find::find;
pub(crate) use relocate::{Renamings, binds_item_names, is_bound, metadata_edits};
pub(crate) use tidy::tidy;

/// A SealedSecret that is to be changed.
pub(crate) struct Changeable {
    pub(crate) object_name: ObjectName,
    /// Whether the object names no namespace, so that the one of `object_name` was given for it.
    is_placed_from_outside: bool,
    parts: Parts,
}

enum Parts {
    Native(SealedSecretSpec),
    Bitnami(Box<PublicParts>),
}

/// Whom new items are sealed to.
pub(crate) enum SealTo<'t> {
    Recipients(&'t [NamedRecipient]),
    Certificate(&'t RsaPublicKey),
}

impl<'t> SealTo<'t> {
    fn recipients(&self) -> &'t [NamedRecipient] {
        match self {
            Self::Recipients(recipients) => recipients,
            Self::Certificate(_) => unreachable!("the caller asks for the format"),
        }
    }

    fn certificate(&self) -> &'t RsaPublicKey {
        match self {
            Self::Certificate(key) => key,
            Self::Recipients(_) => unreachable!("the caller asks for the format"),
        }
    }
}

/// A value to put into an object. No `Debug`: it holds plaintext.
pub(crate) struct NewItem {
    pub(crate) value: Plaintext,
    /// Whether templates may use it. In the Bitnami format they always may.
    template: bool,
    /// Everybody who was ever able to open this very value. Empty for a new value.
    seen: BTreeSet<Fingerprint>,
}

impl NewItem {
    /// A value that was never sealed.
    pub(crate) fn new(value: Plaintext, template: bool) -> Self {
        Self { value, template, seen: BTreeSet::new() }
    }

    /// Whether templates may use it.
    pub(crate) fn is_for_templates(&self) -> bool {
        self.template
    }

    /// Everybody who was ever able to open this very value.
    pub(crate) fn seen(&self) -> &BTreeSet<Fingerprint> {
        &self.seen
    }

    fn into_native(self) -> Item {
        let Self { value, template, seen } = self;
        Item { value, template, seen }
    }

    /// A value that was sealed before. Whoever has seen it stays on record.
    pub(crate) fn seen_by(self, seen: BTreeSet<Fingerprint>) -> Self {
        Self { seen, ..self }
    }
}

/// The edits that change an object in its file.
pub(crate) struct Change {
    pub(crate) edits: Edits,
}

impl Changeable {
    /// Reads an object. `namespace` is that of an object that names none.
    pub(crate) fn read(
        manifest: &Manifest<'_>,
        object: &Object,
        namespace: Option<&seal_crds::Namespace>,
    ) -> Result<Self, Failure> {
        let is_placed_from_outside = !names_namespace(manifest, object) && namespace.is_some();
        match sealed::format(manifest, object)? {
            Format::Native => {
                let spec = manifest.spec(object)?;
                let is_open = !spec.scope.binds_namespace();
                let object_name = sealed::read_name(manifest, object, namespace, is_open)?;
                Ok(Self { object_name, is_placed_from_outside, parts: Parts::Native(spec) })
            }
            Format::Bitnami => {
                let public = sealed::public_parts(manifest, object, namespace)?;
                let object_name = public.object_name.clone();
                if public.spec.data.is_some() {
                    return Err(ChangeFailed::whole(&object_name).into());
                }
                Ok(Self { object_name, is_placed_from_outside, parts: Parts::Bitnami(Box::new(public)) })
            }
        }
    }

    pub(crate) fn format(&self) -> Format {
        match self.parts {
            Parts::Native(_) => Format::Native,
            Parts::Bitnami(_) => Format::Bitnami,
        }
    }

    /// Whether the place of an item is only what the caller said, although it is part of the seal.
    pub(crate) fn is_place_unproven(&self) -> bool {
        self.is_placed_from_outside && self.scope().binds_namespace()
    }

    /// Whether another reading of the object says the same in all that a change goes on from.
    pub(crate) fn is_same_as(&self, other: &Self) -> bool {
        let is_same_place = self.object_name.namespace == other.object_name.namespace
            && self.object_name.name == other.object_name.name;
        is_same_place
            && match (&self.parts, &other.parts) {
                (Parts::Native(spec), Parts::Native(other)) => spec == other,
                (Parts::Bitnami(_), Parts::Bitnami(_)) => {
                    self.scope() == other.scope() && self.lines() == other.lines()
                }
                _ => false,
            }
    }

    /// The lines of `encryptedData`.
    pub(crate) fn lines(&self) -> &BTreeMap<String, String> {
        match &self.parts {
            Parts::Native(spec) => &spec.encrypted_data,
            Parts::Bitnami(public) => &public.spec.encrypted_data,
        }
    }

    pub(crate) fn scope(&self) -> Scope {
        match &self.parts {
            Parts::Native(spec) => spec.scope,
            Parts::Bitnami(public) => claimed_scope(&public.annotations),
        }
    }

    /// The recipients whom the other items of a native object say they are sealed to, with their names, if these items
    /// are sealed anew.
    pub(crate) fn recipients_beside(&self, items: &BTreeSet<&str>) -> BTreeMap<Fingerprint, Option<String>> {
        let Parts::Native(spec) = &self.parts else { return BTreeMap::new() };
        let others = spec.encrypted_data.iter().filter(|(name, _)| !items.contains(name.as_str()));
        let ids: BTreeSet<&str> = others.filter_map(|(_, line)| native::data_key_of(line)).collect();
        let used =
            spec.envelopes.iter().filter(|envelope| envelope.keys.iter().any(|id| ids.contains(&**id)));
        let hints = used.flat_map(|envelope| &envelope.recipients);
        hints.filter_map(|hint| Some((hint.fingerprint.parse().ok()?, hint.name.clone()))).collect()
    }

    /// Checks that templates may use those of these items that they use, for an error before anybody types a value.
    pub(crate) fn check_template(
        &self,
        items: impl IntoIterator<Item = ItemName>,
        allowed: &[ItemName],
    ) -> Result<(), Failure> {
        let Parts::Native(spec) = &self.parts else { return Ok(()) };
        let closed = items
            .into_iter()
            .find(|item| !allowed.contains(item) && native::users_of(item, &spec.template).next().is_some());
        match closed {
            Some(item) => Err(self.failed(native::SealError::NotForTemplates(item).into())),
            None => Ok(()),
        }
    }

    /// Seals items into the object.
    pub(crate) fn put(
        &self,
        manifest: &Manifest<'_>,
        object: &Object,
        to: &SealTo<'_>,
        items: BTreeMap<ItemName, NewItem>,
    ) -> Result<Change, Failure> {
        self.change(manifest, object, to, items, &BTreeSet::new())
    }

    /// Removes items from the object.
    pub(crate) fn remove(
        &self,
        manifest: &Manifest<'_>,
        object: &Object,
        items: &BTreeSet<ItemName>,
    ) -> Result<Change, Failure> {
        self.change(manifest, object, &SealTo::Recipients(&[]), BTreeMap::new(), items)
    }

    /// Seals items into the object, and removes others.
    ///
    /// # Panics
    ///
    /// There are items to seal, and recipients for an object of bitnami.com, or a certificate for a native one.
    pub(crate) fn change(
        &self,
        manifest: &Manifest<'_>,
        object: &Object,
        to: &SealTo<'_>,
        put: BTreeMap<ItemName, NewItem>,
        remove: &BTreeSet<ItemName>,
    ) -> Result<Change, Failure> {
        match &self.parts {
            Parts::Native(spec) => {
                let (place, allowed) = (self.object_name.to_place(), allowed());
                let mut new = spec.clone();
                if !put.is_empty() {
                    let items = put.into_iter().map(|(name, item)| (name, item.into_native())).collect();
                    new = native::put_items(&place, &new, to.recipients(), &items, &allowed)
                        .map_err(|error| self.failed(error))?;
                }
                if !remove.is_empty() {
                    new = native::remove_items(&place, &new, remove, &allowed)
                        .map_err(|error| self.failed(error))?;
                }
                Ok(native_change(manifest, object, spec, &new))
            }
            Parts::Bitnami(public) => {
                let mut lines = public.spec.encrypted_data.clone();
                lines.extend(put.iter().map(|(name, item)| (name.to_string(), self.bitnami_line(to, item))));
                for item in remove {
                    self.check_go_templates(public, item)?;
                    if lines.remove(item.as_str()).is_none() {
                        return Err(self.failed(native::ChangeError::NoSuchItem(item.clone())));
                    }
                }
                if lines.is_empty() {
                    return Err(self.failed(native::ChangeError::LastItem));
                }
                bitnami_change(manifest, object, &self.object_name, public, lines)
            }
        }
    }

    fn bitnami_line(&self, to: &SealTo<'_>, item: &NewItem) -> String {
        let binding = Binding::new(self.scope(), &self.object_name.to_place());
        seal_item(to.certificate(), &binding, item.value.expose())
    }

    /// Refuses an item that a Go template may use: without it, the Secret would silently get other content.
    fn check_go_templates(&self, public: &PublicParts, item: &ItemName) -> Result<(), Failure> {
        let mut texts = public.spec.template.data.iter();
        let user = texts.find(|(_, text)| text.as_deref().is_some_and(|text| may_use(text, item.as_str())));
        match user.filter(|_| self.lines().contains_key(item.as_str())) {
            Some((key, _)) => Err(ChangeFailed::in_go_template(&self.object_name, item, key).into()),
            None => Ok(()),
        }
    }

    fn failed(&self, error: native::ChangeError) -> Failure {
        ChangeFailed::explain(&self.object_name, error, self.lines().keys())
    }
}

/// Whether an object says its namespace itself.
pub(crate) fn names_namespace(manifest: &Manifest<'_>, object: &Object) -> bool {
    let tree = manifest.tree(object);
    tree.get(object.node, "metadata").is_some_and(|metadata| tree.get(metadata, "namespace").is_some())
}

/// Every type: a controller's policy says which types it may make, and a file may have any.
pub(super) fn allowed() -> BTreeSet<String> {
    REFUSED_TYPES.map(str::to_owned).into()
}

/// The edits that make a native object say another spec with the same scope and template.
pub(crate) fn native_change(
    manifest: &Manifest<'_>,
    object: &Object,
    old: &SealedSecretSpec,
    new: &SealedSecretSpec,
) -> Change {
    let tree = manifest.tree(object);
    let node = |field| field_of_spec(tree, object, field);
    let items = node("encryptedData").filter(|_| old.encrypted_data != new.encrypted_data);
    let items = items.map(|node| (node, in_order_of_file(tree, node, &new.encrypted_data)));
    let envelopes = node("envelopes").map(|node| (node, sealing::envelopes_value(&new.envelopes)));
    let replaced = envelopes.into_iter().chain(items).collect();
    Change { edits: Edits { document: object.document, replaced, removed: Vec::new() } }
}

fn bitnami_change(
    manifest: &Manifest<'_>,
    object: &Object,
    object_name: &ObjectName,
    public: &PublicParts,
    lines: BTreeMap<String, String>,
) -> Result<Change, Failure> {
    let tree = manifest.tree(object);
    let Some(node) = field_of_spec(tree, object, "encryptedData") else {
        return Err(ChangeFailed::whole(object_name).into());
    };
    let value = in_order_of_file(tree, node, &lines);
    let mut spec = public.spec.clone();
    spec.encrypted_data = lines;
    let changed =
        PublicParts { object_name: object_name.clone(), annotations: public.annotations.clone(), spec };
    changed.parse().map_err(|error| Failure::from(error).at(manifest.spot(tree.range(object.node).start)))?;
    let replaced = vec![(node, value)];
    let edits = Edits { document: object.document, replaced, removed: Vec::new() };
    Ok(Change { edits })
}

fn field_of_spec(tree: &Tree<'_>, object: &Object, field: &str) -> Option<NodeId> {
    tree.get(tree.get(object.node, "spec")?, field)
}

/// A mapping in the order in which the file has it. New entries stand where the alphabet puts them, if the others do;
/// otherwise they come last.
fn in_order_of_file(tree: &Tree<'_>, node: NodeId, lines: &BTreeMap<String, String>) -> Written {
    let there = tree.mapping(node).unwrap_or_default().iter().filter_map(|(key, _)| tree.scalar(*key));
    let there: Vec<&str> = there.filter(|name| lines.contains_key(*name)).collect();
    if there.is_sorted() {
        return Written::strings(lines);
    }
    let known: BTreeSet<&str> = there.iter().copied().collect();
    let new = lines.keys().map(String::as_str).filter(|name| !known.contains(name));
    let entries = there.iter().copied().chain(new);
    Written::Mapping(entries.map(|name| (name.to_owned(), Written::text(lines[name].as_str()))).collect())
}

/// Whether a Go template may use an item: by `.item`, or by its name as a constant. It errs to that side, because the
/// Secret would silently get other content.
fn may_use(text: &str, item: &str) -> bool {
    let mentions = |(at, _): (usize, &str)| {
        let after = text[at + item.len()..].chars().next();
        match text[..at].chars().next_back() {
            Some('.') => !after.is_some_and(|c| c.is_alphanumeric() || c == '_'),
            Some(quote @ ('"' | '`')) => after == Some(quote),
            _ => false,
        }
    };
    text.contains("{{") && text.match_indices(item).any(mentions)
}

#[cfg(test)]
mod tests;

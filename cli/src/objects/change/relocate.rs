//! Other names for items, and another place for the object: with the values at hand, since names and places are sealed in.
//!
//! In the Bitnami format an item's name isn't sealed in, and a wide scope doesn't bind all of the place: there a change needs
//! no key. Invariant: whoever has seen a value stays on record with it.

use std::collections::BTreeMap;

use seal_crds::keys::Keyring;
use seal_crds::native::{self, NativeSealed, seal};
use seal_crds::{Format, ItemName, Scope, UnsealError};
use seal_documents::manifest::{Manifest, Object};
use seal_documents::yaml::tree::NodeId;
use seal_documents::yaml::written::Written;

use super::{Change, Changeable, NewItem, Parts, SealTo, allowed, bitnami_change, native_change};
use crate::objects::name::ObjectName;
use crate::objects::sealed::{OpenError, PublicParts};
use crate::talk::failure::Failure;

/// Items by their new names, each with its old one.
pub(crate) type Renamings = BTreeMap<ItemName, ItemName>;

impl Changeable {
    /// Opens the items as those of a name: each as it is to be sealed again.
    pub(crate) fn open(
        &self,
        object_name: &ObjectName,
        keys: &Keyring,
    ) -> Result<BTreeMap<ItemName, NewItem>, OpenError> {
        let place = object_name.to_place();
        let failed = |source: UnsealError| OpenError::new(&place, source);
        match &self.parts {
            Parts::Native(spec) => {
                let sealed = NativeSealed::parse(place.clone(), spec, &allowed()).map_err(failed)?;
                let items = sealed.items(keys).map_err(failed)?;
                let item = |(name, item): (ItemName, native::Item)| {
                    (name, NewItem { value: item.value, template: item.template, seen: item.seen })
                };
                Ok(items.into_iter().map(item).collect())
            }
            Parts::Bitnami(public) => {
                let (annotations, spec) = (public.annotations.clone(), public.spec.clone());
                let sealed = PublicParts { object_name: object_name.clone(), annotations, spec }.parse()?;
                let opened = sealed.open_under(sealed.scopes().take(1), keys).map_err(failed)?;
                let item = |(name, value)| (name, NewItem::new(value, false));
                Ok(opened.items.into_iter().map(item).collect())
            }
        }
    }

    /// Seals all items anew for the object's name of now.
    pub(crate) fn seal_all(
        &self,
        manifest: &Manifest<'_>,
        object: &Object,
        to: &SealTo<'_>,
        items: BTreeMap<ItemName, NewItem>,
    ) -> Result<Change, Failure> {
        match &self.parts {
            Parts::Native(spec) => {
                let items = items.into_iter().map(|(name, item)| (name, item.into_native())).collect();
                let (place, template) = (self.object_name.to_place(), spec.template.clone());
                let new = seal(&place, spec.scope, to.recipients(), &items, template, &allowed())
                    .map_err(|error| self.failed(error.into()))?;
                Ok(native_change(manifest, object, spec, &new))
            }
            Parts::Bitnami(public) => {
                let line =
                    |(name, item): (&ItemName, &NewItem)| (name.to_string(), self.bitnami_line(to, item));
                let lines = items.iter().map(line).collect();
                bitnami_change(manifest, object, &self.object_name, public, lines)
            }
        }
    }

    /// Checks that items have these old names, that none has a new one, and that no template uses one by its old name.
    pub(crate) fn check_renamings(&self, renamings: &Renamings) -> Result<(), Failure> {
        for (new, old) in renamings {
            if !self.lines().contains_key(old.as_str()) {
                return Err(self.failed(native::ChangeError::NoSuchItem(old.clone())));
            }
            if self.lines().contains_key(new.as_str()) {
                return Err(super::error::ChangeFailed::there_already(&self.object_name, new).into());
            }
            match &self.parts {
                Parts::Native(spec) => {
                    if let Some(key) = native::users_of(old, &spec.template).next() {
                        return Err(self.failed(native::ChangeError::InTemplate { key, item: old.clone() }));
                    }
                }
                Parts::Bitnami(public) => self.check_go_templates(public, old)?,
            }
        }
        Ok(())
    }

    /// Renames items of an object of bitnami.com, where no name is sealed in; `None` for a native object.
    pub(crate) fn rename(
        &self,
        manifest: &Manifest<'_>,
        object: &Object,
        renamings: &Renamings,
    ) -> Option<Result<Change, Failure>> {
        let Parts::Bitnami(public) = &self.parts else { return None };
        let mut lines = public.spec.encrypted_data.clone();
        for (new, old) in renamings {
            if let Some(line) = lines.remove(old.as_str()) {
                lines.insert(new.to_string(), line);
            }
        }
        Some(bitnami_change(manifest, object, &self.object_name, public, lines))
    }
}

/// Whether items of this format and scope don't open any more with another namespace or name.
pub(crate) fn is_bound(scope: Scope, old: &ObjectName, new: &ObjectName) -> bool {
    (scope.binds_namespace() && old.namespace != new.namespace)
        || (scope.binds_name() && old.name != new.name)
}

/// Whether the names of items are sealed in.
pub(crate) fn binds_item_names(format: Format) -> bool {
    format == Format::Native
}

/// The changes of an object's metadata that give it another name: in the template of bitnami.com, too, where kubeseal
/// writes it a second time.
pub(crate) fn metadata_edits(
    manifest: &Manifest<'_>,
    object: &Object,
    old: &ObjectName,
    new: &ObjectName,
) -> Vec<(NodeId, Written)> {
    let tree = manifest.tree(object);
    let fields = [
        ("name", Some(old.name.as_str()), Some(new.name.as_str())),
        ("namespace", old.namespace.as_ref().map(|n| n.as_str()), new.namespace.as_ref().map(|n| n.as_str())),
    ];
    let mut edits = Vec::new();
    for path in [&["metadata"][..], &["spec", "template", "metadata"]] {
        let metadata = path.iter().try_fold(object.node, |node, field| tree.get(node, field));
        for (field, old, new) in &fields {
            let node = metadata.and_then(|metadata| tree.get(metadata, field));
            if let (Some(node), Some(new)) = (node, new)
                && tree.scalar(node) == *old
                && old != &Some(*new)
            {
                edits.push((node, Written::text(*new)));
            }
        }
    }
    edits
}

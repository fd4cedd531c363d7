//! Sealing again without a change: the items of a SealedSecret that stay, because the Secret has the same values.
//!
//! Sealing is random, so only somebody who can open an object, or remembers what it was made of, knows that nothing
//! changed. [`Keeper`] is that knowledge: identities of `-i`, the store of fingerprints of `--remember`, or both. An item
//! stays if its value, its use in templates, its scope and the recipients of its envelope are those of now. Everything
//! else of the object follows the Secret, except for `template.data`, which no Secret has.
//!
//! Invariants: an item that isn't known to be the same is sealed anew. So a missing store or a wrong key costs a
//! difference in Git, and never a wrong value. A value that an identity found in the object is never new: wherever it is
//! sealed anew, it stays marked with everybody who has seen it.

mod known;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use seal_crds::keys::Keyring;
use seal_crds::native::Item;
use seal_crds::resources::SealedSecretSpec;
use seal_crds::{Binding, Format, ItemName, Plaintext};
use seal_documents::manifest::{Edits, Kind, Manifest, Object};

use crate::objects::name::ObjectName;
use crate::objects::remembered::{SealedLine, Store};
use crate::objects::sealed;
use crate::objects::sealing::{self, NativeSealer, SealingError};
use crate::objects::secret::Secret;
use crate::talk::terminal;
use known::Known;

/// The ways to know that a value is the same.
#[derive(Default)]
pub(crate) struct Keeper {
    /// The identities at hand.
    pub(crate) keys: Option<Keyring>,
    /// The store, if the user opted into it.
    pub(crate) store: Option<Store>,
}

/// A SealedSecret that stands where the result goes.
#[derive(Clone, Copy)]
pub(crate) struct Current<'m> {
    pub(crate) manifest: &'m Manifest<'m>,
    pub(crate) object: &'m Object,
}

/// A sealed Secret, and what became of each item.
pub(crate) struct Again {
    pub(crate) spec: SealedSecretSpec,
    /// The items that stay as they are.
    pub(crate) kept: BTreeSet<ItemName>,
    /// The items that were sealed now.
    pub(crate) sealed: BTreeSet<ItemName>,
    /// The items that the Secret no longer has.
    pub(crate) removed: BTreeSet<String>,
}

impl<'m> Current<'m> {
    /// The native SealedSecret of this name in a manifest. One without a namespace is it too: a tool such as kustomize
    /// sets the namespace later.
    pub(crate) fn find(manifest: &'m Manifest<'m>, object_name: &ObjectName) -> Option<Self> {
        let is_it = |object: &&Object| {
            let is_native = matches!(sealed::format(manifest, object), Ok(Format::Native));
            let found = sealed::read_name(manifest, object, None, true).ok();
            is_native
                && found.is_some_and(|found| {
                    found.name == object_name.name
                        && (found.namespace.is_none() || found.namespace == object_name.namespace)
                })
        };
        let object =
            manifest.objects.iter().filter(|object| object.kind == Kind::SealedSecret).find(is_it)?;
        Some(Self { manifest, object })
    }

    /// The changes that make the object say this; `None` if it says it already.
    pub(crate) fn edits(&self, again: &Again) -> Option<Edits> {
        let tree = self.manifest.tree(self.object);
        let node = tree.get(self.object.node, "spec")?;
        let value = sealing::spec_value(&again.spec);
        if value.is_read_from(tree, node) {
            return None;
        }
        Some(Edits { document: self.object.document, replaced: vec![(node, value)], removed: Vec::new() })
    }
}

impl Again {
    /// What became of the items, for people: `password sealed again; 3 items unchanged`.
    pub(crate) fn summary(&self) -> String {
        let list = |items: &BTreeSet<String>| items.iter().cloned().collect::<Vec<_>>().join(", ");
        let sealed: BTreeSet<String> = self.sealed.iter().map(ToString::to_string).collect();
        let mut words = Vec::new();
        if !sealed.is_empty() {
            words.push(format!("{} sealed again", list(&sealed)));
        }
        if !self.removed.is_empty() {
            words.push(format!("{} removed", list(&self.removed)));
        }
        match self.kept.len() {
            0 => {}
            1 => words.push("1 item unchanged".to_owned()),
            kept => words.push(format!("{kept} items unchanged")),
        }
        words.join("; ")
    }
}

impl Keeper {
    /// Seals a Secret, and consumes it. What `current` holds of it stays, and all values are remembered.
    pub(crate) fn seal(
        &self,
        secret: Secret,
        object_name: &ObjectName,
        sealer: &NativeSealer,
        current: Option<Current<'_>>,
    ) -> Result<Again, SealingError> {
        let Secret { type_, immutable, labels, annotations, mut items, .. } = secret;
        let mut template = sealing::template(type_, immutable, labels, annotations);
        let known = current.and_then(|current| Known::new(self, current, object_name, sealer));
        if let Some(known) = &known {
            known.adopt_template(&mut template, &mut items);
        }
        let kept = known.as_ref().map(|known| known.same(&items)).unwrap_or_default();
        let (same, new): (BTreeMap<ItemName, Plaintext>, BTreeMap<ItemName, Plaintext>) =
            items.into_iter().partition(|(item, _)| kept.contains(item));
        let new: BTreeMap<ItemName, Item> =
            new.into_iter().map(|(item, value)| to_item(sealer, known.as_ref(), item, value)).collect();
        let again = match &known {
            Some(known) => known.seal(&same, &new, template.clone())?,
            None => None,
        };
        let again = match again {
            Some(again) => {
                self.remember(object_name, sealer, &again.spec, &same, &new);
                again
            }
            // There is no object to go on from, its scope is another, or it has no room for one more envelope.
            None => {
                let same = same.into_iter().map(|(item, value)| to_item(sealer, known.as_ref(), item, value));
                let all = same.chain(new).collect();
                let spec =
                    sealing::seal_items(object_name, sealer.scope, &sealer.recipients, &all, template)?;
                self.remember(object_name, sealer, &spec, &BTreeMap::new(), &all);
                let is_gone = |item: &&String| !spec.encrypted_data.contains_key(*item);
                let removed = known.iter().flat_map(|known| known.items()).filter(is_gone).cloned().collect();
                Again { kept: BTreeSet::new(), sealed: all.into_keys().collect(), removed, spec }
            }
        };
        Ok(again)
    }

    /// Puts the values into the store. A store that can't be written costs a warning: the object is sealed anyway.
    fn remember(
        &self,
        object_name: &ObjectName,
        sealer: &NativeSealer,
        spec: &SealedSecretSpec,
        same: &BTreeMap<ItemName, Plaintext>,
        new: &BTreeMap<ItemName, Item>,
    ) {
        let Some(store) = &self.store else { return };
        let binding = Binding::new(spec.scope, &object_name.to_place());
        let recipients = sealer.fingerprints();
        let place = |item: &ItemName, template: bool| {
            let line = spec.encrypted_data.get(item.as_str())?;
            let envelope = known::envelope_of(spec, line)?;
            let sealed =
                SealedLine { binding: &binding, item, template, line, envelope, recipients: &recipients };
            Some(store.place(&sealed))
        };
        let expected = known::Uses::of(&spec.template, sealer);
        // What the store knows of an item that stays, it has said itself, or an identity has confirmed.
        let same = same
            .iter()
            .filter_map(|(item, value)| Some((place(item, expected.in_templates(item))?, value)))
            .filter(|(place, _)| !store.has(place));
        let new = new.iter().filter_map(|(item, new)| Some((place(item, new.template)?, &new.value)));
        if let Err(error) = store.remember(same.chain(new).collect()) {
            terminal::warn(&format!("nothing is remembered: {error}"), None);
        }
    }
}

fn to_item(
    sealer: &NativeSealer,
    known: Option<&Known<'_>>,
    item: ItemName,
    value: Plaintext,
) -> (ItemName, Item) {
    let template = sealer.template_items.contains(&item);
    let seen = known.map(|known| known.seen(&value)).unwrap_or_default();
    (item, Item { value, template, seen })
}

//! What is known of the values of a SealedSecret that is there already.
//!
//! An identity opens the whole object, and then decides alone. Without one, or if it opens nothing, the store of
//! fingerprints decides item by item. Invariant: an item is the same only if its envelope names exactly the recipients
//! of now, and its scope is that of now.

use std::collections::{BTreeMap, BTreeSet};

use seal_crds::keys::Fingerprint;
use seal_crds::native::{self, ChangeError, Item, NativeSealed, SealError};
use seal_crds::resources::{Envelope, SealedSecretSpec, Template};
use seal_crds::secret::OPAQUE;
use seal_crds::template::items_in;
use seal_crds::{Binding, ItemName, Plaintext, Sealed as _, UnsealError};

use super::{Again, Current, Keeper};
use crate::objects::name::ObjectName;
use crate::objects::remembered::{SealedLine, Where};
use crate::objects::sealing::{NativeSealer, SealingError};
use crate::talk::terminal;

/// A SealedSecret that a Secret may already be sealed as.
pub(super) struct Known<'k> {
    keeper: &'k Keeper,
    object_name: &'k ObjectName,
    sealer: &'k NativeSealer,
    spec: SealedSecretSpec,
    binding: Binding,
    recipients: BTreeSet<Fingerprint>,
    opened: Option<OpenedNow>,
}

/// The values of the object, opened with the identities at hand. No `Debug`: it holds plaintext.
struct OpenedNow {
    items: BTreeMap<ItemName, Item>,
    /// All keys of the Secret, those that the template makes among them.
    data: BTreeMap<ItemName, Plaintext>,
}

/// The items that have to be sealed for use in templates: those that the template uses, and those that the user named.
pub(super) struct Uses(BTreeSet<ItemName>);

impl Uses {
    pub(super) fn of(template: &Template, sealer: &NativeSealer) -> Self {
        let used = template.data.iter().filter_map(|(key, text)| items_in(&key.parse().ok()?, text).ok());
        Self(used.flatten().chain(sealer.template_items.iter().cloned()).collect())
    }

    pub(super) fn in_templates(&self, item: &ItemName) -> bool {
        self.0.contains(item)
    }
}

impl<'k> Known<'k> {
    /// `None` if every reader refuses the object, so that nothing of it can stay.
    pub(super) fn new(
        keeper: &'k Keeper,
        current: Current<'_>,
        object_name: &'k ObjectName,
        sealer: &'k NativeSealer,
    ) -> Option<Self> {
        let spec = current.manifest.spec(current.object).ok()?;
        let place = object_name.to_place();
        // A type that a controller refuses was refused when the Secret was read.
        let sealed = NativeSealed::parse(place.clone(), &spec, &BTreeSet::new()).ok()?;
        let opened = keeper.keys.as_ref().and_then(|keys| {
            let open = || -> Result<OpenedNow, UnsealError> {
                Ok(OpenedNow { items: sealed.items(keys)?, data: sealed.unseal(keys)?.data })
            };
            let spot = || {
                current.manifest.spot(current.manifest.tree(current.object).range(current.object.node).start)
            };
            open()
                .map_err(|error| {
                    let warning = format!("the {object_name} that is there can't be opened: {error}");
                    terminal::warn(&warning, Some(&spot()));
                })
                .ok()
        });
        let (binding, recipients) = (Binding::new(spec.scope, &place), sealer.fingerprints());
        Some(Self { keeper, object_name, sealer, spec, binding, recipients, opened })
    }

    /// The names of its items.
    pub(super) fn items(&self) -> impl Iterator<Item = &String> {
        self.spec.encrypted_data.keys()
    }

    /// Everybody who has seen this very value, under any name: a value that was renamed in the Secret isn't new. Only an
    /// identity tells; without one nobody is named.
    pub(super) fn seen(&self, value: &Plaintext) -> BTreeSet<Fingerprint> {
        let items = self.opened.iter().flat_map(|opened| opened.items.values());
        let same = items.filter(|item| item.value.expose() == value.expose());
        same.flat_map(|item| &item.seen).copied().collect()
    }

    /// The items whose value, scope, recipients and use in templates are the same.
    pub(super) fn same(&self, items: &BTreeMap<ItemName, Plaintext>) -> BTreeSet<ItemName> {
        // The scope is sealed into every item.
        if self.spec.scope != self.sealer.scope {
            return BTreeSet::new();
        }
        let uses = Uses::of(&self.spec.template, self.sealer);
        let candidates = items.iter().filter_map(|(item, value)| {
            let line = self.spec.encrypted_data.get(item.as_str())?;
            let envelope = envelope_of(&self.spec, line)?;
            self.is_sealed_to_all(envelope).then_some((item, value, line, envelope))
        });
        if let Some(opened) = &self.opened {
            let is_same = |(item, value, ..): &(&ItemName, &Plaintext, &String, &Envelope)| {
                opened.items.get(*item).is_some_and(|now| {
                    now.value.expose() == value.expose() && now.template == uses.in_templates(item)
                })
            };
            return candidates.filter(is_same).map(|(item, ..)| item.clone()).collect();
        }
        let Some(store) = &self.keeper.store else { return BTreeSet::new() };
        let place = |item: &ItemName, line: &String, envelope: &Envelope| -> Where {
            store.place(&SealedLine {
                binding: &self.binding,
                item,
                template: uses.in_templates(item),
                line,
                envelope,
                recipients: &self.recipients,
            })
        };
        let remembered: Vec<(&ItemName, Where, &Plaintext)> = candidates
            .map(|(item, value, line, envelope)| (item, place(item, line, envelope), value))
            .filter(|(_, place, _)| store.has(place))
            .collect();
        let known = store.knows(remembered.iter().map(|(_, place, value)| (*place, *value)).collect());
        remembered
            .iter()
            .zip(known)
            .filter(|(_, known)| *known)
            .map(|((item, ..), _)| (*item).clone())
            .collect()
    }

    /// Whether an envelope names exactly the recipients of now.
    fn is_sealed_to_all(&self, envelope: &Envelope) -> bool {
        let named = envelope.recipients.iter().map(|hint| hint.fingerprint.parse().ok());
        named.collect::<Option<BTreeSet<Fingerprint>>>().is_some_and(|named| named == self.recipients)
    }

    /// Completes the template of the Secret by what only the object says.
    ///
    /// `template.data` stays, and so does a template that says the same in other words. A key that the template makes
    /// stands in a Secret that comes from `seal unseal`: it is made further on if it is the same, and is an item from now
    /// on if it isn't.
    pub(super) fn adopt_template(&self, template: &mut Template, items: &mut BTreeMap<ItemName, Plaintext>) {
        template.data.clone_from(&self.spec.template.data);
        for key in self.spec.template.data.keys() {
            let Some(item) = items.keys().find(|item| item.as_str() == key).cloned() else { continue };
            let made = self.opened.as_ref().and_then(|opened| opened.data.get(&item));
            if made.is_some_and(|made| made.expose() == items[&item].expose()) {
                items.remove(&item);
            } else {
                template.data.remove(key);
                let warning = format!(
                    "{item} of {} is an item from now on; until now spec.template.data made it",
                    self.object_name
                );
                terminal::warn(&warning, None);
            }
        }
        if in_full(template) == in_full(&self.spec.template) {
            template.clone_from(&self.spec.template);
        }
    }

    /// The object with exactly these items; `None` if its scope is another, or it has no room for one more envelope.
    pub(super) fn seal(
        &self,
        same: &BTreeMap<ItemName, Plaintext>,
        new: &BTreeMap<ItemName, Item>,
        template: Template,
    ) -> Result<Option<Again>, SealingError> {
        if self.spec.scope != self.sealer.scope {
            return Ok(None);
        }
        let kept: BTreeSet<ItemName> = same.keys().cloned().collect();
        let (place, to) = (self.object_name.to_place(), &self.sealer.recipients);
        let spec = match native::set_items(&place, &self.spec, to, &kept, new, template, &BTreeSet::new()) {
            Ok(spec) => spec,
            Err(ChangeError::NoRoom { .. }) => return Ok(None),
            Err(ChangeError::Seal(error)) => return Err(SealingError::new(self.object_name, error)),
            Err(ChangeError::Refused(error)) => {
                return Err(SealingError::new(self.object_name, SealError::Refused(error)));
            }
            Err(ChangeError::NoSuchItem(_) | ChangeError::LastItem | ChangeError::InTemplate { .. }) => {
                unreachable!("only items of the object are kept, and none is removed by name")
            }
        };
        let removed = self.items().filter(|item| !spec.encrypted_data.contains_key(*item)).cloned().collect();
        Ok(Some(Again { kept, sealed: new.keys().cloned().collect(), removed, spec }))
    }
}

/// The envelope that says it has the data key of a line.
pub(super) fn envelope_of<'s>(spec: &'s SealedSecretSpec, line: &str) -> Option<&'s Envelope> {
    let id = native::data_key_of(line)?;
    spec.envelopes.iter().find(|envelope| envelope.keys.iter().any(|key| key == id))
}

/// A template with the type that a missing one means, so that two can be compared.
fn in_full(template: &Template) -> Template {
    let type_ = template.type_.clone().or_else(|| Some(OPAQUE.to_owned()));
    let immutable = template.immutable.filter(|is_immutable| *is_immutable);
    Template { type_, immutable, ..template.clone() }
}

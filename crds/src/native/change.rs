//! Changes to an object by somebody who holds no key: items sealed under one new envelope, items removed, envelopes
//! dropped that no item uses any more.
//!
//! The envelopes that stay are copied as they are, so a change can't widen who opens the other items. The functions work
//! on the spec and not on a [`NativeSealed`], because a change may mend an object that every reader refuses: an unused
//! envelope, an item without its data key. Invariant: every spec that comes out has passed the checks of a reader
//! ([`NativeSealed::parse`]), and has no envelope that no item uses.

use std::collections::{BTreeMap, BTreeSet};

use super::object::NativeSealed;
use super::seal::{Item, NamedRecipient, SealError, distinct, seal_items};
use super::{MAX_AGE_SIZE, MAX_DATA_KEYS, MAX_ENVELOPES, MAX_ITEMS};
use crate::format::UnsealError;
use crate::names::ItemName;
use crate::resources::{Envelope, SealedSecretSpec, Template};
use crate::scope::{Binding, Place};
use crate::secret::MAX_SECRET_SIZE;
use crate::template;

/// The reason why an object wasn't changed.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    /// The values can't be sealed, or the template uses an item that isn't sealed for use in templates.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// The object has no such item.
    #[error("there is no item {0}")]
    NoSuchItem(ItemName),
    /// No item would be left, and an object has at least one.
    #[error("no item would be left")]
    LastItem,
    /// The template uses the item.
    #[error("template.data.{key} uses item {item}")]
    InTemplate {
        /// The key of `template.data`.
        key: ItemName,
        /// The item.
        item: ItemName,
    },
    /// The object has no room for one more envelope, and the envelopes can't be merged without a key.
    #[error("with one more envelope it would have {found} {unit}; at most {limit} are allowed")]
    NoRoom {
        /// The number that the object would have.
        found: usize,
        /// The largest number that is allowed.
        limit: usize,
        /// The name of the parts, in the plural: `envelopes`, for example.
        unit: &'static str,
        /// The items that make room if they are sealed anew in the same change, because their old envelopes go then.
        together: BTreeSet<ItemName>,
    },
    /// Every reader would refuse the result.
    #[error(transparent)]
    Refused(UnsealError),
}

/// The reason why no choice of envelopes holds the data keys of all items.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CoverError {
    /// No envelope holds this data key.
    #[error("no envelope holds data key {0}")]
    Missing(String),
    /// Two envelopes that are both needed hold this data key. Two rewraps of different items can do that.
    #[error("two envelopes that are both needed hold data key {0}")]
    Twice(String),
}

/// The id of the data key that a line of `encryptedData` names; `None` if the line has no dot.
pub fn data_key_of(line: &str) -> Option<&str> {
    line.split_once('.').map(|(id, _)| id)
}

/// Chooses the envelopes that hold all these data keys, each key once. An envelope that comes earlier is preferred.
///
/// The choice is of whole envelopes, because nobody without a key can take one apart. It never goes back on a preferred
/// envelope: a later one may be an older wrap of the same keys, to recipients that somebody took out.
///
/// # Errors
///
/// Any [`CoverError`].
pub fn cover<'e>(
    ids: &BTreeSet<&str>,
    candidates: impl IntoIterator<Item = &'e Envelope>,
) -> Result<Vec<&'e Envelope>, CoverError> {
    let mut kept: Vec<&Envelope> = Vec::new();
    let mut held: BTreeSet<&str> = BTreeSet::new();
    for envelope in candidates {
        let is_needed = |id: &&String| ids.contains(id.as_str()) && !held.contains(id.as_str());
        if !envelope.keys.iter().any(|id| is_needed(&id)) {
            continue;
        }
        for id in &envelope.keys {
            if !held.insert(id) {
                return Err(CoverError::Twice(id.clone()));
            }
        }
        kept.push(envelope);
    }
    match ids.iter().find(|id| !held.contains(*id)) {
        Some(id) => Err(CoverError::Missing((*id).to_owned())),
        None => Ok(kept),
    }
}

/// Drops the envelopes of which no item uses a data key, and returns how many. Everything else stays as it is, valid or
/// not.
pub fn drop_unused_envelopes(spec: &mut SealedSecretSpec) -> usize {
    let before = spec.envelopes.len();
    let used: BTreeSet<&str> = spec.encrypted_data.values().filter_map(|line| data_key_of(line)).collect();
    spec.envelopes.retain(|envelope| envelope.keys.iter().any(|id| used.contains(id.as_str())));
    before - spec.envelopes.len()
}

/// As [`drop_unused_envelopes`], and drops second copies of an envelope, which text merges leave.
pub fn tidy_envelopes(spec: &mut SealedSecretSpec) -> usize {
    let before = spec.envelopes.len();
    let mut seen = BTreeSet::new();
    spec.envelopes.retain(|envelope| seen.insert((envelope.keys.clone(), envelope.age.clone())));
    before - spec.envelopes.len() + drop_unused_envelopes(spec)
}

/// Seals items into an object: new ones, and new values of those that are there. All of them share one new envelope,
/// which comes last; envelopes that no item uses any more go.
///
/// An item that `template.data` uses has to be sealed for use in templates again.
///
/// # Errors
///
/// Any [`ChangeError`] but those about a removal.
pub fn put_items(
    place: &Place,
    spec: &SealedSecretSpec,
    recipients: &[NamedRecipient],
    items: &BTreeMap<ItemName, Item>,
    allowed_types: &BTreeSet<String>,
) -> Result<SealedSecretSpec, ChangeError> {
    let recipients = distinct(recipients)?;
    check_values(spec, items)?;
    check_template(&spec.template, items)?;
    let (envelope, lines) = seal_items(&Binding::new(spec.scope, place), &recipients, items)?;
    let mut changed = spec.clone();
    changed.encrypted_data.extend(lines);
    changed.envelopes.push(envelope);
    drop_unused_envelopes(&mut changed);
    check_room(&changed)?;
    checked(place, changed, allowed_types)
}

/// Makes an object of exactly these items: those of `kept` stay as they are, line and envelope, and `items` are sealed
/// under one new envelope. Every other item goes, and so does every envelope that no item uses any more. The template
/// becomes this one.
///
/// It is for a person who has the values of the whole Secret, and knows which of them an object holds already.
///
/// # Errors
///
/// Any [`ChangeError`] but those about a removal. On [`ChangeError::NoRoom`] the caller, who has all values, can seal the
/// whole object anew.
pub fn set_items(
    place: &Place,
    spec: &SealedSecretSpec,
    recipients: &[NamedRecipient],
    kept: &BTreeSet<ItemName>,
    items: &BTreeMap<ItemName, Item>,
    template: Template,
    allowed_types: &BTreeSet<String>,
) -> Result<SealedSecretSpec, ChangeError> {
    let mut changed = spec.clone();
    changed.encrypted_data.retain(|name, _| kept.iter().any(|kept| kept.as_str() == name));
    changed.template = template;
    if let Some(missing) = kept.iter().find(|name| !changed.encrypted_data.contains_key(name.as_str())) {
        return Err(ChangeError::NoSuchItem(missing.clone()));
    }
    if items.is_empty() {
        drop_unused_envelopes(&mut changed);
        return checked(place, changed, allowed_types);
    }
    put_items(place, &changed, recipients, items, allowed_types)
}

/// Removes items from an object, and the envelopes that no item uses any more.
///
/// # Errors
///
/// Any [`ChangeError`] about a removal; [`ChangeError::Refused`].
pub fn remove_items(
    place: &Place,
    spec: &SealedSecretSpec,
    items: &BTreeSet<ItemName>,
    allowed_types: &BTreeSet<String>,
) -> Result<SealedSecretSpec, ChangeError> {
    let mut changed = spec.clone();
    for item in items {
        if let Some(key) = users_of(item, &spec.template).next() {
            return Err(ChangeError::InTemplate { key, item: item.clone() });
        }
        if changed.encrypted_data.remove(item.as_str()).is_none() {
            return Err(ChangeError::NoSuchItem(item.clone()));
        }
    }
    if changed.encrypted_data.is_empty() {
        return Err(ChangeError::LastItem);
    }
    drop_unused_envelopes(&mut changed);
    checked(place, changed, allowed_types)
}

/// The keys of `template.data` that use an item. A text that isn't a template uses none.
pub fn users_of(item: &ItemName, template: &Template) -> impl Iterator<Item = ItemName> {
    let uses = move |(key, text): (&String, &String)| {
        let key: ItemName = key.parse().ok()?;
        template::items_in(&key, text).ok()?.contains(item).then_some(key)
    };
    template.data.iter().filter_map(uses)
}

/// Checked before the first encryption: readers would refuse the result, but only after one encryption for each item.
fn check_values(spec: &SealedSecretSpec, items: &BTreeMap<ItemName, Item>) -> Result<(), ChangeError> {
    if items.is_empty() {
        return Err(SealError::NoItems.into());
    }
    let size = items.values().map(|item| item.value.len()).sum();
    if size > MAX_SECRET_SIZE {
        return Err(SealError::TooLarge(size).into());
    }
    let is_new = |name: &&ItemName| !spec.encrypted_data.contains_key(name.as_str());
    let (found, limit) = (spec.encrypted_data.len() + items.keys().filter(is_new).count(), MAX_ITEMS);
    if found > limit {
        let path = "encryptedData".to_owned();
        return Err(ChangeError::Refused(UnsealError::TooLarge { path, found, limit, unit: "items" }));
    }
    Ok(())
}

/// Checks that every new item that the template uses is sealed for use in templates. The threat of doing it silently:
/// somebody else may have written the template, to see the value that is sealed next.
fn check_template(template: &Template, items: &BTreeMap<ItemName, Item>) -> Result<(), ChangeError> {
    let closed = items.iter().filter(|(_, item)| !item.template).map(|(name, _)| name);
    match closed.into_iter().find(|name| users_of(name, template).next().is_some()) {
        Some(name) => Err(SealError::NotForTemplates(name.clone()).into()),
        None => Ok(()),
    }
}

/// The room that envelopes take up in an object.
#[derive(Clone, Copy, Default)]
struct Room {
    envelopes: usize,
    data_keys: usize,
    age_bytes: usize,
}

impl Room {
    fn of(envelope: &Envelope) -> Self {
        let padding = envelope.age.bytes().rev().take_while(|byte| *byte == b'=').count();
        let age_bytes = (envelope.age.len() / 4 * 3).saturating_sub(padding);
        Self { envelopes: 1, data_keys: envelope.keys.len(), age_bytes }
    }

    fn and(self, other: Self) -> Self {
        Self {
            envelopes: self.envelopes + other.envelopes,
            data_keys: self.data_keys + other.data_keys,
            age_bytes: self.age_bytes + other.age_bytes,
        }
    }

    /// The first bound that is passed: the number that was found, the bound, and their unit.
    fn excess(self) -> Option<(usize, usize, &'static str)> {
        let bounds = [
            (self.envelopes, MAX_ENVELOPES, "envelopes"),
            (self.data_keys, MAX_DATA_KEYS, "data keys"),
            (self.age_bytes, MAX_AGE_SIZE, "bytes of age files"),
        ];
        bounds.into_iter().find(|(found, limit, _)| found > limit)
    }
}

/// Checks that the object has room for its last envelope, which is new. If it hasn't, the error says which items to seal
/// anew in the same change, as few as the order of size gives: the old envelopes of these go then.
fn check_room(spec: &SealedSecretSpec) -> Result<(), ChangeError> {
    let room = |envelopes: &[&Envelope]| {
        envelopes.iter().fold(Room::default(), |room, envelope| room.and(Room::of(envelope)))
    };
    let all: Vec<&Envelope> = spec.envelopes.iter().collect();
    let Some((found, limit, unit)) = room(&all).excess() else { return Ok(()) };
    let items_of = |envelope: &Envelope| -> BTreeSet<ItemName> {
        let is_held =
            |line: &str| data_key_of(line).is_some_and(|key| envelope.keys.iter().any(|id| id == key));
        let names = spec.encrypted_data.iter().filter(|(_, line)| is_held(line));
        names.filter_map(|(name, _)| name.parse().ok()).collect()
    };
    let Some((new, old)) = all.split_last() else { return Ok(()) };
    let mut old: Vec<(BTreeSet<ItemName>, &Envelope)> =
        old.iter().map(|envelope| (items_of(envelope), *envelope)).collect();
    old.sort_by_key(|(items, _)| items.len());
    let mut together = BTreeSet::new();
    // The new envelope grows by the data keys of two uses at most, which the last envelope that goes leaves room for.
    while !old.is_empty() {
        together.extend(old.remove(0).0);
        let left: Vec<&Envelope> = old.iter().map(|(_, envelope)| *envelope).chain([*new]).collect();
        if room(&left).excess().is_none() {
            break;
        }
    }
    Err(ChangeError::NoRoom { found, limit, unit, together })
}

fn checked(
    place: &Place,
    spec: SealedSecretSpec,
    allowed_types: &BTreeSet<String>,
) -> Result<SealedSecretSpec, ChangeError> {
    match NativeSealed::parse(place.clone(), &spec, allowed_types) {
        Ok(_) => Ok(spec),
        Err(error) => Err(ChangeError::Refused(error)),
    }
}

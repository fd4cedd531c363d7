//! Who came and who went: the recipients of an object, by whichever envelope.
//!
//! An envelope's list is a claim, and anybody can call a key by any name: a name is shown only if the repository pinned the
//! key by it before the changes, and whoever comes newly is shown with the fingerprint. Invariants: a recipient who comes or
//! goes is in the words; so is a list that was edited without its age file, and an age file with more recipients than names.

use std::collections::BTreeSet;

use seal_crds::keys::Fingerprint;
use seal_foreign::word;

use super::{Change, Mark, Names};
use crate::objects::outline::{Outline, OutlineEnvelope, OutlineItem};

/// The words for whoever comes newly.
pub(super) fn new(key: &Fingerprint, pinned: &Names) -> String {
    match pinned.get(key) {
        Some(name) => format!("{} {}", word(name), key.short()),
        None => format!("a new key {}", key.short()),
    }
}

/// The words for whoever was there before, and opens more now.
fn widening(key: &Fingerprint, pinned: &Names) -> String {
    if pinned.contains_key(key) { new(key, pinned) } else { key.short() }
}

/// The words for whoever was there before.
fn known(key: &Fingerprint, pinned: &Names) -> String {
    pinned.get(key).map_or_else(|| key.short(), |name| word(name))
}

fn list(items: BTreeSet<&str>) -> String {
    items.into_iter().map(word).collect::<Vec<_>>().join(", ")
}

/// The recipients of the envelopes of some items.
fn recipients_of(outline: &Outline, items: &BTreeSet<&str>) -> BTreeSet<Fingerprint> {
    let key = |name: &&str| outline.items.get(*name).and_then(|item| item.data_key.as_deref());
    let envelopes = items.iter().filter_map(key).filter_map(|key| outline.envelope_of(key));
    envelopes.flat_map(OutlineEnvelope::fingerprints).collect()
}

/// The items of which nothing but the envelope changed.
fn rewrapped_items<'o>(before: &'o Outline, after: &'o Outline) -> BTreeSet<&'o str> {
    let is_rewrapped = |(name, is): &(&String, &OutlineItem)| {
        let Some(was) = before.items.get(*name).filter(|was| was.line == is.line) else { return false };
        let age = |outline: &'_ Outline, item: &OutlineItem| {
            item.data_key
                .as_deref()
                .and_then(|key| outline.envelope_of(key))
                .map(|envelope| envelope.age.clone())
        };
        age(before, was) != age(after, is)
    };
    after.items.iter().filter(is_rewrapped).map(|(name, _)| name.as_str()).collect()
}

/// Whether an item is sealed to a recipient.
fn is_open_to(outline: &Outline, item: &OutlineItem, key: &Fingerprint) -> bool {
    let envelope = item.data_key.as_deref().and_then(|id| outline.envelope_of(id));
    envelope.is_some_and(|envelope| envelope.recipients.iter().any(|recipient| recipient.fingerprint == *key))
}

/// The items that were there before, and are sealed to this recipient only now. Who opens another item of the object doesn't
/// matter: each is a value of its own.
fn widened<'o>(before: &Outline, after: &'o Outline, key: &Fingerprint) -> BTreeSet<&'o str> {
    let is_widened = |(name, is): &(&String, &OutlineItem)| {
        let was = before.items.get(*name);
        is_open_to(after, is, key) && was.is_some_and(|was| !is_open_to(before, was, key))
    };
    after.items.iter().filter(is_widened).map(|(name, _)| name.as_str()).collect()
}

/// The rewrap of items whose values stay.
pub(super) fn rewrapped(before: &Outline, after: &Outline, pinned: &Names) -> Option<Change> {
    let items = rewrapped_items(before, after);
    if items.is_empty() {
        return None;
    }
    let (was, is) = (recipients_of(before, &items), recipients_of(after, &items));
    let mut came = Vec::new();
    let mut kept = Vec::new();
    let mut is_unpinned = false;
    for key in &is {
        let of_key = &widened(before, after, key) & &items;
        if !was.contains(key) {
            came.push(new(key, pinned));
        } else if !of_key.is_empty() {
            came.push(format!("{} ({})", widening(key, pinned), list(of_key)));
        } else {
            kept.push(known(key, pinned));
            continue;
        }
        is_unpinned |= !pinned.contains_key(key);
    }
    let gone: Vec<String> = was.difference(&is).map(|key| known(key, pinned)).collect();
    let mut parts = Vec::new();
    match (gone.is_empty(), came.is_empty()) {
        (true, true) => {}
        (false, false) => parts.push(format!("{} → {}", gone.join(", "), came.join(", "))),
        (true, false) => parts.push(format!("now also to {}", came.join(", "))),
        (false, true) => parts.push(format!("no longer to {}", gone.join(", "))),
    }
    if !kept.is_empty() {
        parts.push(format!("{} kept", kept.join(", ")));
    }
    let count = if items.len() == 1 { "1 item".to_owned() } else { format!("{} items", items.len()) };
    let words = format!("{count} rewrapped: {}; no value changed", parts.join(", "));
    // A rewrap that takes one pinned key for another is routine; one that lets somebody in is what a review is for.
    let mark = if is_unpinned || came.len() > gone.len() { Mark::Alarm } else { Mark::Kept };
    Some(Change::new(mark, "rewrapped", "", words))
}

/// Whoever came or went otherwise than by the rewrap of unchanged items.
pub(super) fn recipients(before: &Outline, after: &Outline, pinned: &Names) -> Vec<Change> {
    let rewrapped = rewrapped_items(before, after);
    let told = recipients_of(after, &rewrapped);
    let gone_told = recipients_of(before, &rewrapped);
    let (was, is) = (before.recipients(), after.recipients());
    let mut changes = Vec::new();
    let mut came = Vec::new();
    for key in is.keys() {
        let words = if was.contains_key(key) { widening(key, pinned) } else { new(key, pinned) };
        let is_new = !was.contains_key(key);
        let of_key: BTreeSet<&str> = if is_new {
            let items = after.items.iter().filter(|(_, item)| is_open_to(after, item, key));
            items.map(|(item, _)| item.as_str()).collect()
        } else {
            widened(before, after, key)
        };
        let items = &of_key - &rewrapped;
        if !items.is_empty() {
            came.push(format!("{words} ({})", list(items)));
        } else if is_new && !told.contains(key) {
            came.push(words);
        }
    }
    if !came.is_empty() {
        let words = format!("now also to {}", came.join(", "));
        changes.push(Change::new(Mark::Alarm, "recipients", "recipients", words));
    }
    let gone = was.keys().filter(|key| !is.contains_key(key) && !gone_told.contains(key));
    let gone: Vec<String> = gone.map(|key| known(key, pinned)).collect();
    if !gone.is_empty() {
        let words = format!("no longer to {}", gone.join(", "));
        changes.push(Change::new(Mark::Changed, "recipients", "recipients", words));
    }
    changes.extend(edited_lists(before, after));
    changes.extend(hidden(before, after));
    changes.extend(unnamed(before, after));
    changes
}

/// Envelopes whose age file is the same, and whose public text isn't: somebody edited it by hand.
fn edited_lists(before: &Outline, after: &Outline) -> Option<Change> {
    let edited = after.envelopes.iter().find_map(|envelope| {
        let was = before.envelopes.iter().find(|was| was.age == envelope.age)?;
        let is_other = was.fingerprints() != envelope.fingerprints() || was.keys != envelope.keys;
        is_other.then_some(())
    });
    edited.map(|()| {
        let words = "the list of an envelope was edited, and its age file wasn't: it will not open";
        Change::new(Mark::Alarm, "edited-list", "recipients", words)
    })
}

/// An age file that is sealed to more people than are listed. One that was there before hides none that comes now.
fn hidden(before: &Outline, after: &Outline) -> Option<Change> {
    let hides = |envelope: &&OutlineEnvelope| {
        envelope.stanzas().is_some_and(|stanzas| stanzas > envelope.recipients.len())
    };
    let told: BTreeSet<&str> =
        before.envelopes.iter().filter(hides).map(|envelope| envelope.age.as_str()).collect();
    let mut new = after.envelopes.iter().filter(hides);
    let new = new.find(|envelope| !told.contains(envelope.age.as_str()))?;
    let (stanzas, listed) = (new.stanzas().unwrap_or_default(), new.recipients.len());
    let words = format!("an age file is sealed to {stanzas}, and lists {listed}");
    Some(Change::new(Mark::Alarm, "hidden-recipient", "recipients", words))
}

/// The public parts of envelopes that no other change speaks of: names, order, data keys that nothing uses.
fn unnamed(before: &Outline, after: &Outline) -> Option<Change> {
    let changed = before.envelopes != after.envelopes
        && before
            .items
            .iter()
            .map(|(name, item)| (name, &item.line))
            .eq(after.items.iter().map(|(name, item)| (name, &item.line)))
        && rewrapped_items(before, after).is_empty()
        && before.recipients().keys().eq(after.recipients().keys())
        && edited_lists(before, after).is_none();
    let is_same = |outline: &Outline| {
        let mut found: Vec<_> = outline
            .envelopes
            .iter()
            .map(|envelope| (envelope.age.clone(), envelope.keys.clone(), envelope.recipients.clone()))
            .collect();
        found.sort();
        found
    };
    (changed && is_same(before) != is_same(after)).then(|| {
        let words = "names of recipients or unused envelopes changed; no value and no recipient did";
        Change::new(Mark::Kept, "envelopes", "envelopes", words)
    })
}

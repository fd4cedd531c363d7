//! The changes of one SealedSecret, from one state to the next.
//!
//! The recipients are those that the object claims; the list that counts is sealed inside. Whoever comes newly is shown with
//! the fingerprint, because anybody can call a key by any name. Invariant: a recipient who comes or goes is in the words,
//! by whichever envelope.

use std::collections::{BTreeMap, BTreeSet};

use seal_crds::keys::Fingerprint;
use seal_crds::{Format, Scope};
use seal_foreign::word;

use super::snapshot::{Seen, is_same_value};
use super::{Change, Mark};
use crate::objects::outline::{Fault, Outline, OutlineItem, OutlineTemplate};

/// The changes between two states of an object, the alarms last, as a reader ends with them.
pub(super) fn changes(old: &Seen, new: &Seen) -> Vec<Change> {
    let (Some(before), Some(after)) = (old.sealed(), new.sealed()) else { return Vec::new() };
    let mut changes = items(old, new, before, after);
    if before.whole != after.whole {
        changes.push(Change::new(Mark::Changed, "sealed-again", "data", "sealed again"));
    }
    changes.extend(rewrapped(before, after));
    changes.extend(recipients(before, after));
    changes.extend(scope(before, after));
    changes.extend(template(before, after));
    changes.extend(annotations(before, after));
    changes.extend(fault(before, after));
    changes
}

fn items(old: &Seen, new: &Seen, before: &Outline, after: &Outline) -> Vec<Change> {
    let names: BTreeSet<&String> = before.items.keys().chain(after.items.keys()).collect();
    let change = |name: &String| match (before.items.get(name), after.items.get(name)) {
        (None, Some(_)) => Some(Change::new(Mark::Added, "added", name, "added")),
        (Some(_), None) => Some(Change::new(Mark::Removed, "removed", name, "removed")),
        (Some(was), Some(is)) if was.line != is.line => {
            let (kind, value) = match is_same_value(old, new, name) {
                Some(true) => ("sealed-again", "; same value"),
                Some(false) => ("value-changed", "; value changed"),
                None => ("sealed-again", ""),
            };
            Some(Change::new(Mark::Changed, kind, name, format!("{}{value}", again(was, is))))
        }
        _ => None,
    };
    names.into_iter().filter_map(change).collect()
}

fn again(was: &OutlineItem, is: &OutlineItem) -> &'static str {
    match (&was.data_key, &is.data_key) {
        (Some(was), Some(is)) if was != is => "sealed again; new data key",
        // Everybody who sets a value gets a fresh data key, so this one was known to whoever sealed.
        (Some(_), Some(_)) => "sealed again under the same data key",
        _ => "sealed again",
    }
}

/// The words for whoever comes newly.
fn full(fingerprint: &Fingerprint, name: Option<&str>) -> String {
    match name {
        Some(name) => format!("{} {}", word(name), fingerprint.short()),
        None => fingerprint.short(),
    }
}

/// The words for whoever was there before.
fn known(fingerprint: &Fingerprint, name: Option<&str>) -> String {
    name.map_or_else(|| fingerprint.short(), word)
}

type Recipients<'o> = BTreeMap<Fingerprint, Option<&'o str>>;

/// The recipients of the envelopes of some items.
fn recipients_of<'o>(outline: &'o Outline, items: &BTreeSet<&str>) -> Recipients<'o> {
    let mut found = Recipients::new();
    for name in items {
        let key = outline.items.get(*name).and_then(|item| item.data_key.as_deref());
        let Some(envelope) = key.and_then(|key| outline.envelope_of(key)) else { continue };
        for recipient in &envelope.recipients {
            let name = found.entry(recipient.fingerprint).or_default();
            *name = name.or(recipient.name.as_deref());
        }
    }
    found
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

fn rewrapped(before: &Outline, after: &Outline) -> Option<Change> {
    let items = rewrapped_items(before, after);
    if items.is_empty() {
        return None;
    }
    let (was, is) = (recipients_of(before, &items), recipients_of(after, &items));
    let came: Vec<String> =
        is.iter().filter(|(key, _)| !was.contains_key(key)).map(|(key, name)| full(key, *name)).collect();
    let gone: Vec<String> =
        was.iter().filter(|(key, _)| !is.contains_key(key)).map(|(key, name)| known(key, *name)).collect();
    let kept: Vec<String> =
        is.iter().filter(|(key, _)| was.contains_key(key)).map(|(key, name)| known(key, *name)).collect();
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
    // A rewrap that takes one key for another is routine; one that lets somebody in is what a review is for.
    let mark = if came.len() > gone.len() { Mark::Alarm } else { Mark::Kept };
    Some(Change::new(mark, "rewrapped", "", words))
}

/// Whoever came or went otherwise than by the rewrap of unchanged items.
fn recipients(before: &Outline, after: &Outline) -> Vec<Change> {
    let rewrapped = rewrapped_items(before, after);
    let told = recipients_of(after, &rewrapped);
    let gone_told = recipients_of(before, &rewrapped);
    let (was, is) = (before.recipients(), after.recipients());
    let mut changes = Vec::new();
    let came: Vec<String> = is
        .iter()
        .filter(|(key, _)| !was.contains_key(key) && !told.contains_key(key))
        .map(|(key, name)| {
            let items = after.items.iter().filter(|(_, item)| {
                let envelope = item.data_key.as_deref().and_then(|id| after.envelope_of(id));
                envelope.is_some_and(|envelope| envelope.fingerprints().contains(key))
            });
            let items: Vec<String> = items.map(|(item, _)| word(item)).collect();
            let of = if items.is_empty() { String::new() } else { format!(" ({})", items.join(", ")) };
            format!("{}{of}", full(key, *name))
        })
        .collect();
    if !came.is_empty() {
        let words = format!("now also to {}", came.join(", "));
        changes.push(Change::new(Mark::Alarm, "recipients", "recipients", words));
    }
    let gone: Vec<String> = was
        .iter()
        .filter(|(key, _)| !is.contains_key(key) && !gone_told.contains_key(key))
        .map(|(key, name)| known(key, *name))
        .collect();
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

/// An age file that is sealed to more people than are listed.
fn hidden(before: &Outline, after: &Outline) -> Option<Change> {
    let more = |outline: &Outline| {
        let hides = |envelope: &&crate::objects::outline::OutlineEnvelope| {
            envelope.stanzas().is_some_and(|stanzas| stanzas > envelope.recipients.len())
        };
        outline.envelopes.iter().find(hides).map(|envelope| (envelope.stanzas(), envelope.recipients.len()))
    };
    let (stanzas, listed) = more(after).filter(|_| more(before).is_none())?;
    let words = format!("an age file is sealed to {}, and lists {listed}", stanzas.unwrap_or_default());
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

fn scope(before: &Outline, after: &Outline) -> Option<Change> {
    if before.scope == after.scope {
        return None;
    }
    let name = |scope: Option<Scope>| scope.map_or("unreadable", Scope::as_str);
    let namespace = after.object_name.namespace.as_deref().map_or_else(|| "its namespace".to_owned(), word);
    let opens = match after.scope {
        None => String::new(),
        Some(scope) if scope.binds_name() => ": opens only under this name".to_owned(),
        Some(scope) if scope.binds_namespace() => format!(": opens under any name in {namespace}"),
        Some(_) => ": opens in any namespace".to_owned(),
    };
    let mark = if after.scope > before.scope { Mark::Alarm } else { Mark::Changed };
    let words = format!("{} → {}{opens}", name(before.scope), name(after.scope));
    Some(Change::new(mark, "scope", "scope", words))
}

fn template(before: &Outline, after: &Outline) -> Vec<Change> {
    let (was, is) = (&before.template, &after.template);
    let mut changes = template_data(before, after);
    if was.type_ != is.type_ {
        let name = |type_: &Option<String>| type_.as_deref().map_or_else(|| "Opaque".to_owned(), word);
        let words = format!("{} → {}", name(&was.type_), name(&is.type_));
        if name(&was.type_) != name(&is.type_) {
            changes.push(Change::new(Mark::Changed, "type", "type", words));
        }
    }
    if was.immutable.unwrap_or_default() != is.immutable.unwrap_or_default() {
        let words = if is.immutable == Some(true) { "now immutable" } else { "no longer immutable" };
        changes.push(Change::new(Mark::Changed, "immutable", "immutable", words));
    }
    for (subject, kind, was, is) in [
        ("labels", "label", &was.labels, &is.labels),
        ("annotations", "annotation", &was.annotations, &is.annotations),
    ] {
        changes.extend(strings(subject, kind, was, is));
    }
    changes
}

/// The keys of a mapping that came, went or changed. What they say is for a look into the file.
fn strings(
    subject: &str,
    kind: &'static str,
    was: &BTreeMap<String, String>,
    is: &BTreeMap<String, String>,
) -> Option<Change> {
    let keys: BTreeSet<&String> = was.keys().chain(is.keys()).collect();
    let told = keys.into_iter().filter_map(|key| match (was.get(key), is.get(key)) {
        (None, Some(_)) => Some(format!("{} added", word(key))),
        (Some(_), None) => Some(format!("{} removed", word(key))),
        (was, is) if was != is => Some(format!("{} changed", word(key))),
        _ => None,
    });
    let told: Vec<String> = told.collect();
    (!told.is_empty()).then(|| Change::new(Mark::Changed, kind, subject, told.join(", ")))
}

fn template_data(before: &Outline, after: &Outline) -> Vec<Change> {
    let text = |template: &OutlineTemplate, key: &str| template.data.get(key).map(|text| text.text.clone());
    let keys: BTreeSet<&String> = before.template.data.keys().chain(after.template.data.keys()).collect();
    let uses = |outline: &Outline, key: &str| {
        let items = outline.items.keys().filter(|item| outline.uses_in_template(item).contains(&key));
        items.cloned().collect::<BTreeSet<String>>()
    };
    let mut changes = Vec::new();
    for key in keys {
        let (was, is) = (text(&before.template, key), text(&after.template, key));
        if was == is {
            continue;
        }
        let shown: Vec<String> =
            uses(after, key).difference(&uses(before, key)).map(|item| word(item)).collect();
        let name = word(key);
        if !shown.is_empty() {
            let words = format!("{name} now shows {} to whoever reads key {name}", shown.join(", "));
            changes.push(Change::new(Mark::Alarm, "template-shows", "template", words));
            continue;
        }
        let (mark, what) = match (&was, &is) {
            (None, _) => (Mark::Added, "added"),
            (_, None) => (Mark::Removed, "removed"),
            _ => (Mark::Changed, "changed"),
        };
        changes.push(Change::new(mark, "template", "template", format!("{name} {what}")));
    }
    changes
}

/// Annotations of the SealedSecret itself that change what becomes of it. Others, such as those of tools, are none of this.
fn annotations(before: &Outline, after: &Outline) -> Option<Change> {
    use seal_crds::resources::bitnami::PREFIX;
    let ours = |outline: &Outline| -> BTreeMap<String, String> {
        let is_scope = |key: &str| seal_crds::bitnami::scope_of_annotation(key).is_some();
        let ours = outline.annotations.iter().filter(|(key, _)| key.starts_with(PREFIX) && !is_scope(key));
        ours.map(|(key, text)| (key.clone(), text.clone())).collect()
    };
    if after.format != Format::Bitnami {
        return None;
    }
    strings("annotations", "annotation", &ours(before), &ours(after))
}

fn fault(before: &Outline, after: &Outline) -> Option<Change> {
    match (&before.fault, &after.fault) {
        (None, None) => None,
        (Some(_), None) => Some(Change::new(Mark::Changed, "mended", "", "can be opened again")),
        (_, Some(fault)) => {
            let new = if before.fault.is_none() { "" } else { "still " };
            let words = format!("{new}refused: {}", seal_foreign::message(&reason(fault)));
            // What was refused before and is now is no change by itself.
            before.fault.is_none().then(|| Change::new(Mark::Alarm, "refused", "", words))
        }
    }
}

/// The words of a fault.
pub(super) fn reason(fault: &Fault) -> String {
    match fault {
        Fault::Unread(failure) => failure.facts.join(": "),
        Fault::Refused(error) => error.to_string(),
    }
}

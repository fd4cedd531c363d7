//! The changes of a template: what the Secret looks like, and which items show in which of its keys.
//!
//! Invariant: an item that a key begins to show is named, because whoever reads that key reads the item.

use std::collections::{BTreeMap, BTreeSet};

use seal_foreign::word;

use super::{Change, Mark};
use crate::objects::outline::{Outline, OutlineTemplate};

pub(super) fn template(before: &Outline, after: &Outline) -> Vec<Change> {
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
pub(super) fn strings(
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

//! The faults of a SealedSecret by itself: parts that don't belong together, and texts that no controller takes.
//!
//! The strict readers stop at the first fault. Here every unused envelope and every missing data key is told, because
//! people mend a file once. Invariant: an object that the strict readers refuse has at least one finding here, and an
//! object that they take has none, except for envelopes with hidden recipients and names that are filled in later.

use std::collections::{BTreeMap, HashSet};

use seal_crds::template::{TemplateError, items_in};
use seal_crds::{Format, ItemName, UnsealError};
use seal_documents::manifest::{Fault as ManifestFault, Kind, Lenient, Manifest, conflict, shown};
use seal_documents::yaml::tree::{NodeId, NodeKind, Style};
use seal_foreign::{message, word};

use super::{Sealed, is_placeholder};
use crate::check::finding::Finding;
use crate::check::lint::Lint;
use crate::check::scanned::Scanned;
use crate::objects::outline::Fault;
use crate::talk::pasted;

/// The faults of the objects of one file.
pub(super) fn faults(manifest: &Manifest<'_>, objects: &[Sealed<'_>]) -> Vec<Finding> {
    let mut found: Vec<Finding> = objects.iter().flat_map(|sealed| of_object(manifest, sealed)).collect();
    found.extend(twice(objects));
    found
}

/// Objects that may be SealedSecrets, and have no outline or a wrong one: kubectl looks behind a tag
/// (`kind: !!binary U2VhbGVkU2VjcmV0`), and no lint does.
pub(super) fn veiled(file: &Scanned<'_>, manifest: &Lenient<'_>) -> Vec<Finding> {
    let is_told = |object: usize| {
        file.outlines.iter().any(|outline| outline.object == object && outline.fault.is_some())
    };
    let is_ours = |fault: &ManifestFault| {
        fault.is_veiled || manifest.manifest.objects[fault.object].kind == Kind::SealedSecret
    };
    let faults = manifest.faults.iter().filter(|fault| is_ours(fault) && !is_told(fault.object));
    let finding = |fault: &ManifestFault| {
        let what = "this may be a SealedSecret to the cluster, and can't be read as one";
        file.finding(Lint::Malformed, fault.at, format!("{what}: {}", message(&fault.error.to_string())))
    };
    faults.map(finding).collect()
}

/// A doubt whether something that looks like a patch is one: a key behind a tag, a merge key, or a key that is there twice may
/// bring in what is sealed.
fn doubted_patch(manifest: &Manifest<'_>, sealed: &Sealed<'_>) -> Option<Finding> {
    let object = &manifest.objects[sealed.outline.object];
    let tree = manifest.tree(object);
    let mut nodes = std::iter::once(tree.resolve(object.node)).chain(tree.beneath(tree.resolve(object.node)));
    let at = nodes.find_map(|node| {
        let NodeKind::Mapping { entries, .. } = &tree.node(node).kind else { return None };
        let mut seen = HashSet::new();
        let mut is_doubtful = |key: NodeId| match tree.kind(key) {
            NodeKind::Scalar { style: Style::Tagged, .. } => true,
            NodeKind::Scalar { text, .. } => text.as_str() == "<<" || !seen.insert(text.as_str()),
            _ => true,
        };
        entries.iter().map(|(key, _)| *key).find(|key| is_doubtful(*key)).map(|key| tree.range(key).start)
    })?;
    let message = format!("{}: readers can differ on this key, and so on what is sealed here", sealed.name());
    Some(sealed.finding(Lint::Malformed, message).at(at))
}

/// The first conflict of a text, if Git or `seal git merge` left some.
pub(super) fn conflict_marker(path: &str, text: &str) -> Option<Finding> {
    let at = conflict(text)?;
    let finding = Finding::new(Lint::ConflictMarker, path, "a merge conflict isn't resolved");
    Some(finding.at(at).hint(format!("finish the merge: seal resolve {}", pasted::path(path))))
}

/// The findings about one object.
fn of_object(manifest: &Manifest<'_>, sealed: &Sealed<'_>) -> Vec<Finding> {
    let outline = sealed.outline;
    let mut found = Vec::new();
    found.extend(templated_name(sealed));
    let is_templated = !found.is_empty();
    if outline.is_patch() {
        found.extend(doubted_patch(manifest, sealed));
        return found;
    }
    found.extend(hidden_recipients(sealed));
    let before = found.len();
    found.extend(duplicate_keys(manifest, sealed));
    found.extend(duplicate_ids(sealed));
    found.extend(missing_keys(sealed));
    found.extend(unused_envelopes(sealed));
    found.extend(template_items(sealed));
    let is_told = found.len() > before;
    let malformed = match &outline.fault {
        None => None,
        // These have findings of their own.
        Some(Fault::Refused(
            UnsealError::UnusedEnvelope { .. }
            | UnsealError::MissingKey { .. }
            | UnsealError::DuplicateKey { .. }
            | UnsealError::Template(TemplateError::UnknownItem { .. } | TemplateError::KeyIsItem(_)),
        )) if is_told => None,
        Some(Fault::Refused(error)) => Some(error.to_string()),
        // A key that is there twice, or a name that is no name yet.
        Some(Fault::Unread(_)) if is_told || is_templated => None,
        Some(Fault::Unread(failure)) => Some(failure.facts.join(": ")),
    };
    if let Some(fact) = malformed {
        found.push(sealed.finding(Lint::Malformed, format!("{}: {}", sealed.name(), message(&fact))));
    }
    found
}

/// A name that a tool fills in after the file was read, where the scope binds it.
fn templated_name(sealed: &Sealed<'_>) -> Option<Finding> {
    let outline = sealed.outline;
    let scope = outline.scope.unwrap_or_default();
    let parts = [
        ("name", &outline.object_name.name, scope.binds_name()),
        ("namespace", &outline.object_name.namespace, scope.binds_namespace()),
    ];
    let (field, text) = parts
        .iter()
        .filter(|(_, _, is_bound)| *is_bound)
        .find_map(|(field, text, _)| Some((field, text.as_deref().filter(|text| is_placeholder(text))?)))?;
    let message = format!("the {field} {} is filled in later, and it is part of the seal", word(text));
    Some(sealed.finding(Lint::TemplatedName, message))
}

/// Envelopes that are sealed to more than they say, or to fewer.
fn hidden_recipients(sealed: &Sealed<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    for (index, envelope) in sealed.outline.envelopes.iter().enumerate() {
        let Some(stanzas) = envelope.stanzas() else { continue };
        // A recipient that is listed twice must not make room for one that isn't listed.
        let listed = envelope.fingerprints().len();
        let sealed_to = |lint, what: &str| {
            let message = format!(
                "envelopes[{index}] of {} is sealed to {}, and names {listed}: {what}",
                sealed.name(),
                recipients(stanzas)
            );
            sealed.finding(lint, message).at(envelope.at)
        };
        if stanzas > listed {
            found.push(sealed_to(Lint::HiddenRecipient, "somebody who isn't named can open it"));
        } else if stanzas < listed {
            found.push(sealed_to(Lint::RecipientsMissing, "one that is named can't open it"));
        }
    }
    found
}

fn recipients(count: usize) -> String {
    if count == 1 { "1 recipient".to_owned() } else { format!("{count} recipients") }
}

/// Keys that a mapping of the object has twice.
fn duplicate_keys(manifest: &Manifest<'_>, sealed: &Sealed<'_>) -> Vec<Finding> {
    // A key that is there twice is a fault; without a fault there is nothing to look for.
    if !matches!(sealed.outline.fault, Some(Fault::Unread(_))) {
        return Vec::new();
    }
    let object = &manifest.objects[sealed.outline.object];
    let tree = manifest.tree(object);
    let mut found = Vec::new();
    for node in std::iter::once(object.node).chain(tree.beneath(object.node)) {
        let NodeKind::Mapping { entries, .. } = &tree.node(node).kind else { continue };
        let mut seen = HashSet::new();
        for (key, _) in entries {
            let Some(text) = tree.scalar(*key) else { continue };
            if !seen.insert(text) {
                let message = format!("the key {} of {} is there twice", shown(text), sealed.name());
                found.push(
                    sealed.finding(Lint::Duplicate, message).at(tree.range(*key).start).item(shown(text)),
                );
            }
        }
    }
    found
}

/// Data keys that are in two envelopes, or twice in one; and keys of a template that are items as well.
fn duplicate_ids(sealed: &Sealed<'_>) -> Vec<Finding> {
    let outline = sealed.outline;
    let mut seen = HashSet::new();
    let mut found = Vec::new();
    for envelope in &outline.envelopes {
        for id in &envelope.keys {
            if !seen.insert(id.as_str()) {
                let message = format!("data key {} of {} is listed twice", short(id), sealed.name());
                found.push(sealed.finding(Lint::Duplicate, message).at(envelope.at));
            }
        }
    }
    if outline.format == Format::Native {
        for (key, text) in outline.template.data.iter().filter(|(key, _)| outline.items.contains_key(*key)) {
            let key = shown(key);
            let message = format!("{key} of {} is an item and a key of the template", sealed.name());
            found.push(sealed.finding(Lint::Duplicate, message).at(text.at).item(key));
        }
    }
    found
}

fn missing_keys(sealed: &Sealed<'_>) -> Vec<Finding> {
    let outline = sealed.outline;
    // Without any envelope the object is malformed, and not each of its items.
    if outline.format == Format::Bitnami || outline.envelopes.is_empty() {
        return Vec::new();
    }
    let held: HashSet<&str> =
        outline.envelopes.iter().flat_map(|envelope| &envelope.keys).map(String::as_str).collect();
    let missing = outline.items.iter().filter_map(|(name, item)| {
        let id = item.data_key.as_deref().filter(|id| !held.contains(id))?;
        let name = shown(name);
        let message =
            format!("item {name} of {} needs data key {}, which no envelope holds", sealed.name(), short(id));
        Some(sealed.finding(Lint::MissingKey, message).at(item.at).item(name))
    });
    missing.collect()
}

fn unused_envelopes(sealed: &Sealed<'_>) -> Vec<Finding> {
    let outline = sealed.outline;
    // An item without an id may need any of them.
    if outline.items.is_empty() || outline.items.values().any(|item| item.data_key.is_none()) {
        return Vec::new();
    }
    let used = outline.used_keys();
    let unused = outline.envelopes.iter().enumerate().filter(|(_, envelope)| {
        !envelope.keys.is_empty() && !envelope.keys.iter().any(|id| used.contains(id.as_str()))
    });
    let finding = |(index, envelope): (usize, &crate::objects::outline::OutlineEnvelope)| {
        let message = format!("envelopes[{index}] of {} holds no data key that an item needs", sealed.name());
        let hint = format!("drop it, which needs no key: seal tidy {}", pasted::path(sealed.path));
        sealed.finding(Lint::UnusedEnvelope, message).at(envelope.at).hint(hint)
    };
    unused.map(finding).collect()
}

/// Items that a native template names and the object doesn't have. A Go template takes any name, and renders nothing.
fn template_items(sealed: &Sealed<'_>) -> Vec<Finding> {
    let outline = sealed.outline;
    if outline.format == Format::Bitnami {
        return Vec::new();
    }
    let mut found = Vec::new();
    for (key, value) in &outline.template.data {
        let (Ok(name), Some(text)) = (key.parse::<ItemName>(), &value.text) else { continue };
        for item in items_in(&name, text).unwrap_or_default() {
            if !outline.items.contains_key(item.as_str()) {
                let message =
                    format!("template.data.{name} of {} names item {item}, which isn't there", sealed.name());
                found.push(sealed.finding(Lint::TemplateItem, message).at(value.at).item(item.to_string()));
            }
        }
    }
    found
}

/// Objects of one file that have one place.
fn twice(objects: &[Sealed<'_>]) -> Vec<Finding> {
    let mut seen: BTreeMap<_, &Sealed<'_>> = BTreeMap::new();
    let mut found = Vec::new();
    for sealed in objects.iter().filter(|sealed| !sealed.outline.is_patch()) {
        let name = &sealed.outline.object_name;
        if name.name.is_none() {
            continue;
        }
        if seen.insert((name, sealed.outline.format), sealed).is_some() {
            let message = format!("{} is in this file twice", sealed.name());
            found.push(sealed.finding(Lint::Duplicate, message));
        }
    }
    found
}

/// The start of a data key's id, as people see it.
pub(super) fn short(id: &str) -> String {
    word(&id.chars().take(8).collect::<String>())
}

#[cfg(test)]
mod tests;

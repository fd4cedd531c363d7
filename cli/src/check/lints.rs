//! The lints themselves, in two sorts: those that need nothing but a file, and those that need the whole tree.
//!
//! ```text
//! of a file    plaintext  private_key  faults (what a controller would refuse)  template
//! of the tree  ruled, recipients (against .seal.yaml)  policy (the rules themselves)
//!              ids (copied, moved, superseded)  kustomize (transformed)  generator, patch (plaintext)
//! ```
//!
//! Nothing here reads a file, asks Git or prints: the engine ([`super`]) hands over what it read, and reports. Invariants: a
//! lint reads no file, and what it finds depends on its arguments alone; no message holds a value of a Secret, and words of
//! files in a message are escaped; the time that a lint takes grows with what it is given, and not with its square.

mod faults;
mod generator;
mod hint;
mod ids;
mod kustomize;
mod linked;
mod past;
mod patch;
mod plaintext;
mod policy;
mod private_key;
mod recipients;
mod ruled;
#[cfg(test)]
mod samples;
mod template;

use std::collections::{BTreeMap, BTreeSet};

use super::context::Context;
use super::finding::Finding;
use super::lint::Lint;
use super::namespace::Given;
use super::scanned::{Origin, Scanned};
use crate::objects::outline::Outline;
use crate::talk::pasted;

pub(crate) use hint::{Present, of_past as hint_of_past};
pub(crate) use kustomize::{files_of_kustomization, is_kustomization, path_from};
pub(crate) use past::of_past_together;
pub(crate) use patch::files_of_patches;
pub(crate) use policy::twins;
pub(crate) use private_key::{encoded_keys, private_keys};

/// What is wrong with one file, whatever else is in the repository. It runs on many threads, for each file of interest and
/// for each content that a range brought in.
pub(crate) fn of_file(file: &Scanned<'_>, found: &mut Vec<Finding>) {
    let text = file.source.text();
    found.extend(private_keys(file.path, text));
    let Some(manifest) = &file.manifest else { return };
    found.extend(plaintext::in_documents(file.path, &manifest.manifest.documents));
    for part in &manifest.unread {
        let part_text = &text[part.range.clone()];
        let values = if part.is_template {
            plaintext::in_template(file.path, part_text)
        } else {
            plaintext::in_text(file.path, part_text)
        };
        found.extend(values.into_iter().map(|finding| {
            let at = finding.at.map_or(part.range.start, |at| part.range.start + at);
            finding.at(at)
        }));
    }
    // Markers make some part of a file unreadable.
    if !manifest.unread.is_empty() {
        found.extend(faults::conflict_marker(file.path, text));
    }
    let objects: Vec<Sealed<'_>> = sealed(file).collect();
    found.extend(faults::faults(&manifest.manifest, &objects));
    found.extend(faults::veiled(file, manifest));
    found.extend(objects.iter().flat_map(template::plain_values));
}

/// What is wrong with the files together; `found` is what is wrong with each. It returns how many things kustomizations have
/// that aren't followed: remote bases, charts, plugins, directories of other repositories.
pub(crate) fn of_tree(context: &Context<'_>, found: &mut Vec<Finding>) -> usize {
    let objects: Vec<Sealed<'_>> = context.tree().flat_map(sealed).collect();
    let rendered: Vec<Sealed<'_>> =
        context.files.iter().filter(|file| file.origin == Origin::Rendered).flat_map(sealed).collect();
    let unchanged = context.tree().filter(|file| context.unchanged.contains(file.path));
    let before: Vec<Sealed<'_>> = context.before.iter().flatten().chain(unchanged).flat_map(sealed).collect();
    found.extend(ids::copied(&objects, &before));
    found.extend(ids::superseded(&objects));
    found.extend(ids::rendered(&rendered, &objects));
    found.extend(template::shown_since(&objects, &before));
    against_rules(context, found);
    against_policy(context, found);
    let lacking: BTreeSet<String> =
        found.iter().filter(|finding| finding.lacks_namespace).map(|finding| finding.path.clone()).collect();
    let lacking: BTreeSet<&str> = lacking.iter().map(String::as_str).collect();
    let followed = kustomize::follow(context, &objects, &lacking);
    for finding in found.iter_mut().filter(|finding| finding.lacks_namespace) {
        plaintext::complete(finding, context.file(&finding.path), followed.given.get(&finding.path));
    }
    found.extend(followed.findings);
    for file in context.tree() {
        let is_kustomization = is_kustomization(file.path);
        for tree in file.manifest.iter().flat_map(|manifest| &manifest.manifest.documents) {
            let load: Load<'_, '_> = &|path| load(context, path);
            if is_kustomization {
                found.extend(generator::in_kustomization(file.path, tree, load));
                found.extend(patch::in_kustomization(file.path, tree, load));
            } else {
                found.extend(generator::as_object(file.path, tree, load));
            }
        }
    }
    followed.unfollowed.len()
}

/// The namespaces that objects of some files get where they are deployed, if they name none.
pub(crate) fn given(context: &Context<'_>, files: &BTreeSet<&str>) -> BTreeMap<String, Given> {
    kustomize::given(context, files)
}

/// What is wrong with a file of the past: a later commit takes nothing back that others have read.
pub(crate) fn of_past(file: &Scanned<'_>) -> Vec<Finding> {
    sealed(file).flat_map(|object| recipients::recipients(&object, &file.governing)).collect()
}

/// Each object against the rule for its path.
fn against_rules(context: &Context<'_>, found: &mut Vec<Finding>) {
    const DAY: i64 = 24 * 60 * 60;
    let age = |ciphertext: &str| {
        let first = context.first_committed.as_ref()?.get(ciphertext)?;
        u32::try_from((context.now - first) / DAY).ok()
    };
    for file in context.tree() {
        for object in sealed(file) {
            found.extend(ruled::against_rules(&object, &file.governing));
            found.extend(recipients::recipients(&object, &file.governing));
            found.extend(ruled::too_old(&object, &file.governing, age));
        }
    }
    found.extend(linked::against_rules(context));
    for rules in &context.rules {
        found.extend(ruled::unreachable_rules(rules));
    }
}

/// The rules themselves against those of the revision that counts.
fn against_policy(context: &Context<'_>, found: &mut Vec<Finding>) {
    for change in context.policy.iter().flat_map(|policy| &policy.changes) {
        let revision = context.policy.as_ref().map_or("", |policy| policy.revision.as_str());
        found.extend(policy::changed(change, revision));
    }
    found.extend(context.unlisted_rules.iter().map(|path| policy::unlisted(path)));
}

/// A file that another file names.
enum Loaded<'a> {
    /// No commit of the tree would have it.
    Absent,
    /// It is there, and has no word that is of interest to any lint.
    Unread,
    Text(&'a str),
}

/// A way to the files that a file names.
type Load<'f, 'a> = &'f dyn Fn(&str) -> Loaded<'a>;

fn load<'a>(context: &'a Context<'_>, path: &str) -> Loaded<'a> {
    match context.text(path) {
        Some(text) => Loaded::Text(text),
        None if context.paths.contains(path) => Loaded::Unread,
        None => Loaded::Absent,
    }
}

/// A SealedSecret and the file that it stands in.
#[derive(Clone, Copy)]
struct Sealed<'a> {
    /// The path of the file from the top of the repository.
    path: &'a str,
    outline: &'a Outline,
    /// Whether the file has no other SealedSecret, so that commands needn't say which one is meant.
    is_alone: bool,
}

/// Whether a name, or a part of it, is filled in by a tool later.
fn is_placeholder(name: &str) -> bool {
    ["${", "$(", "{{"].iter().any(|mark| name.contains(mark))
}

/// A name as far as the file says it.
fn known(name: Option<&String>) -> Option<&str> {
    name.map(String::as_str).filter(|name| !is_placeholder(name))
}

/// The SealedSecrets of a file.
fn sealed<'f>(file: &'f Scanned<'_>) -> impl Iterator<Item = Sealed<'f>> {
    let is_alone = file.outlines.len() == 1;
    file.outlines.iter().map(move |outline| Sealed { path: file.path, outline, is_alone })
}

impl<'a> Sealed<'a> {
    /// The namespace of the object; `None` if the file doesn't say it, or if it is filled in later.
    fn namespace(&self) -> Option<&'a str> {
        known(self.outline.object_name.namespace.as_ref())
    }

    /// The name of the object; `None` as for the namespace.
    fn object(&self) -> Option<&'a str> {
        known(self.outline.object_name.name.as_ref())
    }

    /// A finding about the object.
    fn finding(&self, lint: Lint, message: impl Into<String>) -> Finding {
        Finding::new(lint, self.path, message).at(self.outline.at).of(self.outline.object_name.to_string())
    }

    /// The words by which commands find the object, for people to paste: the file, and which object of several.
    fn pasted(&self) -> String {
        let file = pasted::path(self.path);
        if self.is_alone {
            return file.into_owned();
        }
        format!("{file} --object {}", pasted::word(&self.outline.object_name.to_string()))
    }

    /// The command that seals items anew without a key, for people to paste.
    fn pasted_set<'i>(&self, items: impl Iterator<Item = &'i str>) -> String {
        hint::set(&self.pasted(), self.outline.object_name.namespace.is_some(), items)
    }

    /// The place of the object for a message.
    fn name(&self) -> String {
        seal_foreign::word(&self.outline.object_name.to_string())
    }
}

#[cfg(test)]
mod tests;

//! `seal set FILE ITEM`: items sealed anew, or added, in the file of a SealedSecret; no private key is needed.
//!
//! Invariants: the command reads and checks all files before it asks for a value or a cluster, and seals everything
//! before it writes anything; so all files are changed or none. A word that may be a value is never repeated.

mod plan;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use seal_crds::{ItemName, Plaintext};
use seal_documents::manifest::{Manifest, Object, edit};
use seal_documents::source::Source;

use super::target::{self, Placed, Target};
use super::{list, values};
use crate::args::SetArgs;
use crate::files::input::Input;
use crate::files::output::{self, Replacement};
use crate::objects::change::{self, NewItem};
use crate::objects::secret::content;
use crate::talk::exit::Exit;
use crate::talk::failure::Failure;
use crate::talk::terminal;

use plan::{Plan, SetError};
use values::Items;

/// One file, and the SealedSecret in it that changes.
struct FileToChange<'m> {
    manifest: &'m Manifest<'m>,
    object: &'m Object,
    placed: Placed<'m>,
}

/// A file's new text, and what the report says of it.
struct Changed<'m> {
    path: &'m Path,
    manifest: &'m Manifest<'m>,
    text: String,
    line: String,
}

pub(super) fn run(args: SetArgs) -> Result<Exit, Failure> {
    let plan = Plan::of(&args)?;
    let inputs = plan.files.iter().map(|path| Input::File(path.clone()));
    let sources = inputs.map(|input| input.read()).collect::<Result<Vec<Source>, Failure>>()?;
    let manifests = sources.iter().map(Manifest::parse).collect::<Result<Vec<_>, _>>()?;
    let mut chooser = target::chooser(&args.target);
    let mut files = Vec::new();
    for (path, manifest) in plan.files.iter().zip(&manifests) {
        let object = change::find(manifest, args.target.object.as_deref())?;
        let placed = Placed::read(&mut chooser, path, manifest, object, args.namespace.as_ref())?;
        files.push(FileToChange { manifest, object, placed });
    }
    let formats = files.iter().map(|file| file.placed.sealed.format());
    target::check_formats(&args.target, &args.template_items, formats)?;
    let named: Vec<ItemName> = plan.item.iter().chain(args.values.named()).cloned().collect();
    for FileToChange { placed, .. } in &files {
        placed.check_rule()?;
        placed.sealed.check_template(named.iter().cloned(), &args.template_items)?;
    }

    let given = collect(&plan, &args)?;
    let placed: Vec<&Placed<'_>> = files.iter().map(|file| &file.placed).collect();
    let targets = target::resolve(&args.target, &mut chooser, &placed)?;
    let same = args.same.then(|| generate(&args)).transpose()?;
    let mut changed = Vec::new();
    for (file, target) in files.into_iter().zip(&targets) {
        let fresh = if same.is_none() { generate(&args)? } else { Items::new() };
        let items = given.iter().chain(same.iter().flatten()).chain(&fresh);
        changed.push(seal(file, items, &args, target)?);
    }
    let replacements: Vec<Replacement<'_>> = changed
        .iter()
        .map(|Changed { path, manifest, text, .. }| Replacement {
            path,
            old: manifest.source.text().as_bytes(),
            new: text.as_bytes(),
        })
        .collect();
    output::replace_files(&replacements)?;
    output::report(changed.iter().map(|changed| &changed.line))?;
    Ok(Exit::Done)
}

/// The values that a person or a file gives, checked against the flags.
fn collect(plan: &Plan, args: &SetArgs) -> Result<Items, Failure> {
    let mut items = Items::new();
    if let Some(item) = &plan.item {
        items.insert(item.clone(), plan::one_value(item, args.values.chomp)?);
    }
    values::read(&args.values, &mut items)?;
    let made_up = args.values.generates.iter().map(|generate| &generate.item);
    if let Some(twice) = made_up.clone().find(|item| items.contains_key(item)) {
        return Err(SetError::Twice(twice.clone()).into());
    }
    let all: BTreeSet<&ItemName> = items.keys().chain(made_up).collect();
    if all.is_empty() {
        return Err(SetError::NoItems.into());
    }
    if let Some(other) = args.template_items.iter().find(|item| !all.contains(item)) {
        return Err(SetError::NotSet(other.clone(), list(all)).into());
    }
    for doubt in content::doubts(&items) {
        terminal::warn(&doubt.words, None);
    }
    Ok(items)
}

fn generate(args: &SetArgs) -> Result<Items, Failure> {
    let mut items = Items::new();
    values::generate(&args.values, &mut items)?;
    Ok(items)
}

fn seal<'m, 'i>(
    file: FileToChange<'m>,
    items: impl Iterator<Item = (&'i ItemName, &'i Plaintext)>,
    args: &SetArgs,
    target: &Target,
) -> Result<Changed<'m>, Failure> {
    let FileToChange { manifest, object, placed } = file;
    let (path, sealed) = (placed.file, &placed.sealed);
    let items: BTreeMap<ItemName, NewItem> = items
        .map(|(name, value)| {
            // A copy in memory that is wiped: each file seals its own.
            let value = Plaintext::from(value.expose().to_vec());
            (name.clone(), NewItem::new(value, args.template_items.contains(name)))
        })
        .collect();
    let to = target.seal_to();
    let what = target::describe(sealed, items.keys(), target);
    let line = format!("{}: {what}", path.display());
    target::warn_of_others(sealed, items.keys(), &to);
    placed.warn_of_place(items.keys())?;
    let change = sealed.put(manifest, object, &to, items)?;
    let edited = edit(manifest, &[change.edits]).map_err(|error| manifest.locate(error))?;
    for at in edited.lost_comments {
        terminal::warn("a comment is left out with what it stood at", Some(&manifest.spot(at)));
    }
    Ok(Changed { path, manifest, text: edited.text, line })
}

//! `seal set FILE ITEM`: items sealed anew, or added, in the file of a SealedSecret; no private key is needed.
//!
//! Invariants: the command reads and checks all files before it asks a cluster, and asks a person last, so that nobody types
//! a value in vain; it seals everything before it writes anything, so all files are changed or none. A word that may be a value is never repeated.

mod plan;

use std::collections::BTreeMap;
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
use crate::talk::{prompt, terminal};

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

    let mut given = collect(&plan, &args)?;
    let placed: Vec<&Placed<'_>> = files.iter().map(|file| &file.placed).collect();
    let targets = target::resolve(&args.target, &mut chooser, &placed)?;
    if plan.asks() || !args.values.prompts.is_empty() {
        for (file, target) in files.iter().zip(&targets) {
            rehearse(file, &given, &plan, &args, target)?;
        }
    }
    ask(&plan, &args, &mut given)?;
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

/// The values that come from files and from standard input, checked against the flags together with the names of those
/// that are asked for.
fn collect(plan: &Plan, args: &SetArgs) -> Result<Items, Failure> {
    let mut items = Items::new();
    if let Some(item) = plan.item.as_ref().filter(|_| !plan.asks()) {
        items.insert(item.clone(), plan::from_stdin(item, args.values.chomp)?);
    }
    values::read(&args.values, &mut items)?;
    let all = values::names(&items, plan.asked().chain(args.values.named()))?;
    if all.is_empty() {
        return Err(SetError::NoItems.into());
    }
    if let Some(other) = args.template_items.iter().find(|item| !all.contains(item)) {
        return Err(SetError::NotSet(other.clone(), list(&all)).into());
    }
    Ok(items)
}

/// Asks a person for the values that are left.
fn ask(plan: &Plan, args: &SetArgs, items: &mut Items) -> Result<(), Failure> {
    for item in plan.asked() {
        items.insert(item.clone(), prompt::ask(item)?);
    }
    values::ask(&args.values, items)?;
    for doubt in content::doubts(items) {
        terminal::warn(&doubt.words, None);
    }
    Ok(())
}

/// Makes the change with empty values, and keeps nothing of it: what stands in the way, such as too many envelopes, is found
/// before a person types a value.
fn rehearse(
    file: &FileToChange<'_>,
    given: &Items,
    plan: &Plan,
    args: &SetArgs,
    target: &Target,
) -> Result<(), Failure> {
    let FileToChange { manifest, object, placed } = file;
    let names = values::names(given, plan.asked().chain(args.values.named()))?;
    let items = names.into_iter().map(|name| {
        let template = args.template_items.contains(&name);
        (name, NewItem::new(Plaintext::from(Vec::new()), template))
    });
    let change = placed.sealed.put(manifest, object, &target.seal_to(), items.collect())?;
    edit(manifest, &[change.edits]).map_err(|error| manifest.locate(error))?;
    Ok(())
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

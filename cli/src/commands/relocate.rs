//! `seal move FILE`: other names for items, or another place for the SealedSecret.
//!
//! Names and places are part of the seal, so the values are opened and sealed again; what the scope doesn't bind changes
//! without a key. Invariant: whoever has seen a value stays on record with it.

use std::collections::{BTreeMap, BTreeSet};

use seal_crds::ItemName;
use seal_documents::manifest::{Edits, Manifest, edit};

use super::target::{self, Placed};
use crate::args::{MoveArgs, Renaming};
use crate::files::input::Input;
use crate::files::output::{self, Replacement};
use crate::keys::identities;
use crate::objects::change::{self, Change, Changeable, NewItem, Renamings};
use crate::objects::name::ObjectName;
use crate::talk::exit::Exit;
use crate::talk::failure::{Explain, Failure, Rule};
use crate::talk::{pasted, terminal};

#[derive(Debug, thiserror::Error)]
enum MoveError {
    #[error("names and places are part of the seal, so this takes a key")]
    PartOfTheSeal { recipe: String },
    #[error("item {0} is renamed twice")]
    Twice(ItemName),
    #[error("nothing would change: {0} has that name already")]
    Same(String),
}

impl Explain for MoveError {
    fn rule(&self) -> Rule {
        Rule::Usage
    }

    fn exit(&self) -> Exit {
        Exit::Usage
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::PartOfTheSeal { recipe } => {
                Some(format!("open it with an identity: -i FILE; or seal the values anew: {recipe}"))
            }
            Self::Twice(_) | Self::Same(_) => None,
        }
    }
}

pub(super) fn run(args: MoveArgs) -> Result<Exit, Failure> {
    let renamings = renamings(&args.items)?;
    let source = Input::File(args.file.clone()).read()?;
    let manifest = Manifest::parse(&source)?;
    let object = change::find(&manifest, args.target.object.as_deref())?;
    // An object that names no namespace is sealed for that of -n.
    let flag = args.namespace.as_ref().filter(|_| !change::names_namespace(&manifest, object));
    let mut chooser = target::chooser(&args.target);
    let mut placed = Placed::read(&mut chooser, &args.file, &manifest, object, flag)?;
    let sealed = &placed.sealed;
    target::check_formats(&args.target, &[], std::iter::once(sealed.format()))?;
    sealed.check_renamings(&renamings)?;
    let old = sealed.object_name.clone();
    let new = ObjectName {
        namespace: args.namespace.clone().or_else(|| old.namespace.clone()),
        name: args.name.clone().unwrap_or_else(|| old.name.clone()),
    };
    // What the file says was never sealed, if it was changed by hand.
    let sealed_for = match &args.from {
        Some(from) => ObjectName { namespace: Some(from.namespace.clone()), name: from.name.clone() },
        None => old.clone(),
    };
    let is_bound = change::is_bound(sealed.scope(), &sealed_for, &new);
    let is_same = old.namespace == new.namespace && old.name == new.name;
    if is_same && renamings.is_empty() && !is_bound {
        return Err(MoveError::Same(old.to_string()).into());
    }

    let is_renamed = !renamings.is_empty();
    let takes_key = is_bound || (is_renamed && change::binds_item_names(sealed.format()));
    if takes_key && args.identities.is_empty() {
        let recipe = recipe(&args, sealed, is_bound, &renamings, &new);
        return Err(MoveError::PartOfTheSeal { recipe }.into());
    }
    placed.sealed.object_name = new.clone();
    let sealed = &placed.sealed;
    let change = if takes_key {
        let inputs: Vec<Input> = args.identities.iter().map(|path| Input::from_arg(path)).collect();
        let keys = identities::read(&inputs)?;
        let items = sealed.open(&sealed_for, &keys).map_err(|error| {
            Failure::from(error).at(manifest.spot(manifest.tree(object).range(object.node).start))
        })?;
        let target = target::resolve(&args.target, &mut chooser, &[&placed])?.pop();
        let target = target.expect("there is one for each file");
        let to = target.seal_to();
        if is_bound {
            sealed.seal_all(&manifest, object, &to, renamed(items, &renamings))?
        } else {
            let (put, gone): (BTreeSet<&ItemName>, BTreeSet<ItemName>) =
                (renamings.keys().collect(), renamings.values().cloned().collect());
            let items: BTreeMap<ItemName, NewItem> =
                renamed(items, &renamings).into_iter().filter(|(name, _)| put.contains(name)).collect();
            target::warn_of_others(sealed, items.keys().chain(&gone), &to);
            sealed.change(&manifest, object, &to, items, &gone)?
        }
    } else {
        placed.check_namespace()?;
        let nothing = Edits { document: object.document, replaced: Vec::new(), removed: Vec::new() };
        match sealed.rename(&manifest, object, &renamings).filter(|_| is_renamed) {
            Some(change) => change?,
            None => Change { edits: nothing },
        }
    };
    let mut edits = change.edits;
    edits.replaced.extend(change::metadata_edits(&manifest, object, &old, &new));
    let edited = edit(&manifest, &[edits]).map_err(|error| manifest.locate(error))?;
    let (old_text, new_text) = (source.text().as_bytes(), edited.text.as_bytes());
    output::replace_files(&[Replacement { path: &args.file, old: old_text, new: new_text }])?;
    for at in edited.lost_comments {
        terminal::warn("a comment is left out with what it stood at", Some(&manifest.spot(at)));
    }
    let mut what: Vec<String> =
        renamings.iter().map(|(new, old)| format!("item {old} is {new} now")).collect();
    if !is_same || is_bound {
        what.insert(0, format!("{sealed_for} is {new} now"));
    }
    let again = if takes_key { ", sealed again" } else { "" };
    output::report([format!("{}: {}{again}", args.file.display(), what.join(", "))])?;
    Ok(Exit::Done)
}

fn renamings(items: &[Renaming]) -> Result<Renamings, MoveError> {
    let mut renamings = Renamings::new();
    for Renaming { old, new } in items {
        if renamings.values().any(|known| known == old) {
            return Err(MoveError::Twice(old.clone()));
        }
        if renamings.insert(new.clone(), old.clone()).is_some() {
            return Err(MoveError::Twice(new.clone()));
        }
    }
    Ok(renamings)
}

/// The items under their new names.
fn renamed(items: BTreeMap<ItemName, NewItem>, renamings: &Renamings) -> BTreeMap<ItemName, NewItem> {
    let new_name = |name: ItemName| {
        let renaming = renamings.iter().find(|(_, old)| **old == name);
        renaming.map_or(name, |(new, _)| new.clone())
    };
    items.into_iter().map(|(name, item)| (new_name(name), item)).collect()
}

/// What to do without a key.
fn recipe(
    args: &MoveArgs,
    sealed: &Changeable,
    is_bound: bool,
    renamings: &Renamings,
    new: &ObjectName,
) -> String {
    let file = args.file.to_string_lossy();
    let file = pasted::path(&file);
    match renamings.iter().next() {
        Some((new, old)) if !is_bound => format!("seal set {file} {new}, then seal rm {file} {old}"),
        // The file says the new place already.
        None if args.from.is_some() => {
            let prompts = sealed.lines().keys().map(|item| format!(" --prompt {}", pasted::word(item)));
            format!("seal set {file}{}", prompts.collect::<String>())
        }
        _ => {
            let namespace = new.namespace.as_ref().map(|namespace| format!(" -n {namespace}"));
            format!("seal create {}{} --prompt ITEM", new.name, namespace.unwrap_or_default())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_item_has_one_new_name_and_a_name_one_item() {
        let renaming = |text: &str| text.parse::<Renaming>().unwrap();
        assert_eq!(renamings(&[renaming("a=b"), renaming("c=d")]).unwrap().len(), 2);
        assert!(renamings(&[renaming("a=b"), renaming("a=c")]).is_err());
        assert!(renamings(&[renaming("a=c"), renaming("b=c")]).is_err());
    }

    #[test]
    fn an_argument_that_is_no_renaming_is_not_repeated() {
        for text in ["hunter2", "a=hunter2!", "hunter2!=a", "hunter2=hunter2", "=a"] {
            let error = text.parse::<Renaming>().unwrap_err();
            assert!(!error.to_string().contains("hunter2"), "{error}");
        }
    }
}

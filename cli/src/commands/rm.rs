//! `seal rm FILE ITEM…`: items go from the file of a SealedSecret, with the envelopes that no other item uses.
//!
//! Invariant: an item that the template uses stays, because every reader would refuse the object without it.

use std::collections::BTreeSet;

use seal_crds::ItemName;
use seal_documents::manifest::{Manifest, edit};

use super::{choose, list};
use crate::args::RmArgs;
use crate::files::input::Input;
use crate::files::output::{self, Replacement};
use crate::objects::change::{self, Changeable};
use crate::talk::exit::Exit;
use crate::talk::failure::Failure;
use crate::talk::terminal;

pub(super) fn run(args: &RmArgs) -> Result<Exit, Failure> {
    let source = Input::File(args.file.clone()).read()?;
    let manifest = Manifest::parse(&source)?;
    let object = change::find(&manifest, args.object.as_deref())?;
    let items: BTreeSet<ItemName> = args.items.iter().cloned().collect();
    let namespace = match &args.namespace {
        Some(flag) => Some(flag.clone()),
        None if change::names_namespace(&manifest, object) => None,
        None => choose::rule_of(&args.file)?.namespace(None)?,
    };
    let sealed = Changeable::read(&manifest, object, namespace.as_ref())?;
    let change = sealed.remove(&manifest, object, &items)?;
    let edited = edit(&manifest, &[change.edits]).map_err(|error| manifest.locate(error))?;
    let (old, new) = (source.text().as_bytes(), edited.text.as_bytes());
    output::replace_files(&[Replacement { path: &args.file, old, new }])?;
    for at in edited.lost_comments {
        terminal::warn("a comment is left out with what it stood at", Some(&manifest.spot(at)));
    }
    output::report([format!("{}: {} removed", args.file.display(), list(&items))])?;
    Ok(Exit::Done)
}

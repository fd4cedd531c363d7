//! `seal [FILE…]`: every Secret in the input becomes a SealedSecret.
//!
//! Invariant: the command reads and checks all input before it asks a cluster for recipients, and seals
//! everything before it writes anything.

mod directories;
mod history;
mod inventory;
mod join;
mod name;
mod pieced;
mod unchanged;

use std::path::{Path, PathBuf};

use seal_crds::Scope;
use seal_documents::manifest::{Manifest, Object, splice};
use seal_documents::source::Source;
use seal_documents::yaml::Syntax;
use seal_documents::yaml::written::Written;

use super::again;
use super::choose::{self, Chooser, Ruled};
use super::counted;
use crate::args::intent::{self, Destination};
use crate::args::{self, SealArgs};
use crate::files::input::Input;
use crate::files::output::{self, Replacement};
use crate::objects::name::ObjectName;
use crate::objects::sealing::{self, Sealer};
use crate::talk::exit::Exit;
use crate::talk::failure::Failure;
use crate::talk::signals::Run;
use crate::talk::terminal;
use directories::Expanded;
use inventory::{Inventory, SecretToSeal};

/// The text that goes to the destination.
enum Results {
    /// One text for each input.
    Files(Vec<String>),
    /// One text for each input, which go to the file of `-o` together, with what that file had.
    Joined { texts: Vec<String>, there: Option<Source> },
    /// One text for all inputs: the file of `-o` with its changes, and what it had.
    Whole { text: String, there: Option<Source> },
}

pub(super) fn run(args: SealArgs) -> Result<Exit, Failure> {
    if args.files.is_empty() && terminal::stdin_is_terminal() && terminal::stdout_is_terminal() {
        args::reference::help(&[])?;
        return Ok(Exit::Done);
    }
    let Expanded { files, skipped } = directories::expand(&args.files)?;
    let inputs = intent::inputs(&files)?;
    let destination = intent::destination(&args, &inputs)?;
    let (mut chooser, flags) = choose::chooser(&args.sealing)?;
    let stdin = inputs.iter().filter(|input| **input == Input::Stdin).count();
    again::check(&args.keep, args.sealing.seal_format, &destination, stdin)?;

    let sources = inputs.iter().map(Input::read).collect::<Result<Vec<Source>, Failure>>()?;
    let manifests = sources.iter().map(Manifest::parse).collect::<Result<Vec<_>, _>>()?;
    let targets = targets(&args, &inputs, &destination, &mut chooser)?;
    let mut inventory = Inventory::find(&args, &manifests, &targets)?;
    let results = if inventory.settle(&args)? {
        let keeper = again::keeper(&args.keep, args.sealing.seal_format)?;
        // A file without a Secret needs no recipients, and its rule may forbid to seal.
        let sealed = targets.iter().zip(&inventory.to_seal).filter(|(_, to_seal)| !to_seal.is_empty());
        let sealed: Vec<_> = sealed.map(|(target, _)| (&target.ruled, target.scope)).collect();
        let mut sealers = chooser.sealers(&flags, &sealed)?.into_iter();
        let sealers =
            inventory.to_seal.iter().map(|to_seal| if to_seal.is_empty() { None } else { sealers.next() });
        let sealers: Vec<Option<Sealer>> = sealers.collect();
        match keeper {
            Some(keeper) => {
                unchanged::seal(&destination, &inputs, &manifests, inventory.to_seal, &sealers, &keeper)?
            }
            None => Results::Files(seal_manifests(&manifests, inventory.to_seal, &sealers)?),
        }
    } else {
        Results::Files(sources.iter().map(|source| source.text().to_owned()).collect())
    };
    let changed = write(&destination, &inputs, &manifests, results)?;
    if let (Destination::InPlace, Some(skipped)) = (&destination, skipped) {
        let (sealed, unchanged) = (counted(changed, "file"), inputs.len() - changed);
        terminal::note(&format!("{sealed} sealed, {unchanged} left unchanged, {skipped} skipped"));
    }
    Ok(Exit::Done)
}

/// Where the Secrets of an input go, by the rules.
struct Target {
    ruled: Ruled,
    scope: Scope,
}

/// The target of each input: the file of `--for`, else that of `-o`, else the input itself.
fn targets(
    args: &SealArgs,
    inputs: &[Input],
    destination: &Destination,
    chooser: &mut Chooser,
) -> Result<Vec<Target>, Failure> {
    let target = |input: &Input| {
        let path = match (&args.destined, destination, input) {
            (Some(path), _, _) | (None, Destination::File(path), _) => Some(path),
            (None, _, Input::File(path)) => Some(path),
            (None, _, Input::Stdin) => None,
        };
        let ruled = chooser.ruled(path.map(PathBuf::as_path))?;
        let scope = ruled.scope(args.sealing.scope)?;
        Ok(Target { ruled, scope })
    };
    inputs.iter().map(target).collect()
}

/// The texts of the files, sealed. A signal ends the program after the file in hand: nothing is written yet.
fn seal_manifests(
    manifests: &[Manifest<'_>],
    to_seal: Vec<Vec<SecretToSeal<'_>>>,
    sealers: &[Option<Sealer>],
) -> Result<Vec<String>, Failure> {
    let run = Run::new("file", manifests.len());
    let mut texts = Vec::new();
    for ((manifest, to_seal), sealer) in manifests.iter().zip(to_seal).zip(sealers) {
        texts.push(match sealer {
            Some(sealer) => seal_manifest(manifest, to_seal, sealer)?,
            None => manifest.source.text().to_owned(),
        });
        if run.is_stopped() {
            break;
        }
    }
    run.settle(0);
    Ok(texts)
}

fn seal_manifest(
    manifest: &Manifest<'_>,
    to_seal: Vec<SecretToSeal<'_>>,
    sealer: &Sealer,
) -> Result<String, Failure> {
    let mut sealed: Vec<(&Object, Written)> = Vec::new();
    for SecretToSeal { object, secret, object_name } in to_seal {
        let value = sealer.seal(secret, &object_name)?;
        warn_of_size(&object_name, &value);
        sealed.push((object, value));
    }
    replace(manifest, sealed.iter().map(|(object, value)| (*object, value)))
}

fn warn_of_size(object_name: &ObjectName, value: &Written) {
    if sealing::is_too_large_to_apply(value) {
        let warning =
            format!("{object_name} is too large for kubectl apply; use kubectl apply --server-side");
        terminal::warn(&warning, None);
    }
}

/// The manifest with each Secret replaced by its SealedSecret.
fn replace<'o>(
    manifest: &Manifest<'_>,
    sealed: impl Iterator<Item = (&'o Object, &'o Written)>,
) -> Result<String, Failure> {
    let replacements: Vec<_> = sealed.collect();
    let spliced = splice(manifest, &replacements).map_err(|error| manifest.locate(error))?;
    if spliced.dropped_comments > 0 {
        let (count, name) = (spliced.dropped_comments, &manifest.source.name);
        let comments = if count == 1 { "1 comment" } else { &format!("{count} comments") };
        terminal::warn(
            &format!("{comments} inside of Secrets left out of {name}: a comment isn't sealed"),
            None,
        );
    }
    Ok(spliced.text)
}

/// Writes the results, and returns how many files were changed in place.
fn write(
    destination: &Destination,
    inputs: &[Input],
    manifests: &[Manifest<'_>],
    results: Results,
) -> Result<usize, Failure> {
    let (results, there) = match results {
        Results::Files(results) => (results, None),
        Results::Joined { texts, there } => (texts, there),
        Results::Whole { text, there } => {
            return again::write(destination, &text, there.as_ref()).map(|()| 0);
        }
    };
    if *destination == Destination::InPlace {
        let changed = inputs.iter().zip(manifests).zip(&results);
        let files: Vec<Replacement<'_>> = changed
            .filter(|((_, manifest), result)| manifest.source.text() != result.as_str())
            .filter_map(|((input, manifest), result)| match input {
                Input::File(path) => {
                    Some(Replacement { path, old: manifest.source.text().as_bytes(), new: result.as_bytes() })
                }
                Input::Stdin => None,
            })
            .collect();
        output::replace_files(&files)?;
        let sealed: Vec<&Path> = files.iter().map(|file| file.path).collect();
        history::warn(&sealed);
        return Ok(sealed.len());
    }
    let syntaxes: Vec<Syntax> = manifests.iter().map(|manifest| manifest.syntax).collect();
    let text = join::join(results.iter().map(String::as_str).zip(syntaxes));
    again::write(destination, &text, there.as_ref()).map(|()| 0)
}

//! What stands already where the results go, for sealing again without a change.
//!
//! The destination is the file of `-o`, or, for `-w`, the version of each file in Git: its plaintext has just replaced the
//! sealed file there, so the index, else HEAD, has what was sealed last. Standard output has nothing to compare with. If
//! the destination has the same objects in the same order, it is edited where it stands: comments, order and layout stay.
//! Else the result is written anew, and unchanged items in it are still those of the destination. For `-w`, so it is too if
//! the input has a comment that Git doesn't have: the input is the user's own text, and nothing typed there is lost.
//!
//! Invariant: a destination that can't be read as a manifest is no error; it is replaced, as it is without these flags.

use std::ops::Range;
use std::path::{Path, PathBuf};

use seal_documents::manifest::{Kind, Manifest, Object, edit};
use seal_documents::source::Source;
use zeroize::Zeroizing;

use crate::args::intent::{Destination, IntentError};
use crate::args::{KeepArgs, SealFormat};
use crate::files::git::{Content, Repository};
use crate::files::input::Input;
use crate::files::output::{self, Privacy, Replacement};
use crate::keys::identities;
use crate::objects::keeping::{Again, Current, Keeper};
use crate::objects::outline::mentions_sealed_secret;
use crate::objects::remembered::Store;
use crate::talk::exit::Exit;
use crate::talk::failure::{Explain, Failure, Rule};
use crate::talk::terminal;

#[derive(Debug, thiserror::Error)]
enum AgainError {
    #[error("-i is for the native format")]
    Bitnami,
    #[error("-i compares with what is sealed already, and standard output has nothing")]
    Stdout,
}

impl Explain for AgainError {
    fn rule(&self) -> Rule {
        Rule::Usage
    }

    fn exit(&self) -> Exit {
        Exit::Usage
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Bitnami => "a SealedSecret of bitnami.com is sealed anew each time".to_owned(),
            Self::Stdout => {
                "write to the file with -o, or replace the files with -w; seal unseal opens what is sealed"
                    .to_owned()
            }
        })
    }
}

/// Checks the flags, before any input is read. `stdin` is how often something else reads standard input.
pub(super) fn check(
    args: &KeepArgs,
    format: SealFormat,
    destination: &Destination,
    stdin: usize,
) -> Result<(), Failure> {
    if args.identities.is_empty() {
        return Ok(());
    }
    if format == SealFormat::Bitnami {
        return Err(AgainError::Bitnami.into());
    }
    if *destination == Destination::Stdout {
        return Err(AgainError::Stdout.into());
    }
    let identities = args.identities.iter().filter(|path| path.as_os_str() == "-");
    if identities.count() + stdin > 1 {
        return Err(IntentError::StdinTwice.into());
    }
    Ok(())
}

/// The knowledge that the flags give; `None` if they ask for none, and every value is sealed anew.
///
/// A store that can't be used costs a warning, because without it everything is sealed, only anew.
pub(super) fn keeper(args: &KeepArgs, format: SealFormat) -> Result<Option<Keeper>, Failure> {
    // A SealedSecret of bitnami.com is always sealed anew, whatever the environment says about remembering.
    if format == SealFormat::Bitnami {
        return Ok(None);
    }
    let mut keeper = Keeper::default();
    if !args.identities.is_empty() {
        let inputs: Vec<Input> = args.identities.iter().map(|path| Input::from_arg(path)).collect();
        keeper.keys = Some(identities::read(&inputs)?);
    }
    if args.remember {
        match Store::open() {
            Ok(store) => {
                if store.unread > 0 {
                    let lines = if store.unread == 1 { "1 line" } else { &format!("{} lines", store.unread) };
                    terminal::warn(
                        &format!("{lines} of the remembered fingerprints can't be read, and will go"),
                        None,
                    );
                }
                keeper.store = Some(store);
            }
            Err(error) => terminal::warn(&format!("nothing is remembered: {error}"), None),
        }
    }
    Ok((keeper.keys.is_some() || keeper.store.is_some()).then_some(keeper))
}

/// The text of the file that `-o` replaces, if there is one that may have SealedSecrets.
pub(super) fn in_file(path: &Path) -> Option<Source> {
    // A pipe or a device has nothing to compare with, and reading it would wait.
    if !std::fs::metadata(path).is_ok_and(|found| found.is_file()) {
        return None;
    }
    Input::File(path.to_owned()).read().ok().filter(|source| mentions_sealed_secret(source.text()))
}

/// Writes one text. A file that has it already isn't touched, so that it stays as new as it is to make and its kind.
///
/// `there` is what the file had when the text was made of it; if it has something else by now, it stays as it is.
pub(super) fn write(destination: &Destination, text: &str, there: Option<&Source>) -> Result<(), Failure> {
    let Destination::File(path) = destination else { return output::to_stdout(text.as_bytes()) };
    match there {
        None if in_file(path).is_some_and(|now| now.text() == text) => Ok(()),
        None => Ok(output::to_files(&[(path, text.as_bytes())], Privacy::Public)?),
        Some(there) if there.text() == text => Ok(()),
        Some(there) => {
            let (old, new) = (there.text().as_bytes(), text.as_bytes());
            Ok(output::replace_files(&[Replacement { path, old, new }])?)
        }
    }
}

/// For each input, its version in Git with SealedSecrets: that of the index, else that of HEAD. Git is asked about all
/// files at once.
pub(super) fn in_git(inputs: &[Input]) -> Vec<Option<Source>> {
    let mut found: Vec<Option<Source>> = inputs.iter().map(|_| None).collect();
    let paths: Vec<(usize, &PathBuf)> = inputs
        .iter()
        .enumerate()
        .filter_map(|(index, input)| match input {
            Input::File(path) => Some((index, path)),
            Input::Stdin => None,
        })
        .collect();
    let Some((_, first)) = paths.first() else { return found };
    let directory = first.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // Outside of Git, or in a repository that git refuses to read, there is nothing to compare with.
    let Ok(Some(repository)) = Repository::find(directory) else { return found };
    let within: Vec<(usize, PathBuf)> =
        paths.iter().filter_map(|(index, path)| Some((*index, repository.path_within(path).ok()?))).collect();
    let mut keep = |index: usize, name: &str, content: Content| {
        let Content::Bytes(bytes) = content else { return };
        let Ok(text) = String::from_utf8(bytes) else { return };
        if found[index].is_none() && mentions_sealed_secret(&text) {
            found[index] =
                Some(Source::new(format!("{} in {name}", inputs[index].name()), Zeroizing::new(text)));
        }
    };
    if let Ok(staged) = repository.index() {
        let entries: Vec<_> = within
            .iter()
            .filter_map(|(index, path)| {
                Some((*index, staged.entries.iter().find(|entry| entry.path == *path)?))
            })
            .collect();
        let wanted: Vec<_> = entries.iter().map(|(_, entry)| *entry).collect();
        let _ = repository.read_entries(&wanted, |at, content| keep(entries[at].0, "the index", content));
    }
    if let Some(head) = repository.head() {
        let wanted: Vec<&Path> = within.iter().map(|(_, path)| path.as_path()).collect();
        for ((index, _), content) in
            within.iter().zip(repository.files_at(&head, &wanted).unwrap_or_default())
        {
            content.into_iter().for_each(|content| keep(*index, "HEAD", content));
        }
    }
    found
}

/// Whether the destination has the same objects in the same order, so that it can be edited where it stands.
///
/// `results` are the objects of the input: a Secret that was sealed, with the object that it is there, or an object that
/// passes through, which has to stand there word for word.
pub(super) fn agrees(results: &[Part<'_>], present: &Manifest<'_>) -> bool {
    // Git may have changed the line ends.
    let text = |manifest: &Manifest<'_>, object: &Object| {
        manifest.source.text()[manifest.tree(object).range(object.node)].trim_end().replace("\r\n", "\n")
    };
    results.len() == present.objects.len()
        && results.iter().zip(&present.objects).all(|(part, there)| match part {
            Part::Sealed(Some(current), _) => std::ptr::eq(current.object, there),
            Part::Sealed(None, _) => false,
            Part::Passed(manifest, object) => {
                there.kind != Kind::Secret && text(manifest, object) == text(present, there)
            }
        })
}

/// Whether Git's text has every comment that stands outside of the objects of an input, and no other round the objects that
/// pass through; so that no comment is lost that was typed since. Comments round a Secret may be more: the plaintext comes
/// from somewhere else as a rule, without them.
pub(super) fn has_comments(results: &[Part<'_>], input: &Manifest<'_>, present: &Manifest<'_>) -> bool {
    let all = |manifest: &Manifest<'_>| comments(manifest, 0..manifest.source.text().len());
    let is_passed = |part: &Part<'_>| matches!(part, Part::Passed(..));
    is_within(&all(input), &all(present))
        && results.iter().zip(&input.objects).zip(&present.objects).all(|((part, object), there)| {
            !is_passed(part) || comments_of(input, object) == comments_of(present, there)
        })
}

/// The comments of the document of an object, outside of objects.
fn comments_of(manifest: &Manifest<'_>, object: &Object) -> Vec<String> {
    comments(manifest, manifest.tree(object).body.clone())
}

/// Whether all of these comments stand among the others, in their order.
fn is_within(comments: &[String], others: &[String]) -> bool {
    let mut others = others.iter();
    comments.iter().all(|comment| others.any(|other| other == comment))
}

/// The comments of a part of a manifest, outside of objects. JSON has none.
fn comments(manifest: &Manifest<'_>, part: Range<usize>) -> Vec<String> {
    let text = manifest.source.text();
    let objects = manifest.objects.iter().map(|object| manifest.tree(object).range(object.node));
    let mut objects: Vec<Range<usize>> =
        objects.filter(|range| range.start >= part.start && range.end <= part.end).collect();
    objects.sort_by_key(|range| range.start);
    objects.push(part.end..part.end);
    let (mut found, mut from) = (Vec::new(), part.start);
    for object in objects {
        let outside = text.get(from..object.start).unwrap_or_default();
        found
            .extend(outside.lines().filter_map(|line| line.find('#').map(|at| line[at..].trim().to_owned())));
        from = from.max(object.end);
    }
    found
}

/// One object of a result.
pub(super) enum Part<'m> {
    /// A Secret that was sealed, with the object that it is in the destination.
    Sealed(Option<Current<'m>>, &'m Again),
    /// An object that passes through.
    Passed(&'m Manifest<'m>, &'m Object),
}

/// The destination with the objects that changed; its own text if none did. `None` if it can't be edited where it
/// stands.
pub(super) fn edited(results: &[Part<'_>], present: &Manifest<'_>) -> Option<String> {
    if !agrees(results, present) {
        return None;
    }
    let edits: Vec<_> = results
        .iter()
        .filter_map(|part| match part {
            Part::Sealed(Some(current), again) => current.edits(again),
            Part::Sealed(None, _) | Part::Passed(..) => None,
        })
        .collect();
    if edits.is_empty() {
        return Some(present.source.text().to_owned());
    }
    let edited = edit(present, &edits).ok()?;
    for at in edited.lost_comments {
        terminal::warn("this comment goes with the part that it stands in", Some(&present.spot(at)));
    }
    Some(edited.text)
}

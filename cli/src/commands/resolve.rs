//! `seal resolve FILE [--take SIDE] [ITEM…]`: settles conflicts of SealedSecrets, and drops the envelopes that go with it.
//!
//! ```text
//! noted      the versions that git noted, merged item by item, where git merged lines
//! resolve    the choice of a side, for what is left ([`objects::resolve`](crate::objects::resolve))
//! removed    what a side has and the result hasn't
//! ```
//! Invariants: the file is written only if what comes out can be read, or still has markers; everything else in it stays
//! byte for byte. The exit code is 0 only if every object opens, as far as it shows without a key.

mod noted;
mod removed;

use std::collections::BTreeSet;

use seal_crds::Format;
use seal_crds::native::data_key_of;
use seal_crds::resources::SealedSecretSpec;
use seal_documents::manifest::{Manifest, edit};
use seal_documents::source::{Source, Visible};
use zeroize::Zeroizing;

use crate::args::ResolveArgs;
use crate::commands::counted;
use crate::commands::git::merge;
use crate::files::input::Input;
use crate::files::output::{self, Replacement};
use crate::objects::change;
use crate::objects::conflict::{self, Side};
use crate::objects::outline::{self, Fault, Outline};
use crate::objects::resolve::{self, Choice, ResolveError, Resolved};
use crate::talk::exit::Exit;
use crate::talk::failure::{Explain, Failure, Rule};
use crate::talk::{pasted, terminal};
use noted::{MergedAnew, Noted};

#[derive(Debug, thiserror::Error)]
#[error("{file} can't be settled so")]
struct UnresolvedError {
    file: String,
    source: ResolveError,
    labels: Vec<String>,
    /// Git waits for somebody to add the file.
    is_open: bool,
}

impl Explain for UnresolvedError {
    fn rule(&self) -> Rule {
        Rule::Unresolved
    }

    fn exit(&self) -> Exit {
        match self.source {
            ResolveError::Stray(_) | ResolveError::NotItems | ResolveError::NotOneObject { .. } => {
                Exit::Failure
            }
            _ => Exit::Usage,
        }
    }

    fn hint(&self) -> Option<String> {
        let labels = self.labels.iter().map(|label| seal_foreign::word(label)).collect::<Vec<_>>().join(", ");
        match &self.source {
            ResolveError::NoSuchLabel(_) | ResolveError::SameLabel(_) => {
                Some(format!("the labels after the markers are: {labels}"))
            }
            ResolveError::NoSide => {
                Some(format!("say which: --take ours, --take theirs, or a label after the markers: {labels}"))
            }
            ResolveError::LabelOfTheOther(_) => {
                Some(format!("write the label of the side to keep: {labels}"))
            }
            ResolveError::FileRemoved(_) => {
                let file = pasted::path(&self.file);
                Some(format!("to keep it: git add {file}; to remove it: git rm {file}"))
            }
            ResolveError::NoSuchItem(_) | ResolveError::NotItems => {
                Some("without an item, the whole conflict is settled; an editor settles any other".to_owned())
            }
            ResolveError::NoConflict if self.is_open => {
                Some(format!("if it is right so: git add {}", pasted::path(&self.file)))
            }
            ResolveError::NoConflict => {
                Some("is it another file? git diff --name-only --diff-filter=U lists them".to_owned())
            }
            ResolveError::SeveralObjects { owners, .. } => {
                Some(format!("say which: --object {}", resolve::named(&owners[..1])))
            }
            ResolveError::NoSuchObject { owners, .. } if owners.is_empty() => {
                Some("settle it in an editor, or without --object".to_owned())
            }
            ResolveError::NoSuchObject { owners, .. } => {
                Some(format!("there are conflicts of {}", resolve::named(owners)))
            }
            ResolveError::Stray(_) | ResolveError::NotOneObject { .. } => {
                Some("settle it in an editor".to_owned())
            }
        }
    }
}

pub(super) fn run(args: &ResolveArgs) -> Result<Exit, Failure> {
    let source = Input::File(args.file.clone()).read()?;
    let name = args.file.display().to_string();
    let noted = Noted::of(&args.file)?;
    let anew = match &noted {
        Noted::Versions(sides) => sides.merge(&args.file, source.text(), &args.identities)?,
        _ => None,
    };
    let Settled { taken, items, text, left } = settle(args, &source, &noted, anew.as_ref())?;
    let Tidied { text, dropped, is_right } =
        if left == 0 { tidy(&name, text)? } else { Tidied { text, dropped: Vec::new(), is_right: false } };
    if let Some(MergedAnew { merged, .. }) = &anew {
        merge::warn(&name, merged);
    }
    let (old, new) = (source.text().as_bytes(), text.as_bytes());
    if old != new {
        output::replace_files(&[Replacement { path: &args.file, old, new }])?;
    }
    let mut lines = Vec::new();
    if anew.as_ref().is_some_and(|anew| anew.merged.text != source.text()) {
        lines.push(format!("{name}: merged item by item"));
    }
    if let Some(take) = taken {
        let items = items.into_iter().collect::<Vec<_>>().join(", ");
        let what = if items.is_empty() { "the conflict" } else { &items };
        lines.push(format!("{name}: {what} as in {take}"));
    }
    let removed = removed_from(source.text(), &noted, anew.as_ref(), &text);
    lines.extend(removed.iter().map(|what| format!("{name}: {what}")));
    output::report(lines.into_iter().chain(dropped))?;
    say_next(args, &noted, anew.as_ref().filter(|_| args.take.is_none()), left, is_right);
    Ok(if left == 0 && is_right { Exit::Done } else { Exit::Findings })
}

/// A text whose conflicts are settled as far as they can be.
struct Settled<'a> {
    /// The side that was chosen, if there was something to choose.
    taken: Option<&'a str>,
    items: BTreeSet<String>,
    text: String,
    /// How many conflicts are left.
    left: usize,
}

/// Merges, or takes what was merged anew, and keeps the side that the user chose.
fn settle<'a>(
    args: &'a ResolveArgs,
    source: &Source,
    noted: &Noted,
    anew: Option<&MergedAnew>,
) -> Result<Settled<'a>, Failure> {
    let refused = |error: ResolveError| {
        let at = if let ResolveError::Stray(stray) = &error { Some(stray.at) } else { None };
        let labels = resolve::labels(anew.map_or(source.text(), |anew| &anew.merged.text));
        let is_open = noted.is_open();
        let failure =
            Failure::from(UnresolvedError { file: source.name.clone(), source: error, labels, is_open });
        match at {
            Some(at) => failure.at(source.spot(at, &Visible::default())),
            None => failure,
        }
    };
    if let Noted::Removed(side) = noted {
        return Err(refused(ResolveError::FileRemoved(*side)));
    }
    let text = anew.map_or(source.text(), |anew| &anew.merged.text);
    let is_part = !args.items.is_empty() || args.object.is_some();
    let left = conflict::find(text, resolve::marker_size(text)).map_err(|error| refused(error.into()))?.len();
    if anew.is_some() && (args.take.is_none() || left == 0) && !is_part {
        return Ok(Settled { taken: None, items: BTreeSet::new(), text: text.to_owned(), left });
    }
    if left == 0 {
        return Err(refused(ResolveError::NoConflict));
    }
    let take = args.take.as_deref().ok_or_else(|| refused(ResolveError::NoSide))?;
    let choice = Choice { take, items: &args.items, object: args.object.as_deref() };
    let Resolved { text, items, left } = resolve::resolve(text, &choice).map_err(refused)?;
    Ok(Settled { taken: Some(take), items, text, left })
}

/// What a side has and the result hasn't, as lines.
fn removed_from(before: &str, noted: &Noted, anew: Option<&MergedAnew>, text: &str) -> Vec<String> {
    let both = |text: &str| {
        let size = resolve::marker_size(text);
        [Side::Ours, Side::Theirs].map(|side| conflict::take(text, size, side).unwrap_or_default())
    };
    let labels = anew.map(|anew| anew.labels.clone()).or_else(|| noted::labels_of(before));
    let [ours, theirs] =
        labels.map_or_else(|| ["ours", "theirs"].map(str::to_owned), |labels| [labels.ours, labels.theirs]);
    let taken = both(before);
    let texts = match noted {
        Noted::Versions(sides) => [sides.ours.text(), sides.theirs.text()],
        _ => taken.each_ref().map(String::as_str),
    };
    let sides =
        [removed::Side { text: texts[0], label: &ours }, removed::Side { text: texts[1], label: &theirs }];
    let after = both(text);
    removed::removed(&sides, &after.each_ref().map(String::as_str))
}

/// Says what is left, and what to do next.
fn say_next(args: &ResolveArgs, noted: &Noted, anew: Option<&MergedAnew>, left: usize, is_right: bool) {
    let name = args.file.display().to_string();
    let path = pasted::path(&name);
    if left == 0 {
        if is_right && noted.is_open() {
            terminal::note(&format!("next: git add {path}"));
        }
        return;
    }
    if let Some(MergedAnew { merged, labels }) = anew {
        merge::say_conflicts(&name, labels, &merged.conflicts);
    }
    terminal::note(&format!(
        "{} left in {name}",
        if left == 1 { "1 conflict is".to_owned() } else { format!("{left} conflicts are") }
    ));
    terminal::note(&format!("next: seal resolve {path} --take ours, or --take theirs"));
}

/// A file without conflicts.
struct Tidied {
    text: String,
    /// The envelopes that went, in words.
    dropped: Vec<String>,
    /// Nothing shows that an object wouldn't open.
    is_right: bool,
}

/// Drops the envelopes that no item needs, and says which.
fn tidy(name: &str, text: String) -> Result<Tidied, Failure> {
    let source = Source::new(name.to_owned(), Zeroizing::new(text));
    if !outline::mentions_sealed_secret(source.text()) {
        return Ok(Tidied { text: source.text().to_owned(), dropped: Vec::new(), is_right: true });
    }
    let manifest = Manifest::parse(&source)?;
    let mut edits = Vec::new();
    let mut dropped = Vec::new();
    for outline in outline::read_all(&manifest).iter().filter(|outline| outline.format == Format::Native) {
        let object = &manifest.objects[outline.object];
        // An object that can't be read has a fault, which is said below.
        let (Ok(spec), Ok(Some(tidied))) = (manifest.spec(object), change::tidy(&manifest, object)) else {
            continue;
        };
        dropped.extend(unused(outline, &spec).map(|what| format!("{name}: dropped the envelope {what}")));
        edits.push(tidied.change.edits);
    }
    let text = if edits.is_empty() {
        source.text().to_owned()
    } else {
        edit(&manifest, &edits).map_err(|error| Failure::from(manifest.locate(error)))?.text
    };
    let is_right = !warn_of_faults(name, &text);
    Ok(Tidied { text, dropped, is_right })
}

/// The envelopes without an item, in words.
fn unused<'o>(outline: &'o Outline, spec: &'o SealedSecretSpec) -> impl Iterator<Item = String> + 'o {
    let is_used = |id: &String| spec.encrypted_data.values().any(|line| data_key_of(line) == Some(id));
    let unused = outline.envelopes.iter().filter(move |envelope| !envelope.keys.iter().any(is_used));
    unused.map(|envelope| {
        let keys: Vec<String> = envelope.keys.iter().map(|id| id.chars().take(8).collect()).collect();
        let to: Vec<String> = envelope
            .recipients
            .iter()
            .map(|recipient| recipient.name.clone().unwrap_or_else(|| recipient.fingerprint.short()))
            .collect();
        format!("of {} {}, sealed to {}", counted(keys.len(), "data key"), keys.join(", "), to.join(", "))
    })
}

/// Warns of objects that would not open, and says whether there are any. They are written all the same: the conflict may have
/// been about something else.
fn warn_of_faults(name: &str, text: &str) -> bool {
    let source = Source::new(name.to_owned(), Zeroizing::new(text.to_owned()));
    let Ok(manifest) = Manifest::parse(&source) else { return true };
    let mut found = false;
    for outline in outline::read_all(&manifest) {
        let why = match &outline.fault {
            None => continue,
            Some(Fault::Refused(error)) => error.to_string(),
            Some(Fault::Unread(failure)) => failure.facts.join(": "),
        };
        let warning = format!("{} will not open: {why}", outline.object_name);
        terminal::warn(&warning, Some(&manifest.spot(outline.at)));
        found = true;
    }
    found
}

//! `seal resolve FILE --take LABEL [ITEM…]`: settles conflicts of SealedSecrets, and drops the envelopes that go with it.
//!
//! [`objects::resolve`](crate::objects::resolve) decides about the text. Invariants: the file is written only if what
//! comes out can be read, or still has markers; everything else in it stays byte for byte. The exit code is 0 only if every
//! object opens, as far as it shows without a key.

use seal_crds::Format;
use seal_crds::native::data_key_of;
use seal_crds::resources::SealedSecretSpec;
use seal_documents::manifest::{Manifest, edit};
use seal_documents::source::{Source, Visible};
use zeroize::Zeroizing;

use crate::args::ResolveArgs;
use crate::commands::counted;
use crate::files::input::Input;
use crate::files::output::{self, Replacement};
use crate::objects::change;
use crate::objects::outline::{self, Fault, Outline};
use crate::objects::resolve::{self, Choice, ResolveError, Resolved};
use crate::talk::exit::Exit;
use crate::talk::failure::{Explain, Failure, Rule};
use crate::talk::terminal;

#[derive(Debug, thiserror::Error)]
#[error("{file} can't be settled so")]
struct UnresolvedError {
    file: String,
    source: ResolveError,
    labels: Vec<String>,
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
            ResolveError::NoSuchItem(_) | ResolveError::NotItems => {
                Some("without an item, the whole conflict is settled; an editor settles any other".to_owned())
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
    let choice = Choice { take: &args.take, items: &args.items, object: args.object.as_deref() };
    let resolved = resolve::resolve(source.text(), &choice).map_err(|error| {
        let at = if let ResolveError::Stray(stray) = &error { Some(stray.at) } else { None };
        let labels = resolve::labels(source.text());
        let failure = Failure::from(UnresolvedError { file: name.clone(), source: error, labels });
        match at {
            Some(at) => failure.at(source.spot(at, &Visible::default())),
            None => failure,
        }
    })?;
    let Resolved { text, items, left } = resolved;
    let Tidied { text, dropped, is_right } =
        if left == 0 { tidy(&name, text)? } else { Tidied { text, dropped: Vec::new(), is_right: false } };
    let (old, new) = (source.text().as_bytes(), text.as_bytes());
    output::replace_files(&[Replacement { path: &args.file, old, new }])?;
    let what = if items.is_empty() {
        "the conflict".to_owned()
    } else {
        items.into_iter().collect::<Vec<_>>().join(", ")
    };
    output::report(std::iter::once(format!("{name}: {what} as in {}", args.take)).chain(dropped))?;
    if left == 0 {
        return Ok(if is_right { Exit::Done } else { Exit::Findings });
    }
    terminal::note(&format!(
        "{} left in {name}",
        if left == 1 { "1 conflict is".to_owned() } else { format!("{left} conflicts are") }
    ));
    Ok(Exit::Findings)
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

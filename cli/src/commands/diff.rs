//! `seal diff`: what changed between two states of a repository, or what one of two files lacks, in words.
//!
//! [`objects::difference`](crate::objects::difference) decides. Invariants: no value is printed, with an identity neither;
//! what can't be read is named, and never passed over as unchanged.

mod appearance;
mod files;
mod former;
mod meaning;
mod rules;
mod silenced;

use seal_crds::keys::Keyring;
use seal_documents::manifest::{Manifest, Object};
use seal_documents::source::Source;
use serde::Serialize;

use crate::args::{DiffArgs, DiffFormat};
use crate::commands::counted;
use crate::files::input::Input;
use crate::files::output;
use crate::keys::identities;
use crate::objects::difference::{Beside, ObjectChange, Open, Seen, Snapshot, beside, differences};
use crate::objects::sealed::open_wherever;
use crate::talk::exit::Exit;
use crate::talk::failure::Failure;
use crate::talk::terminal;
use files::States;
use meaning::Meaning;

/// The changes for programs.
#[derive(Serialize)]
struct Report<'r, C> {
    version: u32,
    changes: &'r [C],
}

/// The comparison of two files for programs.
#[derive(Serialize)]
struct BesideReport<'r> {
    version: u32,
    facts: &'r [String],
}

pub(super) fn run(args: &DiffArgs) -> Result<Exit, Failure> {
    let meaning = Meaning::of(args)?;
    let inputs: Vec<Input> = args.identities.iter().map(|path| Input::from_arg(path)).collect();
    let keys = if inputs.is_empty() { None } else { Some(identities::read(&inputs)?) };
    let open = |manifest: &Manifest<'_>, object: &Object| open_wherever(manifest, object, keys.as_ref()?);
    let is_different = match meaning {
        Meaning::Files { one, other } => {
            let (one, other) = (Input::File(one).read()?, Input::File(other).read()?);
            print_beside(args, &file(&one, &open)?, &file(&other, &open)?)?
        }
        Meaning::States { repository, old, new, paths } => {
            // First whom is sealed to from now on, then what was sealed.
            let told = rules::changes(&repository, &old, &new);
            let silenced = silenced::changes(&repository, &old, &new)?;
            let looks = appearance::changes(&repository, &old, &new, &paths)?;
            let states = files::read(&repository, &old, &new, &paths, &open)?;
            let States { mut before, mut after, unchanged, unread } = states;
            rules::name_recipients(&repository, &old, &mut [&mut before, &mut after]);
            former::note(&repository, &old, &before, &mut after)?;
            unread.iter().for_each(|what| terminal::warn(what, None));
            let silenced = Vec::from_iter(silenced);
            let changed = differences(&before, &after, &unchanged);
            let is_told = print_changes(args, &[told, silenced, looks, changed].concat())?;
            warn_of_unopened(keys.as_ref(), &before, &after);
            is_told || !unread.is_empty()
        }
    };
    Ok(if args.exit_code && is_different { Exit::Findings } else { Exit::Done })
}

/// A file that is named has to be one of Secrets.
fn file(source: &Source, open: &Open<'_>) -> Result<Snapshot, Failure> {
    // Says why it can't be read, and where.
    Manifest::parse(source)?;
    Ok(Snapshot::read(&source.name, source, open))
}

fn print_beside(args: &DiffArgs, one: &Snapshot, other: &Snapshot) -> Result<bool, Failure> {
    let Beside { lines, is_different } = beside(one, other);
    match args.format {
        DiffFormat::Text => output::report(&lines)?,
        DiffFormat::Json => print_json(&BesideReport { version: 1, facts: &lines })?,
    }
    if args.format == DiffFormat::Text && !is_different {
        terminal::note(if args.identities.is_empty() {
            "both have the same items"
        } else {
            "both have the same items and values"
        });
    }
    Ok(is_different)
}

fn print_changes(args: &DiffArgs, told: &[ObjectChange]) -> Result<bool, Failure> {
    match args.format {
        DiffFormat::Text => output::report(told.iter().flat_map(ObjectChange::lines))?,
        DiffFormat::Json => {
            let changes: Vec<_> = told.iter().flat_map(ObjectChange::json).collect();
            print_json(&Report { version: 1, changes: &changes })?;
        }
    }
    Ok(!told.is_empty())
}

fn print_json(report: &impl Serialize) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(report).expect("texts and numbers can be written as JSON");
    output::to_stdout((text + "\n").as_bytes())
}

/// With an identity that doesn't open everything, a change without a word about the value could be taken for more than it
/// is.
fn warn_of_unopened(keys: Option<&Keyring>, before: &[Snapshot], after: &[Snapshot]) {
    if keys.is_none() {
        return;
    }
    let objects = before.iter().chain(after).flat_map(|snapshot| &snapshot.objects);
    let unopened = objects.filter(|seen| matches!(seen, Seen::Sealed { opened: None, .. })).count();
    if unopened > 0 {
        let objects = counted(unopened, "SealedSecret");
        terminal::warn(
            &format!("{objects} can't be opened with the identities given, so their values aren't compared"),
            None,
        );
    }
}

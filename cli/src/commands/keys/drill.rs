//! `seal keys drill DIR -i IDENTITY [PATH…]`: would the backups open everything that is in the repository?
//!
//! Each backup is opened once, by whatever identity fits, and every SealedSecret of the work tree with the keys that
//! were in the backups. [`public`] checks what can be checked without an identity. Invariants: nothing is written, no
//! cluster is asked, and no value is printed. An identity that needs a touch needs one for each backup, however many
//! files there are.

mod public;

use std::collections::BTreeMap;

use seal_crds::keys::{Fingerprint, Keyring};
use seal_documents::manifest::{Kind, Manifest};

use crate::args::DrillArgs;
use crate::args::intent::IntentError;
use crate::commands::counted;
use crate::files::input::Input;
use crate::files::output;
use crate::files::repository::{
    self, FileFound, FilesFound, Interest, Line, Lines, NothingSealed, Task, on_all_cores,
};
use crate::keys::backups::{self, BackupFile};
use crate::keys::{identities, recipients};
use crate::objects::sealed::{self, Extent, Parsed};
use crate::talk::exit::Exit;
use crate::talk::failure::{Explain, Failure, Rule};
use crate::talk::progress::Progress;
use crate::talk::terminal;

#[derive(Debug, thiserror::Error)]
enum DrillError {
    #[error("{0} has no backup in it (64 hexadecimal digits and .age)")]
    NoBackups(String),
    #[error("no pins list this key")]
    NotListed,
}

impl Explain for DrillError {
    fn rule(&self) -> Rule {
        Rule::BadBackup
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::NoBackups(_) => Some("seal keys backup -o DIR copies them from the cluster".to_owned()),
            Self::NotListed => None,
        }
    }
}

/// What the SealedSecrets of one file came to.
#[derive(Default)]
struct Tried {
    /// A line for each that doesn't open.
    failures: Vec<Line>,
    /// The keys that opened each of the others.
    opened: Vec<Vec<Fingerprint>>,
}

pub(super) fn run(args: &DrillArgs) -> Result<Exit, Failure> {
    if args.public {
        return public::run(args);
    }
    let inputs: Vec<Input> = args.identities.iter().map(|path| Input::from_arg(path)).collect();
    if inputs.iter().filter(|input| **input == Input::Stdin).count() > 1 {
        return Err(IntentError::StdinTwice.into());
    }
    let pins = recipients::load(&args.recipients)?.pins;
    let recovery = identities::read(&inputs)?;
    let FilesFound { files, failures, .. } = repository::files(&args.paths, interest)?;

    let paths = backups::paths_in(&args.backups)?;
    if paths.is_empty() {
        return Err(DrillError::NoBackups(args.backups.display().to_string()).into());
    }
    let mut report = Vec::new();
    let mut keys = Keyring::default();
    let progress = Progress::new("opening backups", paths.len());
    for path in &paths {
        let opened = BackupFile::read(path).map_err(Failure::from).and_then(|file| {
            if !args.recipients.is_empty() && !pins.lists(&file.fingerprint) {
                return Err(DrillError::NotListed.into());
            }
            Ok(file.open(&recovery)?)
        });
        match opened {
            Ok(key) => {
                keys.insert(key.identity);
            }
            Err(failure) => report.push(said(&path.display().to_string(), &failure)),
        }
        progress.step();
    }
    drop(progress);
    let backups = keys.fingerprints().collect::<Vec<_>>();
    for key in recovery.into_rsa_keys() {
        keys.insert_rsa_key(key);
    }

    report.extend(failures.iter().map(|failure| failure.facts.join(": ")));
    let tried =
        on_all_cores(Task::new("opening SealedSecrets", "file"), files, |file| try_all(&file, args, &keys));
    let mut lines = Vec::new();
    let mut used: BTreeMap<Fingerprint, usize> = BTreeMap::new();
    let mut opened = 0;
    for tried in tried {
        lines.extend(tried.failures);
        opened += tried.opened.len();
        tried.opened.into_iter().flatten().for_each(|key| *used.entry(key).or_default() += 1);
    }
    lines.sort();
    report.extend(lines.into_iter().map(|line| line.text));
    let failed = report.len();
    if failed + opened == 0 {
        return Err(NothingSealed::in_paths(&args.paths).into());
    }
    report.extend(backups.iter().map(|key| {
        format!(
            "{}: opens; {} opened with it",
            key.short(),
            counted(used.get(key).copied().unwrap_or_default(), "SealedSecret")
        )
    }));
    output::report(&report)?;
    let opened = counted(opened, "SealedSecret");
    if failed == 0 {
        terminal::note(&format!("{} and {opened} open", counted(backups.len(), "backup")));
        return Ok(Exit::Done);
    }
    terminal::note(&format!(
        "{} and {opened} open; {}",
        counted(backups.len(), "backup"),
        counted(failed, "problem")
    ));
    Ok(Exit::Findings)
}

/// The line about a patch with items. No file has the whole object.
const PATCH_WITH_ITEMS: &str =
    "not opened: it is a patch with items, which open only in the object that it patches";

/// The interest of this command in a file: it may have SealedSecrets of either format.
fn interest(text: &str) -> Interest {
    let is_sealed = text.contains("SealedSecret");
    let is_ours = ["sealing.dev/", "bitnami.com/"].iter().any(|group| text.contains(group));
    if is_sealed && is_ours { Interest::Wanted } else { Interest::None }
}

/// Opens every SealedSecret of a file. The values are wiped at once.
fn try_all(file: &FileFound, args: &DrillArgs, keys: &Keyring) -> Tried {
    let mut tried = Tried::default();
    let source = &file.source;
    let lines = Lines::new(source);
    let manifest = match Manifest::parse(source) {
        Ok(manifest) => manifest,
        Err(error) if file.must_be_read => {
            let failure = Failure::from(error);
            tried.failures.push(lines.line(0, &failure.facts.join(": ")));
            return tried;
        }
        Err(_) => return tried,
    };
    for object in manifest.objects.iter().filter(|object| object.kind == Kind::SealedSecret) {
        let at = manifest.tree(object).range(object.node).start;
        match sealed::format(&manifest, object).map(|format| sealed::extent(&manifest, object, format)) {
            Ok(Extent::Patch) => continue,
            Ok(Extent::PatchWithItems) => {
                tried.failures.push(lines.line(at, PATCH_WITH_ITEMS));
                continue;
            }
            Ok(Extent::Whole) | Err(_) => {}
        }
        let opened = Parsed::new(&manifest, object, args.namespace.as_ref())
            .and_then(|parsed| parsed.open(keys).map_err(Failure::from));
        match opened {
            Ok(opened) => tried.opened.push(opened.unsealed.opened_by),
            Err(failure) => tried.failures.push(lines.line(at, &failure.facts.join(": "))),
        }
    }
    tried
}

/// A line of the report about a file as a whole.
fn said(file: &str, failure: &Failure) -> String {
    let facts = failure.facts.join(": ");
    if facts.starts_with(file) { facts } else { format!("{file}: {facts}") }
}

//! `seal init`: a first `.seal.yaml`, with the keys that it names, for the repository that is there.
//!
//! [`look`](mod@look) finds what is there, [`propose`] the rules that fit, [`recipients`] the keys, [`write`](mod@write) their
//! text, [`report`](mod@report) what to say of it. Invariants: only new files are written, all or none; what is written was
//! read back as rules before, and every object that is there has one.

mod look;
mod propose;
mod recipients;
mod report;
mod write;

use std::path::{Path, PathBuf};

use seal_foreign::word;

use crate::args::InitArgs;
use crate::files::output;
use crate::rules::book::Book;
use crate::rules::kinds::Mixed;
use crate::rules::reader::{Disk, Entry, ReadFiles};
use crate::rules::site::Site;
use crate::rules::{FILE_NAME, file::MAX_FILE};
use crate::talk::exit::Exit;
use crate::talk::failure::{Explain, Failure, Rule};
use propose::{Proposed, Seen};
use recipients::Planned;

/// The JSON Schema of a rules file, for editors.
const SCHEMA: &str = include_str!("../../seal.schema.json");

/// The file of the schema beside the rules, which name it. A URL would have to be reached whenever somebody opens the rules,
/// and might say something else by then.
const SCHEMA_FILE: &str = ".seal.schema.json";

#[derive(Debug, thiserror::Error)]
enum InitError {
    #[error("{0} is there already")]
    Exists(String),
    #[error("{0} isn't a directory")]
    NoDirectory(String),
    #[error("the rule for {path} would have {}", mixed.told())]
    Mixed { path: String, mixed: Mixed, way_out: WayOut },
}

/// How recipients that a rule would mix can be kept apart.
#[derive(Clone, Debug, PartialEq, Eq)]
enum WayOut {
    /// The file of one recipient has both kinds.
    File(String),
    /// This recovery recipient is in every rule, so all others have to be of its kind.
    Recovery(String),
    /// Directories can have a rule each.
    Directories,
}

impl Explain for InitError {
    fn rule(&self) -> Rule {
        match self {
            Self::Exists(_) => Rule::Unwritable,
            Self::NoDirectory(_) => Rule::Usage,
            Self::Mixed { .. } => Rule::BadRules,
        }
    }

    fn exit(&self) -> Exit {
        match self {
            Self::Exists(_) => Exit::Failure,
            Self::NoDirectory(_) | Self::Mixed { .. } => Exit::Usage,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Exists(name) => {
                Some(format!("it is never overwritten; edit {name}, or move it away first"))
            }
            Self::NoDirectory(_) => None,
            Self::Mixed { way_out, .. } => Some(match way_out {
                WayOut::File(path) => format!("leave recipients of one kind in {}", word(path)),
                WayOut::Recovery(name) => format!(
                    "every rule needs {}: give post-quantum recipients alone (seal keys new makes one), or classic ones alone",
                    word(name)
                ),
                WayOut::Directories => {
                    "a directory that is named after a recipient gets a rule for it alone; or give \
                     recipients of one kind, and add a rule for the others to .seal.yaml by hand"
                        .to_owned()
                }
            }),
        }
    }
}

/// The files that are there, with new ones over them.
struct Overlay<'d> {
    disk: &'d Disk,
    new: &'d [NewFile],
}

/// A file to write.
struct NewFile {
    /// The path from the top.
    path: String,
    text: String,
}

impl ReadFiles for Overlay<'_> {
    fn read(&self, path: &str, max: u64) -> Result<Entry, Failure> {
        match self.new.iter().find(|file| file.path == path) {
            Some(file) => Ok(Entry::File(file.text.as_bytes().to_vec())),
            None => self.disk.read(path, max),
        }
    }

    fn name(&self, path: &str) -> String {
        self.disk.name(path)
    }
}

pub(super) fn run(args: &InitArgs) -> Result<Exit, Failure> {
    if args.schema {
        output::to_stdout(SCHEMA.as_bytes())?;
        return Ok(Exit::Done);
    }
    let top = top(args.directory.as_deref().unwrap_or(Path::new(".")))?;
    let disk = Disk::beneath(&top);
    if disk.read(FILE_NAME, MAX_FILE)? != Entry::Absent {
        return Err(InitError::Exists(disk.name(FILE_NAME)).into());
    }
    let planned = recipients::plan(args, &top, &disk)?;
    let known: Vec<_> = planned.iter().map(Planned::known).collect();
    let (seen, named) = look::look(&top, &known)?;
    let rules = propose::propose(&seen, &named, &known);
    check_kinds(&planned, &rules)?;

    let mut new: Vec<NewFile> = planned
        .iter()
        .filter_map(|planned| Some(NewFile { path: planned.path.clone(), text: planned.new_text.clone()? }))
        .collect();
    // One that is there may be of another version, and is somebody's choice.
    if disk.read(SCHEMA_FILE, MAX_FILE)? == Entry::Absent {
        new.push(NewFile { path: SCHEMA_FILE.to_owned(), text: SCHEMA.to_owned() });
    }
    new.push(NewFile { path: FILE_NAME.to_owned(), text: write::text(&planned, &rules) });
    let fit = read_back(&disk, &new, &seen)?;
    if !args.dry_run {
        let paths: Vec<PathBuf> = new.iter().map(|file| top.join(&file.path)).collect();
        let files: Vec<(&Path, &[u8])> =
            paths.iter().zip(&new).map(|(path, file)| (path.as_path(), file.text.as_bytes())).collect();
        output::to_new_public_files(&files)?;
    }
    report::report(args, &disk, &planned, &new, &rules, &fit)?;
    Ok(Exit::Done)
}

/// The directory that gets the rules: the top of the repository around a directory, else the directory itself.
fn top(directory: &Path) -> Result<PathBuf, Failure> {
    let site = Site::of(&directory.join(FILE_NAME))?;
    if site.is_in_git {
        return Ok(site.top);
    }
    match directory.canonicalize() {
        Ok(whole) if whole.is_dir() => Ok(whole),
        _ => Err(InitError::NoDirectory(seal_foreign::path(directory)).into()),
    }
}

/// Refuses rules whose recipients can't be sealed to together. Nobody but the author knows whom to leave out.
fn check_kinds(planned: &[Planned], rules: &[Proposed]) -> Result<(), InitError> {
    for rule in rules {
        let named = || planned.iter().filter(|planned| rule.to.contains(&planned.name));
        let pins = named().map(|planned| (planned.name.as_str(), &planned.keys));
        let Some(mixed) = Mixed::of(pins) else { continue };
        let in_one_file = named().find(|planned| mixed.in_one_file() == Some(&planned.name));
        let recovery = named().find(|planned| planned.is_recovery);
        let way_out = match (in_one_file, recovery) {
            (Some(both), _) => WayOut::File(both.path.clone()),
            (None, Some(recovery)) => WayOut::Recovery(recovery.name.clone()),
            (None, None) => WayOut::Directories,
        };
        return Err(InitError::Mixed { path: rule.path.clone(), mixed, way_out });
    }
    Ok(())
}

/// How the objects that are there fit the new rules.
#[derive(Default)]
struct Fit {
    sealed: usize,
    /// SealedSecrets whose recipients aren't exactly those of their rule.
    others: usize,
    secrets: usize,
}

/// Reads the new files back as rules, and holds every object against them.
fn read_back(disk: &Disk, new: &[NewFile], seen: &[Seen]) -> Result<Fit, Failure> {
    let mut book = Book::new(Overlay { disk, new });
    book.around(FILE_NAME)?;
    let mut fit = Fit::default();
    for object in seen {
        let ruling = book.around(&object.path)?.ruling(&object.path);
        let keys = ruling.map(|ruling| ruling.rules.keys_of(ruling.rule())).unwrap_or_default();
        match object.scope {
            None => fit.secrets += 1,
            Some(_) => {
                fit.sealed += 1;
                fit.others += usize::from(!object.keys.is_empty() && keys != object.keys);
            }
        }
    }
    Ok(fit)
}

#[cfg(test)]
mod tests {
    use seal_crds::keys::Identity;

    use super::*;
    use crate::rules::pins::PinnedKeys;

    const CLASSIC: &str = include_str!("../../../tests/cli/given/classic.pub");

    #[test]
    fn a_mixture_of_kinds_says_what_the_author_can_do_about_it() {
        let post_quantum = Identity::generate().recipient().to_string();
        let both = format!("{post_quantum}\n{CLASSIC}");
        let planned = |name: &str, text: &str, is_recovery: bool| Planned {
            name: name.to_owned(),
            path: format!("keys/{name}.pub"),
            new_text: None,
            is_recovery,
            keys: PinnedKeys::read(name, text).unwrap(),
        };
        let way_out = |planned: &[Planned]| {
            let to = planned.iter().map(|planned| planned.name.clone()).collect();
            let rule = Proposed { path: "**".to_owned(), to, scopes: Vec::new() };
            match check_kinds(planned, &[rule]) {
                Err(InitError::Mixed { way_out, .. }) => Some(way_out),
                Err(other) => panic!("{other}"),
                Ok(()) => None,
            }
        };
        let prod = || planned("prod", &post_quantum, false);
        assert_eq!(way_out(&[prod(), planned("cold", &post_quantum, true)]), None);
        assert_eq!(way_out(&[prod(), planned("dev", CLASSIC, false)]), Some(WayOut::Directories));
        let recovery = Some(WayOut::Recovery("cold".to_owned()));
        assert_eq!(way_out(&[prod(), planned("cold", CLASSIC, true)]), recovery);
        let file = Some(WayOut::File("keys/all.pub".to_owned()));
        assert_eq!(way_out(&[planned("all", &both, false), planned("cold", CLASSIC, true)]), file);
    }
}

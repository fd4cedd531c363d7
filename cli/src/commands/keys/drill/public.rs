//! `seal keys drill --public DIR -r PINS [PATH…]`: what a drill can tell without an identity, for CI.
//!
//! It says of each SealedSecret of the native format: the pins list every recipient that it names, it names at least one
//! key with a backup, and every key among them that is marked in the pins (so it is, or was, a sealing key) has one.
//! Recovery recipients and people have no backup, and nothing tells them from a sealing key that isn't marked.
//!
//! It claims no more. What an envelope names is what its author says; and whether a backup opens, and holds the key that
//! it is named after, takes an identity. Invariant: nothing is opened.

use std::collections::BTreeSet;

use seal_crds::Format;
use seal_crds::keys::Fingerprint;
use seal_crds::keys::pins::Pins;
use seal_documents::manifest::{Kind, Manifest, Object};

use crate::args::DrillArgs;
use crate::commands::counted;
use crate::files::output;
use crate::files::repository::{self, FilesFound, Line, Lines, NothingSealed};
use crate::keys::backups::{self, BackupFile};
use crate::keys::recipients;
use crate::objects::sealed::{self, Extent};
use crate::talk::exit::Exit;
use crate::talk::failure::Failure;
use crate::talk::terminal;

pub(super) fn run(args: &DrillArgs) -> Result<Exit, Failure> {
    let pins = recipients::load(&args.recipients)?.pins;
    let mut report = Vec::new();
    let mut backed_up = BTreeSet::new();
    for path in backups::paths_in(&args.backups)? {
        let checked = BackupFile::read(&path).and_then(|file| file.check().map(|()| file));
        match checked {
            Ok(file) if pins.lists(&file.fingerprint) => {
                backed_up.insert(file.fingerprint);
            }
            Ok(file) => report.push(format!("{}: no pins list this key", file.name)),
            Err(error) => report.push(super::said(&path.display().to_string(), &error.into())),
        }
    }
    let FilesFound { files, failures, .. } = repository::files(&args.paths, super::interest)?;
    report.extend(failures.iter().map(|failure| failure.facts.join(": ")));
    let (mut lines, mut native, mut bitnami): (Vec<Line>, usize, usize) = (Vec::new(), 0, 0);
    for file in &files {
        let at_line = Lines::new(&file.source);
        let manifest = match Manifest::parse(&file.source) {
            Ok(manifest) => manifest,
            Err(error) => {
                lines.push(at_line.line(0, &Failure::from(error).facts.join(": ")));
                continue;
            }
        };
        for object in manifest.objects.iter().filter(|object| object.kind == Kind::SealedSecret) {
            let at = manifest.tree(object).range(object.node).start;
            let looked = sealed::format(&manifest, object).and_then(|format| {
                Ok(match (sealed::extent(&manifest, object, format), format) {
                    (Extent::Patch, _) => Look::Nothing,
                    (Extent::PatchWithItems, _) => Look::PatchWithItems,
                    (Extent::Whole, Format::Native) => Look::Native(named(&manifest, object)?),
                    (Extent::Whole, Format::Bitnami) => Look::Bitnami,
                })
            });
            match looked {
                Ok(Look::Nothing) => {}
                Ok(Look::PatchWithItems) => lines.push(at_line.line(at, super::PATCH_WITH_ITEMS)),
                Ok(Look::Native(named)) => {
                    native += 1;
                    let problems = problems(&named, &pins, &backed_up);
                    lines.extend(problems.iter().map(|problem| at_line.line(at, problem)));
                }
                Ok(Look::Bitnami) => bitnami += 1,
                Err(failure) => lines.push(at_line.line(at, &failure.facts.join(": "))),
            }
        }
    }
    lines.sort();
    report.extend(lines.into_iter().map(|line| line.text));
    if report.len() + native + bitnami == 0 {
        return Err(NothingSealed::in_paths(&args.paths).into());
    }
    output::report(&report)?;
    let beside = match bitnami {
        0 => String::new(),
        count => {
            format!("; {} of bitnami.com name no key, and were left out", counted(count, "SealedSecret"))
        }
    };
    terminal::note(&format!(
        "{} and {}, by their names alone: {}{beside}; without an identity nothing was opened",
        counted(backed_up.len(), "backup"),
        counted(native, "SealedSecret"),
        counted(report.len(), "problem"),
    ));
    Ok(if report.is_empty() { Exit::Done } else { Exit::Findings })
}

/// What there is to look at in an object.
enum Look {
    /// It is a patch without anything sealed.
    Nothing,
    PatchWithItems,
    /// The recipients that a whole object of the native format names.
    Native(BTreeSet<String>),
    Bitnami,
}

/// The recipients that the envelopes of an object name.
fn named(manifest: &Manifest<'_>, object: &Object) -> Result<BTreeSet<String>, Failure> {
    let spec = manifest.spec(object)?;
    let hints = spec.envelopes.into_iter().flat_map(|envelope| envelope.recipients);
    Ok(hints.map(|hint| hint.fingerprint).collect())
}

/// What is wrong with an object that names these recipients.
fn problems(named: &BTreeSet<String>, pins: &Pins, backed_up: &BTreeSet<Fingerprint>) -> Vec<String> {
    let mut problems = Vec::new();
    let mut has_backup = false;
    for text in named {
        let Ok(fingerprint) = text.parse::<Fingerprint>() else {
            problems.push("names a recipient by something that isn't a fingerprint".to_owned());
            continue;
        };
        let is_backed_up = backed_up.contains(&fingerprint);
        has_backup |= is_backed_up;
        if !pins.lists(&fingerprint) {
            problems.push(format!("names recipient {}, which no pins list", fingerprint.short()));
        } else if let (Some(marked), false) = (pins.marked(&fingerprint), is_backed_up) {
            problems.push(format!(
                "names key {} ({}), which has no backup",
                fingerprint.short(),
                marked.name
            ));
        }
    }
    if !has_backup {
        problems.push("names no key that has a backup".to_owned());
    }
    problems
}

#[cfg(test)]
mod tests {
    use seal_crds::keys::Identity;
    use seal_crds::keys::pins::{Mark, Marked};

    use super::*;

    #[test]
    fn what_is_named_has_to_be_listed_and_the_keys_among_it_backed_up() {
        let [primary, old, recovery, foreign] = [(); 4].map(|()| Identity::generate().recipient().clone());
        let mut pins = Pins::parse(&format!("{primary}\n{recovery}\n")).unwrap();
        let marked = |mark| Marked {
            mark,
            since: "2026-01-02".parse().unwrap(),
            name: "sealing-key-first".parse().unwrap(),
        };
        pins.mark(old.fingerprint(), marked(Mark::Retiring));
        let names = |recipients: &[&seal_crds::keys::Recipient]| -> BTreeSet<String> {
            recipients.iter().map(|recipient| recipient.fingerprint().to_string()).collect()
        };
        let backed_up = |keys: &[&seal_crds::keys::Recipient]| -> BTreeSet<Fingerprint> {
            keys.iter().map(|key| key.fingerprint()).collect()
        };
        let found = |named: &[&seal_crds::keys::Recipient], backups: &[&seal_crds::keys::Recipient]| {
            problems(&names(named), &pins, &backed_up(backups))
        };
        assert!(found(&[&primary, &recovery], &[&primary]).is_empty());
        assert!(found(&[&old, &primary, &recovery], &[&primary, &old]).is_empty());
        assert_eq!(found(&[&primary, &recovery], &[&old]), ["names no key that has a backup"]);
        assert_eq!(
            found(&[&old, &primary], &[&primary]),
            [format!("names key {} (sealing-key-first), which has no backup", old.fingerprint().short())]
        );
        assert_eq!(
            found(&[&foreign, &primary], &[&primary]),
            [format!("names recipient {}, which no pins list", foreign.fingerprint().short())]
        );
        assert_eq!(found(&[], &[&primary]), ["names no key that has a backup"]);
        let broken = BTreeSet::from(["hello".to_owned(), primary.fingerprint().to_string()]);
        assert_eq!(
            problems(&broken, &pins, &backed_up(&[&primary])),
            ["names a recipient by something that isn't a fingerprint"]
        );
    }
}

//! `seal rotate [PATH…]`: the SealedSecrets of a repository to other recipients, where they stand.
//!
//! Three ways: with identities at hand ([`offline`]), with the envelopes that the cluster's controller offers
//! ([`from_cluster`]), and the check that the cluster has what the files say ([`verify`]). [`rotation`] decides what
//! becomes of one object.
//!
//! Invariant: each file is written whole or not at all, as soon as it is ready. A run that ends early, or meets an object
//! that can't be rotated, leaves the others to be done, and the next run does what is left.
//!
//! [`rotation`]: crate::objects::rotation

mod from_cluster;
mod offline;
mod patches;
mod verify;

use seal_crds::Format;
use seal_crds::resources::bitnami;
use seal_documents::manifest::{Kind, Object, edit};
use seal_documents::source::Spot;

use crate::args::RotateArgs;
use crate::args::intent::IntentError;
use crate::commands::counted;
use crate::files::output::{self, Replacement};
use crate::files::repository::{
    Interest, Line, Lines, ManifestFile, NothingSealed, Problems, Task, as_they_come,
};
use crate::objects::rotation::{Rotated, Rotation};
use crate::objects::sealed;
use crate::talk::exit::Exit;
use crate::talk::failure::Failure;
use crate::talk::signals::Run;
use crate::talk::terminal;

pub(super) fn run(args: RotateArgs) -> Result<Exit, Failure> {
    if args.verify {
        verify::run(args)
    } else if args.from_cluster {
        from_cluster::run(args)
    } else if args.identities.is_empty() {
        Err(IntentError::NoWay.into())
    } else {
        offline::run(args)
    }
}

/// The interest of this command in a file: it may have SealedSecrets of either format.
fn interest(text: &str) -> Interest {
    let mentions = |api: &str| text.contains(api) && text.contains("SealedSecret");
    if mentions("sealing.dev/") || mentions(bitnami::API_VERSION) { Interest::Wanted } else { Interest::None }
}

/// The SealedSecrets of a file with their formats. An unknown format is a problem.
fn sealed_secrets<'m>(file: &'m ManifestFile<'_>, problems: &mut Problems) -> Vec<(&'m Object, Format)> {
    let objects = file.manifest.objects.iter().filter(|object| object.kind == Kind::SealedSecret);
    let with_format = |object| Some((object, problems.keep(sealed::format(&file.manifest, object))?));
    objects.filter_map(with_format).collect()
}

/// The result of looking at one file.
#[derive(Default)]
struct Outcome {
    /// The objects that change.
    rotated: Vec<Rotated>,
    /// The number of objects that need nothing.
    current: usize,
    /// The objects that need it and stay as they are: byte offset and one line for the report.
    left: Vec<(usize, String)>,
    failures: Vec<Failure>,
}

/// The new text of a file, and the lines of the report about it.
struct Rewritten {
    /// `None` if nothing changes.
    text: Option<String>,
    lost_comments: Vec<Spot>,
    rotated: Vec<Line>,
    left: Vec<Line>,
    current: usize,
    failures: Vec<Failure>,
}

impl Outcome {
    /// Adds one object, unless it is none of this run's.
    fn add(&mut self, rotation: Option<Result<Rotation, Failure>>) {
        match rotation {
            None | Some(Ok(Rotation::Patch)) => {}
            Some(Ok(Rotation::Current)) => self.current += 1,
            Some(Ok(Rotation::Rotated(rotated))) => self.rotated.push(rotated),
            Some(Err(failure)) => self.failures.push(failure),
        }
    }

    fn rewrite(self, file: &ManifestFile<'_>) -> Rewritten {
        let Self { rotated, current, left, mut failures } = self;
        let manifest = &file.manifest;
        let lines = Lines::new(manifest.source);
        let left = left.iter().map(|(at, text)| lines.line(*at, text)).collect();
        let report = rotated.iter().map(|rotated| lines.line(rotated.at, &rotated.summary)).collect();
        let edits: Vec<_> = rotated.into_iter().map(|rotated| rotated.edits).collect();
        let mut rewritten = Rewritten {
            text: None,
            lost_comments: Vec::new(),
            rotated: report,
            left,
            current,
            failures: Vec::new(),
        };
        if !edits.is_empty() {
            match edit(manifest, &edits) {
                Ok(edited) => {
                    let lost = edited.lost_comments.into_iter();
                    rewritten.lost_comments = lost.map(|at| manifest.spot(at)).collect();
                    rewritten.text = Some(edited.text);
                }
                Err(error) => {
                    rewritten.rotated.clear();
                    failures.push(manifest.locate(error).into());
                }
            }
        }
        rewritten.failures = failures;
        rewritten
    }
}

/// The sum of a run.
#[derive(Default)]
struct Done {
    rotated: Vec<Line>,
    left: Vec<Line>,
    files: usize,
    current: usize,
    /// The files that were looked at, of a run that a signal may have stopped.
    looked_at: usize,
    run: Option<Run>,
}

impl Done {
    /// Adds lines about objects that stay as they are.
    fn leave(&mut self, lines: Vec<Line>) {
        self.left.extend(lines);
        self.left.sort();
    }
}

/// Looks at every file on all cores, and writes each that changes as soon as its text is there.
fn rotate_files(
    files: &[ManifestFile<'_>],
    is_dry: bool,
    problems: &mut Problems,
    look: impl Fn(usize) -> Outcome + Sync,
) -> Done {
    let mut done = Done::default();
    let (mut lost, mut failed) = (Vec::new(), Vec::new());
    let work = |index: usize| look(index).rewrite(&files[index]);
    let indices = (0..files.len()).collect();
    let run = as_they_come(Task::new("rotating", "file"), indices, work, |index, rewritten| {
        let ManifestFile { path, manifest } = &files[index];
        done.looked_at += 1;
        failed.extend(rewritten.failures.into_iter().map(|failure| (index, failure)));
        done.left.extend(rewritten.left);
        done.current += rewritten.current;
        let Some(text) = rewritten.text else { return };
        let (old, new) = (manifest.source.text().as_bytes(), text.as_bytes());
        if !is_dry && let Err(error) = output::replace_files(&[Replacement { path, old, new }]) {
            failed.push((index, error.into()));
            return;
        }
        done.files += 1;
        done.rotated.extend(rewritten.rotated);
        lost.push((index, rewritten.lost_comments));
    });
    // The files end in any order, and are reported in theirs.
    lost.sort_by_key(|(index, _)| *index);
    for spot in lost.iter().flat_map(|(_, spots)| spots) {
        terminal::warn("a comment is left out with what it stood at", Some(spot));
    }
    failed.sort_by_key(|(index, _)| *index);
    problems.extend(failed.into_iter().map(|(_, failure)| failure));
    done.rotated.sort();
    done.left.sort();
    done.run = Some(run);
    done
}

/// Prints the lines of a report.
fn print_lines(lines: &[Line]) -> Result<(), Failure> {
    output::report(lines.iter().map(|line| &line.text))
}

/// Prints the report of a run that may have written files, and decides how it ends. `stays` says what was passed over on
/// purpose.
fn report(args: &RotateArgs, done: Done, problems: &Problems, stays: &str) -> Result<Exit, Failure> {
    let Done { rotated, left, files, current, looked_at, run } = done;
    print_lines(&rotated)?;
    print_lines(&left)?;
    let failed = problems.print();
    // What was done before a signal stopped the run has been reported. The next run does the rest.
    run.into_iter().for_each(|run| run.settle(looked_at));
    let nothing = rotated.is_empty() && left.is_empty() && current == 0 && failed == 0;
    if nothing && stays.is_empty() {
        return Err(NothingSealed::in_paths(&args.paths).into());
    }
    let mut closing = match rotated.len() {
        0 if failed > 0 || !left.is_empty() => "nothing was rotated".to_owned(),
        0 => "nothing to rotate".to_owned(),
        objects => {
            let (objects, was) =
                (counted(objects, "SealedSecret"), if objects == 1 { "was" } else { "were" });
            let files = counted(files, "file");
            if args.dry_run {
                format!("{objects} would be rotated in {files}, and nothing was written")
            } else {
                format!("{objects} {was} rotated in {files}")
            }
        }
    };
    match current {
        0 => {}
        1 => closing += "; 1 doesn't need it",
        current => closing += &format!("; {current} don't need it"),
    }
    closing += stays;
    let left = left.len() + failed;
    match left {
        0 => {}
        1 => closing += "; 1 is left, as said above",
        left => closing += &format!("; {left} are left, as said above"),
    }
    terminal::note(&closing);
    Ok(match left {
        0 => Exit::Done,
        // There were problems, and nothing else.
        left if left == failed && rotated.is_empty() && current == 0 => Exit::Failure,
        _ => Exit::Findings,
    })
}

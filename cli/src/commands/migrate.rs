//! `seal migrate [PATH…]`: SealedSecrets of the peer's become native ones, where they stand.
//!
//! Everything is read, opened and sealed before anything is written, in a dry run too: what it prints is what
//! `--write` does. One object that can't be migrated leaves every file as it was.

mod find;

use std::{path::Path, thread};

use seal_crds::{
    Format as SealedFormat, Scope, foreign,
    keys::{Fingerprint, Keyring},
};

use crate::{
    args::{
        MigrateArgs,
        plan::{self, RecipientChoice},
    },
    files::{input::Input, output},
    keys::{
        identities::{self, BACKUP},
        recipients,
    },
    manifest::{Edits, Kind, Manifest, Object, edit},
    objects::{
        migration::{self, Done, How, Migrated},
        sealed::{self, Public},
    },
    source::Source,
    talk::{
        exit::Exit,
        failure::{Explain, Failure},
        progress::Progress,
        terminal,
    },
};

#[derive(Debug, thiserror::Error)]
enum MigrateError {
    #[error("none of the files given with -i has an RSA key")]
    NoKey,
    #[error("there is no SealedSecret in {0}")]
    NothingSealed(String),
    #[error("{}; nothing was written", problems(*.0))]
    Problems(usize),
}

fn problems(count: usize) -> String {
    if count == 1 { "1 problem".to_owned() } else { format!("{count} problems") }
}

impl Explain for MigrateError {
    fn exit(&self) -> Exit {
        match self {
            Self::NoKey => Exit::Usage,
            Self::NothingSealed(_) | Self::Problems(_) => Exit::Failure,
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::NoKey => format!("SealedSecrets of bitnami.com are opened by one; {BACKUP}"),
            Self::NothingSealed(_) => "name the files or directories that have some".to_owned(),
            Self::Problems(_) => return None,
        })
    }
}

/// A file, read, with what is to be done in it.
struct Work<'s> {
    path: &'s Path,
    manifest: Manifest<'s>,
}

/// An object of the peer's, and the file it is in.
struct Job<'w> {
    file: usize,
    object: &'w Object,
    public: Public,
}

pub(super) fn run(args: MigrateArgs) -> Result<Exit, Failure> {
    let keys = read_keys(&args)?;
    let mut failures = Vec::new();
    let found = find::files(&args.paths)?;
    failures.extend(found.failures);
    let files = parse(&found.sources, &mut failures);
    let (jobs, native) = jobs(&args, &files, &mut failures);
    if jobs.is_empty() && failures.is_empty() {
        return nothing_to_do(&args, native.len());
    }
    let choice = RecipientChoice::new(args.recipients, args.cluster, plan::is_watched())?;
    // What stands against it is told before anybody is asked for recipients.
    fail_on(&failures)?;
    let recipients = recipients::resolve(&choice)?;
    let how = How { keys: &keys, recipients: &recipients, renders: args.render_templates };

    let mut migrated: Vec<Vec<Migrated>> = files.iter().map(|_| Vec::new()).collect();
    for (file, result) in migrate_all(&files, jobs, &how) {
        match result {
            Ok(done) => migrated[file].push(done),
            Err(failure) => failures.push(failure),
        }
    }
    let refused = refused_by_default(migrated.iter().flatten());
    let mut results = Vec::new();
    let mut lines = Vec::new();
    for (work, migrated) in files.iter().zip(migrated).filter(|(_, migrated)| !migrated.is_empty()) {
        match rewrite(work, migrated, &mut lines) {
            Ok(text) => results.push((work, text)),
            Err(failure) => failures.push(failure),
        }
    }
    fail_on(&failures)?;

    let changed: Vec<(&Path, &[u8], &[u8])> = results
        .iter()
        .map(|(work, text)| (work.path, work.manifest.source.text().as_bytes(), text.as_bytes()))
        .collect();
    if args.write {
        output::replace_files(&changed)?;
    }
    if let Some(refused) = refused {
        terminal::warn(&refused, None);
    }
    let summary = summary(lines.len(), changed.len(), native.len(), args.write);
    lines.extend(native);
    lines.sort();
    let report: String = lines.iter().map(|line| format!("{}\n", line.text)).collect();
    output::to_stdout(foreign::lines(&report, usize::MAX).as_bytes())?;
    terminal::note(&summary);
    Ok(Exit::Done)
}

fn read_keys(args: &MigrateArgs) -> Result<Keyring, Failure> {
    let inputs: Vec<Input> = args.identities.iter().map(|path| Input::from_arg(path)).collect();
    if inputs.iter().filter(|input| **input == Input::Stdin).count() > 1 {
        return Err(plan::PlanError::StdinTwice.into());
    }
    let keys = identities::read(&inputs)?;
    if keys.rsa_keys().is_empty() { Err(MigrateError::NoKey.into()) } else { Ok(keys) }
}

fn parse<'s>(sources: &'s [find::Found], failures: &mut Vec<Failure>) -> Vec<Work<'s>> {
    let mut files = Vec::new();
    for found in sources {
        match Manifest::parse(&found.source) {
            Ok(manifest) => files.push(Work { path: &found.path, manifest }),
            Err(failure) if found.must_be_read => failures.push(failure),
            Err(_) => {}
        }
    }
    files
}

/// One line of the report, in the order of files and of places in them.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Line {
    file: String,
    at: usize,
    text: String,
}

/// What is to be migrated, and lines about what needs no migration.
fn jobs<'w>(
    args: &MigrateArgs,
    files: &'w [Work<'_>],
    failures: &mut Vec<Failure>,
) -> (Vec<Job<'w>>, Vec<Line>) {
    let (mut jobs, mut native) = (Vec::new(), Vec::new());
    for (file, Work { manifest, .. }) in files.iter().enumerate() {
        let lines = Lines::new(manifest.source);
        for object in manifest.objects.iter().filter(|object| object.kind == Kind::SealedSecret) {
            let public = match sealed::format(manifest, object) {
                Ok(SealedFormat::Native) => {
                    let at = manifest.tree(object).range(object.node).start;
                    native.push(lines.line(at, "is native already"));
                    continue;
                }
                Ok(SealedFormat::Bitnami) => sealed::bitnami(manifest, object, args.namespace.as_ref()),
                Err(failure) => Err(failure),
            };
            match public {
                Ok(public) => jobs.push(Job { file, object, public }),
                Err(failure) => failures.push(failure),
            }
        }
    }
    (jobs, native)
}

fn nothing_to_do(args: &MigrateArgs, native: usize) -> Result<Exit, Failure> {
    if native == 0 {
        let paths: Vec<String> = args.paths.iter().map(|path| path.display().to_string()).collect();
        let place = if paths.is_empty() { "the current directory".to_owned() } else { paths.join(", ") };
        return Err(MigrateError::NothingSealed(place).into());
    }
    terminal::note(&format!(
        "nothing to migrate: {} native already",
        count(native, "SealedSecret", "is", "are")
    ));
    Ok(Exit::Done)
}

/// Every problem is told, not the first alone.
fn fail_on(failures: &[Failure]) -> Result<(), Failure> {
    if failures.is_empty() {
        return Ok(());
    }
    failures.iter().for_each(terminal::print_failure);
    Err(MigrateError::Problems(failures.len()).into())
}

/// Opens and seals on all cores: a key operation takes a millisecond, and a repository may need thousands.
fn migrate_all(
    files: &[Work<'_>],
    jobs: Vec<Job<'_>>,
    how: &How<'_>,
) -> Vec<(usize, Result<Migrated, Failure>)> {
    let progress = Progress::new("opening and sealing", jobs.len());
    let workers = thread::available_parallelism().map_or(1, usize::from).min(jobs.len().max(1));
    let mut shares: Vec<Vec<(usize, Job<'_>)>> = (0..workers).map(|_| Vec::new()).collect();
    for (index, job) in jobs.into_iter().enumerate() {
        shares[index % workers].push((index, job));
    }
    let work = |share: Vec<(usize, Job<'_>)>| {
        let migrate = |(index, job): (usize, Job<'_>)| {
            let result = migration::migrate(&files[job.file].manifest, job.object, job.public, how);
            progress.step();
            (index, job.file, result)
        };
        share.into_iter().map(migrate).collect::<Vec<_>>()
    };
    let mut results: Vec<_> = thread::scope(|scope| {
        let work = &work;
        let threads: Vec<_> = shares.into_iter().map(|share| scope.spawn(move || work(share))).collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("a worker doesn't panic")).collect()
    });
    results.sort_by_key(|(index, ..)| *index);
    results.into_iter().map(|(_, file, result)| (file, result)).collect()
}

/// The new text of a file, and what there is to say about it.
fn rewrite(work: &Work<'_>, migrated: Vec<Migrated>, report: &mut Vec<Line>) -> Result<String, Failure> {
    let manifest = &work.manifest;
    let lines = Lines::new(manifest.source);
    let (mut edits, mut warnings): (Vec<Edits>, Vec<_>) = (Vec::new(), Vec::new());
    for Migrated { edits: here, done, warnings: found } in migrated {
        edits.push(here);
        warnings.extend(found);
        report.push(lines.line(done.at, &describe(&done)));
    }
    let edited = edit(manifest, &edits).map_err(|error| manifest.locate(error))?;
    for warning in warnings {
        terminal::warn(&warning.error, Some(&manifest.spot(warning.at)));
    }
    for at in edited.lost_comments {
        terminal::warn("a comment is left out with what it stood at", Some(&manifest.spot(at)));
    }
    Ok(edited.text)
}

/// What a controller refuses unless a flag allows it. It opens the peer's objects of every scope, so this shows only once
/// the native ones are there.
fn refused_by_default<'d>(migrated: impl Iterator<Item = &'d Migrated>) -> Option<String> {
    const NAMED: usize = 3;
    let wide = migrated.map(|migrated| &migrated.done).filter(|done| done.scope == Scope::ClusterWide);
    let wide: Vec<String> = wide.map(|done| done.target.to_string()).collect();
    let named = wide.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ");
    let more = match wide.len().checked_sub(NAMED) {
        None | Some(0) => String::new(),
        Some(more) => format!(" and {more} more"),
    };
    (!wide.is_empty()).then(|| {
        format!(
            "{} cluster-wide, which a controller refuses in the native format unless it is started with \
             --allowed-scopes=strict,namespace-wide,cluster-wide: {named}{more}; keep the old objects in the cluster \
             until they say Superseded",
            count(wide.len(), "SealedSecret", "is", "are")
        )
    })
}

fn describe(done: &Done) -> String {
    let keys: Vec<String> = done.opened_by.iter().map(Fingerprint::short).collect();
    let opened = if keys.is_empty() { String::new() } else { format!(", opened by {}", keys.join(", ")) };
    let rendered: Vec<String> = done.rendered.iter().map(ToString::to_string).collect();
    let rendered =
        if rendered.is_empty() { String::new() } else { format!(", rendered: {}", rendered.join(", ")) };
    let items = if done.items == 1 { "1 item".to_owned() } else { format!("{} items", done.items) };
    format!("{}: {items}, {}{opened}{rendered}", done.target, done.scope)
}

fn count(count: usize, noun: &str, is: &str, are: &str) -> String {
    if count == 1 { format!("1 {noun} {is}") } else { format!("{count} {noun}s {are}") }
}

fn summary(objects: usize, files: usize, native: usize, written: bool) -> String {
    let files = if files == 1 { "1 file".to_owned() } else { format!("{files} files") };
    let native = match native {
        0 => String::new(),
        native => format!(", {native} native already"),
    };
    if written {
        format!("{} migrated in {files}{native}", count(objects, "SealedSecret", "was", "were"))
    } else {
        let objects =
            if objects == 1 { "1 SealedSecret".to_owned() } else { format!("{objects} SealedSecrets") };
        format!("{objects} can be migrated in {files}{native}; nothing was written: --write does it")
    }
}

/// Line numbers of a file, found once.
struct Lines<'s> {
    source: &'s Source,
    starts: Vec<usize>,
}

impl<'s> Lines<'s> {
    fn new(source: &'s Source) -> Self {
        Self { source, starts: source.text().match_indices('\n').map(|(at, _)| at + 1).collect() }
    }

    fn line(&self, at: usize, text: &str) -> Line {
        let number = self.starts.partition_point(|start| *start <= at) + 1;
        let file = self.source.name.clone();
        Line { text: format!("{file}:{number}: {text}"), file, at }
    }
}

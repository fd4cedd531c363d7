//! `seal migrate [PATH…]`: SealedSecrets of bitnami.com become native ones, in place.
//!
//! A run reads, opens and seals everything before it writes anything. A dry run does the same, so that it
//! prints what `--write` does. Invariant: one object that can't be migrated leaves every file as it was.

use seal_crds::keys::{Fingerprint, Keyring};
use seal_crds::resources::bitnami;
use seal_crds::{Format, Scope};
use seal_documents::manifest::{Edits, Kind, Object, edit};

use crate::args::MigrateArgs;
use crate::args::intent::{self, RecipientChoice};
use crate::commands::counted;
use crate::files::input::Input;
use crate::files::output::{self, Replacement};
use crate::files::repository::{
    self, FilesFound, Interest, Line, Lines, ManifestFile, NothingSealed, Problems, Task, on_all_cores,
};
use crate::keys::identities::{self, BACKUP};
use crate::keys::recipients;
use crate::objects::migration::{self, Migrated, Settings, Summary};
use crate::objects::sealed::{self, PublicParts};
use crate::talk::exit::Exit;
use crate::talk::failure::{Explain, Failure, Rule};
use crate::talk::terminal;

#[derive(Debug, thiserror::Error)]
#[error("none of the files given with -i has an RSA key")]
struct NoRsaKey;

impl Explain for NoRsaKey {
    fn rule(&self) -> Rule {
        Rule::BadIdentity
    }

    fn exit(&self) -> Exit {
        Exit::Usage
    }

    fn hint(&self) -> Option<String> {
        Some(format!("SealedSecrets of bitnami.com are opened by one; {BACKUP}"))
    }
}

const MIGRATING: Task = Task::new("opening and sealing", "SealedSecret");

/// A SealedSecret of bitnami.com to migrate.
struct Job<'w> {
    /// The index of the object's file among all files.
    file: usize,
    object: &'w Object,
    public: PublicParts,
}

pub(super) fn run(args: MigrateArgs) -> Result<Exit, Failure> {
    let keys = read_keys(&args)?;
    let mut problems = Problems::default();
    let FilesFound { files: found, failures, .. } = repository::files(&args.paths, interest)?;
    problems.extend(failures);
    let files = repository::manifests(&found, &mut problems);
    let (jobs, native) = jobs(&args, &files, &mut problems);
    if jobs.is_empty() && problems.is_empty() {
        return nothing_to_do(&args, native.len());
    }
    let choice = RecipientChoice::new(args.recipients, args.cluster, intent::is_watched())?;
    // Problems are printed before the cluster is asked for recipients.
    problems.settle()?;
    let recipients = recipients::resolve(&choice)?;
    let settings = Settings { keys: &keys, recipients: &recipients, renders: args.render_templates };

    let mut migrated: Vec<Vec<Migrated>> = files.iter().map(|_| Vec::new()).collect();
    let migrate = |job: Job<'_>| {
        (job.file, migration::migrate(&files[job.file].manifest, job.object, job.public, &settings))
    };
    for (file, result) in on_all_cores(MIGRATING, jobs, migrate) {
        migrated[file].extend(problems.keep(result));
    }
    let refused = refused_by_default(migrated.iter().flatten());
    let mut results = Vec::new();
    let mut lines = Vec::new();
    for (file, migrated) in files.iter().zip(migrated).filter(|(_, migrated)| !migrated.is_empty()) {
        results.extend(problems.keep(rewrite(file, migrated, &mut lines)).map(|text| (file, text)));
    }
    problems.settle()?;

    let changed: Vec<Replacement<'_>> = results
        .iter()
        .map(|(file, text)| Replacement {
            path: file.path,
            old: file.manifest.source.text().as_bytes(),
            new: text.as_bytes(),
        })
        .collect();
    if args.write {
        output::replace_files(&changed)?;
    }
    if let Some(refused) = refused {
        terminal::warn(&refused, None);
    }
    let closing = closing_note(lines.len(), changed.len(), native.len(), args.write);
    lines.extend(native);
    lines.sort();
    output::report(lines.iter().map(|line| &line.text))?;
    terminal::note(&closing);
    Ok(Exit::Done)
}

fn read_keys(args: &MigrateArgs) -> Result<Keyring, Failure> {
    let inputs: Vec<Input> = args.identities.iter().map(|path| Input::from_arg(path)).collect();
    if inputs.iter().filter(|input| **input == Input::Stdin).count() > 1 {
        return Err(intent::IntentError::StdinTwice.into());
    }
    let keys = identities::read(&inputs)?;
    if keys.rsa_keys().is_empty() { Err(NoRsaKey.into()) } else { Ok(keys) }
}

/// The interest of this command in a file: it may have objects to migrate, or only objects that are native
/// already.
fn interest(text: &str) -> Interest {
    let mentions = |api: &str| text.contains(api) && text.contains("SealedSecret");
    if mentions(bitnami::API_VERSION) {
        Interest::Wanted
    } else if mentions("sealing.dev/") {
        Interest::Mentioned
    } else {
        Interest::None
    }
}

/// The objects to migrate, and the report's lines about objects that need no migration.
fn jobs<'w>(
    args: &MigrateArgs,
    files: &'w [ManifestFile<'_>],
    problems: &mut Problems,
) -> (Vec<Job<'w>>, Vec<Line>) {
    let (mut jobs, mut native) = (Vec::new(), Vec::new());
    for (file, ManifestFile { manifest, .. }) in files.iter().enumerate() {
        let lines = Lines::new(manifest.source);
        for object in manifest.objects.iter().filter(|object| object.kind == Kind::SealedSecret) {
            let public = match sealed::format(manifest, object) {
                Ok(Format::Native) => {
                    let at = manifest.tree(object).range(object.node).start;
                    native.push(lines.line(at, "is native already"));
                    continue;
                }
                Ok(Format::Bitnami) => sealed::public_parts(manifest, object, args.namespace.as_ref()),
                Err(failure) => Err(failure),
            };
            jobs.extend(problems.keep(public).map(|public| Job { file, object, public }));
        }
    }
    (jobs, native)
}

fn nothing_to_do(args: &MigrateArgs, native: usize) -> Result<Exit, Failure> {
    if native == 0 {
        return Err(NothingSealed::in_paths(&args.paths).into());
    }
    terminal::note(&format!(
        "nothing to migrate: {} native already",
        count(native, "SealedSecret", "is", "are")
    ));
    Ok(Exit::Done)
}

/// The new text of a file. Adds the file's lines to the report and prints its warnings.
fn rewrite(
    file: &ManifestFile<'_>,
    migrated: Vec<Migrated>,
    report: &mut Vec<Line>,
) -> Result<String, Failure> {
    let manifest = &file.manifest;
    let lines = Lines::new(manifest.source);
    let (mut edits, mut warnings): (Vec<Edits>, Vec<_>) = (Vec::new(), Vec::new());
    for Migrated { edits: here, summary, warnings: found } in migrated {
        edits.push(here);
        warnings.extend(found);
        report.push(lines.line(summary.at, &describe(&summary)));
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

/// A warning about migrated objects that a controller refuses unless a flag allows their scope. The
/// controller opens bitnami.com objects of every scope, so without this warning users would notice only after
/// the native objects arrived.
fn refused_by_default<'d>(migrated: impl Iterator<Item = &'d Migrated>) -> Option<String> {
    const NAMED: usize = 3;
    let wide = migrated.map(|migrated| &migrated.summary).filter(|summary| !summary.scope.binds_namespace());
    let wide: Vec<String> = wide.map(|summary| summary.object_name.to_string()).collect();
    let named = wide.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ");
    let more = match wide.len().checked_sub(NAMED) {
        None | Some(0) => String::new(),
        Some(more) => format!(" and {more} more"),
    };
    (!wide.is_empty()).then(|| {
        format!(
            "{} cluster-wide, which a controller refuses in the native format unless it is started with \
             --allowed-scopes={}: {named}{more}; keep the old objects in the cluster until they say Superseded",
            count(wide.len(), "SealedSecret", "is", "are"),
            Scope::ALL.map(Scope::as_str).join(",")
        )
    })
}

fn describe(summary: &Summary) -> String {
    let keys: Vec<String> = summary.opened_by.iter().map(Fingerprint::short).collect();
    let opened = if keys.is_empty() { String::new() } else { format!(", opened by {}", keys.join(", ")) };
    let rendered: Vec<String> = summary.rendered.iter().map(ToString::to_string).collect();
    let rendered =
        if rendered.is_empty() { String::new() } else { format!(", rendered: {}", rendered.join(", ")) };
    let items = counted(summary.items, "item");
    format!("{}: {items}, {}{opened}{rendered}", summary.object_name, summary.scope)
}

fn count(count: usize, noun: &str, is: &str, are: &str) -> String {
    format!("{} {}", counted(count, noun), if count == 1 { is } else { are })
}

/// The note that ends a run: the numbers of objects and files.
fn closing_note(objects: usize, files: usize, native: usize, written: bool) -> String {
    let files = counted(files, "file");
    let native = match native {
        0 => String::new(),
        native => format!(", {native} native already"),
    };
    if written {
        format!("{} migrated in {files}{native}", count(objects, "SealedSecret", "was", "were"))
    } else {
        let objects = counted(objects, "SealedSecret");
        format!("{objects} can be migrated in {files}{native}; nothing was written: --write does it")
    }
}

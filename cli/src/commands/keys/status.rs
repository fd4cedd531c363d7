//! `seal keys status`: the keys, and what needs each of them: in the cluster, in files, and in revisions of a repository.
//!
//! The cluster's numbers come from the controller, which tried the keys. Files only claim whom they are sealed to.
//! [`table`] makes the result. Invariant: what wasn't looked at is named in the result.

mod table;

use std::path::{Path, PathBuf};

use seal_crds::resources::SealingKey;
use seal_documents::source::Source;
use zeroize::Zeroizing;

use crate::args::intent::{self, IntentError};
use crate::args::{StatusArgs, StatusFormat};
use crate::files::git::{Blob, Content, Repository, SUBMODULES};
use crate::files::output;
use crate::files::repository::{self, Interest};
use crate::keys::cluster::{Cluster, ConnectError};
use crate::objects::claimed::{self, Claimed};
use crate::objects::live::{self, LiveObjects};
use crate::objects::outline;
use crate::talk::exit::Exit;
use crate::talk::failure::Failure;
use crate::talk::terminal;
use table::Report;

/// What a cluster says of its keys.
struct ClusterFacts {
    context: String,
    server: String,
    namespace: String,
    keys: Vec<SealingKey>,
    live: LiveObjects,
}

/// The SealedSecrets of the files, or of one revision.
struct Scan {
    /// `files`, or the revision as it was typed.
    name: String,
    objects: Vec<Claimed>,
    /// What could not be looked at.
    gaps: Vec<String>,
}

pub(super) fn run(args: &StatusArgs) -> Result<Exit, Failure> {
    let is_asked = args.cluster.context.is_some() || (!args.offline && intent::is_watched());
    if !is_asked && args.paths.is_empty() && args.revisions.is_empty() {
        return Err(IntentError::NothingToCount.into());
    }
    let mut gaps = Vec::new();
    let mut scans = Vec::new();
    if args.paths.is_empty() {
        gaps.push("files: name a PATH".to_owned());
    } else {
        scans.push(files(&args.paths)?);
    }
    if args.revisions.is_empty() {
        gaps.push("revisions: name one with --rev".to_owned());
    } else {
        let repository = Repository::around(Path::new("."))?;
        let within =
            args.paths.iter().map(|path| repository.path_within(path)).collect::<Result<Vec<_>, _>>()?;
        for name in &args.revisions {
            scans.push(revision(&repository, name, &within)?);
        }
    }
    let cluster = match is_asked.then(|| ask(args)) {
        Some(Ok(facts)) => Some(facts),
        // A person who only wants files counted isn't stopped by a cluster that wasn't named.
        Some(Err(error)) if args.cluster.context.is_none() && !scans.is_empty() => {
            gaps.push(format!("the cluster: {error}"));
            None
        }
        Some(Err(error)) => return Err(error.into()),
        None => {
            gaps.push("the cluster: name it with --context".to_owned());
            None
        }
    };
    let report = Report::new(cluster.as_ref(), &scans, gaps);
    match args.format {
        StatusFormat::Text => output::report(report.to_lines())?,
        StatusFormat::Json => output::to_stdout(report.to_json().as_bytes())?,
    }
    Ok(Exit::Done)
}

fn ask(args: &StatusArgs) -> Result<ClusterFacts, ConnectError> {
    let cluster = Cluster::connect(&args.cluster)?;
    terminal::note(&format!("asking {}", cluster.summary()));
    Ok(ClusterFacts {
        context: cluster.context().to_owned(),
        server: cluster.server().to_owned(),
        namespace: cluster.namespace().to_owned(),
        keys: cluster.sealing_keys()?,
        live: live::list(&cluster)?,
    })
}

/// Counts the files in the work tree.
fn files(paths: &[PathBuf]) -> Result<Scan, Failure> {
    let interest =
        |text: &str| if outline::mentions_sealed_secret(text) { Interest::Mentioned } else { Interest::None };
    let found = repository::files(paths, interest)?;
    if let Some(failure) = found.failures.into_iter().next() {
        return Err(failure);
    }
    let mut scan = Scan { name: "files".to_owned(), objects: Vec::new(), gaps: Vec::new() };
    for file in found.files {
        scan.add(&file.source);
    }
    Ok(scan)
}

/// Counts the files of a revision that may be manifests by their names.
fn revision(repository: &Repository, name: &str, within: &[PathBuf]) -> Result<Scan, Failure> {
    let commit = repository.commit(name)?;
    let mut blobs = repository.files_of(&commit)?;
    let has_submodules = blobs.iter().any(Blob::names_submodules);
    blobs.retain(|blob| {
        let path = Path::new(&blob.path);
        let is_within = within.is_empty() || within.iter().any(|parent| path.starts_with(parent));
        is_within && repository::is_manifest(path)
    });
    let gaps = if has_submodules { vec![format!("{name}: {SUBMODULES}")] } else { Vec::new() };
    let mut scan = Scan { name: name.to_owned(), objects: Vec::new(), gaps };
    repository.read(&blobs, |blob, content| {
        let label = format!("{name}:{}", blob.path);
        match content {
            // What isn't text is no manifest.
            Content::Bytes(bytes) => {
                if let Ok(text) = String::from_utf8(bytes) {
                    scan.add(&Source::new(label, Zeroizing::new(text)));
                }
            }
            Content::TooLarge => scan.gaps.push(format!("{label}: it is too large")),
            Content::Missing => scan.gaps.push(format!("{label}: the repository lacks it")),
        }
    })?;
    Ok(scan)
}

impl Scan {
    fn add(&mut self, source: &Source) {
        let found = claimed::read(source);
        if found.is_unread {
            self.gaps
                .push(format!("{}: it looks like a SealedSecret, and can't be read as one", source.name));
        }
        self.objects.extend(found.objects);
    }
}

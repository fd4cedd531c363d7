//! What a checkout says: every SealedSecret in a directory of manifests, and what could not be read.
//!
//! Not a decoder: an object is picked by kind, group, namespace and name; what it says is for the reconcile
//! core. Invariants: no link is followed, so a commit can't make us read a file outside the checkout; no
//! error quotes the content of a file, because plaintext may lie beside what is sealed; and what can't be
//! told is a [`Problem`], never an absence, because absence prunes. Neither is what may stand behind a link.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use rustix::fs::FileType;
use seal_crds::resources::bitnami::{self, API_VERSION as PEERS_API_VERSION};
use seal_crds::resources::{API_VERSION, GROUP, SEALED_SECRET};
use seal_crds::{Format, NameError, Place};
use seal_documents::values::{self, DocumentError};
use seal_documents::yaml::Syntax;
use serde_json::Value;

use super::beneath::{Component, Dir};

/// Bounds on what is read, so that a checkout can't use up memory or time. A SealedSecret in a cluster can't
/// be larger than about 1.5 MiB; a list of them may be.
const MAX_FILE: u64 = 4 << 20;
const MAX_ENTRIES: usize = 200_000;
const MAX_OBJECTS: usize = 50_000;
const MAX_DEPTH: usize = 64;
/// What all objects together may weigh in memory.
const MAX_WEIGHT: usize = 256 << 20;

/// Kinds of our group.
const KINDS: [&str; 3] = [SEALED_SECRET, "SealedSecretList", "SealingKey"];

/// Everything that was found, and everything that stood in the way.
#[derive(Debug, Default)]
pub(crate) struct Checkout {
    /// The objects, by place.
    pub(crate) objects: BTreeMap<Place, Found>,
    /// What could not be read or told; as long as there is anything, absence means nothing.
    pub(crate) problems: Vec<Problem>,
    /// Links that were passed by.
    pub(crate) links: usize,
    /// The first of those that may stand where there was a manifest, or a directory of them: as long as there
    /// is one, absence means nothing either.
    pub(crate) doubtful_link: Option<PathBuf>,
    /// Where the first SealedSecret of the peer's format stands that counts in nothing, because there is a native
    /// one for its place.
    pub(crate) superseded: Option<Source>,
}

impl Checkout {
    /// Whether an object that isn't in [`objects`](Self::objects) really is gone from the checkout.
    #[cfg(test)]
    pub(crate) fn is_complete(&self) -> bool {
        self.problems.is_empty() && self.doubtful_link.is_none()
    }
}

/// What was found for one place.
#[derive(Debug)]
pub(crate) enum Found {
    /// One object.
    One(Manifest),
    /// Several, of which none counts: which one is meant can't be told, and the order of files is chance.
    Several(Format, Vec<Source>),
}

impl Found {
    /// The format, the same for all of them.
    pub(crate) fn format(&self) -> Format {
        match self {
            Self::One(manifest) => manifest.format,
            Self::Several(format, _) => *format,
        }
    }

    /// Where the first one stands.
    fn into_source(self) -> Source {
        match self {
            Self::One(manifest) => manifest.source,
            Self::Several(_, mut sources) => sources.swap_remove(0),
        }
    }
}

/// An object as it stands in the file.
#[derive(Debug)]
pub(crate) struct Manifest {
    /// Where it stands.
    pub(crate) source: Source,
    /// By its group.
    pub(crate) format: Format,
    /// The object; without duplicate keys.
    pub(crate) object: Value,
}

/// Where an object stands.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Source {
    /// The file, relative to the checkout.
    pub(crate) file: PathBuf,
    /// Which document of the file, from 1.
    pub(crate) document: usize,
}

/// `apps/db.yaml (document 2)`.
impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (document {})", seal_foreign::path(&self.file), self.document)
    }
}

/// Something that could not be read or told.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Problem {
    /// A file or directory can't be read.
    #[error("can't read {}", seal_foreign::path(.path))]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file is larger than any manifest.
    #[error("{} is larger than {} MiB", seal_foreign::path(.0), MAX_FILE >> 20)]
    TooLarge(PathBuf),
    /// The checkout is larger than we read.
    #[error("the checkout has more than {limit} {what}")]
    TooMany {
        /// The bound.
        limit: usize,
        /// Of what.
        what: &'static str,
    },
    /// A document is not YAML or JSON.
    #[error("{at} {error}")]
    Malformed {
        /// Where.
        at: Source,
        /// What is wrong with it.
        error: DocumentError,
    },
    /// The objects are larger than we keep.
    #[error("{} is passed by: the SealedSecrets take up more than {} MiB", .0, MAX_WEIGHT >> 20)]
    TooHeavy(Source),
    /// A SealedSecret of a group that nobody has.
    #[error("{0} is a SealedSecret, but its apiVersion isn't {API_VERSION} or {PEERS_API_VERSION}")]
    UnknownGroup(Source),
    /// An object of our group that we don't know.
    #[error("{0} has an apiVersion of {GROUP}, but no kind that is known there")]
    UnknownKind(Source),
    /// An object without a usable namespace or name.
    #[error("{0} has no {1}")]
    Nameless(Source, &'static str),
    /// An object with a namespace or name that may not be used.
    #[error("{0}: {1}")]
    BadName(Source, NameError),
    /// Git is changing the checkout at this moment.
    #[error("Git is at work here (.git/index.lock is there)")]
    GitAtWork,
}

/// Reads the checkout in `root`.
///
/// # Expected Flow
/// All directories but hidden ones (`.git` above all), in them all `.yaml`, `.yml` and `.json` files that
/// mention a SealedSecret at all: templates of other tools, which are no YAML, don't stand in the way.
///
/// `root` itself may be a link (`current -> releases/42`) and is resolved anew by each call.
pub(crate) fn read(root: &Path) -> Checkout {
    read_up_to(root, MAX_WEIGHT)
}

fn read_up_to(root: &Path, weight: usize) -> Checkout {
    let mut checkout = Checkout::default();
    let unreadable = |path: &Path| {
        let path = path.to_owned();
        move |source| Problem::Unreadable { path, source }
    };
    match Dir::open(root).map_err(unreadable(root)) {
        Ok(dir) => {
            if git_is_at_work(&dir) {
                checkout.problems.push(Problem::GitAtWork);
            }
            let mut walk = Walk { root: &dir, entries: 0, weight, checkout: &mut checkout };
            walk.directory(&mut Vec::new());
        }
        Err(problem) => checkout.problems.push(problem),
    }
    checkout
}

/// Git keeps this file while it rewrites the work tree: files vanish and come back.
fn git_is_at_work(root: &Dir) -> bool {
    let part = |name: &str| Component::new(name).expect("a plain name");
    root.open_beneath(&[&part(".git")]).is_ok_and(|git| !matches!(git.stat(&part("index.lock")), Ok(None)))
}

struct Walk<'a> {
    root: &'a Dir,
    entries: usize,
    /// What may still be kept.
    weight: usize,
    checkout: &'a mut Checkout,
}

impl Walk<'_> {
    /// Every directory is opened from the root down, so a deep tree uses up neither stack nor descriptors,
    /// and none can be swapped for a link on the way.
    fn directory(&mut self, path: &mut Vec<Component>) {
        let opened = match path.as_slice() {
            [] => self.root.entries(MAX_ENTRIES).map(|entries| (None, entries)),
            parts => self.root.open_beneath(&parts.iter().collect::<Vec<_>>()).and_then(|dir| {
                let entries = dir.entries(MAX_ENTRIES)?;
                Ok((Some(dir), entries))
            }),
        };
        let (dir, entries) = match opened {
            Ok(opened) => opened,
            Err(source) => {
                return self.problem(Problem::Unreadable { path: joined(path), source });
            }
        };
        for entry in entries {
            if self.entries == MAX_ENTRIES {
                return;
            }
            self.entries += 1;
            if self.entries == MAX_ENTRIES {
                return self.problem(Problem::TooMany { limit: MAX_ENTRIES, what: "files" });
            }
            if entry.name.as_bytes().starts_with(b".") {
                continue;
            }
            let is_manifest = is_manifest(&entry.name);
            path.push(entry.name);
            match entry.kind {
                FileType::Directory if path.len() > MAX_DEPTH => {
                    self.problem(Problem::TooMany { limit: MAX_DEPTH, what: "levels of directories" });
                }
                FileType::Directory => self.directory(path),
                FileType::Symlink => self.link(path, is_manifest),
                _ if is_manifest => self.file(dir.as_ref(), path),
                _ => {}
            }
            path.pop();
        }
    }

    /// A link may have taken the place of what was there. One that leads to a file, and isn't called like a
    /// manifest, can't have: directories and manifests are all that we read.
    fn link(&mut self, path: &[Component], is_manifest: bool) {
        self.checkout.links += 1;
        let doubtful = is_manifest || !self.root.leads_to_file(&path.iter().collect::<Vec<_>>());
        if doubtful && self.checkout.doubtful_link.is_none() {
            self.checkout.doubtful_link = Some(joined(path));
        }
    }

    fn file(&mut self, dir: Option<&Dir>, path: &[Component]) {
        let file = joined(path);
        let name = path.last().expect("a file has a name");
        let bytes = match read_file(dir.unwrap_or(self.root), name) {
            Ok(bytes) => bytes,
            Err(source) => return self.problem(Problem::Unreadable { path: file, source }),
        };
        if bytes.len() as u64 > MAX_FILE {
            return self.problem(Problem::TooLarge(file));
        }
        if !mentions_us(&bytes) {
            return;
        }
        let is_json = file.extension().is_some_and(|extension| extension == "json");
        let syntax = if is_json { Syntax::Json } else { Syntax::Yaml };
        for (index, document) in values::read(&bytes, syntax, self.weight).into_iter().enumerate() {
            let at = Source { file: file.clone(), document: index + 1 };
            match document {
                Ok(value) => self.value(&at, value),
                Err(error) => self.problem(Problem::Malformed { at, error }),
            }
        }
    }

    /// Picks the SealedSecrets from a document; a `List` is as good as its items one by one.
    fn value(&mut self, at: &Source, mut value: Value) {
        let kind = value["kind"].as_str().unwrap_or_default();
        if (kind == "List" || kind == "SealedSecretList") && value["items"].is_array() {
            if let Value::Array(items) = value["items"].take() {
                items.into_iter().for_each(|item| self.value(at, item));
            }
            return;
        }
        // No slash: a group without version, or a version of the core group, which has no SealedSecrets.
        let group =
            value["apiVersion"].as_str().and_then(|text| text.split_once('/')).map(|(group, _)| group);
        let format = match (kind, group) {
            // An unknown version too: the object is there, and says itself what is wrong with it.
            (SEALED_SECRET, Some(GROUP)) => Format::Native,
            (SEALED_SECRET, Some(bitnami::GROUP)) => Format::Bitnami,
            (SEALED_SECRET, _) => return self.problem(Problem::UnknownGroup(at.clone())),
            (kind, Some(GROUP)) if !KINDS.contains(&kind) => {
                return self.problem(Problem::UnknownKind(at.clone()));
            }
            _ => return,
        };
        match place(at, &value) {
            Ok(place) => self.object(place, Manifest { source: at.clone(), format, object: value }),
            Err(problem) => self.problem(problem),
        }
    }

    fn object(&mut self, place: Place, manifest: Manifest) {
        if self.checkout.objects.len() == MAX_OBJECTS && !self.checkout.objects.contains_key(&place) {
            return self.problem(Problem::TooMany { limit: MAX_OBJECTS, what: "SealedSecrets" });
        }
        // The place and the name of the file are kept as well.
        let names = place.namespace.as_str().len() + place.name.as_str().len();
        let weight = values::weight(&manifest.object) + names + manifest.source.file.as_os_str().len();
        match self.weight.checked_sub(weight) {
            Some(left) => self.weight = left,
            None => return self.problem(Problem::TooHeavy(manifest.source)),
        }
        // Of both formats the native one counts, wherever it stands, and also where it is refused: one status speaks
        // of one Secret here. Nothing is lost by that, since what was written stays as long as a manifest is there.
        let found = match self.checkout.objects.remove(&place) {
            None => Found::One(manifest),
            Some(first) if first.format() != manifest.format => {
                let (kept, source) = match manifest.format {
                    Format::Native => (Found::One(manifest), first.into_source()),
                    Format::Bitnami => (first, manifest.source),
                };
                self.checkout.superseded.get_or_insert(source);
                kept
            }
            Some(Found::One(first)) => Found::Several(first.format, vec![first.source, manifest.source]),
            Some(Found::Several(format, mut sources)) => {
                sources.push(manifest.source);
                Found::Several(format, sources)
            }
        };
        self.checkout.objects.insert(place, found);
    }

    fn problem(&mut self, problem: Problem) {
        // Enough to say what is wrong; a checkout of nothing but broken files must not fill the log.
        if self.checkout.problems.len() < 100 {
            self.checkout.problems.push(problem);
        }
    }
}

/// Which Secret an object becomes. Without that it can't even be said whose absence it would excuse.
fn place(at: &Source, object: &Value) -> Result<Place, Problem> {
    let text = |field: &'static str, path: &'static str| {
        object["metadata"][field].as_str().ok_or_else(|| Problem::Nameless(at.clone(), path))
    };
    let bad = |error| Problem::BadName(at.clone(), error);
    Ok(Place {
        namespace: text("namespace", "metadata.namespace")?.parse().map_err(bad)?,
        name: text("name", "metadata.name")?.parse().map_err(bad)?,
    })
}

/// One byte more than the bound tells that there is more.
fn read_file(dir: &Dir, name: &Component) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    dir.open_file(name)?.take(MAX_FILE + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn is_manifest(name: &Component) -> bool {
    [".yaml", ".yml", ".json"].iter().any(|end| name.as_bytes().ends_with(end.as_bytes()))
}

/// The kind, or the group as an `apiVersion` has it: either may be mistyped.
fn mentions_us(bytes: &[u8]) -> bool {
    [SEALED_SECRET, "sealing.dev/v", "bitnami.com/v"].iter().any(|word| {
        let word = word.as_bytes();
        bytes.windows(word.len()).any(|window| window == word)
    })
}

fn joined(path: &[Component]) -> PathBuf {
    use std::os::unix::ffi::OsStrExt as _;
    path.iter().map(|part| std::ffi::OsStr::from_bytes(part.as_bytes())).collect()
}

#[cfg(test)]
mod tests;

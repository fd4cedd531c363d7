//! The SealedSecrets that a directory of manifests declares, and the obstacles to reading it.
//!
//! An object is found by kind, group, namespace and name, and only SealedSecrets are decoded: any other document must
//! only be YAML or JSON, and in bounds. A SealedSecret that readers could disagree on is malformed, as it is to the
//! command line, and stops no other object.
//!
//! Invariants: no link is followed, so a commit can't make the host read a file outside the checkout. No error quotes a
//! value of a file, because plaintext may stand beside sealed items. Absence prunes, so a thing that can't be told is
//! a [`Problem`], never an absence; the same holds for anything that may stand behind a link.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use rustix::fs::FileType;
use seal_crds::resources::bitnami::{self, API_VERSION as BITNAMI_API_VERSION};
use seal_crds::resources::{API_VERSION, GROUP, SEALED_SECRET};
use seal_crds::{Format, NameError, Place};
use seal_documents::manifest::{Claims, DecodeError, FieldError};
use seal_documents::room::Room;
use seal_documents::source::AtLine;
use seal_documents::values::{self, Document, DocumentError, Parts};
use seal_documents::yaml::Syntax;
use seal_documents::yaml::tree::NodeId;

use super::beneath::{Component, Dir};

/// Bounds on what is read, so that a checkout can't use up memory or time. A SealedSecret in a cluster can't
/// be larger than about 1.5 MiB; a list of them may be.
const MAX_FILE: u64 = 4 << 20;
const MAX_ENTRIES: usize = 200_000;
const MAX_OBJECTS: usize = 50_000;
const MAX_DEPTH: usize = 64;
/// Bytes of memory that all objects together may take up.
const MAX_WEIGHT: usize = 256 << 20;

/// Kinds of our group.
const KINDS: [&str; 3] = [SEALED_SECRET, LISTS[1], "SealingKey"];
/// Kinds whose items are objects of their own.
const LISTS: [&str; 2] = ["List", "SealedSecretList"];

/// Every SealedSecret of a checkout, and every obstacle to reading it.
#[derive(Debug, Default)]
pub(crate) struct Checkout {
    /// The SealedSecrets, by place.
    pub(crate) objects: BTreeMap<Place, Declared>,
    /// Parts that can't be read or told. As long as there is one, absence means nothing.
    pub(crate) problems: Vec<Problem>,
    /// How many links were passed by.
    pub(crate) links: usize,
    /// The first link that may stand in the place of a manifest, or of a directory of them. As long as there is one,
    /// absence means nothing.
    pub(crate) doubtful_link: Option<PathBuf>,
    /// The first SealedSecret of the Bitnami format that doesn't count, because there is a native one for its place.
    pub(crate) superseded: Option<Origin>,
}

impl Checkout {
    /// Whether absence from [`objects`](Self::objects) proves absence from the checkout.
    #[cfg(test)]
    pub(crate) fn is_complete(&self) -> bool {
        self.problems.is_empty() && self.doubtful_link.is_none()
    }
}

/// The SealedSecrets that a checkout declares for one place.
#[derive(Debug)]
pub(crate) enum Declared {
    /// One SealedSecret.
    Once(Declaration),
    /// Several SealedSecrets, and none of them counts: the order of files is chance, so it can't tell which one is
    /// meant.
    Several(Format, Vec<Origin>),
}

impl Declared {
    /// The format, the same for all of them.
    pub(crate) fn format(&self) -> Format {
        match self {
            Self::Once(declaration) => declaration.format,
            Self::Several(format, _) => *format,
        }
    }

    /// The origin of the first one.
    fn into_origin(self) -> Origin {
        match self {
            Self::Once(declaration) => declaration.origin,
            Self::Several(_, mut origins) => origins.swap_remove(0),
        }
    }
}

/// A SealedSecret as its file declares it.
#[derive(Debug)]
pub(crate) struct Declaration {
    /// The document that it stands in.
    pub(crate) origin: Origin,
    /// The format that its group has.
    pub(crate) format: Format,
    /// The `apiVersion`, which may have an unknown version.
    pub(crate) api_version: String,
    /// Annotations (of the Bitnami format only) and spec; or why readers could disagree on them.
    pub(crate) parts: Result<Parts, AtLine<DecodeError>>,
}

/// The document that an object stands in.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Origin {
    /// The file, relative to the checkout.
    pub(crate) file: PathBuf,
    /// The number of the document in its file, from 1.
    pub(crate) document: usize,
}

/// `apps/db.yaml (document 2)`.
impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (document {})", seal_foreign::path(&self.file), self.document)
    }
}

/// A part of the checkout that can't be read or told.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Problem {
    /// A file or directory can't be read.
    #[error("can't read {}", seal_foreign::path(.path))]
    Unreadable {
        /// The file or directory.
        path: PathBuf,
        /// The operating system's error.
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
        /// The things that are counted.
        what: &'static str,
    },
    /// A document is not YAML or JSON.
    #[error("{at} {error}")]
    Malformed {
        /// The document.
        at: Origin,
        /// The error, as the rest of a sentence about the document.
        error: AtLine<DocumentError>,
    },
    /// Readers could disagree on the type, namespace or name of an object.
    #[error("{at}: {error}")]
    Ambiguous {
        /// The document.
        at: Origin,
        /// The thing to disagree on.
        error: AtLine<FieldError>,
    },
    /// A SealedSecret is larger than there is room for.
    #[error("{at} {error}")]
    NoRoom {
        /// The document.
        at: Origin,
        /// The error, as the rest of a sentence about the document.
        error: AtLine<DecodeError>,
    },
    /// The objects are larger than we keep.
    #[error("{} is passed by: the SealedSecrets take up more than {} MiB", .0, MAX_WEIGHT >> 20)]
    TooHeavy(Origin),
    /// A SealedSecret of an unknown group.
    #[error("{0} is a SealedSecret, but its apiVersion isn't {API_VERSION} or {BITNAMI_API_VERSION}")]
    UnknownGroup(Origin),
    /// An object of our group with an unknown kind.
    #[error("{0} has an apiVersion of {GROUP}, but no kind that is known there")]
    UnknownKind(Origin),
    /// An object without a usable namespace or name.
    #[error("{0} has no {1}")]
    Nameless(Origin, &'static str),
    /// An object with a namespace or name that may not be used.
    #[error("{0}: {1}")]
    BadName(Origin, NameError),
    /// Git is changing the checkout at this moment.
    #[error("Git is at work here (.git/index.lock is there)")]
    GitAtWork,
}

/// Reads the checkout in `root`.
///
/// # Expected Flow
/// Reads all directories but hidden ones (`.git` above all), and in them all `.yaml`, `.yml` and `.json` files that
/// mention a SealedSecret. Templates of other tools, which are no YAML, mostly mention none and are no obstacle.
///
/// `root` itself may be a link (`current -> releases/42`). Each call resolves it anew.
pub(crate) fn read(root: &Path) -> Checkout {
    read_up_to(root, Room::new(MAX_WEIGHT))
}

fn read_up_to(root: &Path, room: Room) -> Checkout {
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
            let mut walk = Walk { root: &dir, entries: 0, room, checkout: &mut checkout };
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
    /// How many files and directories were seen.
    entries: usize,
    /// Room for the objects that are kept.
    room: Room,
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
        // Trees have the bounds of a text: only what is kept of them takes up room.
        for (index, document) in values::documents(&bytes, syntax, Room::unlimited()).enumerate() {
            let at = Origin { file: file.clone(), document: index + 1 };
            match document {
                Ok(document) => {
                    if let Some(root) = document.root() {
                        self.object(&at, &document, root);
                    }
                }
                Err(error) => self.problem(Problem::Malformed { at, error }),
            }
        }
    }

    /// Picks the SealedSecrets from a document; a `List` is as good as its items one by one.
    fn object(&mut self, at: &Origin, document: &Document<'_>, node: NodeId) {
        let Some(claims) = document.claims(node) else { return };
        let is_ours = may_be_ours(&claims);
        if let Some(doubt) = claims.doubt.filter(|_| is_ours) {
            return self.problem(Problem::Ambiguous { at: at.clone(), error: document.at_line(doubt) });
        }
        let first = |claims: &[&str]| claims.first().copied().unwrap_or_default().to_owned();
        let (kind, api_version) = (first(&claims.kinds), first(&claims.api_versions));
        if LISTS.contains(&kind.as_str()) && !claims.items.is_empty() {
            return claims.items.iter().for_each(|item| self.object(at, document, *item));
        }
        let format = match (kind.as_str(), group(&api_version)) {
            // An unknown version too: the object is there, and says itself what is wrong with it.
            (SEALED_SECRET, Some(GROUP)) => Format::Native,
            (SEALED_SECRET, Some(bitnami::GROUP)) => Format::Bitnami,
            (SEALED_SECRET, _) => return self.problem(Problem::UnknownGroup(at.clone())),
            (kind, Some(GROUP)) if !KINDS.contains(&kind) => {
                return self.problem(Problem::UnknownKind(at.clone()));
            }
            _ => return,
        };
        let place = match place(at, document, node) {
            Ok(place) => place,
            Err(problem) => return self.problem(problem),
        };
        let parts = document.parts(node, format, &mut self.room);
        match parts {
            Err(error @ AtLine { error: DecodeError::NoRoom(_), .. }) => {
                self.problem(Problem::NoRoom { at: at.clone(), error });
            }
            parts => self.declare(place, Declaration { origin: at.clone(), format, api_version, parts }),
        }
    }

    fn declare(&mut self, place: Place, declaration: Declaration) {
        if self.checkout.objects.len() == MAX_OBJECTS && !self.checkout.objects.contains_key(&place) {
            return self.problem(Problem::TooMany { limit: MAX_OBJECTS, what: "SealedSecrets" });
        }
        // The place, the version and the name of the file are kept as well.
        let names =
            place.namespace.as_str().len() + place.name.as_str().len() + declaration.api_version.len();
        if self.room.take(names + declaration.origin.file.as_os_str().len()).is_err() {
            return self.problem(Problem::TooHeavy(declaration.origin));
        }
        // Of both formats the native one counts, wherever it stands, and also where it is refused: one status speaks
        // of one Secret here. Nothing is lost by that, since what was written stays as long as a manifest is there.
        let declared = match self.checkout.objects.remove(&place) {
            None => Declared::Once(declaration),
            Some(first) if first.format() != declaration.format => {
                let (kept, origin) = match declaration.format {
                    Format::Native => (Declared::Once(declaration), first.into_origin()),
                    Format::Bitnami => (first, declaration.origin),
                };
                self.checkout.superseded.get_or_insert(origin);
                kept
            }
            Some(Declared::Once(first)) => {
                Declared::Several(first.format, vec![first.origin, declaration.origin])
            }
            Some(Declared::Several(format, mut origins)) => {
                origins.push(declaration.origin);
                Declared::Several(format, origins)
            }
        };
        self.checkout.objects.insert(place, declared);
    }

    fn problem(&mut self, problem: Problem) {
        // Enough to say what is wrong; a checkout of nothing but broken files must not fill the log.
        if self.checkout.problems.len() < 100 {
            self.checkout.problems.push(problem);
        }
    }
}

/// Whether some reader may find a SealedSecret in the object.
fn may_be_ours(claims: &Claims<'_>) -> bool {
    let is_our_group = |version: &&str| matches!(group(version), Some(GROUP | bitnami::GROUP));
    let is_our_kind = |kind: &&str| *kind == SEALED_SECRET || LISTS.contains(kind);
    claims.is_veiled || claims.kinds.iter().any(is_our_kind) || claims.api_versions.iter().any(is_our_group)
}

/// The group of an `apiVersion`. One without a slash is a group without version, or a version of the core group, which
/// has no SealedSecrets.
fn group(api_version: &str) -> Option<&str> {
    api_version.split_once('/').map(|(group, _)| group)
}

/// The namespace and name of an object. Without them the host can't say which Secret's absence the object would excuse.
fn place(at: &Origin, document: &Document<'_>, object: NodeId) -> Result<Place, Problem> {
    let text = |field: &'static str, path: &'static str| {
        let found = document.metadata(object, field);
        let found = found.map_err(|error| Problem::Ambiguous { at: at.clone(), error })?;
        found.ok_or_else(|| Problem::Nameless(at.clone(), path))
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

//! What stands in one state of a file, as far as a diff speaks of it.
//!
//! Invariant: nothing of a value of a Secret in plaintext is kept, only the names of its items, and hashes that tell nothing
//! after the run; whatever an envelope calls its recipients is no name of theirs.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{BuildHasher as _, RandomState};
use std::sync::LazyLock;

use seal_crds::Unsealed;
use seal_crds::keys::Fingerprint;
use seal_documents::manifest::{Kind, Manifest, Object, shown};
use seal_documents::source::Source;
use seal_documents::yaml::tree::NodeId;

use crate::files::text::names_a_secret;
use crate::objects::outline::{self, Outline, OutlineName};

/// The names of keys, from pins that were reviewed.
pub(crate) type Names = BTreeMap<Fingerprint, String>;

/// Opens an object for whoever has the keys; `None` if it doesn't open.
pub(crate) type Open<'o> = dyn Fn(&Manifest<'_>, &Object) -> Option<Unsealed> + 'o;

/// One state of a file.
#[derive(Default)]
pub(crate) struct Snapshot {
    pub(crate) path: String,
    pub(crate) objects: Vec<Seen>,
    /// How often each comment stands there that allows a finding: `plaintext -- a fixture`.
    pub(crate) allowed: BTreeMap<String, usize>,
    /// It looks like a file of Secrets, and can't be read.
    pub(crate) is_unread: bool,
}

/// An object of a file.
pub(crate) enum Seen {
    Sealed {
        outline: Box<Outline>,
        opened: Option<Unsealed>,
        /// The keys that the repository pinned for the file before the changes, and their names.
        pinned: Names,
        /// The commit in which an earlier version of the file had the item with the same ciphertext, by the item's name.
        former: BTreeMap<String, String>,
    },
    /// A Secret in plaintext.
    Plain {
        object_name: OutlineName,
        /// A hash of each value by the item's name, under a key of this run.
        items: BTreeMap<String, u64>,
    },
}

impl Snapshot {
    /// Reads a state of a file. Of a file without a Secret or a SealedSecret, only comments are seen.
    pub(crate) fn read(path: &str, source: &Source, open: &Open<'_>) -> Self {
        let text = source.text();
        let allowed = allowed(text);
        let mut snapshot = Self { path: path.to_owned(), allowed, ..Self::default() };
        if !names_a_secret(text) {
            return snapshot;
        }
        let Ok(manifest) = Manifest::parse(source) else {
            snapshot.is_unread = true;
            return snapshot;
        };
        for (index, object) in manifest.objects.iter().enumerate() {
            match object.kind {
                Kind::SealedSecret => {
                    let outline = outline::read(&manifest, index);
                    let opened = open(&manifest, object);
                    let pinned = Names::new();
                    let (outline, former) = (Box::new(outline), BTreeMap::new());
                    snapshot.objects.push(Seen::Sealed { outline, opened, pinned, former });
                }
                Kind::Secret => snapshot.objects.push(plain(&manifest, object)),
                Kind::Other => {}
            }
        }
        snapshot
    }

    /// A file whose text is in another encoding than the one that manifests are read in.
    pub(crate) fn unread(path: &str, text: &str) -> Self {
        let (allowed, is_unread) = (allowed(text), names_a_secret(text));
        Self { path: path.to_owned(), allowed, is_unread, ..Self::default() }
    }
}

impl Snapshot {
    /// Says by which names the repository pinned keys for the file before the changes. Only these are shown.
    ///
    /// The threat is a key that claims the name of another, in an envelope or in a pin file that comes along with it.
    pub(crate) fn name_recipients(&mut self, names: &Names) {
        for seen in &mut self.objects {
            if let Seen::Sealed { pinned, .. } = seen {
                pinned.clone_from(names);
            }
        }
    }
}

impl Seen {
    pub(crate) fn object_name(&self) -> &OutlineName {
        match self {
            Self::Sealed { outline, .. } => &outline.object_name,
            Self::Plain { object_name, .. } => object_name,
        }
    }

    pub(crate) fn items(&self) -> BTreeSet<&str> {
        match self {
            Self::Sealed { outline, .. } => outline.items.keys().map(String::as_str).collect(),
            Self::Plain { items, .. } => items.keys().map(String::as_str).collect(),
        }
    }

    pub(crate) fn sealed(&self) -> Option<&Outline> {
        match self {
            Self::Sealed { outline, .. } => Some(outline),
            Self::Plain { .. } => None,
        }
    }

    pub(super) fn pinned(&self) -> &Names {
        static NOBODY: Names = Names::new();
        match self {
            Self::Sealed { pinned, .. } => pinned,
            Self::Plain { .. } => &NOBODY,
        }
    }

    pub(super) fn former(&self) -> &BTreeMap<String, String> {
        static NONE: BTreeMap<String, String> = BTreeMap::new();
        match self {
            Self::Sealed { former, .. } => former,
            Self::Plain { .. } => &NONE,
        }
    }

    pub(crate) fn opened(&self) -> Option<&Unsealed> {
        match self {
            Self::Sealed { opened, .. } => opened.as_ref(),
            Self::Plain { .. } => None,
        }
    }
}

/// Whether two opened objects have the same value of an item; `None` if that can't be told.
pub(super) fn is_same_value(old: &Seen, new: &Seen, item: &str) -> Option<bool> {
    Some(value(old, item)? == value(new, item)?)
}

fn value<'s>(seen: &'s Seen, item: &str) -> Option<&'s [u8]> {
    let found = seen.opened()?.data.iter().find(|(name, _)| name.as_str() == item);
    found.map(|(_, value)| value.expose())
}

/// The key of this run for hashes of values.
static RUN: LazyLock<RandomState> = LazyLock::new(RandomState::new);

fn plain(manifest: &Manifest<'_>, object: &Object) -> Seen {
    let tree = manifest.tree(object);
    let text = |path: &[&str]| {
        let node = path.iter().try_fold(object.node, |node, key| tree.get(node, key))?;
        tree.scalar(node).filter(|_| !tree.is_null(node)).map(str::to_owned)
    };
    let keys = |field: &str| {
        let entries = tree.get(object.node, field).and_then(|node| tree.mapping(node)).unwrap_or_default();
        // A slip of the hand can make a key of a value.
        let item = |(key, value): &(NodeId, NodeId)| {
            Some((shown(tree.scalar(*key)?), RUN.hash_one((field, tree.scalar(*value)))))
        };
        entries.iter().filter_map(item).collect::<Vec<_>>()
    };
    Seen::Plain {
        object_name: OutlineName {
            namespace: text(&["metadata", "namespace"]),
            name: text(&["metadata", "name"]),
        },
        items: keys("data").into_iter().chain(keys("stringData")).collect(),
    }
}

/// The comments that allow a finding of `seal check`.
fn allowed(text: &str) -> BTreeMap<String, usize> {
    let mut found = BTreeMap::new();
    for line in text.lines() {
        let Some((_, comment)) = line.split_once('#') else { continue };
        let Some(rest) = comment.trim_start().strip_prefix("seal:") else { continue };
        if let Some(what) = rest.trim_start().strip_prefix("allow ") {
            *found.entry(what.trim().to_owned()).or_default() += 1;
        }
    }
    found
}

//! `seal git merge`: git's merge driver for files of SealedSecrets.
//!
//! [`objects::merge`](crate::objects::merge) decides. Invariants: the result is written whole or not at all; a conflict
//! ends with 1, as git expects it, and the file then has markers, so that no side is lost unnoticed.

use std::cell::{OnceCell, RefCell};
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use seal_crds::ItemName;
use seal_crds::keys::Keyring;
use seal_crds::native::Item;
use seal_documents::source::Source;
use zeroize::Zeroizing;

use super::labels::{self, Sides};
use crate::args::MergeArgs;
use crate::commands::counted;
use crate::files::git::{GitError, MergeFile, MergedFile, merge_file};
use crate::files::input::Input;
use crate::files::output::{self, Replacement};
use crate::keys::identities;
use crate::objects::conflict::Labels;
use crate::objects::merge::{self, Found, Help, Merged, TextMerge, Texts, Versions};
use crate::objects::outline;
use crate::objects::sealed::items_wherever;
use crate::talk::exit::Exit;
use crate::talk::failure::Failure;
use crate::talk::{pasted, terminal};

pub(super) fn run(args: &MergeArgs) -> Result<Exit, Failure> {
    let read = |path: &Path| Input::File(path.to_owned()).read_bytes();
    let (base, ours, theirs) = (read(&args.base)?, read(&args.ours)?, read(&args.theirs)?);
    let labels = labels::of(args);
    let source = |name: &str, bytes: &[u8]| {
        let text = std::str::from_utf8(bytes).ok()?;
        Some(Source::new(name.to_owned(), Zeroizing::new(text.to_owned())))
    };
    let sources = (source("base", &base), source("ours", &ours), source("theirs", &theirs));
    let (new, conflicts, is_clean) = match &sources {
        (Some(base), Some(ours), Some(theirs)) => {
            let help = Helper::new(&labels, &args.identities);
            let versions = Versions { base, ours, theirs };
            let merged = merge::merge(&versions, &labels, &help)?;
            warn(&path_of(args).display().to_string(), &merged);
            let Merged { text, conflicts, is_clean, .. } = merged;
            (text.into_bytes(), conflicts, is_clean)
        }
        // What isn't text is no manifest.
        _ => {
            let MergedFile { bytes, is_clean } = merge_bytes(&base, &ours, &theirs, &labels)?;
            (bytes, Vec::new(), is_clean)
        }
    };
    output::replace_files(&[Replacement { path: &args.ours, old: &ours, new: &new }])?;
    if is_clean {
        return Ok(Exit::Done);
    }
    let is_sealed = std::str::from_utf8(&new).is_ok_and(outline::mentions_sealed_secret);
    explain(args, &labels, &conflicts, is_sealed);
    Ok(Exit::Findings)
}

/// The path of the file, for messages.
fn path_of(args: &MergeArgs) -> &Path {
    args.path.as_ref().map_or(args.ours.as_path(), Path::new)
}

/// Warns of what a merge did by its rules, and a person may not expect.
pub(in crate::commands) fn warn(path: &str, merged: &Merged) {
    for note in &merged.notes {
        terminal::warn(&format!("{path}: {note}; seal rotate can mend it"), None);
    }
    if merged.lost_comments > 0 {
        let comments = counted(merged.lost_comments, "comment");
        terminal::warn(&format!("{path}: {comments} of envelopes left out"), None);
    }
}

/// Says what the conflict is, and which side is whose.
pub(in crate::commands) fn say_conflicts(path: &str, labels: &Labels, conflicts: &[String]) {
    for conflict in conflicts {
        terminal::note(&format!("{path}: {conflict}"));
    }
    let Sides { ours, theirs } = labels::with_commits(labels);
    terminal::note(&format!("{path}: conflict between {ours} (ours) and {theirs} (theirs)"));
}

/// Says what the conflict is, and what to try with SealedSecrets.
fn explain(args: &MergeArgs, labels: &Labels, conflicts: &[String], is_sealed: bool) {
    let path = path_of(args).display().to_string();
    say_conflicts(&path, labels, conflicts);
    if is_sealed {
        let word = labels.theirs.split(' ').next().unwrap_or(&labels.theirs);
        let path = pasted::path(&path);
        terminal::note(&format!("to keep one: seal resolve {path} --take {}", pasted::word(word)));
    }
}

fn merge_bytes(base: &[u8], ours: &[u8], theirs: &[u8], labels: &Labels) -> Result<MergedFile, GitError> {
    merge_file(&MergeFile {
        base,
        ours,
        theirs,
        base_label: &labels.base,
        ours_label: &labels.ours,
        theirs_label: &labels.theirs,
        marker_size: labels.size,
    })
}

/// The items of an object, opened.
type Opened = BTreeMap<ItemName, Item>;

/// git for lines, and the identities at hand for values.
pub(in crate::commands) struct Helper<'h> {
    labels: &'h Labels,
    identities: &'h [PathBuf],
    /// Read when a value is first in question: most merges need no key, and a passphrase may stand before one.
    keys: OnceCell<Option<Keyring>>,
    /// The items of the objects that were opened, by side and index.
    opened: RefCell<HashMap<(String, usize), Option<Opened>>>,
}

impl<'h> Helper<'h> {
    pub(in crate::commands) fn new(labels: &'h Labels, identities: &'h [PathBuf]) -> Self {
        Self { labels, identities, keys: OnceCell::new(), opened: RefCell::default() }
    }

    fn keys(&self) -> Option<&Keyring> {
        let read = || {
            let inputs: Vec<Input> = self.identities.iter().map(|path| Input::from_arg(path)).collect();
            if inputs.is_empty() {
                return None;
            }
            match identities::read(&inputs) {
                Ok(keys) => Some(keys),
                // A merge without a key is a good merge too.
                Err(failure) => {
                    terminal::print_failure(&failure);
                    None
                }
            }
        };
        self.keys.get_or_init(read).as_ref()
    }

    fn open(&self, found: &Found<'_>) -> Option<()> {
        let key = (found.manifest.source.name.clone(), found.outline.object);
        let mut opened = self.opened.borrow_mut();
        let open = || {
            let object = &found.manifest.objects[found.outline.object];
            items_wherever(found.manifest, object, self.keys()?)
        };
        opened.entry(key).or_insert_with(open).as_ref().map(drop)
    }
}

impl Help for Helper<'_> {
    type Error = GitError;

    fn merge_lines(&self, texts: &Texts<'_>) -> Result<TextMerge, GitError> {
        let (base, ours, theirs) = (texts.base.as_bytes(), texts.ours.as_bytes(), texts.theirs.as_bytes());
        let MergedFile { bytes, is_clean } = merge_bytes(base, ours, theirs, self.labels)?;
        // The lines of three texts are text.
        let text = String::from_utf8(bytes).map_err(|_| GitError::Unexpected("merge-file"))?;
        Ok(TextMerge { text, is_clean })
    }

    fn is_same_item(&self, ours: &Found<'_>, theirs: &Found<'_>, item: &str) -> bool {
        if self.open(ours).is_none() || self.open(theirs).is_none() {
            return false;
        }
        let opened = self.opened.borrow();
        let sealed = |found: &Found<'_>| {
            let key = (found.manifest.source.name.clone(), found.outline.object);
            let opened = opened.get(&key)?.as_ref()?;
            opened.iter().find(|(name, _)| name.as_str() == item).map(|(_, item)| item)
        };
        // The lists of recipients are true: both objects were opened.
        let recipients = |found: &Found<'_>| {
            let data_key = found.outline.items.get(item)?.data_key.as_deref()?;
            Some(found.outline.envelope_of(data_key)?.fingerprints())
        };
        match (sealed(ours), sealed(theirs)) {
            (Some(one), Some(other)) => {
                one.value.expose() == other.value.expose()
                    && one.template == other.template
                    && one.seen == other.seen
                    && recipients(ours) == recipients(theirs)
            }
            _ => false,
        }
    }
}

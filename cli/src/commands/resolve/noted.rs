//! The versions of a file that git noted for a merge that isn't finished, merged item by item.
//!
//! Where the merge driver is missing, git merges lines and leaves markers round whole envelopes; where it can't be started,
//! git leaves our version without a marker. Invariant: only what git left is merged anew, because in any other text there is
//! somebody's work.

use std::path::{Path, PathBuf};

use seal_documents::source::Source;
use zeroize::Zeroizing;

use crate::commands::git::labels;
use crate::commands::git::merge::Helper;
use crate::files::git::{Content, EntryKind, GitError, Repository, Stages};
use crate::objects::conflict::{self, Labels, Side};
use crate::objects::merge::{self, Help as _, Merged, Texts, Versions};
use crate::objects::resolve::marker_size;
use crate::talk::failure::Failure;

/// What git noted of a file.
pub(super) enum Noted {
    /// No conflict: it is in no repository, or was added since.
    Nothing,
    /// One side removed the file, and the other changed it.
    Removed(Side),
    /// The versions of both sides.
    Versions(Box<Sides>),
    /// Versions of both sides that are no text, or links.
    NoText,
}

/// The versions of a file in a merge.
pub(super) struct Sides {
    /// Empty if both sides added the file.
    base: Source,
    pub(super) ours: Source,
    pub(super) theirs: Source,
}

/// A file as the merge driver would have left it.
pub(super) struct MergedAnew {
    pub(super) merged: Merged,
    pub(super) labels: Labels,
}

impl Noted {
    /// What git noted of a file.
    ///
    /// # Errors
    ///
    /// The file is in a repository that can't be read.
    pub(super) fn of(file: &Path) -> Result<Self, GitError> {
        let Some(repository) = Repository::find(directory_of(file))? else { return Ok(Self::Nothing) };
        let Ok(path) = repository.path_within(file) else { return Ok(Self::Nothing) };
        let Stages { base, ours, theirs } = repository.stages(&path)?;
        let (ours, theirs) = match (ours, theirs) {
            (None, None) => return Ok(Self::Nothing),
            (None, Some(_)) => return Ok(Self::Removed(Side::Ours)),
            (Some(_), None) => return Ok(Self::Removed(Side::Theirs)),
            (Some(ours), Some(theirs)) => (ours, theirs),
        };
        let entries: Vec<_> = [&ours, &theirs].into_iter().chain(&base).collect();
        if entries.iter().any(|entry| entry.kind != EntryKind::File) {
            return Ok(Self::NoText);
        }
        let mut texts: Vec<Option<Source>> = Vec::new();
        repository.read_entries(&entries, |index, content| {
            let Content::Bytes(bytes) = content else { return texts.push(None) };
            let name = ["ours", "theirs", "base"][index];
            texts.push(String::from_utf8(bytes).ok().map(|text| source(name, text)));
        })?;
        let texts: Option<Vec<Source>> = texts.into_iter().collect();
        let Some(texts) = texts else { return Ok(Self::NoText) };
        let mut texts = texts.into_iter();
        let (Some(ours), Some(theirs)) = (texts.next(), texts.next()) else { return Ok(Self::NoText) };
        let base = texts.next().unwrap_or_else(|| source("base", String::new()));
        Ok(Self::Versions(Box::new(Sides { base, ours, theirs })))
    }

    /// Whether git waits for somebody to add the file.
    pub(super) fn is_open(&self) -> bool {
        !matches!(self, Self::Nothing)
    }
}

impl Sides {
    /// The file as the driver would have left it; `None` if `text`, which stands in it now, is more than git left.
    pub(super) fn merge(
        &self,
        file: &Path,
        text: &str,
        identities: &[PathBuf],
    ) -> Result<Option<MergedAnew>, Failure> {
        let size = marker_size(text);
        let labels = labels_of(text).unwrap_or_else(|| labels::outside_of_a_driver(directory_of(file), size));
        let help = Helper::new(&labels, identities);
        let Self { base, ours, theirs } = self;
        let texts = Texts { base: base.text(), ours: ours.text(), theirs: theirs.text() };
        let sides = |text: &str| [Side::Ours, Side::Theirs].map(|side| conflict::take(text, size, side));
        let left = sides(text);
        let by_lines = help.merge_lines(&texts)?;
        let merged = merge::merge(&Versions { base, ours, theirs }, &labels, &help)?;
        let is_left_by_git =
            left == sides(&by_lines.text) || left == sides(&merged.text) || text == ours.text();
        Ok(is_left_by_git.then_some(MergedAnew { merged, labels }))
    }
}

/// The labels of the first conflict of a text.
pub(super) fn labels_of(text: &str) -> Option<Labels> {
    let size = marker_size(text);
    let conflicts = conflict::find(text, size).ok()?;
    let first = conflicts.first().filter(|first| first.ours_label != first.theirs_label)?;
    Some(Labels {
        base: "base".to_owned(),
        ours: first.ours_label.to_owned(),
        theirs: first.theirs_label.to_owned(),
        size,
    })
}

fn directory_of(file: &Path) -> &Path {
    file.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn source(name: &str, text: String) -> Source {
    Source::new(name.to_owned(), Zeroizing::new(text))
}

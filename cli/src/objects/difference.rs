//! The differences between two states of files with SealedSecrets, in words.
//!
//! ```text
//! snapshot   what stands in a file: outlines, Secrets in plaintext, comments that allow findings
//! pairs      which object of one state is which of the other
//! object     the changes of one object: items, recipients, template
//! beside     two objects that should have the same items
//! ```
//! Everything is read without a key. With one, the caller opens the objects, and a change says whether a value changed.
//! Invariants: a file that was only laid out anew has no changes; no value stands in any words; whatever changes in the
//! sealed parts of an object or in its template gives at least one change.

mod beside;
mod object;
mod pairs;
mod recipients;
mod snapshot;
mod template;

use std::fmt::Write as _;

use serde::Serialize;

pub(crate) use beside::{Beside, beside};
pub(crate) use pairs::differences;
pub(crate) use snapshot::{Names, Open, Seen, Snapshot};

/// How much a change concerns a reviewer; the mark in front of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mark {
    Added,
    Removed,
    Changed,
    /// Nothing that anybody can read changed.
    Kept,
    /// It widens who reads a value, or the object won't open.
    Alarm,
}

impl Mark {
    pub(crate) fn character(self) -> char {
        match self {
            Self::Added => '+',
            Self::Removed => '-',
            Self::Changed => '~',
            Self::Kept => '=',
            Self::Alarm => '!',
        }
    }
}

/// One change, ready to be shown. Its words of others are escaped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) mark: Mark,
    /// The name of the kind of change, for programs: it never changes.
    pub(crate) kind: &'static str,
    /// What changed: an item's name, or the word for a part of the object. Empty if the words are the whole sentence.
    pub(crate) subject: String,
    pub(crate) words: String,
}

impl Change {
    /// A change. The subject is escaped; the words must be.
    pub(crate) fn new(mark: Mark, kind: &'static str, subject: &str, words: impl Into<String>) -> Self {
        Self { mark, kind, subject: seal_foreign::word(subject), words: words.into() }
    }
}

/// The changes of one object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ObjectChange {
    /// The file, in the later state if it is there.
    pub(crate) path: String,
    /// Namespace and name; empty for changes of the file itself.
    pub(crate) object: String,
    /// Never empty.
    pub(crate) changes: Vec<Change>,
}

/// A change as programs read it.
#[derive(Serialize)]
pub(crate) struct ChangeJson<'c> {
    path: &'c str,
    #[serde(skip_serializing_if = "str::is_empty")]
    object: &'c str,
    kind: &'c str,
    #[serde(skip_serializing_if = "str::is_empty")]
    subject: &'c str,
    words: &'c str,
}

impl ObjectChange {
    /// The lines for people: the object, and under it each change. A change of the file itself is one line.
    pub(crate) fn lines(&self) -> Vec<String> {
        if self.object.is_empty() {
            let line = |change: &Change| {
                let Change { mark, subject, words, .. } = change;
                let gap = if subject.is_empty() { "" } else { " " };
                format!("{} {}  {subject}{gap}{words}", mark.character(), self.path)
            };
            return self.changes.iter().map(line).collect();
        }
        let width =
            self.changes.iter().map(|change| change.subject.chars().count()).max().unwrap_or_default();
        let line = |change: &Change| {
            let mut line = format!("  {} ", change.mark.character());
            if !change.subject.is_empty() {
                let width = width.max(SUBJECT);
                let _ = write!(line, "{:width$} ", change.subject);
            }
            line + &change.words
        };
        let head = format!("{}  {}", self.path, self.object);
        std::iter::once(head).chain(self.changes.iter().map(line)).collect()
    }

    /// The changes for programs.
    pub(crate) fn json(&self) -> impl Iterator<Item = ChangeJson<'_>> {
        self.changes.iter().map(|change| ChangeJson {
            path: &self.path,
            object: &self.object,
            kind: change.kind,
            subject: &change.subject,
            words: &change.words,
        })
    }
}

/// The least width of the column of subjects.
const SUBJECT: usize = 12;

#[cfg(test)]
mod tests;

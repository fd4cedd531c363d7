//! A finding: one thing that is wrong, where, and what to try.
//!
//! Invariants: a finding holds no value of a Secret, and no excerpt of a file. Its [key](Finding::key) says what it is
//! about without the line that it stands in, so that it stays the same when lines are added above.

use std::cmp::Ordering;

use super::lint::{Lint, Severity};

/// A line and a column, both from 1; the column in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Position {
    pub(crate) line: usize,
    pub(crate) column: usize,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    pub(crate) lint: Lint,
    pub(crate) severity: Severity,
    /// The file, from the root of the repository, with `/`.
    pub(crate) path: String,
    /// The byte of the file that it is about. `None` if it is about all of the file.
    pub(crate) at: Option<usize>,
    /// The same for people; the engine fills it in.
    pub(crate) position: Option<Position>,
    /// `namespace/name` of the object that it is about, or the name alone if it has no namespace.
    pub(crate) place: Option<String>,
    /// The item that it is about.
    pub(crate) item: Option<String>,
    /// What is wrong, as a fragment in lower case that names the object. Words of files in it are escaped.
    pub(crate) message: String,
    /// What to try, as a sentence without a full stop.
    pub(crate) hint: Option<String>,
    /// Whether it is about a Secret to seal that names no namespace.
    pub(crate) lacks_namespace: bool,
    /// Other files that have a part in it. The finding is reported if any of them is looked at.
    pub(crate) related: Vec<String>,
    /// The commit that has it, if it isn't in the files that are looked at any more.
    pub(crate) commit: Option<String>,
}

/// What a finding is about, without its place in the file: what baselines hold.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Key {
    pub(crate) lint: &'static str,
    pub(crate) path: String,
    pub(crate) place: String,
    pub(crate) item: String,
}

impl Finding {
    /// A finding about all of a file.
    pub(crate) fn new(lint: Lint, path: &str, message: impl Into<String>) -> Self {
        Self {
            lint,
            severity: lint.severity(),
            path: path.to_owned(),
            at: None,
            position: None,
            place: None,
            item: None,
            message: message.into(),
            hint: None,
            lacks_namespace: false,
            related: Vec::new(),
            commit: None,
        }
    }

    /// The byte of the file that it is about.
    pub(crate) fn at(mut self, at: usize) -> Self {
        self.at = Some(at);
        self
    }

    /// The line and column that it is about, where the file isn't one of the scanned ones, such as a rules file.
    pub(crate) fn at_line(mut self, line: usize, column: usize) -> Self {
        self.position = Some(Position { line, column });
        self
    }

    /// The object that it is about: `namespace/name`, or the name alone.
    pub(crate) fn of(mut self, place: impl Into<String>) -> Self {
        self.place = Some(place.into());
        self
    }

    pub(crate) fn item(mut self, item: impl Into<String>) -> Self {
        self.item = Some(item.into());
        self
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The same finding with a lower severity.
    pub(crate) fn only(mut self, severity: Severity) -> Self {
        self.severity = severity.min(self.severity);
        self
    }

    /// The same finding as an error.
    pub(crate) fn raised(mut self) -> Self {
        self.severity = Severity::Error;
        self
    }

    /// Another file that has a part in it.
    pub(crate) fn with(mut self, path: &str) -> Self {
        self.related.push(path.to_owned());
        self
    }

    pub(crate) fn key(&self) -> Key {
        Key {
            lint: self.lint.name(),
            path: self.path.clone(),
            place: self.place.clone().unwrap_or_default(),
            item: self.item.clone().unwrap_or_default(),
        }
    }

    /// The order of reports: by file, then by position, then by rule.
    pub(crate) fn order(&self, other: &Self) -> Ordering {
        let parts = |finding: &Self| (finding.position, finding.at, finding.lint);
        (self.path.cmp(&other.path))
            .then_with(|| self.commit.cmp(&other.commit))
            .then_with(|| parts(self).cmp(&parts(other)))
            .then_with(|| self.key().cmp(&other.key()))
            .then_with(|| self.message.cmp(&other.message))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_knows_no_line_and_a_severity_never_rises() {
        let finding = Finding::new(Lint::Plaintext, "a.yaml", "x").of("dev/db").item("password");
        assert_eq!(finding.key(), finding.clone().at(7).key());
        assert_eq!(finding.clone().only(Severity::Note).severity, Severity::Note);
        let note = finding.only(Severity::Note);
        assert_eq!(note.only(Severity::Error).severity, Severity::Note);
    }

    #[test]
    fn findings_come_by_file_then_by_position() {
        let finding = |path, at| Finding::new(Lint::Malformed, path, "x").at(at);
        let mut findings =
            [finding("b", 1), finding("a", 9), Finding::new(Lint::Plaintext, "a", "x"), finding("a", 2)];
        findings.sort_by(Finding::order);
        let order: Vec<_> = findings.iter().map(|finding| (finding.path.as_str(), finding.at)).collect();
        assert_eq!(order, [("a", None), ("a", Some(2)), ("a", Some(9)), ("b", Some(1))]);
    }
}

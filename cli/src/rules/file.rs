//! What a rules file says, before any other file is read.
//!
//! [`parse`] takes it out of the text. The files of pins are [`pins`](super::pins)'s. Invariants: every name in `to` is one
//! of the recipients; a rule has recipients or refuses to seal; and if every rule needs a recovery recipient, every rule
//! that seals has one.

mod error;
mod parse;

pub(crate) use parse::is_name;

use std::collections::BTreeMap;
use std::fmt;

use seal_crds::Scope;
use seal_crds::keys::pins::Day;
use seal_documents::source::Spot;

use super::FILE_NAME;
use super::pattern::{Matched, Pattern};
use crate::talk::failure::Failure;

/// The most bytes of a rules file.
pub(crate) const MAX_FILE: u64 = 1024 * 1024;

/// A place in a rules file, both from 1. The column is in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct At {
    pub(crate) line: usize,
    pub(crate) column: usize,
}

/// A rules file, understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RulesFile {
    /// Every rule that seals names a recovery recipient.
    pub(crate) requires_recovery: bool,
    /// The recipients by the names that rules use.
    pub(crate) recipients: BTreeMap<String, RecipientEntry>,
    /// The directories whose own rules file counts.
    pub(crate) nested: Vec<Nested>,
    /// The rules. The first that matches counts.
    pub(crate) rules: Vec<PathRule>,
    /// The findings of `seal check` that aren't reported.
    pub(crate) ignore: Vec<Ignore>,
}

/// A recipient that rules may name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RecipientEntry {
    /// The path of its file of pins, from the rules file.
    pub(crate) file: String,
    /// It is an offline recipient for the day on which the cluster's keys are gone.
    pub(crate) is_recovery: bool,
    pub(crate) at: At,
}

/// A directory with rules of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Nested {
    /// The path of the directory, from the rules file.
    pub(crate) directory: String,
    pub(crate) at: At,
}

/// One rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PathRule {
    /// The files that the rule is for.
    pub(crate) path: Pattern,
    pub(crate) to: To,
    /// The scopes that are allowed, the default first. Empty if all are.
    pub(crate) scopes: Vec<Scope>,
    /// The types of Secrets that are allowed. Empty if all are.
    pub(crate) types: Vec<String>,
    /// The most days since the oldest commit with a ciphertext.
    pub(crate) max_age: Option<u32>,
    pub(crate) at: At,
}

/// The recipients of a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum To {
    /// Nothing may be sealed here.
    Nobody,
    /// The names of exactly those that are sealed to; at least one.
    Recipients(Vec<String>),
}

/// Findings of `seal check` that aren't reported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ignore {
    /// The name of the rule of `seal check`, such as `plaintext`. Whether there is such a rule isn't known here.
    pub(crate) rule: String,
    pub(crate) path: Pattern,
    pub(crate) reason: String,
    /// The last day on which it counts.
    pub(crate) until: Option<Day>,
    pub(crate) at: At,
}

impl RulesFile {
    /// Reads the text of a rules file; `name` is its path for people.
    ///
    /// # Errors
    ///
    /// The first thing that isn't understood, with its spot. The program ends with exit code 2.
    pub(crate) fn parse(name: &str, text: &str) -> Result<Self, Failure> {
        parse::parse(name, text)
    }

    /// The index of the first rule that matches a path, which is relative to the rules file.
    pub(crate) fn matching<'p>(&self, path: &'p str) -> Option<(usize, Matched<'p>)> {
        let mut rules = self.rules.iter().enumerate();
        rules.find_map(|(index, rule)| Some((index, rule.path.matches(path)?)))
    }
}

impl PathRule {
    /// The scope of what is sealed under this rule, if nobody asks for another.
    pub(crate) fn default_scope(&self) -> Scope {
        self.scopes.first().copied().unwrap_or_default()
    }

    /// Whether a scope is allowed.
    pub(crate) fn allows_scope(&self, scope: Scope) -> bool {
        self.scopes.is_empty() || self.scopes.contains(&scope)
    }

    /// Whether a type of Secret is allowed.
    pub(crate) fn allows_type(&self, type_: &str) -> bool {
        self.types.is_empty() || self.types.iter().any(|allowed| allowed == type_)
    }
}

impl At {
    /// The spot in the rules file of this name, without its line.
    pub(crate) fn spot(self, name: &str) -> Spot {
        Spot::unseen(name, self.line, self.column)
    }
}

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

/// The path of the rules file in a directory, which is empty at the top.
pub(crate) fn path_in(directory: &str) -> String {
    if directory.is_empty() { FILE_NAME.to_owned() } else { format!("{directory}/{FILE_NAME}") }
}

#[cfg(test)]
mod tests;

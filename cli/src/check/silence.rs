//! What takes findings out of a report: comments above objects, and `ignore` in the rules file. (The baseline and
//! `--new-since` are the command's, after these.)
//!
//! Invariant: whatever silences nothing is a finding itself, so that none waits for a finding that comes later.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use seal_crds::keys::pins::Day;
use seal_foreign::word;

use super::allow::Allow;
use super::finding::Finding;
use super::lint::Lint;
use super::scanned::Scanned;
use crate::rules::book::Rules;
use crate::rules::file::Ignore;
use crate::talk::exit::Exit;
use crate::talk::failure::{Explain, Failure, Rule};

/// Findings that are left, and those that aren't.
#[derive(Debug, Default)]
pub(crate) struct Silenced {
    pub(crate) left: Vec<Finding>,
    pub(crate) taken_out: Vec<Finding>,
}

/// An entry of `ignore` names no rule.
#[derive(Debug, thiserror::Error)]
#[error("there is no rule {}{}", word(name), meant.map(|lint| format!(", did you mean {}?", lint.name())).unwrap_or_default())]
struct NoSuchLint {
    name: String,
    meant: Option<Lint>,
}

impl Explain for NoSuchLint {
    fn rule(&self) -> Rule {
        Rule::BadRules
    }

    fn exit(&self) -> Exit {
        Exit::Usage
    }

    fn hint(&self) -> Option<String> {
        Some("seal check --explain lists the rules".to_owned())
    }
}

/// A file of the tree, or of a commit.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct FileId {
    path: String,
    commit: Option<String>,
}

/// A file with comments that allow findings.
struct Commented<'f, 's> {
    file: &'f Scanned<'s>,
    allows: Vec<Allow>,
    /// The indices of those that allowed one.
    used: BTreeSet<usize>,
}

/// Takes out what comments above objects allow, and adds the comments that allow nothing.
pub(crate) fn by_comments(files: &[Scanned<'_>], findings: Vec<Finding>) -> Silenced {
    let mut commented: BTreeMap<FileId, Commented<'_, '_>> = BTreeMap::new();
    for file in files {
        let allows = file.manifest.as_ref().map(Allow::all).unwrap_or_default();
        if !allows.is_empty() {
            let used = BTreeSet::new();
            let id = FileId { path: file.path.to_owned(), commit: file.commit.map(str::to_owned) };
            commented.insert(id, Commented { file, allows, used });
        }
    }
    let mut silenced = Silenced::default();
    for finding in findings {
        let id = FileId { path: finding.path.clone(), commit: finding.commit.clone() };
        let of_file = commented.get_mut(&id);
        let is_allowed = of_file.is_some_and(|commented| {
            let mut allows = commented.allows.iter();
            let index = allows.position(|allow| allow.covers(finding.lint, finding.at));
            commented.used.extend(index);
            index.is_some()
        });
        if is_allowed {
            silenced.taken_out.push(finding);
        } else {
            silenced.left.push(finding);
        }
    }
    for Commented { file, allows, used } in commented.into_values() {
        let unused = allows.iter().enumerate().filter(|(index, _)| !used.contains(index));
        for (_, allow) in unused {
            let mut finding = allow.unused(file);
            finding.position = Some(file.position(allow.at));
            finding.commit = file.commit.map(str::to_owned);
            silenced.left.push(finding);
        }
    }
    silenced
}

/// Checks that every entry of `ignore` names a rule of `seal check`.
///
/// # Errors
///
/// One doesn't. The rules are invalid then.
pub(crate) fn check_names(rules: &[Arc<Rules>]) -> Result<(), Failure> {
    for rules in rules {
        for Ignore { rule, at, .. } in &rules.file.ignore {
            if Lint::named(rule).is_none() {
                let error = NoSuchLint { name: rule.clone(), meant: Lint::nearest(rule) };
                return Err(Failure::from(error).at(at.spot(&rules.name)));
            }
        }
    }
    Ok(())
}

/// Takes out what `ignore` names, and adds the entries that take nothing out. `rules_of` finds the rules of a path.
pub(crate) fn by_rules(
    all: &[Arc<Rules>],
    mut rules_of: impl FnMut(&str) -> Result<Option<Arc<Rules>>, Failure>,
    findings: Vec<Finding>,
    today: Day,
) -> Result<Silenced, Failure> {
    let mut used: BTreeSet<(String, usize)> = BTreeSet::new();
    let mut silenced = Silenced::default();
    for finding in findings {
        let rules = rules_of(&finding.path)?;
        let entry = rules.as_ref().and_then(|rules| {
            let path = rules.within(&finding.path)?;
            let mut entries = rules.file.ignore.iter().enumerate();
            let found = entries.find(|(_, ignore)| {
                ignore.rule == finding.lint.name()
                    && !is_over(ignore, today)
                    && ignore.path.matches(path).is_some()
            });
            found.map(|(index, _)| (rules.path.clone(), index))
        });
        match entry {
            Some(entry) => {
                used.insert(entry);
                silenced.taken_out.push(finding);
            }
            None => silenced.left.push(finding),
        }
    }
    for rules in all {
        for (index, ignore) in rules.file.ignore.iter().enumerate() {
            if used.contains(&(rules.path.clone(), index)) {
                continue;
            }
            let (rule, path) = (&ignore.rule, word(&ignore.path.to_string()));
            let (message, hint) = match &ignore.until {
                Some(until) if is_over(ignore, today) => (
                    format!("this entry of ignore counted until {until}: {rule} of {path}"),
                    "mend what it hid, or give it another day",
                ),
                _ => (format!("this entry ignores nothing: there is no {rule} in {path}"), "remove it"),
            };
            let finding = Finding::new(Lint::UnusedAllow, &rules.path, message).hint(hint);
            silenced.left.push(
                finding.at_line(ignore.at.line, ignore.at.column).item(format!("{rule} {}", ignore.path)),
            );
        }
    }
    Ok(silenced)
}

fn is_over(ignore: &Ignore, today: Day) -> bool {
    ignore.until.is_some_and(|until| until < today)
}

#[cfg(test)]
mod tests;

//! The rules that count for a file, in any tree.
//!
//! The outermost rules file on the way to a file counts, and beneath a directory that it calls nested, that directory's own.
//! Any other rules file on the way counts for nothing, and a command that seals refuses to go on: somebody meant it to
//! count, and somebody else may have put it there.
//!
//! Invariant: a directory's rules file is read once. So a command sees one set of rules, and 5,000 files cost no more than
//! their directories.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use seal_crds::keys::Pins;
use seal_foreign::word;

use super::file::{self, At, MAX_FILE, PathRule, RulesFile, To};
use super::kinds::Mixed;
use super::pins::{self, PinFile, PinnedKeys};
use super::reader::{Entry, ReadFiles};
use crate::keys::recipients::Given;
use crate::talk::exit::Exit;
use crate::talk::failure::{Explain, Failure, Rule};

/// Reasons why the rules of a path can't be found.
#[derive(Debug, thiserror::Error)]
enum BookError {
    #[error("{} is a symbolic link", word(.0))]
    Link(String),
    #[error("{} isn't a file", word(.0))]
    NoFile(String),
    #[error("{} is larger than {} KiB", word(.0), MAX_FILE / 1024)]
    TooLarge(String),
    #[error("{} isn't text in UTF-8", word(.0))]
    NotText(String),
    #[error("{} is nested, and has no rules file", word(.0))]
    NoNestedRules(String),
    #[error("this rule has {}", .0.told())]
    Mixed(Mixed),
    #[error("{} counts for nothing: {counting} doesn't call its directory nested", word(.ignored))]
    Unlisted { ignored: String, counting: String },
}

impl Explain for BookError {
    fn rule(&self) -> Rule {
        Rule::BadRules
    }

    fn exit(&self) -> Exit {
        Exit::Usage
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Link(_) => Some(
                "commit the file itself: what a link leads to can be changed without a review".to_owned(),
            ),
            Self::NoNestedRules(directory) => Some(format!(
                "write {}, or take the directory out of nested",
                word(&file::path_in(directory))
            )),
            Self::Mixed(_) => Some(
                "whoever breaks the classic one would open it all; name recipients of one kind, or make a rule for each"
                    .to_owned(),
            ),
            Self::Unlisted { ignored, .. } => {
                let directory = ignored.rsplit_once('/').map_or(".", |(directory, _)| directory);
                Some(format!("add {} to nested there, or remove the file", word(directory)))
            }
            Self::NoFile(_) | Self::TooLarge(_) | Self::NotText(_) => None,
        }
    }
}

/// The rules of a tree, directory by directory.
pub(crate) struct Book<R> {
    reader: R,
    directories: HashMap<String, Governing>,
}

/// What counts in a directory.
#[derive(Clone, Default)]
pub(crate) struct Governing {
    /// `None` if there is no rules file on the way.
    pub(crate) rules: Option<Arc<Rules>>,
    /// The path of the nearest rules file on the way that counts for nothing.
    pub(crate) unlisted: Option<String>,
}

/// A rules file with everything that it names.
pub(crate) struct Rules {
    /// The path of the rules file from the top.
    pub(crate) path: String,
    /// The path of its directory, empty at the top.
    pub(crate) directory: String,
    /// The name of the rules file in messages.
    pub(crate) name: String,
    pub(crate) file: RulesFile,
    /// The files of the recipients, by the names that rules use.
    pub(crate) pins: BTreeMap<String, PinFile>,
    /// The recipients and marks of all these files together.
    pub(crate) marks: Pins,
}

/// The rule for a path.
#[derive(Clone)]
pub(crate) struct Ruling {
    pub(crate) rules: Arc<Rules>,
    /// The index of the rule.
    index: usize,
    /// The namespace that the path says, if the rule has `{namespace}`. It may be no valid one.
    pub(crate) namespace: Option<String>,
}

impl<R: ReadFiles> Book<R> {
    pub(crate) fn new(reader: R) -> Self {
        Self { reader, directories: HashMap::new() }
    }

    /// The tree that the rules are read from.
    pub(crate) fn reader(&self) -> &R {
        &self.reader
    }

    /// What counts for a file, by its path from the top.
    ///
    /// # Errors
    ///
    /// A rules file on the way isn't understood, or one of its files of pins.
    pub(crate) fn around(&mut self, path: &str) -> Result<Governing, Failure> {
        let directory = path.rsplit_once('/').map_or("", |(directory, _)| directory);
        if let Some(known) = self.directories.get(directory) {
            return Ok(known.clone());
        }
        let mut governing = Governing::default();
        let ends = directory.match_indices('/').map(|(at, _)| at);
        for end in [0].into_iter().chain(ends).chain((!directory.is_empty()).then_some(directory.len())) {
            let above = &directory[..end];
            governing = match self.directories.get(above) {
                Some(known) => known.clone(),
                None => self.look(above, governing)?,
            };
            self.directories.insert(above.to_owned(), governing.clone());
        }
        Ok(governing)
    }

    /// What counts in a directory, after what counts above it.
    fn look(&self, directory: &str, above: Governing) -> Result<Governing, Failure> {
        let path = file::path_in(directory);
        let is_nested = above.rules.as_ref().is_some_and(|rules| rules.nests(directory));
        let counts = is_nested || above.rules.is_none();
        let name = || self.reader.name(&path);
        let bytes = match self.reader.read(&path, MAX_FILE)? {
            Entry::Absent if is_nested => {
                return Err(BookError::NoNestedRules(self.reader.name(directory)).into());
            }
            Entry::Absent => return Ok(above),
            // Most often an empty directory for mounts; no rules file, since no commit can have it.
            Entry::NoFile if !counts => return Ok(above),
            _ if !counts => return Ok(Governing { unlisted: Some(path), ..above }),
            Entry::File(bytes) => bytes,
            Entry::Link => return Err(BookError::Link(name()).into()),
            Entry::NoFile => return Err(BookError::NoFile(name()).into()),
            Entry::TooLarge => return Err(BookError::TooLarge(name()).into()),
        };
        let text = String::from_utf8(bytes).map_err(|_| BookError::NotText(name()))?;
        let rules = Rules::read(&self.reader, directory, &text)?;
        Ok(Governing { rules: Some(Arc::new(rules)), unlisted: None })
    }
}

impl Governing {
    /// The rule for a path; `None` if there are no rules, or none that matches.
    pub(crate) fn ruling(&self, path: &str) -> Option<Ruling> {
        let rules = self.rules.as_ref()?;
        let (index, namespace) = rules.find(path)?;
        Some(Ruling { rules: Arc::clone(rules), index, namespace: namespace.map(str::to_owned) })
    }

    /// Refuses a rules file on the way that counts for nothing.
    pub(crate) fn check_listed(&self) -> Result<(), Failure> {
        match (&self.unlisted, &self.rules) {
            (Some(ignored), Some(rules)) => {
                let (ignored, counting) = (ignored.clone(), rules.name.clone());
                Err(BookError::Unlisted { ignored, counting }.into())
            }
            _ => Ok(()),
        }
    }
}

impl Rules {
    /// Understands the text of the rules file in a directory, and reads its files of pins.
    fn read(reader: &dyn ReadFiles, directory: &str, text: &str) -> Result<Self, Failure> {
        let path = file::path_in(directory);
        let name = reader.name(&path);
        let file = RulesFile::parse(&name, text)?;
        let pins = pins::load(reader, directory, &file, &name)?;
        let mut marks = Pins::default();
        for pin in pins.values() {
            if let PinnedKeys::Recipients(given) = &pin.keys {
                marks.extend([given.pins.clone()]);
            }
        }
        let rules = Self { path, directory: directory.to_owned(), name, file, pins, marks };
        rules.check_kinds()?;
        Ok(rules)
    }

    /// Refuses a rule whose recipients can't be sealed to together: it would be found when somebody seals, on another day.
    fn check_kinds(&self) -> Result<(), Failure> {
        for rule in &self.file.rules {
            let To::Recipients(names) = &rule.to else { continue };
            let pins = names.iter().filter_map(|name| Some((name.as_str(), &self.pins.get(name)?.keys)));
            if let Some(mixed) = Mixed::of(pins) {
                return Err(Failure::from(BookError::Mixed(mixed)).at(rule.at.spot(&self.name)));
            }
        }
        Ok(())
    }

    /// The index of the first rule that matches a path from the top, and the namespace that the path says.
    fn find<'p>(&self, path: &'p str) -> Option<(usize, Option<&'p str>)> {
        self.file.matching(self.within(path)?).map(|(index, matched)| (index, matched.namespace))
    }

    /// A path from the top as a path from the rules file; `None` if it isn't beneath the rules file's directory.
    pub(crate) fn within<'p>(&self, path: &'p str) -> Option<&'p str> {
        if self.directory.is_empty() {
            return Some(path);
        }
        path.strip_prefix(self.directory.as_str())?.strip_prefix('/')
    }

    /// Whether a directory, by its path from the top, has rules of its own.
    fn nests(&self, directory: &str) -> bool {
        self.within(directory)
            .is_some_and(|directory| self.file.nested.iter().any(|nested| nested.directory == directory))
    }

    /// A place in the rules file for people: `.seal.yaml:12`.
    pub(crate) fn location(&self, at: At) -> String {
        format!("{}:{}", self.name, at.line)
    }

    /// What the files of some recipients say together: the age recipients among them, and the marks of all files. A key
    /// without a name has that of its recipient.
    pub(crate) fn given(&self, names: &[String]) -> Given {
        let mut all = Given { pins: self.marks.clone(), ..Given::default() };
        for name in names {
            let Some(PinnedKeys::Recipients(given)) = self.pins.get(name).map(|pin| &pin.keys) else {
                continue;
            };
            for named in &given.recipients {
                if all.recipients.iter().all(|known| known.recipient != named.recipient) {
                    let mut named = named.clone();
                    named.name.get_or_insert_with(|| name.clone());
                    all.recipients.push(named);
                }
            }
            all.sealing_keys.extend(&given.sealing_keys);
        }
        all
    }
}

impl Ruling {
    pub(crate) fn rule(&self) -> &PathRule {
        &self.rules.file.rules[self.index]
    }

    /// The place of the rule for people: `.seal.yaml:12`.
    pub(crate) fn location(&self) -> String {
        self.rules.location(self.rule().at)
    }

    /// The names of the recipients; empty if nothing may be sealed.
    pub(crate) fn names(&self) -> &[String] {
        match &self.rule().to {
            To::Nobody => &[],
            To::Recipients(names) => names,
        }
    }

    /// The names of the recipients that have age recipients.
    pub(crate) fn names_with_recipients(&self) -> Vec<&str> {
        let has_some = |name: &&String| {
            self.rules.pins.get(*name).is_some_and(|pin| matches!(pin.keys, PinnedKeys::Recipients(_)))
        };
        self.names().iter().filter(has_some).map(String::as_str).collect()
    }

    /// The age recipients of the rule, with the marks of all files of pins.
    pub(crate) fn given(&self) -> Given {
        self.rules.given(self.names())
    }

    /// The certificates of the rule, each with the name of its recipient.
    pub(crate) fn certificates(&self) -> Vec<(&str, &PinFile)> {
        let pins = self.names().iter().filter_map(|name| Some((name.as_str(), self.rules.pins.get(name)?)));
        pins.filter(|(_, pin)| matches!(pin.keys, PinnedKeys::Certificate { .. })).collect()
    }
}

#[cfg(test)]
mod tests;

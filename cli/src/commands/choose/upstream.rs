//! Keys that the rules seal to, and that upstream doesn't: each needs somebody's yes.
//!
//! The threat is a change of the rules or pins that nobody has reviewed: in a branch of somebody else's that is checked out
//! to be tried, or in a work tree that a program has written to. What upstream has for a path went through a review, so it
//! is sealed to without a word. A key that only this work tree has is named with its whole fingerprint, to be compared with
//! what its owner says.
//!
//! Outside of Git, and before the first commit, there is nothing to compare with, and nobody is asked. Invariant: in a
//! repository that can't be read, every key counts as new.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use seal_crds::keys::Fingerprint;
use seal_foreign::word;

use super::ruled::Ruled;
use crate::files::git::{Commit, Questions, Repository, Upstream};
use crate::rules::book::{Book, Rules};
use crate::rules::reader::GitTree;
use crate::talk::exit::Exit;
use crate::talk::failure::{Explain, Failure, Rule};
use crate::talk::{prompt, terminal};

/// Keys that somebody has to accept.
#[derive(Debug, thiserror::Error)]
#[error("{}", question(.0))]
struct NotAccepted(Vec<NewKey>);

impl Explain for NotAccepted {
    fn rule(&self) -> Rule {
        Rule::NotAccepted
    }

    fn exit(&self) -> Exit {
        Exit::Usage
    }

    fn hint(&self) -> Option<String> {
        let flags: Vec<String> = self.0.iter().map(|key| format!("--accept {}", key.fingerprint)).collect();
        Some(format!("compare it with what its owner says; to seal to it: {}", flags.join(" ")))
    }
}

/// A key that upstream doesn't seal to here.
#[derive(Debug)]
struct NewKey {
    fingerprint: Fingerprint,
    /// The rule that seals to it.
    rule: String,
    /// The name of its recipient and its file.
    told: String,
    /// Who brought it in.
    origin: String,
    upstream: String,
}

fn question(keys: &[NewKey]) -> String {
    let line = |key: &NewKey| {
        let NewKey { fingerprint, rule, told, origin, upstream } = key;
        format!("{rule} seals to a key that {upstream} doesn't have there: {told} {fingerprint}, {origin}")
    };
    keys.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// The keys that each file is about to be sealed to by its rule.
pub(super) struct Destined<'f> {
    pub(super) ruled: &'f Ruled,
    pub(super) keys: BTreeSet<Fingerprint>,
}

/// Names every key that upstream doesn't seal to, and goes on only if somebody accepts it.
///
/// # Errors
///
/// There is a key that nobody accepts, or upstream can't be read.
pub(super) fn check(
    destined: &[Destined<'_>],
    accepted: &mut BTreeSet<Fingerprint>,
    is_watched: bool,
) -> Result<(), Failure> {
    let mut by_top: BTreeMap<&Path, Vec<&Destined<'_>>> = BTreeMap::new();
    for one in destined {
        let site = one.ruled.site.as_ref().filter(|site| site.is_in_git);
        if let Some(site) = site.filter(|_| !one.keys.is_subset(accepted)) {
            by_top.entry(&site.top).or_default().push(one);
        }
    }
    let mut new = Vec::new();
    for (top, destined) in by_top {
        new.extend(new_keys(top, &destined, accepted)?);
    }
    if new.is_empty() {
        return Ok(());
    }
    let fingerprints: Vec<Fingerprint> = new.iter().map(|key| key.fingerprint).collect();
    if !is_watched {
        return Err(NotAccepted(new).into());
    }
    prompt::confirm(&question(&new))?;
    accepted.extend(fingerprints);
    Ok(())
}

/// The keys of the files of one repository that its upstream, or one of two, doesn't have for them; each once.
fn new_keys(
    top: &Path,
    destined: &[&Destined<'_>],
    accepted: &BTreeSet<Fingerprint>,
) -> Result<Vec<NewKey>, Failure> {
    let repository = Repository::around(top)?;
    let questions = repository.questions();
    let mut known: BTreeSet<Fingerprint> = accepted.clone();
    let mut new = Vec::new();
    for upstream in repository.upstream() {
        let found = new_for(&repository, &questions, &upstream, destined, &mut known)?;
        new.extend(found);
    }
    Ok(new)
}

/// The keys that one upstream doesn't have, without those that are known; they are known from then on.
fn new_for(
    repository: &Repository,
    questions: &Questions<'_>,
    upstream: &Upstream,
    destined: &[&Destined<'_>],
    known: &mut BTreeSet<Fingerprint>,
) -> Result<Vec<NewKey>, Failure> {
    let mut book = book(repository, questions, &upstream.commit, upstream.name)?;
    let mut new = Vec::new();
    let mut is_unread = false;
    let mut origins = None;
    for Destined { ruled, keys } in destined {
        let (Some(site), Some(ruling)) = (&ruled.site, &ruled.ruling) else { continue };
        let there = match book.around(&site.path) {
            Ok(governing) => governing.ruling(&site.path).map(|there| there.rules.keys_of(there.rule())),
            // The rules of upstream are broken, and this work tree mends them.
            Err(failure) => {
                if !std::mem::replace(&mut is_unread, true) {
                    terminal::warn(
                        &format!(
                            "the rules of {} can't be read: {}",
                            upstream.name,
                            failure.facts.join(": ")
                        ),
                        None,
                    );
                }
                None
            }
        };
        for key in keys.difference(&there.unwrap_or_default()) {
            if known.insert(*key) {
                let told = told(&ruling.rules, key);
                let origins = match &mut origins {
                    Some(origins) => origins,
                    none => none.insert(Origins::new(repository, questions)?),
                };
                let origin = origins.of(&site.path, &ruling.rules, key)?;
                let (rule, upstream) = (ruling.location(), upstream.name.to_owned());
                new.push(NewKey { fingerprint: *key, rule, told, origin, upstream });
            }
        }
    }
    Ok(new)
}

fn book<'q>(
    repository: &Repository,
    questions: &'q Questions<'q>,
    commit: &Commit,
    name: &str,
) -> Result<Book<GitTree<'q>>, Failure> {
    Ok(Book::new(GitTree::new(repository.entries_of(commit)?, questions, name)))
}

/// The recipient of a key, with its file.
fn told(rules: &Rules, key: &Fingerprint) -> String {
    let found = rules.pins.iter().find(|(_, pin)| pin.keys().iter().any(|(known, _)| known == key));
    found.map(|(name, pin)| format!("{} ({})", word(name), word(&pin.path))).unwrap_or_default()
}

/// What brought the keys of a path in, as HEAD has it.
struct Origins<'q> {
    repository: &'q Repository,
    /// `None` before the first commit.
    head: Option<Book<GitTree<'q>>>,
}

impl<'q> Origins<'q> {
    fn new(repository: &'q Repository, questions: &'q Questions<'q>) -> Result<Self, Failure> {
        let head = repository.head().map(|head| book(repository, questions, &head, "HEAD"));
        Ok(Self { repository, head: head.transpose()? })
    }

    /// The commit that brought a key in, or that no commit has it.
    fn of(&mut self, path: &str, rules: &Rules, key: &Fingerprint) -> Result<String, Failure> {
        const NOT_COMMITTED: &str = "not committed";
        let committed = self.head.as_mut().and_then(|head| head.around(path).ok()?.ruling(path));
        let is_committed = committed.is_some_and(|there| there.rules.keys_of(there.rule()).contains(key));
        if !is_committed {
            return Ok(NOT_COMMITTED.to_owned());
        }
        // The later of the two changes made the difference.
        let pin = rules.pins.values().find(|pin| pin.keys().iter().any(|(known, _)| known == key));
        let files = pin.map(|pin| pin.path.as_str()).into_iter().chain([rules.path.as_str()]);
        let mut changes = Vec::new();
        for file in files {
            changes.extend(self.repository.last_change(Path::new(file))?);
        }
        let last = changes.into_iter().max_by(|one, other| one.day.cmp(&other.day));
        Ok(last.map_or_else(
            || NOT_COMMITTED.to_owned(),
            |change| {
                let (commit, author, day) = (change.commit.short(), word(&change.author), word(&change.day));
                format!("commit {commit} by {author} on {day}")
            },
        ))
    }
}

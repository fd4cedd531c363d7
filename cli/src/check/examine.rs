//! One tree, examined: from its texts and the rules that judge it to findings.
//!
//! Invariant: the findings depend on the texts, the rules, the history and the day alone, and come in one order.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use seal_crds::keys::pins::Day;

use super::context::{Context, Linked, Policy, PolicyChange};
use super::finding::Finding;
use super::links::{Links, Seen, TooMany};
use super::scan::{Text, Texts};
use super::scanned::{Origin, Scanned};
use super::tree::RulesReader;
use super::{baseline, lints, silence};
use crate::files::git::{Commit, GitError, Repository};
use crate::rules;
use crate::rules::book::{Book, Rules};
use crate::talk::failure::Failure;

/// The present.
#[derive(Clone, Copy)]
pub(crate) struct Now {
    /// In seconds since 1970.
    pub(crate) seconds: i64,
    pub(crate) day: Day,
}

/// What a tree is examined with.
pub(crate) struct Examination<'e, 'r> {
    pub(crate) texts: &'e Texts,
    /// The texts of the revision that it is compared with.
    pub(crate) before: Option<&'e Texts>,
    /// The rules that judge.
    pub(crate) judges: &'e mut Book<RulesReader<'r>>,
    /// With `--policy`: the revision as it was typed, and the rules of the tree itself.
    pub(crate) policy: Option<(&'e str, &'e mut Book<RulesReader<'r>>)>,
    /// The history in which ciphertexts have their age.
    pub(crate) history: Option<(&'e Repository, &'e Commit)>,
    pub(crate) now: Now,
}

/// What was found.
#[derive(Default)]
pub(crate) struct Examined {
    pub(crate) findings: Vec<Finding>,
    /// What was found, and is allowed or ignored.
    pub(crate) silenced: Vec<Finding>,
    pub(crate) templates: usize,
    /// What kustomizations have that can't be followed without running kustomize or fetching something.
    pub(crate) unfollowed: usize,
    /// The files that decide what is found in others: rules, files of pins, the baseline.
    pub(crate) policy_paths: BTreeSet<String>,
}

impl Examined {
    /// Adds what was found elsewhere.
    pub(crate) fn extend(&mut self, other: Self) {
        self.findings.extend(other.findings);
        self.silenced.extend(other.silenced);
        self.templates += other.templates;
        self.unfollowed += other.unfollowed;
    }
}

/// The rules files of a tree.
struct RulesOfTree {
    counting: BTreeMap<String, Arc<Rules>>,
    unlisted: Vec<String>,
}

impl Examination<'_, '_> {
    /// Examines the tree.
    ///
    /// # Errors
    ///
    /// A rules file isn't understood, or the history can't be read.
    pub(crate) fn run(self) -> Result<Examined, Failure> {
        let Self { texts, before, judges, policy, history, now } = self;
        let mut files = texts.parse();
        for file in files.files.iter_mut().filter(|file| file.origin != Origin::Rendered) {
            file.governing = judges.around(file.path)?;
        }
        let judging = rules_of(judges, texts)?;
        let names: Vec<Arc<Rules>> = judging.counting.values().cloned().collect();
        silence::check_names(&names)?;

        let mut context = Context::new(files.files, texts.paths.clone(), now.seconds);
        context.before = before.map(Texts::scanned);
        context.unchanged = before.map(|before| before.unchanged.clone()).unwrap_or_default();
        match policy {
            None => {
                context.rules.clone_from(&names);
                context.unlisted_rules = judging.unlisted;
            }
            Some((revision, of_tree)) => {
                let own = rules_of(of_tree, texts)?;
                context.rules = own.counting.values().cloned().collect();
                // A rules file that the policy doesn't list counts for nothing, whatever the tree itself lists.
                context.unlisted_rules = judging.unlisted;
                let changes = changes(judging.counting, own.counting);
                context.policy = Some(Policy { revision: revision.to_owned(), changes });
            }
        }
        context.first_committed =
            history.and_then(|(repository, tip)| ages(&context, repository, tip).transpose()).transpose()?;

        let mut findings = files.findings;
        match linked(&context, &texts.links, judges)? {
            Ok(linked) => context.linked = linked,
            Err(TooMany) => findings.push(texts.links.too_many()),
        }
        let unfollowed = lints::of_tree(&context, &mut findings);
        let policy_paths = policy_paths(names.iter().chain(&context.rules));
        findings.extend(lints::twins(&texts.paths, &policy_paths));
        for finding in &mut findings {
            let file = context.file(&finding.path);
            finding.position = finding.position.or_else(|| Some(file?.position(finding.at?)));
        }

        let by_comments = silence::by_comments(&context.files, findings);
        let rules_of_path = |path: &str| match path {
            STDIN => Ok(None),
            path => Ok(judges.around(path)?.rules),
        };
        let by_rules = silence::by_rules(&names, rules_of_path, by_comments.left, now.day)?;
        let mut findings = by_rules.left;
        findings.sort_by(Finding::order);
        findings.dedup();
        let silenced = [by_comments.taken_out, by_rules.taken_out].concat();
        Ok(Examined { findings, silenced, templates: files.templates, unfollowed, policy_paths })
    }
}

/// The name of standard input, as a path.
pub(crate) const STDIN: &str = "<stdin>";

/// What is wrong with files of the past: each by itself, whom they are sealed to, and what kustomizations of the past and of
/// the trees `around` them take out of them. The first of those is the tree of now.
pub(crate) fn examine_past(
    texts: &Texts,
    around: &[&Texts],
    judges: &mut Book<RulesReader<'_>>,
    day: Day,
) -> Result<Examined, Failure> {
    let mut files = texts.parse();
    for file in &mut files.files {
        file.governing = judges.around(file.path)?;
        files.findings.extend(lints::of_past(file).into_iter().map(|finding| Finding {
            commit: file.commit.map(str::to_owned),
            position: finding.at.map(|at| file.position(at)),
            ..finding
        }));
    }
    let kustomizations: Vec<Scanned<'_>> =
        around.iter().flat_map(|texts| texts.kustomizations()).map(Text::scanned).collect();
    files.findings.extend(lints::of_past_together(&files.files, &texts.unread, &kustomizations));
    let by_comments = silence::by_comments(&files.files, files.findings);
    let by_rules = silence::by_rules(&[], |path| Ok(judges.around(path)?.rules), by_comments.left, day)?;
    let mut findings = by_rules.left;
    let paths: BTreeSet<String> = findings.iter().map(|finding| finding.path.clone()).collect();
    let now: Vec<Scanned<'_>> = around.first().map(|texts| texts.scanned_of(&paths)).unwrap_or_default();
    let present = lints::Present::of(now.iter());
    for finding in &mut findings {
        if let Some(commit) = &finding.commit {
            finding.hint = Some(lints::hint_of_past(finding, commit, &present));
        }
    }
    findings.sort_by(Finding::order);
    findings.dedup();
    let silenced = [by_comments.taken_out, by_rules.taken_out].concat();
    Ok(Examined { findings, silenced, templates: files.templates, ..Examined::default() })
}

/// The rules files of a tree, as a book has them: those that count for any file, and those that count for none.
fn rules_of(book: &mut Book<RulesReader<'_>>, texts: &Texts) -> Result<RulesOfTree, Failure> {
    let mut found = RulesOfTree { counting: BTreeMap::new(), unlisted: Vec::new() };
    let is_rules = |path: &&str| path.rsplit('/').next() == Some(rules::FILE_NAME);
    let here = texts.paths.iter().map(String::as_str).filter(is_rules);
    for path in here.chain(texts.kept()).filter(|path| *path != STDIN) {
        let governing = book.around(path)?;
        if is_rules(&path) && governing.rules.as_ref().is_none_or(|rules| rules.path != path) {
            found.unlisted.push(path.to_owned());
        }
        if let Some(rules) = governing.rules {
            found.counting.insert(rules.path.clone(), rules);
        }
    }
    // A new file at the top has no rules above it in the policy; that is a change of the rules, and no nested file.
    found.unlisted.retain(|path| found.counting.values().any(|rules| rules.within(path).is_some()));
    Ok(found)
}

/// What links show elsewhere of the files with SealedSecrets.
fn linked(
    context: &Context<'_>,
    links: &Links,
    judges: &mut Book<RulesReader<'_>>,
) -> Result<Result<Vec<Linked>, TooMany>, Failure> {
    let sealed = context.tree().filter(|file| !file.outlines.is_empty());
    let shown = match links.show(sealed.map(|file| file.path)) {
        Ok(shown) => shown,
        Err(error) => return Ok(Err(error)),
    };
    // The rules of a directory behind a link are those of another place.
    let linked = |seen: Seen<'_>| {
        let governing = judges.around(seen.link)?;
        Ok(Linked { path: seen.path, link: seen.link.to_owned(), file: seen.file.to_owned(), governing })
    };
    shown.into_iter().map(linked).collect::<Result<_, Failure>>().map(Ok)
}

fn policy_paths<'r>(rules: impl Iterator<Item = &'r Arc<Rules>>) -> BTreeSet<String> {
    let of_rules = |rules: &Arc<Rules>| {
        let pins: Vec<String> = rules.pins.values().map(|pin| pin.path.clone()).collect();
        [vec![rules.path.clone()], pins].concat()
    };
    rules.flat_map(of_rules).chain([baseline::FILE_NAME.to_owned()]).collect()
}

/// Pairs the rules files of two trees.
fn changes(before: BTreeMap<String, Arc<Rules>>, after: BTreeMap<String, Arc<Rules>>) -> Vec<PolicyChange> {
    let paths: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let change = |path: &String| PolicyChange {
        path: path.clone(),
        before: before.get(path).cloned(),
        after: after.get(path).cloned(),
    };
    paths.into_iter().map(change).collect()
}

/// When the ciphertexts that may be too old were first committed; `None` if that isn't known.
fn ages(
    context: &Context<'_>,
    repository: &Repository,
    tip: &Commit,
) -> Result<Option<HashMap<String, i64>>, GitError> {
    let has_limit = |file: &&Scanned<'_>| {
        file.governing.ruling(file.path).is_some_and(|ruling| ruling.rule().max_age.is_some())
    };
    let outlines = context.tree().filter(has_limit).flat_map(|file| &file.outlines);
    let words: HashSet<&str> =
        outlines.flat_map(|outline| outline.items.values()).map(|item| item.line.as_str()).collect();
    if words.is_empty() || repository.gap()?.is_some() {
        return Ok(None);
    }
    repository.first_committed(tip, &words).map(Some)
}

//! `seal check [PATH…]`: what is wrong in a repository, with public keys only.
//!
//! [`subject`] says which files are meant, [`crate::check`] examines them, and this file puts the rest together: the
//! policy, the revision to compare with, the baseline, the report. Invariant: whatever the files are, a report comes out,
//! or a failure; a file that can't be read is a finding.

mod explain;
mod subject;

use std::collections::BTreeSet;

use jiff::Timestamp;

use crate::args::{CheckArgs, CheckFormat};
use crate::check::baseline::{self, Baseline, BaselineError};
use crate::check::examine::{Examination, Examined, Now, STDIN, examine_past};
use crate::check::finding::{Finding, Key};
use crate::check::lint::Lint;
use crate::check::lints;
use crate::check::report::{NotLookedAt, Report, github, json, sarif, text};
use crate::check::scan::{TEMPLATES, Text, Texts};
use crate::check::scanned::Origin;
use crate::check::tree::{Gaps, Objects, RulesReader, Tree};
use crate::files::git::{Commit, EntryKind, Introduced, Range, Repository};
use crate::files::input::Input;
use crate::files::output;
use crate::rules::book::Book;
use crate::rules::reader::{Entry, ReadFiles};
use crate::talk::exit::Exit;
use crate::talk::failure::Failure;
use crate::talk::terminal;
use subject::{Scope, Subject, View};

pub(super) fn run(args: &CheckArgs) -> Result<Exit, Failure> {
    if let Some(rule) = &args.explain {
        return explain::run(rule);
    }
    let subject = Subject::of(args)?;
    if matches!(subject.view, View::Range(Range::Nothing)) {
        // The branch goes, so nothing comes in.
        return finish(args, &subject, Report::default());
    }
    let tree = subject.tree()?;
    let mut texts = Texts::of(&tree, Origin::Tree, &subject.named_files())?;
    if subject.has_stdin {
        let mut bytes = Input::Stdin.read_bytes()?;
        texts.push(Text::new(STDIN, std::mem::take(&mut *bytes), Origin::Rendered, None));
    }
    let now = Now { seconds: Timestamp::now().as_second(), day: super::keys::today() };

    let mut own = Book::new(tree.rules_reader());
    let mut policy = policy(args, &subject)?;
    let since = args.new_since.as_deref().map(|revision| subject.in_git()?.commit(revision)).transpose()?;
    let named = policy.as_ref().map(|(commit, _)| commit).or(since.as_ref()).cloned();
    let before = match (&subject.repository, named.or_else(|| subject.base())) {
        (Some(repository), Some(commit)) => Some(before(repository, &commit, &texts)?),
        _ => None,
    };
    let (judges, policy) = match &mut policy {
        Some((_, judges)) => (judges, Some((args.policy.as_deref().unwrap_or_default(), &mut own))),
        None => (&mut own, None),
    };
    let history = subject.repository.as_ref().zip(subject.tip.as_ref());
    let examination =
        Examination { texts: &texts, before: before.as_ref(), judges: &mut *judges, policy, history, now };
    let mut examined = examination.run()?;
    let policy_paths = std::mem::take(&mut examined.policy_paths);
    if args.write_baseline {
        return write_baseline(&subject, &examined.findings);
    }
    let old = match (&since, &subject.repository) {
        (Some(commit), Some(repository)) => keys_of(repository, commit, judges, now)?,
        _ => BTreeSet::new(),
    };
    if let (View::Range(range), Some(repository)) = (&subject.view, &subject.repository) {
        let around: Vec<&Texts> = [&texts].into_iter().chain(&before).collect();
        examined.extend(past(repository, range, &tree, &around, judges, now)?);
    }
    let baseline = read_baseline(judges.reader())?;
    // A render is about what it renders.
    let gaps = if subject.has_stdin { Gaps::default() } else { tree.gaps };
    let not_looked_at = not_looked_at(gaps, examined.templates, examined.unfollowed);
    let scope = subject.scope(&policy_paths);
    let files = tree.paths().filter(|path| scope.covers(path)).count() + usize::from(subject.has_stdin);
    let (findings, silenced) = settle(examined, &baseline, &old, &scope);
    finish(args, &subject, Report { findings, files, silenced, not_looked_at })
}

/// The revision of `--policy` with its rules.
fn policy<'s>(
    args: &CheckArgs,
    subject: &'s Subject,
) -> Result<Option<(Commit, Book<RulesReader<'s>>)>, Failure> {
    let Some(revision) = &args.policy else { return Ok(None) };
    let repository = subject.in_git()?;
    let commit = repository.commit(revision)?;
    let objects = Objects::of_commit(repository, &commit, revision)?;
    Ok(Some((commit, Book::new(RulesReader::from(objects)))))
}

/// The findings to report, in their order, and the number of those that aren't because they are allowed, ignored or old.
fn settle(
    examined: Examined,
    baseline: &Baseline,
    old: &BTreeSet<Key>,
    scope: &Scope<'_>,
) -> (Vec<Finding>, usize) {
    let Examined { mut findings, mut silenced, .. } = examined;
    let stale = stale(baseline, &findings);
    let is_old = |finding: &Finding| baseline.covers(&finding.key()) || old.contains(&finding.key());
    silenced.extend(findings.extract_if(.., |finding| is_old(finding)));
    findings.extend(stale);
    findings.retain(|finding| scope.is_reported(finding));
    findings.sort_by(Finding::order);
    let silenced = silenced.iter().filter(|finding| scope.is_reported(finding)).count();
    (findings, silenced)
}

/// The texts of a revision that the tree doesn't have in the same way: of its files of interest, and of files that are gone.
fn before(repository: &Repository, commit: &Commit, now: &Texts) -> Result<Texts, Failure> {
    let mut tree = Tree::of_commit(repository, commit)?;
    let kept: BTreeSet<&str> = now.kept().collect();
    tree.retain(|path| kept.contains(path) || !now.paths.contains(path));
    Ok(Texts::of(&tree, Origin::Tree, &BTreeSet::new())?.without(now))
}

/// What is found in a revision, by the rules of now: a change of the rules is no reason to look away from what it finds.
fn keys_of(
    repository: &Repository,
    commit: &Commit,
    judges: &mut Book<RulesReader<'_>>,
    now: Now,
) -> Result<BTreeSet<Key>, Failure> {
    let texts = Texts::of(&Tree::of_commit(repository, commit)?, Origin::Tree, &BTreeSet::new())?;
    let examination = Examination { texts: &texts, before: None, judges, policy: None, history: None, now };
    Ok(examination.run()?.findings.iter().map(Finding::key).collect())
}

/// What the commits of a range brought in, and its last commit doesn't have.
fn past(
    repository: &Repository,
    range: &Range,
    tip: &Tree<'_>,
    around: &[&Texts],
    judges: &mut Book<RulesReader<'_>>,
    now: Now,
) -> Result<Examined, Failure> {
    let mut files = repository.introduced(range)?;
    let there = tip.ids();
    files.retain(|file| file.entry.kind == EntryKind::File);
    files.retain(|file| !there.contains(&(file.entry.path.as_path(), file.entry.id())));
    // The kustomizations first: they say which of the others are manifests and patches.
    let (kustomizations, others): (Vec<_>, Vec<_>) =
        files.into_iter().partition(|file| lints::is_kustomization(&file.entry.path.to_string_lossy()));
    let mut texts = Texts::default();
    let mut read = |files: &[Introduced], named: &BTreeSet<String>| {
        let entries: Vec<_> = files.iter().map(|file| &file.entry).collect();
        repository.read_entries(&entries, |index, content| {
            let is_named = named.contains(&*files[index].entry.path.to_string_lossy());
            texts.push_past(&files[index], content, is_named);
        })?;
        Ok::<_, Failure>(texts.named().collect())
    };
    let mut named: BTreeSet<String> = read(&kustomizations, &BTreeSet::new())?;
    named.extend(around.iter().flat_map(|texts| texts.named()));
    read(&others, &named)?;
    examine_past(&texts, around, judges, now.day)
}

/// The baseline of a tree, or an empty one.
fn read_baseline(reader: &impl ReadFiles) -> Result<Baseline, Failure> {
    match reader.read(baseline::FILE_NAME, baseline::MAX_FILE)? {
        Entry::Absent => Ok(Baseline::default()),
        Entry::File(bytes) => Ok(Baseline::parse(&bytes)?),
        // A link would lead to lines that nobody reviewed.
        Entry::Link => Err(BaselineError::Link.into()),
        Entry::NoFile | Entry::TooLarge => Err(BaselineError::NotText.into()),
    }
}

/// A finding for each line of the baseline that covers none.
fn stale(baseline: &Baseline, findings: &[Finding]) -> Vec<Finding> {
    let used: BTreeSet<Key> = findings.iter().map(Finding::key).collect();
    let finding = |key: &Key| {
        let path = seal_foreign::word(&key.path);
        let message = format!("the baseline has {} of {path}, which isn't found any more", key.lint);
        let finding = Finding::new(Lint::StaleBaseline, baseline::FILE_NAME, message);
        finding
            .of(key.place.clone())
            .item(key.item.clone())
            .hint("write it again: seal check --write-baseline")
    };
    baseline.without(&used).map(finding).collect()
}

fn write_baseline(subject: &Subject, findings: &[Finding]) -> Result<Exit, Failure> {
    let baseline = Baseline::of(findings);
    let path = subject.root.join(baseline::FILE_NAME);
    // The repository may be somebody else's, and have a link there to a file of the user's.
    if path.is_symlink() {
        return Err(BaselineError::Link.into());
    }
    output::to_files(&[(&path, baseline.to_text().as_bytes())], output::Privacy::Public)?;
    let number = super::counted(baseline.len(), "finding");
    terminal::note(&format!("{}: {number}; commit it", subject.shown(baseline::FILE_NAME)));
    Ok(Exit::Done)
}

/// The hint for charts, plugins, and directories of other repositories.
const RENDERS: &str = "check the result: kustomize build DIRECTORY | seal check -";

fn not_looked_at(gaps: Gaps, templates: usize, unfollowed: usize) -> Vec<NotLookedAt> {
    let gap = |number, what, hint| NotLookedAt { number, what, hint };
    let all = [
        gap(templates, "Helm template", TEMPLATES),
        gap(unfollowed, "kustomization entry", RENDERS),
        gap(
            gaps.repositories,
            "repository",
            "it is inside of this one, such as a submodule: run seal check there",
        ),
        gap(gaps.directories, "directory", "it can't be listed"),
    ];
    all.into_iter().filter(|gap| gap.number > 0).collect()
}

/// Prints the report, and decides how the program ends.
fn finish(args: &CheckArgs, subject: &Subject, report: Report) -> Result<Exit, Failure> {
    match args.format {
        CheckFormat::Text => output::report(text::lines(&report, |path| subject.shown(path)))?,
        CheckFormat::Json => output::to_stdout(json::text(&report).as_bytes())?,
        CheckFormat::Github => output::report(github::lines(&report))?,
        CheckFormat::Sarif => output::to_stdout(sarif::text(&report).as_bytes())?,
    }
    for gap in &report.not_looked_at {
        terminal::note(&gap.line());
    }
    terminal::note(&report.summary());
    Ok(report.exit(args.strict))
}

//! What `seal init` says: what it wrote, the rules in short, and what is left to do.
//!
//! Invariant: every rule that was written is there to see, or how many more there are.

use std::collections::BTreeSet;

use super::propose::Proposed;
use super::recipients::Planned;
use super::{Fit, NewFile, SCHEMA_FILE};
use crate::args::InitArgs;
use crate::commands::counted;
use crate::files::output;
use crate::rules::FILE_NAME;
use crate::rules::reader::{Disk, ReadFiles as _};
use crate::talk::failure::Failure;

/// The most rules that are shown.
const MOST_SHOWN: usize = 12;

/// Says what was done, and what is left to do.
pub(super) fn report(
    args: &InitArgs,
    disk: &Disk,
    planned: &[Planned],
    new: &[NewFile],
    rules: &[Proposed],
    fit: &Fit,
) -> Result<(), Failure> {
    let verb = if args.dry_run { "would write" } else { "wrote" };
    let mut lines = Vec::new();
    for planned in planned {
        let verb = if planned.new_text.is_some() { verb } else { "found" };
        lines.push(format!("{verb} {}: {}", disk.name(&planned.path), planned.told()));
    }
    let has_new_schema = new.iter().any(|file| file.path == SCHEMA_FILE);
    let schema_verb = if has_new_schema { verb } else { "found" };
    lines.push(format!("{schema_verb} {}: what editors know of the rules", disk.name(SCHEMA_FILE)));
    let (sealed, secrets) = (counted(fit.sealed, "SealedSecret"), counted(fit.secrets, "Secret"));
    let count = counted(rules.len(), "rule");
    lines.push(format!("{verb} {}: {count}, for {sealed} and {secrets}", disk.name(FILE_NAME)));
    if !args.dry_run {
        lines.extend(in_short(rules));
    }
    lines.extend(left_out(planned, rules));
    if args.dry_run {
        for file in new.iter().filter(|file| file.path != SCHEMA_FILE) {
            lines.push(format!("# {}", disk.name(&file.path)));
            lines.extend(file.text.lines().map(str::to_owned));
        }
    }
    if fit.secrets > 0 {
        lines.push(format!(
            "{secrets} in plaintext: seal -w FILE seals where it stands; change the value too"
        ));
    }
    if fit.others > 0 {
        let others = counted(fit.others, "SealedSecret");
        lines.push(format!("{others} sealed to others than its rule says: seal rotate brings it up to date"));
    }
    let files: Vec<String> = planned
        .iter()
        .map(|planned| planned.path.as_str())
        .chain([FILE_NAME])
        .map(|path| path.replace(' ', "\\ "))
        .collect();
    let added = [&files[..], &[SCHEMA_FILE.to_owned()]].concat().join(" ");
    lines.push(format!("to do: look at the rules, and commit them: git add {added}"));
    lines.push("to do: lines for CODEOWNERS, so that no key comes in without a review:".to_owned());
    lines.extend(files.iter().map(|path| format!("/{path} @OWNERS")));
    output::report(&lines)
}

/// The rules, a line each.
fn in_short(rules: &[Proposed]) -> Vec<String> {
    // The last one says what holds elsewhere, and is always shown.
    let shown = rules.len().min(MOST_SHOWN);
    let (first, last) = (&rules[..shown.saturating_sub(1)], rules.last());
    let width = first.iter().chain(last).map(|rule| rule.path.chars().count()).max().unwrap_or_default();
    let line = |rule: &Proposed| {
        let to = if rule.to.is_empty() { "nothing is sealed here".to_owned() } else { rule.to.join(", ") };
        format!("  {:width$}  {to}", rule.path)
    };
    let mut lines: Vec<String> = first.iter().map(line).collect();
    if rules.len() > shown {
        lines.push(format!("  and {} more", rules.len() - shown));
    }
    lines.extend(last.map(line));
    lines
}

/// What the rules leave to people: recipients without a rule, and clusters that share the only one.
fn left_out(planned: &[Planned], rules: &[Proposed]) -> Vec<String> {
    let clusters: Vec<&str> =
        planned.iter().filter(|planned| !planned.is_recovery).map(|planned| planned.name.as_str()).collect();
    if let ([_], [_, _, ..]) = (rules, &clusters[..]) {
        return vec![format!(
            "to do: all is sealed to {} alike; for a rule each, make directories of these names before seal init, or write it",
            clusters.join(", ")
        )];
    }
    let used: BTreeSet<&str> = rules.iter().flat_map(|rule| &rule.to).map(String::as_str).collect();
    let unused: Vec<&str> = clusters.into_iter().filter(|name| !used.contains(name)).collect();
    match unused[..] {
        [] => Vec::new(),
        _ => vec![format!("to do: no rule seals to {} yet; no directory has that name", unused.join(", "))],
    }
}

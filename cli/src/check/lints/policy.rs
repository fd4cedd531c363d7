//! Changes to the rules themselves, rules files that nobody obeys, and files that only look like the rules.
//!
//! Rules are policy: whoever changes them decides who can open what is sealed from then on. With `--policy REV` the rules
//! of that revision count, and every difference is a finding, also one that only takes something away.
//!
//! Invariant: two states of the rules without a finding here seal every path to the same keys.

use std::collections::{BTreeMap, BTreeSet};

use seal_foreign::word;

use crate::check::context::PolicyChange;
use crate::check::finding::{Finding, Position};
use crate::check::lint::Lint;
use crate::rules::FILE_NAME;
use crate::rules::differences::differences;

/// The differences of one rules file, and its files of pins, from the revision that counts.
pub(super) fn changed(change: &PolicyChange, revision: &str) -> Vec<Finding> {
    let found =
        differences(change.before.as_deref(), change.after.as_deref()).into_iter().map(|difference| {
            let message = format!("differs from {}: {}", word(revision), difference.words);
            // Each difference is a finding of its own in a baseline.
            let mut finding = Finding::new(Lint::PinsChanged, &change.path, message).item(difference.words);
            finding.position = difference.at.map(|at| Position { line: at.line, column: at.column });
            finding
        });
    found.collect()
}

/// A rules file that counts for nothing, because no rules file above it lists its directory.
pub(super) fn unlisted(path: &str) -> Finding {
    let directory = path.rsplit_once('/').map_or("", |(directory, _)| directory);
    let message =
        format!("it counts for nothing: the rules file above doesn't list {} as nested", word(directory));
    Finding::new(Lint::NestedRules, path, message)
}

/// Files that aren't the rules or their files of pins, and take their place in some clones.
///
/// The threat is a pull request that adds `.Seal.yaml` or `keys/PROD.pub`: where upper and lower case are the same, as on
/// most Macs and under Windows, a checkout writes it over the file that was reviewed. `.seal.yml` is a slip.
pub(crate) fn twins(paths: &BTreeSet<String>, policy_paths: &BTreeSet<String>) -> Vec<Finding> {
    let folded: BTreeMap<String, &String> =
        policy_paths.iter().map(|path| (path.to_lowercase(), path)).collect();
    let finding = |path: &String| {
        let name = path.rsplit('/').next().unwrap_or(path).to_lowercase();
        let message = match folded.get(&path.to_lowercase()) {
            _ if policy_paths.contains(path) || path.ends_with(FILE_NAME) => return None,
            Some(other) => same_where_case_is(other),
            None if name == FILE_NAME => same_where_case_is(FILE_NAME),
            None if name == ".seal.yml" => {
                format!("it counts for nothing: the name of a rules file is {FILE_NAME}")
            }
            None => return None,
        };
        Some(Finding::new(Lint::NestedRules, path, message))
    };
    paths.iter().filter_map(finding).collect()
}

fn same_where_case_is(other: &str) -> String {
    format!("where upper and lower case are the same, it takes the place of {}", word(other))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::check::lints::samples::{recipient, rules};

    #[test]
    fn a_file_that_takes_the_place_of_rules_or_pins_in_some_clones_is_a_finding() {
        let set = |paths: &[&str]| paths.iter().map(|path| (*path).to_owned()).collect();
        let policy = set(&[".seal.yaml", "keys/prod.pub"]);
        let found = |paths: &[&str]| -> Vec<String> {
            let paths: BTreeSet<String> = set(paths);
            twins(&paths, &policy)
                .into_iter()
                .map(|found| format!("{} {}", found.path, found.message))
                .collect()
        };
        let same = "where upper and lower case are the same, it takes the place of";
        assert_eq!(
            found(&[".SEAL.yaml", "Keys/prod.pub", "prod/.Seal.YAML", "prod/.seal.yml"]),
            [
                format!(".SEAL.yaml {same} .seal.yaml"),
                format!("Keys/prod.pub {same} keys/prod.pub"),
                format!("prod/.Seal.YAML {same} .seal.yaml"),
                "prod/.seal.yml it counts for nothing: the name of a rules file is .seal.yaml".to_owned(),
            ]
        );
        assert!(found(&[".seal.yaml", "keys/prod.pub", "prod/.seal.yaml", "keys/PROD", "x.yaml"]).is_empty());
    }

    #[test]
    fn every_difference_from_the_policy_is_a_finding() {
        let (one, other) = (recipient(), recipient());
        let text = "version: 1\nrecipients: {prod: {file: prod.pub}}\nrules: [{path: '**', to: [prod]}]\n";
        let state = |pins: &str| rules(text, &[("prod.pub", pins)]).rules;
        let change = |after: &str| PolicyChange {
            path: ".seal.yaml".to_owned(),
            before: state(&one.to_string()),
            after: state(after),
        };
        assert!(changed(&change(&one.to_string()), "main").is_empty());
        let [found] = &changed(&change(&format!("{one}\n{other}\n")), "main")[..] else { panic!() };
        assert_eq!(found.lint, Lint::PinsChanged);
        assert!(
            found.message.starts_with("differs from main: ** now also seals to a new key "),
            "{}",
            found.message
        );
        let gone = PolicyChange {
            path: ".seal.yaml".to_owned(),
            before: state(&one.to_string()),
            after: None::<Arc<_>>,
        };
        assert_eq!(changed(&gone, "main").len(), 1);
        assert_eq!(unlisted("teams/a/.seal.yaml").lint, Lint::NestedRules);
    }
}

//! Changes to the rules themselves, and rules files that nobody obeys.
//!
//! Rules are policy: whoever changes them decides who can open what is sealed from then on. With `--policy REV` the rules
//! of that revision count, and every difference is a finding, also one that only takes something away.
//!
//! Invariant: two states of the rules without a finding here seal every path to the same keys.

use seal_foreign::word;

use crate::check::context::PolicyChange;
use crate::check::finding::{Finding, Position};
use crate::check::lint::Lint;
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::check::lints::samples::{recipient, rules};

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
            found.message.starts_with("differs from main: ** now also seals to prod "),
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

//! Comments that allow a finding: `# seal: allow plaintext -- a fixture of the tests`, above the object.
//!
//! A comment is for the object that follows it. The threat is a comment that hides more than its author says: so it names
//! rules, has a reason, and is for one object; text that only looks like a comment, in a block of text for one, is none.
//! Invariant: a comment that allows nothing is itself a finding.

use std::ops::Range;

use seal_documents::manifest::Lenient;
use seal_foreign::word;

use super::finding::Finding;
use super::lint::Lint;
use super::scanned::Scanned;

/// A comment that begins with `seal: allow`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Allow {
    /// The byte at which it begins.
    pub(crate) at: usize,
    /// What it says, or why that can't be.
    pub(crate) said: Result<Allowance, NoAllowance>,
    /// The bytes of the object that it stands above; `None` if there is none.
    pub(crate) object: Option<Range<usize>>,
}

/// What a comment allows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Allowance {
    pub(crate) lints: Vec<Lint>,
    pub(crate) reason: String,
}

/// Why a comment allows nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NoAllowance {
    #[error("this comment allows nothing, since it gives no reason")]
    NoReason,
    #[error("this comment allows nothing: there is no rule {}{}", word(name), meant.map(|lint| format!(", did you mean {}?", lint.name())).unwrap_or_default())]
    Unknown { name: String, meant: Option<Lint> },
    #[error("this comment allows nothing: {} can only be ignored in .seal.yaml", .0.name())]
    NotInComments(Lint),
}

impl NoAllowance {
    fn hint(&self) -> &'static str {
        match self {
            Self::NoReason => "write # seal: allow RULE -- REASON",
            Self::Unknown { .. } => "seal check --explain lists the rules",
            Self::NotInComments(_) => "whoever may change an object must not be able to allow this",
        }
    }
}

impl Allow {
    /// All such comments of a manifest, in their order.
    pub(crate) fn all(manifest: &Lenient<'_>) -> Vec<Self> {
        let text = manifest.manifest.source.text();
        if !text.contains("seal: allow") {
            return Vec::new();
        }
        let objects = manifest.manifest.objects.iter();
        let mut objects: Vec<Range<usize>> =
            objects.map(|object| manifest.manifest.tree(object).range(object.node)).collect();
        objects.sort_by_key(|range| range.start);
        let allow = |comment: Range<usize>| {
            let said = Allowance::parse(&text[comment.clone()])?;
            let next = objects.partition_point(|object| object.start < comment.start);
            let is_inside = next > 0 && objects[next - 1].contains(&comment.start);
            let object = objects.get(next).filter(|_| !is_inside).cloned();
            Some(Self { at: comment.start, said, object })
        };
        manifest.comments().into_iter().filter_map(allow).collect()
    }

    /// Whether it allows a finding at a byte of its file. A finding about the whole file belongs to the first object.
    pub(crate) fn covers(&self, lint: Lint, at: Option<usize>) -> bool {
        let (Ok(said), Some(object)) = (&self.said, &self.object) else { return false };
        said.lints.contains(&lint) && at.is_none_or(|at| object.start <= at && at <= object.end)
    }

    /// The finding that it allows nothing.
    pub(crate) fn unused(&self, file: &Scanned<'_>) -> Finding {
        let (message, hint) = match (&self.said, &self.object) {
            (Err(why), _) => (why.to_string(), why.hint().to_owned()),
            (Ok(_), None) => (
                "this comment allows nothing, since it stands above no object".to_owned(),
                "move it above the object, before its first key".to_owned(),
            ),
            (Ok(said), Some(_)) => {
                let names: Vec<&str> = said.lints.iter().map(|lint| lint.name()).collect();
                let names = names.join(", ");
                (format!("this comment allows {names}, and there is no such finding"), "remove it".to_owned())
            }
        };
        file.finding(Lint::UnusedAllow, self.at, message).hint(hint)
    }
}

impl Allowance {
    /// Reads a comment; `None` if it isn't of this kind.
    fn parse(comment: &str) -> Option<Result<Self, NoAllowance>> {
        let said = comment.trim_start_matches('#').trim().strip_prefix("seal:")?.trim_start();
        let said = said.strip_prefix("allow")?;
        if !said.is_empty() && !said.starts_with(char::is_whitespace) {
            return None;
        }
        let (names, reason) = said.split_once("--").unwrap_or((said, ""));
        let reason = reason.trim();
        let mut lints = Vec::new();
        for name in names.split(',').map(str::trim) {
            match Lint::named(name) {
                None => {
                    return Some(Err(NoAllowance::Unknown {
                        name: name.to_owned(),
                        meant: Lint::nearest(name),
                    }));
                }
                Some(lint) if !lint.is_for_comments() => return Some(Err(NoAllowance::NotInComments(lint))),
                Some(lint) => lints.push(lint),
            }
        }
        if reason.is_empty() {
            return Some(Err(NoAllowance::NoReason));
        }
        Some(Ok(Self { lints, reason: reason.to_owned() }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use seal_documents::source::Source;
    use zeroize::Zeroizing;

    fn parse(comment: &str) -> Option<Result<Allowance, NoAllowance>> {
        Allowance::parse(comment)
    }

    #[test]
    fn a_comment_names_rules_and_a_reason() {
        let said = |lints: &[Lint], reason: &str| {
            Some(Ok(Allowance { lints: lints.to_vec(), reason: reason.to_owned() }))
        };
        assert_eq!(parse("# seal: allow plaintext -- a fixture"), said(&[Lint::Plaintext], "a fixture"));
        assert_eq!(parse("#seal:allow place, scope--x -- y"), said(&[Lint::Place, Lint::Scope], "x -- y"));
        for other in ["# seal: allowed plaintext -- x", "# seal it: allow", "# a comment", "#"] {
            assert_eq!(parse(other), None, "{other}");
        }
    }

    #[test]
    fn a_comment_without_a_reason_or_for_a_rule_that_is_none_of_its_allows_nothing() {
        for no_reason in ["# seal: allow plaintext", "# seal: allow plaintext --  "] {
            assert_eq!(parse(no_reason), Some(Err(NoAllowance::NoReason)), "{no_reason}");
        }
        let unknown = parse("# seal: allow plaintxt -- x").unwrap().unwrap_err();
        assert!(unknown.to_string().ends_with("there is no rule plaintxt, did you mean plaintext?"));
        assert!(matches!(parse("# seal: allow -- x"), Some(Err(NoAllowance::Unknown { .. }))));
        for lint in ["private-key", "recipients-extra", "hidden-recipient", "pins-changed", "unused-allow"] {
            let found = parse(&format!("# seal: allow plaintext, {lint} -- x"));
            assert_eq!(found, Some(Err(NoAllowance::NotInComments(Lint::named(lint).unwrap()))));
        }
    }

    #[test]
    fn a_comment_is_for_the_object_below_it_and_for_no_other() {
        let allow = "# seal: allow plaintext -- x\n";
        let secret = "apiVersion: v1\nkind: Secret\n";
        let text = format!(
            "{allow}{secret}---\n{secret}data:\n  {allow}  a: eA==\n---\n{secret}{allow}---\n{secret}---\n\
             apiVersion: v1\nkind: List\nitems:\n- {{kind: Secret}}\n{allow}- {{kind: Secret}}\n---\n\
             apiVersion: v1\nkind: ConfigMap\ndata:\n  a: |\n    {allow}    b\n---\n{allow}"
        );
        let source = Source::new("f".to_owned(), Zeroizing::new(text.clone()));
        let manifest = Lenient::read(&source);
        let objects: Vec<usize> = manifest
            .manifest
            .objects
            .iter()
            .map(|object| manifest.manifest.tree(object).range(object.node).start)
            .collect();
        let allows = Allow::all(&manifest);
        let targets: Vec<Option<usize>> = allows
            .iter()
            .map(|allow| {
                allow.object.as_ref().and_then(|range| objects.iter().position(|at| *at == range.start))
            })
            .collect();
        assert_eq!(targets, [Some(0), None, Some(3), Some(5), None]);
        assert!(
            allows[0].covers(Lint::Plaintext, Some(objects[0])) && allows[0].covers(Lint::Plaintext, None)
        );
        assert!(!allows[0].covers(Lint::Plaintext, Some(objects[1])));
        assert!(!allows[0].covers(Lint::Place, Some(objects[0])) && !allows[1].covers(Lint::Plaintext, None));
    }
}

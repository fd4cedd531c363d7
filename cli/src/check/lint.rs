//! The rules of `seal check`: their names, how severe each is, and what each is about.
//!
//! A rule is called a *lint* in code, since the rules of `.seal.yaml` are another idea; people see "rule". Invariant: a
//! lint never changes its name, which is words in kebab-case: comments, baselines, rules files and SARIF readers hold it.

mod table;

use table::TABLE;

use crate::talk::meant::meant;

/// How much a finding matters. Greater is more severe.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Severity {
    /// Told, and never a reason to fail.
    Note,
    /// A reason to fail with `--strict`.
    Warning,
    /// A reason to fail.
    Error,
}

impl Severity {
    /// The word of the reports.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// A rule of `seal check`. The order is that of the documentation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Lint {
    Plaintext,
    PlaintextGenerator,
    PlaintextAnnotation,
    PlaintextTemplate,
    PrivateKey,
    Copied,
    Moved,
    Transformed,
    StaleReference,
    Place,
    Scope,
    Type,
    Format,
    RecipientsExtra,
    RecipientsMissing,
    RecipientsRevoked,
    HiddenRecipient,
    Malformed,
    UnusedEnvelope,
    MissingKey,
    Duplicate,
    ConflictMarker,
    TemplateItem,
    PinsChanged,
    NestedRules,
    NoRule,
    UnreachableRule,
    TooOld,
    Superseded,
    TemplatedName,
    Unreadable,
    UnusedAllow,
    StaleBaseline,
}

/// What is known of one lint.
pub(crate) struct Row {
    pub(crate) lint: Lint,
    pub(crate) name: &'static str,
    /// The severity of its findings, unless a finding has a lower one.
    pub(crate) severity: Severity,
    /// What it finds, in one line.
    pub(crate) finds: &'static str,
    /// Why that matters.
    pub(crate) why: &'static str,
    /// What to do about it.
    pub(crate) fix: &'static str,
}

impl Lint {
    /// All lints, in their order.
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        TABLE.iter().map(|row| row.lint)
    }

    /// The lint of a name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        TABLE.iter().find(|row| row.name == name).map(|row| row.lint)
    }

    /// The lint whose name is nearest to a misspelt one.
    pub(crate) fn nearest(name: &str) -> Option<Self> {
        meant(name, TABLE.iter().map(|row| row.name)).and_then(Self::named)
    }

    pub(crate) fn row(self) -> &'static Row {
        &TABLE[self as usize]
    }

    pub(crate) fn name(self) -> &'static str {
        self.row().name
    }

    pub(crate) fn severity(self) -> Severity {
        self.row().severity
    }

    /// Whether a comment beside the object may allow its findings.
    ///
    /// The threat is a pull request that brings its own permission along: whoever may change an object may write the
    /// comment. So these are allowed only in the rules file, which `--policy` reads from elsewhere; findings about the
    /// policy, the comments and the baseline itself can't be allowed at all.
    pub(crate) fn is_for_comments(self) -> bool {
        !matches!(
            self,
            Self::PrivateKey
                | Self::RecipientsExtra
                | Self::RecipientsMissing
                | Self::RecipientsRevoked
                | Self::HiddenRecipient
                | Self::PinsChanged
                | Self::NestedRules
                | Self::UnusedAllow
                | Self::StaleBaseline
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Other people's files hold these names.
    const NAMES: [&str; 33] = [
        "plaintext",
        "plaintext-generator",
        "plaintext-annotation",
        "plaintext-template",
        "private-key",
        "copied",
        "moved",
        "transformed",
        "stale-reference",
        "place",
        "scope",
        "type",
        "format",
        "recipients-extra",
        "recipients-missing",
        "recipients-revoked",
        "hidden-recipient",
        "malformed",
        "unused-envelope",
        "missing-key",
        "duplicate",
        "conflict-marker",
        "template-item",
        "pins-changed",
        "nested-rules",
        "no-rule",
        "unreachable-rule",
        "too-old",
        "superseded",
        "templated-name",
        "unreadable",
        "unused-allow",
        "stale-baseline",
    ];

    #[test]
    fn no_lint_is_ever_renamed() {
        assert_eq!(Lint::all().map(Lint::name).collect::<Vec<_>>(), NAMES);
        for lint in Lint::all() {
            assert_eq!(lint.row().lint, lint, "the table has the order of the lints");
            assert_eq!(Lint::named(lint.name()), Some(lint));
        }
    }

    #[test]
    fn every_lint_says_what_it_finds_why_and_what_to_do() {
        for Row { name, finds, why, fix, .. } in Lint::all().map(Lint::row) {
            assert!(!finds.is_empty() && !finds.ends_with('.') && finds.len() < 100, "{name}: {finds}");
            assert!(why.ends_with('.') && fix.ends_with('.'), "{name}");
        }
    }

    #[test]
    fn a_slip_finds_the_lint_that_was_meant() {
        assert_eq!(Lint::nearest("plaintxt"), Some(Lint::Plaintext));
        assert_eq!(Lint::nearest("recipient-extra"), Some(Lint::RecipientsExtra));
        assert_eq!(Lint::nearest("something else"), None);
        assert_eq!(Lint::nearest(&"x".repeat(1_000_000)), None);
    }
}

//! Rules: the stable names of kinds of failures, for programs that read the output of `seal`.
//!
//! A rule names a kind of failure, and not each variant of an error. Text, JSON and SARIF take it from the
//! same failure as the fact and the hint. Invariants: a rule never changes its name, which is words in
//! kebab-case. A refusal of the contract has the contract's own word, so that `wrong-place` here and
//! `WrongPlace` in a condition are one idea.

use seal_crds::Reason;

/// A kind of failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rule {
    /// The contract refuses an object. The name is the reason's: `WrongPlace` becomes `wrong-place`.
    Refused(Reason),
    /// The command makes no sense as typed.
    Usage,
    /// A file or standard input can't be read.
    Unreadable,
    /// A revision of a Git repository can't be read.
    UnreadableRevision,
    /// A rules file, or what it names, isn't understood.
    BadRules,
    /// The rules of a repository forbid what was asked for.
    AgainstRules,
    /// A recipient isn't one of the upstream's, and nobody has accepted it.
    NotAccepted,
    /// A result can't be written: to its file, to standard output, or in the requested form.
    Unwritable,
    /// A text is neither YAML nor JSON.
    NotYaml,
    /// An object stands in a layout that can't be edited in place.
    UnknownLayout,
    /// A Secret can't be sealed as it stands, or Kubernetes would not take it.
    InvalidSecret,
    /// The input contains no object for the command.
    NothingToDo,
    /// A recipient can't be sealed to.
    BadRecipient,
    /// A certificate can't be sealed to.
    BadCertificate,
    /// A file contains no usable identity.
    BadIdentity,
    /// A file isn't a backup of a key that may be restored.
    BadBackup,
    /// A cluster, or a controller in it, can't be asked.
    NoCluster,
    /// A cluster has no key to seal to.
    NoSealingKey,
    /// A sealing key is still needed: objects don't open without it, or Secrets are sealed to it.
    KeyNeeded,
    /// A patch in another place has items that would lose their data key.
    PatchedElsewhere,
    /// A Go template has no counterpart in the native format.
    UntranslatableTemplate,
    /// The controller refuses a request over HTTP.
    ControllerRefused,
    /// A conflict of a merge can't be settled as asked for.
    Unresolved,
    /// Somebody else's hook or setting stands where seal would install its own.
    InTheWay,
    /// The user's editor can't be run, or failed.
    Editor,
    /// Several objects failed; each failure was printed.
    SeveralProblems,
}

impl Rule {
    /// The rule's name in kebab-case, for programs.
    #[cfg_attr(not(test), expect(dead_code, reason = "no output has it yet"))]
    pub(crate) fn name(self) -> String {
        let name = match self {
            Self::Refused(reason) => return kebab(reason.as_str()),
            Self::Usage => "usage",
            Self::Unreadable => "unreadable",
            Self::UnreadableRevision => "unreadable-revision",
            Self::BadRules => "bad-rules",
            Self::AgainstRules => "against-rules",
            Self::NotAccepted => "not-accepted",
            Self::Unwritable => "unwritable",
            Self::NotYaml => "not-yaml",
            Self::UnknownLayout => "unknown-layout",
            Self::InvalidSecret => "invalid-secret",
            Self::NothingToDo => "nothing-to-do",
            Self::BadRecipient => "bad-recipient",
            Self::BadCertificate => "bad-certificate",
            Self::BadIdentity => "bad-identity",
            Self::BadBackup => "bad-backup",
            Self::NoCluster => "no-cluster",
            Self::NoSealingKey => "no-sealing-key",
            Self::KeyNeeded => "key-needed",
            Self::PatchedElsewhere => "patched-elsewhere",
            Self::UntranslatableTemplate => "untranslatable-template",
            Self::ControllerRefused => "controller-refused",
            Self::Unresolved => "unresolved",
            Self::InTheWay => "in-the-way",
            Self::Editor => "editor",
            Self::SeveralProblems => "several-problems",
        };
        name.to_owned()
    }
}

/// Turns `WrongPlace` into `wrong-place`.
fn kebab(camel: &str) -> String {
    let mut kebab = String::new();
    for letter in camel.chars() {
        if letter.is_ascii_uppercase() && !kebab.is_empty() {
            kebab.push('-');
        }
        kebab.push(letter.to_ascii_lowercase());
    }
    kebab
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::io;

    use seal_crds::{Place, UnsealError};

    use super::*;
    use crate::objects::sealed::OpenError;
    use crate::talk::failure::Failure;

    /// Other people's programs match on these names. The contract's own tests hold the names of its reasons.
    const NAMES: [(Rule, &str); 25] = [
        (Rule::Usage, "usage"),
        (Rule::Unreadable, "unreadable"),
        (Rule::UnreadableRevision, "unreadable-revision"),
        (Rule::BadRules, "bad-rules"),
        (Rule::AgainstRules, "against-rules"),
        (Rule::NotAccepted, "not-accepted"),
        (Rule::Unwritable, "unwritable"),
        (Rule::NotYaml, "not-yaml"),
        (Rule::UnknownLayout, "unknown-layout"),
        (Rule::InvalidSecret, "invalid-secret"),
        (Rule::NothingToDo, "nothing-to-do"),
        (Rule::BadRecipient, "bad-recipient"),
        (Rule::BadCertificate, "bad-certificate"),
        (Rule::BadIdentity, "bad-identity"),
        (Rule::BadBackup, "bad-backup"),
        (Rule::NoCluster, "no-cluster"),
        (Rule::NoSealingKey, "no-sealing-key"),
        (Rule::KeyNeeded, "key-needed"),
        (Rule::PatchedElsewhere, "patched-elsewhere"),
        (Rule::UntranslatableTemplate, "untranslatable-template"),
        (Rule::ControllerRefused, "controller-refused"),
        (Rule::Unresolved, "unresolved"),
        (Rule::InTheWay, "in-the-way"),
        (Rule::Editor, "editor"),
        (Rule::SeveralProblems, "several-problems"),
    ];

    #[test]
    fn no_rule_is_ever_renamed() {
        for (rule, name) in NAMES {
            assert_eq!(rule.name(), name);
        }
        assert_eq!(Rule::Refused(Reason::WrongPlace).name(), "wrong-place");
        assert_eq!(Rule::Refused(Reason::NotForTemplates).name(), "not-for-templates");
    }

    #[test]
    fn a_rule_has_a_name_of_its_own_in_kebab_case() {
        let reasons = Reason::ALL.iter().map(|reason| Rule::Refused(*reason).name());
        let names: Vec<String> = NAMES.iter().map(|(rule, _)| rule.name()).chain(reasons).collect();
        assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len(), "{names:?}");
        for name in names {
            let is_word = |word: &str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase());
            assert!(name.split('-').all(is_word), "{name}");
        }
    }

    #[test]
    fn a_failure_has_the_rule_of_its_error_and_a_refusal_of_the_contract_the_contracts_word() {
        let place = Place { namespace: "staging".parse().unwrap(), name: "db".parse().unwrap() };
        let error = UnsealError::WrongPlace { sealed: "prod/db".into(), found: "staging/db".into() };
        assert_eq!(Failure::from(OpenError::new(&place, error)).rule.name(), "wrong-place");
        let full = io::Error::from(io::ErrorKind::StorageFull);
        assert_eq!(Failure::stdout(&full).rule, Rule::Unwritable);
    }
}

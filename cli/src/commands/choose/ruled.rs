//! A file that a command seals into, and what the rules of its repository say about it.
//!
//! Invariant: what the rules don't allow is refused with the place of the rule, whatever the flags say; only `-r` goes over
//! a rule, and that alone as far as recipients go.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use seal_crds::{Namespace, Scope};
use seal_foreign::word;

use crate::check::namespace;
use crate::rules::book::{Book, Ruling};
use crate::rules::reader::Disk;
use crate::rules::site::Site;
use crate::talk::exit::Exit;
use crate::talk::failure::{Explain, Failure, Rule};

/// Reasons why the rules of a repository don't allow what was asked for.
#[derive(Debug, thiserror::Error)]
pub(super) enum RuledError {
    #[error("scope {scope} isn't allowed for {file}: {rule} allows {}", list(allowed))]
    Scope { scope: Scope, file: String, rule: String, allowed: Vec<Scope> },
    #[error("type {} isn't allowed for {file}: {rule} allows {}", word(type_), words(allowed))]
    Type { type_: String, file: String, rule: String, allowed: Vec<String> },
    #[error("namespace {namespace} isn't that of {file}: by {rule} it is {}", word(expected))]
    Namespace { namespace: Namespace, file: String, rule: String, expected: String },
    #[error("{} in the path {file} can't be a namespace, and {rule} takes it for one", word(segment))]
    NoNamespace { segment: String, file: String, rule: String },
    #[error("nothing may be sealed into {file}: {rule} says to: none")]
    Nobody { file: String, rule: String },
    #[error("{rule} names no recipient for the native format, for {file}")]
    NoRecipient { file: String, rule: String },
    #[error("{rule} names no certificate, for {file}")]
    NoCertificate { file: String, rule: String },
    #[error("{rule} names {count} certificates, and a SealedSecret of bitnami.com is sealed to one")]
    SeveralCertificates { count: usize, rule: String },
    #[error("there are rules here ({rules}), and nothing says which of them counts")]
    NoPath { rules: String },
}

fn list(scopes: &[Scope]) -> String {
    scopes.iter().map(|scope| scope.as_str()).collect::<Vec<_>>().join(", ")
}

fn words(types: &[String]) -> String {
    types.iter().map(|type_| word(type_)).collect::<Vec<_>>().join(", ")
}

impl Explain for RuledError {
    fn rule(&self) -> Rule {
        match self {
            Self::NoPath { .. } => Rule::Usage,
            _ => Rule::AgainstRules,
        }
    }

    fn exit(&self) -> Exit {
        Exit::Usage
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Scope { allowed, .. } => {
                format!("seal it with scope {}, or change the rule", allowed.first()?)
            }
            Self::Type { .. } => "correct the type, or change the rule".to_owned(),
            Self::Namespace { .. } => {
                "the directory says the namespace: correct one of them, or seal into another file".to_owned()
            }
            Self::NoNamespace { .. } => "name the directory after the namespace, or change the rule".to_owned(),
            Self::Nobody { .. } => "seal into a file of another directory, or change the rule".to_owned(),
            Self::NoRecipient { .. } => {
                "add --seal-format bitnami, or add a recipient with a file of pins to the rule".to_owned()
            }
            Self::NoCertificate { .. } => {
                "add a recipient whose file is a certificate to the rule, or give one with --cert".to_owned()
            }
            Self::SeveralCertificates { .. } => "give one with --cert".to_owned(),
            Self::NoPath { .. } => {
                "say where the result goes: -o FILE writes it there, --for FILE only names it; -r goes without rules"
                    .to_owned()
            }
        })
    }
}

/// The rules of all repositories that a command seals into.
#[derive(Default)]
pub(super) struct Books(HashMap<PathBuf, Book<Disk>>);

/// A file to seal into, with the rule for it.
pub(in crate::commands) struct Ruled {
    /// The file as it was typed.
    file: String,
    /// `None` if the result has no path.
    pub(super) site: Option<Site>,
    pub(super) ruling: Option<Ruling>,
    /// The name of the rules file that counts, if there is one.
    pub(super) rules: Option<String>,
}

impl Books {
    /// The rule for a file, which needn't be there yet; for `None`, a result without a path.
    ///
    /// # Errors
    ///
    /// The rules aren't understood.
    pub(super) fn ruled(&mut self, file: Option<&Path>) -> Result<Ruled, Failure> {
        let Some(file) = file else {
            return Ok(Ruled { file: "the result".to_owned(), site: None, ruling: None, rules: None });
        };
        let site = Site::of(file)?;
        let book = self.0.entry(site.top.clone()).or_insert_with(|| Book::new(Disk::beneath(&site.top)));
        let governing = book.around(&site.path)?;
        governing.check_listed()?;
        let ruling = governing.ruling(&site.path);
        let rules = governing.rules.map(|rules| rules.name.clone());
        Ok(Ruled { file: seal_foreign::path(file), site: Some(site), ruling, rules })
    }

    /// Refuses a result without a path where there are rules.
    pub(super) fn check_no_rules_here(&mut self) -> Result<(), Failure> {
        let site = Site::of(Path::new("-"))?;
        let book = self.0.entry(site.top.clone()).or_insert_with(|| Book::new(Disk::beneath(&site.top)));
        match book.around(&site.path)?.rules {
            Some(rules) => Err(RuledError::NoPath { rules: rules.name.clone() }.into()),
            None => Ok(()),
        }
    }
}

impl Ruled {
    /// The scope to seal with: that of the flag, else the rule's first, else the firmest.
    ///
    /// # Errors
    ///
    /// The rule doesn't allow it.
    pub(in crate::commands) fn scope(&self, flag: Option<Scope>) -> Result<Scope, Failure> {
        let Some(ruling) = &self.ruling else { return Ok(flag.unwrap_or_default()) };
        let rule = ruling.rule();
        match flag {
            None => Ok(rule.default_scope()),
            Some(scope) if rule.allows_scope(scope) => Ok(scope),
            Some(scope) => {
                let (file, rule, allowed) = (self.file.clone(), ruling.location(), rule.scopes.clone());
                Err(RuledError::Scope { scope, file, rule, allowed }.into())
            }
        }
    }

    /// Refuses a type of Secret that the rule doesn't allow.
    pub(in crate::commands) fn check_type(&self, type_: &str) -> Result<(), Failure> {
        match &self.ruling {
            Some(ruling) if !ruling.rule().allows_type(type_) => {
                let (file, rule, allowed) =
                    (self.file.clone(), ruling.location(), ruling.rule().types.clone());
                Err(RuledError::Type { type_: type_.to_owned(), file, rule, allowed }.into())
            }
            _ => Ok(()),
        }
    }

    /// The namespace of an object in the file: its own, else the one that the rule takes from the path.
    ///
    /// # Errors
    ///
    /// The two differ, or the path has no valid one where the rule takes it from.
    pub(in crate::commands) fn namespace(
        &self,
        own: Option<&Namespace>,
    ) -> Result<Option<Namespace>, Failure> {
        let said = self.ruling.as_ref().and_then(|ruling| Some((ruling, ruling.namespace.as_ref()?)));
        let Some((ruling, expected)) = said else { return Ok(own.cloned()) };
        let (file, rule) = (self.file.clone(), ruling.location());
        match own {
            Some(namespace) if namespace.as_str() == expected => Ok(Some(namespace.clone())),
            Some(namespace) => {
                let (namespace, expected) = (namespace.clone(), expected.clone());
                Err(RuledError::Namespace { namespace, file, rule, expected }.into())
            }
            None => match expected.parse() {
                Ok(namespace) => Ok(Some(namespace)),
                Err(_) => Err(RuledError::NoNamespace { segment: expected.clone(), file, rule }.into()),
            },
        }
    }

    /// What to try if the namespace of an object in the file isn't known: that of what deploys the file. `command` makes a
    /// command of `-n NAMESPACE`, for people to paste; `several` is for several namespaces. `None` if nothing says one.
    pub(in crate::commands) fn namespace_hint(
        &self,
        command: impl Fn(&str) -> Option<String>,
        several: &str,
    ) -> Option<String> {
        let given = namespace::given(self.site.as_ref()?);
        if given.is_empty() {
            return None;
        }
        let said = namespace::said(&given);
        Some(match namespace::only(&given) {
            Some(only) => {
                let flag = format!("-n {only}");
                format!("{said}: {}", command(&flag).unwrap_or_else(|| format!("give it with {flag}")))
            }
            None => format!("{said}: {several}"),
        })
    }

    /// The rule for the file, if there is one.
    pub(in crate::commands) fn ruling(&self) -> Option<&Ruling> {
        self.ruling.as_ref()
    }

    /// The file as it was typed, escaped.
    pub(super) fn file(&self) -> &str {
        &self.file
    }
}

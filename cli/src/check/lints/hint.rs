//! Commands that mend what is found, and need more words than a path.
//!
//! Invariant: a command says which object it is about, and each of its items, so that it does what the finding asks for as
//! it is pasted. What only its user knows stands there in capitals, such as IDENTITY.

use std::collections::{BTreeMap, BTreeSet};

use crate::check::finding::Finding;
use crate::check::lint::Lint;
use crate::check::scanned::Scanned;
use crate::talk::pasted;

use super::sealed;

/// The most items that a command names: a line has to stay one.
const SHOWN: usize = 20;

/// `seal set` for items of an object. `target` are the words by which it is found; one that names no namespace takes `-n`.
pub(super) fn set<'i>(target: &str, names_namespace: bool, items: impl Iterator<Item = &'i str>) -> String {
    let namespace = if names_namespace { "" } else { " -n NAMESPACE" };
    let mut command = format!("seal set {target}{namespace}");
    for (index, item) in items.enumerate() {
        if index == SHOWN {
            command += " …";
            break;
        }
        command += &format!(" --prompt {}", pasted::word(item));
    }
    command
}

/// What is sealed in the files of now, for hints about what once was there: objects with their items, by file.
pub(crate) struct Present(BTreeMap<String, Vec<PresentObject>>);

struct PresentObject {
    place: String,
    /// What [`set`] takes.
    target: String,
    names_namespace: bool,
    items: BTreeSet<String>,
}

impl Present {
    pub(crate) fn of<'s>(files: impl Iterator<Item = &'s Scanned<'s>>) -> Self {
        let objects = |file: &Scanned<'_>| {
            let object = |sealed: super::Sealed<'_>| PresentObject {
                place: sealed.outline.object_name.to_string(),
                target: sealed.pasted(),
                names_namespace: sealed.outline.object_name.namespace.is_some(),
                items: sealed.outline.items.keys().cloned().collect(),
            };
            sealed(file).map(object).collect()
        };
        Self(files.map(|file| (file.path.to_owned(), objects(file))).collect())
    }

    /// The command that seals the new value of what a finding is about; `None` if it isn't sealed in the same file now.
    fn set(&self, finding: &Finding) -> Option<String> {
        let objects = self.0.get(&finding.path)?;
        let object = objects.iter().find(|object| Some(&object.place) == finding.place.as_ref())?;
        let is_of_value = finding.item.as_ref().is_some_and(|item| object.items.contains(item));
        let items: Vec<&str> = match &finding.item {
            Some(item) if is_of_value => vec![item],
            // It is about a recipient, who has had all of them.
            _ => object.items.iter().map(String::as_str).collect(),
        };
        (!items.is_empty()).then(|| set(&object.target, object.names_namespace, items.into_iter()))
    }
}

/// What to do about something that a commit has, and that is gone since. The files of now need nothing; but whoever has the
/// commit has the value.
pub(crate) fn of_past(finding: &Finding, commit: &str, present: &Present) -> String {
    let out = format!("take the commit out while nobody else has it: git rebase -i {commit}~1");
    let is_exposed = match finding.lint {
        Lint::Plaintext | Lint::PlaintextGenerator | Lint::PlaintextAnnotation | Lint::PlaintextTemplate => {
            true
        }
        Lint::RecipientsExtra | Lint::RecipientsRevoked => true,
        Lint::PrivateKey => {
            let hint = finding.hint.as_deref().unwrap_or("treat it as leaked");
            return format!("{hint}; or {out}");
        }
        _ => false,
    };
    match present.set(finding) {
        _ if !is_exposed => out,
        Some(set) => format!("change the value at its source, and seal the new one: {set}; or {out}"),
        None => format!("change the value at its source; or {out}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_names_each_item_as_one_word() {
        let items = ["a", "b;c"];
        assert_eq!(set("db.yaml", true, items.into_iter()), "seal set db.yaml --prompt a --prompt 'b;c'");
        assert_eq!(set("db.yaml", false, ["a"].into_iter()), "seal set db.yaml -n NAMESPACE --prompt a");
        let many: Vec<String> = (0..30).map(|n| format!("i{n}")).collect();
        let command = set("db.yaml", true, many.iter().map(String::as_str));
        assert_eq!((command.matches("--prompt").count(), command.ends_with(" …")), (20, true));
    }

    #[test]
    fn only_what_exposes_a_value_asks_to_change_it() {
        let present = Present(BTreeMap::new());
        let of = |lint| of_past(&Finding::new(lint, "a.yaml", "x").hint("do it"), "1a2b3c4d", &present);
        let out = "take the commit out while nobody else has it: git rebase -i 1a2b3c4d~1";
        assert_eq!(of(Lint::Plaintext), format!("change the value at its source; or {out}"));
        assert_eq!(of(Lint::Malformed), out);
        assert_eq!(of(Lint::PrivateKey), format!("do it; or {out}"));
    }
}

//! Recipients that can't be sealed to together: age takes either post-quantum recipients or classic ones into one file.
//!
//! Whoever breaks the classic one later would open it all, so a mixture would only look safe. The rules of a file and the
//! rules that `seal init` proposes ask here. Invariant: certificates have no part in it, since each has a format of its own.

use std::collections::BTreeSet;

use seal_foreign::word;

use super::pins::PinnedKeys;

/// The names of recipients of both kinds, in order. A name is among both if its file has both.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Mixed {
    pub(crate) post_quantum: BTreeSet<String>,
    pub(crate) classic: BTreeSet<String>,
}

impl Mixed {
    /// The mixture that recipients make; `None` if they are of one kind.
    pub(crate) fn of<'k>(recipients: impl IntoIterator<Item = (&'k str, &'k PinnedKeys)>) -> Option<Self> {
        let mut mixed = Self { post_quantum: BTreeSet::new(), classic: BTreeSet::new() };
        for (name, keys) in recipients {
            let PinnedKeys::Recipients(given) = keys else { continue };
            for named in &given.recipients {
                let is_post_quantum = named.recipient.is_post_quantum();
                let kind = if is_post_quantum { &mut mixed.post_quantum } else { &mut mixed.classic };
                kind.insert(name.to_owned());
            }
        }
        (!mixed.post_quantum.is_empty() && !mixed.classic.is_empty()).then_some(mixed)
    }

    /// What is the matter, for people.
    pub(crate) fn told(&self) -> String {
        let names =
            |names: &BTreeSet<String>| names.iter().map(|name| word(name)).collect::<Vec<_>>().join(", ");
        format!(
            "post-quantum recipients ({}) and classic ones ({}): nothing can be sealed to both",
            names(&self.post_quantum),
            names(&self.classic)
        )
    }

    /// A recipient whose own file has both kinds.
    pub(crate) fn in_one_file(&self) -> Option<&str> {
        self.post_quantum.intersection(&self.classic).next().map(String::as_str)
    }
}

//! The change that a kustomization makes to the places of the objects in it: a namespace that is set, and what is put
//! before and after names.
//!
//! Invariant: a change that isn't fully followed says so ([`Change::is_certain`]), so that nobody takes half of it for the
//! whole.

/// The longest prefix or suffix that is followed. A name in Kubernetes has 253 characters at most, and a hostile
/// repository could let a prefix grow with each step.
const MAX_AFFIX: usize = 253;

/// A change of places, and the lines that make it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Change {
    /// The namespace that every object gets.
    pub(super) namespace: Option<String>,
    /// The `file:line` that sets it.
    pub(super) namespace_by: Option<String>,
    pub(super) prefix: String,
    pub(super) suffix: String,
    /// `false` if some step may change places in a way that isn't followed.
    pub(super) is_certain: bool,
    /// References to a SealedSecret's name are changed along with it: a kustomization configures that.
    pub(super) keeps_references: bool,
    /// `file:line` of every field that made this change, from the inside out.
    pub(super) by: Vec<String>,
}

impl Default for Change {
    /// No change.
    fn default() -> Self {
        Self {
            namespace: None,
            namespace_by: None,
            prefix: String::new(),
            suffix: String::new(),
            is_certain: true,
            keeps_references: false,
            by: Vec::new(),
        }
    }
}

impl Change {
    /// This change, and then `outer`: the outer namespace wins, and the outer prefix stands first.
    pub(super) fn then(&self, outer: &Self) -> Self {
        let (prefix, suffix) =
            (format!("{}{}", outer.prefix, self.prefix), format!("{}{}", self.suffix, outer.suffix));
        let is_short = prefix.len() <= MAX_AFFIX && suffix.len() <= MAX_AFFIX;
        let cut = |affix: String| if is_short { affix } else { String::new() };
        let (namespace, namespace_by) = match outer.namespace {
            Some(_) => (outer.namespace.clone(), outer.namespace_by.clone()),
            None => (self.namespace.clone(), self.namespace_by.clone()),
        };
        Self {
            namespace,
            namespace_by,
            prefix: cut(prefix),
            suffix: cut(suffix),
            is_certain: self.is_certain && outer.is_certain && is_short,
            keeps_references: self.keeps_references || outer.keeps_references,
            by: self.by.iter().chain(&outer.by).cloned().collect(),
        }
    }

    /// The name that an object gets.
    pub(super) fn name(&self, name: &str) -> String {
        format!("{}{name}{}", self.prefix, self.suffix)
    }

    /// Whether names become others.
    pub(super) fn renames(&self) -> bool {
        !self.prefix.is_empty() || !self.suffix.is_empty()
    }

    /// Whether any place may become another one.
    pub(super) fn is_none(&self) -> bool {
        self.namespace.is_none() && !self.renames() && self.is_certain
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(namespace: &str, prefix: &str, suffix: &str) -> Change {
        let namespace = (!namespace.is_empty()).then(|| namespace.to_owned());
        Change { namespace, prefix: prefix.to_owned(), suffix: suffix.to_owned(), ..Change::default() }
    }

    #[test]
    fn the_outer_change_goes_around_the_inner_one() {
        let both = change("a", "in-", "-x").then(&change("b", "out-", "-y"));
        assert_eq!((both.namespace.as_deref(), both.name("db").as_str()), (Some("b"), "out-in-db-x-y"));
        assert_eq!(change("a", "", "").then(&Change::default()).namespace.as_deref(), Some("a"));
        assert!(Change::default().then(&Change::default()).is_none());
    }

    #[test]
    fn a_doubt_stays_and_a_name_does_not_grow_without_end() {
        let doubt = Change { is_certain: false, ..Change::default() };
        assert!(!doubt.then(&Change::default()).is_certain && !Change::default().then(&doubt).is_certain);
        let long = change("", &"a".repeat(200), "");
        let longer = long.then(&long);
        assert!(!longer.is_certain && longer.prefix.is_empty());
    }
}

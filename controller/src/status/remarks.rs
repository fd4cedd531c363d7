//! Remarks about a Secret that is in place: in what it differs from what the object says.
//!
//! Invariant: messages hold validated names and fixed words only, and are of bounded length.

use std::collections::BTreeSet;
use std::fmt;

use seal_crds::ItemName;
use seal_crds::secret::LeftOut;

/// Remarks about a Secret that is in place, if it differs from what the object says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Remarks {
    /// Labels and annotations of the template that the Secret doesn't have.
    pub(crate) left_out: Vec<LeftOut>,
    /// Items that the Secret holds beside those of the object.
    pub(crate) extra: BTreeSet<ItemName>,
    /// Why the native object of this name can't take the Secret over yet, in words for people; `None` if that
    /// isn't the case.
    pub(crate) successor: Option<String>,
}

/// The most names in a list: a message is for people, and a Secret may hold thousands of items.
const NAMED: usize = 5;

impl Remarks {
    /// The message of `Ready=True`. It holds validated names and fixed words only.
    pub(super) fn message(&self) -> String {
        let mut message = "the Secret is what this SealedSecret says".to_owned();
        if !self.left_out.is_empty() {
            message.push_str(&format!(", without {}", listed(&self.left_out)));
        }
        if !self.extra.is_empty() {
            message.push_str(&format!("; it also holds items that are not from it: {}", listed(&self.extra)));
        }
        if let Some(successor) = &self.successor {
            message.push_str(&format!("; {successor}"));
        }
        message
    }
}

pub(super) fn listed<T: fmt::Display>(
    all: impl IntoIterator<Item = T, IntoIter: ExactSizeIterator>,
) -> String {
    let mut all = all.into_iter();
    let named: Vec<String> = all.by_ref().take(NAMED).map(|one| one.to_string()).collect();
    match all.len() {
        0 => named.join(", "),
        more => format!("{} and {more} more", named.join(", ")),
    }
}

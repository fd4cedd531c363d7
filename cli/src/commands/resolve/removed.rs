//! What a settled conflict takes out: the items and objects that a side has and the result hasn't.
//!
//! A merge takes an item out because one side did, without a question; whoever settles it has to know. Invariant: an item
//! that stands in the result, or between markers that are left, isn't called removed.

use std::collections::{BTreeMap, BTreeSet};

use seal_crds::Format;
use seal_documents::manifest::Lenient;
use seal_documents::source::Source;
use seal_foreign::word;
use zeroize::Zeroizing;

use crate::commands::counted;
use crate::objects::outline::{self, OutlineName};

/// The text of one side, and how people call it.
pub(super) struct Side<'s> {
    pub(super) text: &'s str,
    pub(super) label: &'s str,
}

/// The items of the SealedSecrets of a text. The deprecated form of bitnami.com counts as one.
type Items = BTreeMap<(Format, OutlineName), BTreeSet<String>>;

/// What is removed, as lines: `prod/db: old-token removed, as in topic`. `after` are the texts that may come of the file yet:
/// one, if no conflict is left.
pub(super) fn removed(sides: &[Side<'_>; 2], after: &[&str]) -> Vec<String> {
    let mut left = Items::new();
    for text in after {
        for (object, items) in items(text) {
            left.entry(object).or_default().extend(items);
        }
    }
    let of_sides = sides.each_ref().map(|side| items(side.text));
    let objects: BTreeSet<_> = of_sides.iter().flat_map(BTreeMap::keys).collect();
    let mut lines = Vec::new();
    for object in objects {
        let name = seal_foreign::line(&object.1.to_string(), seal_foreign::MAX_WORD);
        let had: BTreeSet<&String> =
            of_sides.iter().filter_map(|items| items.get(object)).flatten().collect();
        let Some(left) = left.get(object) else {
            let lacks = |items: &Items| !items.contains_key(object);
            lines.push(format!(
                "{name}: removed, with {}{}",
                counted(had.len(), "item"),
                as_in(sides, &of_sides, lacks)
            ));
            continue;
        };
        for item in had.into_iter().filter(|item| !left.contains(*item)) {
            let lacks = |items: &Items| items.get(object).is_none_or(|items| !items.contains(item));
            lines.push(format!("{name}: {} removed{}", word(item), as_in(sides, &of_sides, lacks)));
        }
    }
    lines
}

/// The side that something is removed on.
fn as_in(sides: &[Side<'_>; 2], of_sides: &[Items; 2], lacks: impl Fn(&Items) -> bool) -> String {
    let side = sides.iter().zip(of_sides).find(|(_, items)| lacks(items));
    side.map(|(side, _)| format!(", as in {}", side.label)).unwrap_or_default()
}

fn items(text: &str) -> Items {
    let source = Source::new("side".to_owned(), Zeroizing::new(text.to_owned()));
    let lenient = Lenient::read(&source);
    let mut found = Items::new();
    for outline in outline::read_all(&lenient.manifest) {
        let items = found.entry((outline.format, outline.object_name)).or_default();
        items.extend(outline.items.into_keys());
        items.extend(outline.whole.map(|_| "data".to_owned()));
    }
    found
}

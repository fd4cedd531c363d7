//! The proof that a merged text says what was agreed.
//!
//! Invariant: the check reads the text anew, and knows nothing of how it was made.

use std::collections::{BTreeMap, BTreeSet};

use seal_documents::manifest::Manifest;
use seal_documents::source::Source;
use zeroize::Zeroizing;

use super::pairs::{Key, key};
use super::version::Version;
use super::{Agreed, Read};
use crate::objects::conflict::Side;
use crate::objects::outline::{self, Fault, Outline};

/// The most objects of one name in a file; no cluster takes more than one.
const MAX_SAME_NAME: usize = 64;

/// Checks a merged text without a conflict.
///
/// # Errors
///
/// What is wrong, for a person.
pub(super) fn check(text: &str, agreed: &[Agreed], ours: &Read<'_>, theirs: &Read<'_>) -> Result<(), String> {
    let source = source(text);
    let Ok(manifest) = Manifest::parse(&source) else {
        return Err("the merged text can't be read".to_owned());
    };
    let found = outline::read_all(&manifest);
    let by_key = by_key(&found);
    let mut of_pairs = BTreeSet::new();
    for agreed in agreed {
        let of_ours = &ours.outlines[agreed.pair.ours];
        of_pairs.insert(key(of_ours));
        check_agreed(by_key.get(&key(of_ours)).map(Vec::as_slice).unwrap_or_default(), of_ours, agreed)?;
    }
    let sides = (self::by_key(&ours.outlines), self::by_key(&theirs.outlines));
    // Each is compared with all others of its name.
    if by_key.values().any(|same_name| same_name.len() > MAX_SAME_NAME) {
        return Err("too many objects have one name".to_owned());
    }
    for outline in found.iter().filter(|outline| !of_pairs.contains(&key(outline))) {
        let version = Version::of(outline);
        let of_sides = [&sides.0, &sides.1].into_iter().filter_map(|side| side.get(&key(outline))).flatten();
        if !of_sides.into_iter().any(|side| Version::of(side).is_sealed_as(&version)) {
            return Err(format!("{}: the text merge mixed the two sides", outline.object_name));
        }
    }
    Ok(())
}

/// The objects of each name. A map, because a hostile file may have a million objects.
fn by_key(outlines: &[Outline]) -> BTreeMap<Key<'_>, Vec<&Outline>> {
    let mut found: BTreeMap<Key<'_>, Vec<&Outline>> = BTreeMap::new();
    for outline in outlines {
        found.entry(key(outline)).or_default().push(outline);
    }
    found
}

/// Whether a text that a person gets by choosing one side everywhere is an object that opens, as far as it shows.
pub(super) fn check_choice(text: &str, agreed: &[Agreed], ours: &Read<'_>, side: Side) -> bool {
    let source = source(text);
    let Ok(manifest) = Manifest::parse(&source) else { return false };
    let found = outline::read_all(&manifest);
    let by_key = by_key(&found);
    agreed.iter().all(|agreed| {
        let chosen = match side {
            Side::Ours => &agreed.merged.ours,
            Side::Theirs => &agreed.merged.theirs,
        };
        let same_name = by_key.get(&key(&ours.outlines[agreed.pair.ours]));
        same_name.is_some_and(|found| found.iter().any(|outline| Version::of(outline).is_sealed_as(chosen)))
    })
}

fn check_agreed(same_name: &[&Outline], of_ours: &Outline, agreed: &Agreed) -> Result<(), String> {
    let name = &of_ours.object_name;
    let [outline] = same_name else {
        return Err(format!("{name}: the text merge lost or doubled it"));
    };
    match &outline.fault {
        Some(Fault::Refused(error)) => Err(format!("{name}: merged, it would be refused: {error}")),
        Some(Fault::Unread(failure)) => {
            Err(format!("{name}: merged, it can't be read: {}", failure.facts.join(": ")))
        }
        None if Version::of(outline) == agreed.merged.ours => Ok(()),
        None => Err(format!("{name}: the text merge changed what is sealed")),
    }
}

fn source(text: &str) -> Source {
    Source::new("merged".to_owned(), Zeroizing::new(text.to_owned()))
}

//! The proof that a merged text says what was agreed.
//!
//! Invariant: the check reads the text anew, and knows nothing of how it was made.

use std::collections::{BTreeMap, BTreeSet};

use seal_documents::manifest::Manifest;
use seal_documents::source::Source;
use zeroize::Zeroizing;

use super::pairs::{Key, key};
use super::version::Version;
use super::{Agreed, Reads};
use crate::objects::conflict::Side;
use crate::objects::outline::{self, Fault, Outline};

/// The most objects of one name in a file; no cluster takes more than one.
const MAX_SAME_NAME: usize = 64;

/// Checks a merged text without a conflict.
///
/// # Errors
///
/// What is wrong, for a person.
pub(super) fn check(text: &str, agreed: &[Agreed], reads: &Reads<'_, '_>) -> Result<(), String> {
    let source = source(text);
    let Ok(manifest) = Manifest::parse(&source) else {
        return Err("the merged text can't be read".to_owned());
    };
    let found = outline::read_all(&manifest);
    let by_key = by_key(&found);
    for agreed in agreed {
        let of_ours = &reads.ours.outlines[agreed.pair.ours];
        check_agreed(by_key.get(&key(of_ours)).map(Vec::as_slice).unwrap_or_default(), of_ours, agreed)?;
    }
    check_unmixed(&found, &of_pairs(agreed, reads), reads)
}

/// Checks a text that a person gets by choosing one side everywhere.
///
/// # Errors
///
/// The object that wouldn't open or would be lost, for a person.
pub(super) fn check_choice(
    text: &str,
    agreed: &[Agreed],
    reads: &Reads<'_, '_>,
    side: Side,
) -> Result<(), String> {
    let source = source(text);
    let Ok(manifest) = Manifest::parse(&source) else {
        return Err("the choice of a side can't be read".to_owned());
    };
    let found = outline::read_all(&manifest);
    let by_key = by_key(&found);
    let has = |key: &Key<'_>, version: &Version| {
        let same_name = by_key.get(key).map(Vec::as_slice).unwrap_or_default();
        same_name.iter().any(|outline| Version::of(outline).is_sealed_as(version))
    };
    for agreed in agreed {
        let chosen = match side {
            Side::Ours => &agreed.merged.ours,
            Side::Theirs => &agreed.merged.theirs,
        };
        let of_ours = &reads.ours.outlines[agreed.pair.ours];
        if !has(&key(of_ours), chosen) {
            return Err(format!("{}: the text merge changed what is sealed", of_ours.object_name));
        }
    }
    let of_pairs = of_pairs(agreed, reads);
    check_unmixed(&found, &of_pairs, reads)?;
    let chosen = match side {
        Side::Ours => reads.ours,
        Side::Theirs => reads.theirs,
    };
    let before = reads.base.map(|base| self::by_key(&base.outlines)).unwrap_or_default();
    for outline in chosen.outlines.iter().filter(|outline| !of_pairs.contains(&key(outline))) {
        let version = Version::of(outline);
        let of_base = before.get(&key(outline)).filter(|same_name| same_name.len() <= MAX_SAME_NAME);
        // The other side may have taken out what this side left alone.
        let is_untouched = of_base.is_some_and(|same_name| {
            same_name.iter().any(|before| Version::of(before).is_sealed_as(&version))
        });
        if !is_untouched && !has(&key(outline), &version) {
            return Err(format!("{}: the text merge lost what is sealed", outline.object_name));
        }
    }
    Ok(())
}

/// The names of the objects that were agreed on.
fn of_pairs<'r>(agreed: &[Agreed], reads: &Reads<'r, '_>) -> BTreeSet<Key<'r>> {
    agreed.iter().map(|agreed| key(&reads.ours.outlines[agreed.pair.ours])).collect()
}

/// Checks that every object without a pair is sealed as it stands on one side.
fn check_unmixed(
    found: &[Outline],
    of_pairs: &BTreeSet<Key<'_>>,
    reads: &Reads<'_, '_>,
) -> Result<(), String> {
    // Each is compared with all others of its name.
    if by_key(found).values().any(|same_name| same_name.len() > MAX_SAME_NAME) {
        return Err("too many objects have one name".to_owned());
    }
    let sides = [by_key(&reads.ours.outlines), by_key(&reads.theirs.outlines)];
    for outline in found.iter().filter(|outline| !of_pairs.contains(&key(outline))) {
        let version = Version::of(outline);
        let mut of_sides = sides.iter().filter_map(|side| side.get(&key(outline))).flatten();
        if !of_sides.any(|side| Version::of(side).is_sealed_as(&version)) {
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

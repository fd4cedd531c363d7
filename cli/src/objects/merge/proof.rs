//! The proof that a merged text says what was agreed.
//!
//! Invariant: the check reads the text anew, and knows nothing of how it was made.

use seal_documents::manifest::Manifest;
use seal_documents::source::Source;
use zeroize::Zeroizing;

use super::pairs::key;
use super::version::Version;
use super::{Agreed, Read};
use crate::objects::conflict::Side;
use crate::objects::outline::{self, Fault, Outline};

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
    agreed.iter().try_for_each(|agreed| check_agreed(&found, &ours.outlines[agreed.pair.ours], agreed))?;
    for outline in &found {
        let name = &outline.object_name;
        if agreed.iter().any(|agreed| key(&ours.outlines[agreed.pair.ours]) == key(outline)) {
            continue;
        }
        let mut sides = ours.outlines.iter().chain(&theirs.outlines);
        let version = Version::of(outline);
        let is_of_side =
            |side: &Outline| key(side) == key(outline) && Version::of(side).is_sealed_as(&version);
        if !sides.any(is_of_side) {
            return Err(format!("{name}: the text merge mixed the two sides"));
        }
    }
    Ok(())
}

/// Whether a text that a person gets by choosing one side everywhere is an object that opens, as far as it shows.
pub(super) fn check_choice(text: &str, agreed: &[Agreed], side: Side) -> bool {
    let source = source(text);
    let Ok(manifest) = Manifest::parse(&source) else { return false };
    let found = outline::read_all(&manifest);
    let chosen = |agreed: &'_ Agreed| match side {
        Side::Ours => agreed.merged.ours.clone(),
        Side::Theirs => agreed.merged.theirs.clone(),
    };
    agreed.iter().all(|agreed| {
        let mut versions = found.iter().map(Version::of);
        let chosen = chosen(agreed);
        versions.any(|version| version.is_sealed_as(&chosen))
    })
}

fn check_agreed(found: &[Outline], of_ours: &Outline, agreed: &Agreed) -> Result<(), String> {
    let name = &of_ours.object_name;
    let mut same_name = found.iter().filter(|outline| key(outline) == key(of_ours));
    let (Some(outline), None) = (same_name.next(), same_name.next()) else {
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

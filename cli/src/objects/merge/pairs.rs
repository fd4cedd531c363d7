//! Which objects of three versions of a file are one object: those of one group, namespace and name.
//!
//! An object that was renamed on one side has no pair, and is left to the text merge; [`super::proof`] then takes it only
//! as it stands on that side.

use std::collections::BTreeMap;

use seal_crds::{Format, UnsealError};

use super::Read;
use super::object::{self, Apart, MergedObject, Unmergeable};
use super::version::Version;
use crate::objects::outline::{Fault, Outline, OutlineName};

/// The name by which objects of different versions are one object.
pub(super) type Key<'o> = (Format, &'o OutlineName);

/// The indices of one object among the outlines of each version.
pub(super) struct Pair {
    pub(super) base: Option<usize>,
    pub(super) ours: usize,
    pub(super) theirs: usize,
    is_ambiguous: bool,
}

pub(super) fn key(outline: &Outline) -> Key<'_> {
    (outline.format, &outline.object_name)
}

/// The objects that stand on both sides, in the order of our side.
pub(super) fn pairs(base: &[Outline], ours: &[Outline], theirs: &[Outline]) -> Vec<Pair> {
    let (in_base, in_ours, in_theirs) = (by_key(base), by_key(ours), by_key(theirs));
    let mut pairs: Vec<Pair> = in_ours
        .iter()
        .filter_map(|(key, of_ours)| {
            let of_theirs = in_theirs.get(key)?;
            let of_base = in_base.get(key).map(Vec::as_slice).unwrap_or_default();
            Some(Pair {
                base: of_base.first().copied(),
                ours: of_ours[0],
                theirs: of_theirs[0],
                is_ambiguous: of_base.len() > 1 || of_ours.len() > 1 || of_theirs.len() > 1,
            })
        })
        .collect();
    pairs.sort_by_key(|pair| pair.ours);
    pairs
}

/// The objects that one side removed, or gave another name, and the other changed, each in words.
pub(super) fn removed_and_changed(base: &[Outline], ours: &[Outline], theirs: &[Outline]) -> Vec<String> {
    let (in_base, in_ours, in_theirs) = (by_key(base), by_key(ours), by_key(theirs));
    let told = in_base.iter().filter_map(|(key, of_base)| {
        let (side, outlines, apart) = match (in_ours.get(key), in_theirs.get(key)) {
            (None, Some(of_theirs)) => (of_theirs, theirs, Apart::RemovedInOurs),
            (Some(of_ours), None) => (of_ours, ours, Apart::RemovedInTheirs),
            _ => return None,
        };
        let ([before], [after]) = (&of_base[..], &side[..]) else { return None };
        let is_changed = Version::of(&base[*before]) != Version::of(&outlines[*after]);
        is_changed.then(|| format!("{}: {}", key.1, apart.words()))
    });
    told.collect()
}

fn by_key(outlines: &[Outline]) -> BTreeMap<Key<'_>, Vec<usize>> {
    let mut found: BTreeMap<Key<'_>, Vec<usize>> = BTreeMap::new();
    for (index, outline) in outlines.iter().enumerate() {
        found.entry(key(outline)).or_default().push(index);
    }
    found
}

/// Merges a pair; `None` if it is left to the text merge, because an object on a side is refused or is a patch.
pub(super) fn merge(
    pair: &Pair,
    base: &Read<'_>,
    ours: &Read<'_>,
    theirs: &Read<'_>,
    is_same: impl Fn(&str) -> bool,
) -> Result<Option<MergedObject>, Unmergeable> {
    if pair.is_ambiguous {
        return Err(Unmergeable::Ambiguous);
    }
    let (ours, theirs) = (&ours.outlines[pair.ours], &theirs.outlines[pair.theirs]);
    if !may_be_merged(ours) || !may_be_merged(theirs) {
        return Ok(None);
    }
    let base = pair.base.map(|index| Version::of(&base.outlines[index]));
    object::merge(base.as_ref(), &Version::of(ours), &Version::of(theirs), is_same).map(Some)
}

/// Whether an object can be merged item by item. An envelope too many is what a text merge leaves behind, and this merge
/// drops it.
fn may_be_merged(outline: &Outline) -> bool {
    let is_right = match &outline.fault {
        None | Some(Fault::Refused(UnsealError::UnusedEnvelope { .. })) => true,
        Some(_) => false,
    };
    is_right && !outline.is_patch()
}

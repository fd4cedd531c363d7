//! Items that are back to what they were in an older commit, as a revert leaves them.
//!
//! A ciphertext is never made twice, so the same one is the same value. Only the last [`MAX_COMMITS`] commits are looked at,
//! and of these only the files that differ: three runs of git for any number of files. Invariant: without history, as in a
//! shallow clone, nothing is said.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;

use super::meaning::State;
use crate::files::git::Repository;
use crate::objects::difference::{Seen, Snapshot};
use crate::talk::failure::Failure;

/// How far back an older commit is looked for.
const MAX_COMMITS: usize = 200;

/// Notes of each item that is sealed otherwise than before in which commit it was sealed so.
pub(super) fn note(
    repository: &Repository,
    old: &State,
    before: &[Snapshot],
    after: &mut [Snapshot],
) -> Result<(), Failure> {
    let State::Commit { commit: tip, .. } = old else { return Ok(()) };
    let known: HashSet<&str> = before.iter().flat_map(lines).collect();
    let mut wanted: BTreeMap<&Path, HashSet<&str>> = BTreeMap::new();
    for snapshot in after.iter() {
        let new: HashSet<&str> = lines(snapshot).filter(|line| !known.contains(line)).collect();
        if !new.is_empty() {
            wanted.insert(Path::new(&snapshot.path), new);
        }
    }
    if wanted.is_empty() {
        return Ok(());
    }
    let commits = repository.last_had(tip, MAX_COMMITS, &wanted)?;
    for seen in after.iter_mut().flat_map(|snapshot| &mut snapshot.objects) {
        if let Seen::Sealed { outline, former, .. } = seen {
            let back = outline
                .items
                .iter()
                .filter_map(|(name, item)| Some((name.clone(), commits.get(&item.line)?.short().to_owned())));
            *former = back.collect();
        }
    }
    Ok(())
}

/// The ciphertexts of a file.
fn lines(snapshot: &Snapshot) -> impl Iterator<Item = &str> {
    let sealed = snapshot.objects.iter().filter_map(Seen::sealed);
    sealed.flat_map(|outline| outline.items.values().map(|item| item.line.as_str()))
}

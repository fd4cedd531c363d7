//! Items that one side sealed anew to somebody whom the other side took out.
//!
//! Neither side knew of the other, so the merge is clean: who can read the item is what its author chose. Invariant: whoever
//! merges is told.

use std::collections::BTreeSet;

use seal_crds::keys::Fingerprint;
use seal_foreign::word;

use crate::objects::outline::Outline;

/// The items in words, such as `m is sealed to old, whom the other side took out`.
pub(super) fn reopened(before: &Outline, [ours, theirs]: [&Outline; 2]) -> Vec<String> {
    let mut found = new_for_whom_the_other_took_out(before, ours, theirs);
    found.extend(new_for_whom_the_other_took_out(before, theirs, ours));
    found
}

fn new_for_whom_the_other_took_out(before: &Outline, side: &Outline, other: &Outline) -> Vec<String> {
    let (had, has) = (before.recipients(), other.recipients());
    let taken_out: BTreeSet<Fingerprint> = had.into_keys().filter(|key| !has.contains_key(key)).collect();
    let told = side.items.iter().filter_map(|(name, item)| {
        if before.items.get(name).is_some_and(|was| was.line == item.line) {
            return None;
        }
        let envelope = side.envelope_of(item.data_key.as_deref()?)?;
        let again = envelope.recipients.iter().filter(|recipient| taken_out.contains(&recipient.fingerprint));
        let who: Vec<String> = again
            .map(|recipient| recipient.name.as_deref().map_or_else(|| recipient.fingerprint.short(), word))
            .collect();
        let who = who.join(", ");
        (!who.is_empty()).then(|| format!("{} is sealed to {who}, whom the other side took out", word(name)))
    });
    told.collect()
}

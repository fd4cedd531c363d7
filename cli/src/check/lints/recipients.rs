//! The recipients that a native SealedSecret names, against the pins of its rule.
//!
//! The list of an envelope is a claim; `hidden-recipient` compares it with the age file, and whoever opens it with the list
//! inside. A rule means exactly its recipients. A key that any pin file calls retiring may still be there (a warning: time
//! to rotate), and a revoked or destroyed one may not, whatever the rule says.
//!
//! Invariant: a finding is of one key, and its key in a baseline too, so that no baseline covers a recipient that comes
//! later.

use std::collections::BTreeSet;

use seal_crds::Format;
use seal_crds::keys::Fingerprint;
use seal_crds::keys::pins::Mark;
use seal_foreign::word;

use super::Sealed;
use crate::check::finding::Finding;
use crate::check::lint::{Lint, Severity};
use crate::rules::book::{Governing, Ruling};
use crate::rules::file::To;
use crate::talk::pasted;

/// The findings about the recipients of an object.
pub(super) fn recipients(sealed: &Sealed<'_>, governing: &Governing) -> Vec<Finding> {
    let outline = sealed.outline;
    let Some(ruling) = governing.ruling(sealed.path) else { return Vec::new() };
    if outline.format == Format::Bitnami || ruling.rule().to == To::Nobody {
        return Vec::new();
    }
    let wanted = ruling.given();
    let named: BTreeSet<Fingerprint> =
        wanted.recipients.iter().map(|named| named.recipient.fingerprint()).collect();
    // Without an age recipient in the rule, the format is wrong, and not each recipient.
    if named.is_empty() {
        return Vec::new();
    }
    let mut found = Vec::new();
    for (fingerprint, name) in outline.recipients() {
        let shown = label(name, &fingerprint, &ruling);
        let finding = match wanted.pins.marked(&fingerprint) {
            Some(marked) if marked.mark == Mark::Retiring => {
                let message = format!(
                    "{} is still sealed to {shown}, which is retiring since {}",
                    sealed.name(),
                    marked.since
                );
                sealed.finding(Lint::RecipientsExtra, message).only(Severity::Warning).hint(rotate(sealed))
            }
            Some(marked) => {
                let (mark, since) = (marked.mark, marked.since);
                let message =
                    format!("{} is sealed to {shown}, which is {mark} since {since}", sealed.name());
                sealed.finding(Lint::RecipientsRevoked, message).hint(exposed(sealed, &fingerprint))
            }
            None if named.contains(&fingerprint) => continue,
            None => {
                let message = format!(
                    "{} is sealed to {shown}, which the rule at {} doesn't name",
                    sealed.name(),
                    ruling.location()
                );
                sealed.finding(Lint::RecipientsExtra, message).hint(exposed(sealed, &fingerprint))
            }
        };
        let envelope =
            outline.envelopes.iter().find(|envelope| envelope.fingerprints().contains(&fingerprint));
        let at = envelope.map_or(outline.at, |envelope| envelope.at);
        found.push(finding.at(at).item(fingerprint.to_string()));
    }
    for recipient in &wanted.recipients {
        let fingerprint = recipient.recipient.fingerprint();
        // Nobody has to be sealed to a key that isn't sealed to any more.
        if wanted.pins.marked(&fingerprint).is_some() {
            continue;
        }
        let lacking =
            outline.envelopes.iter().find(|envelope| !envelope.fingerprints().contains(&fingerprint));
        if let Some(envelope) = lacking {
            let shown = label(recipient.name.as_deref(), &fingerprint, &ruling);
            let message = format!(
                "{} isn't sealed to {shown}, which the rule at {} names",
                sealed.name(),
                ruling.location()
            );
            let finding = sealed.finding(Lint::RecipientsMissing, message).at(envelope.at);
            found.push(finding.item(fingerprint.to_string()).hint(rotate(sealed)));
        }
    }
    found
}

fn rotate(sealed: &Sealed<'_>) -> String {
    format!("seal it to the recipients of the rule: seal rotate {} -i IDENTITY", pasted::path(sealed.path))
}

/// What to do about somebody who shouldn't open the object. Rotating takes nothing back of what they may have read.
fn exposed(sealed: &Sealed<'_>, fingerprint: &Fingerprint) -> String {
    let outline = sealed.outline;
    let opens = |id: &str| {
        outline.envelope_of(id).is_some_and(|envelope| envelope.fingerprints().contains(fingerprint))
    };
    let items = outline.items.iter().filter(|(_, item)| item.data_key.as_deref().is_some_and(opens));
    let mut items = items.map(|(name, _)| name.as_str()).peekable();
    let rotate = rotate(sealed);
    if items.peek().is_none() {
        return rotate;
    }
    let set = sealed.pasted_set(items);
    format!("{rotate}; if others have the commit, change the values at their source, too: {set}")
}

/// A key for people. The name in the rules counts for more than the one that the object claims.
fn label(claimed: Option<&str>, fingerprint: &Fingerprint, ruling: &Ruling) -> String {
    let ours = ruling.rules.pins.iter().find(|(_, pin)| pin.keys().iter().any(|(key, _)| key == fingerprint));
    match (ours, claimed) {
        (Some((name, _)), _) => format!("{} {}", word(name), fingerprint.short()),
        (None, Some(claimed)) => format!("{} (it says: {})", fingerprint.short(), word(claimed)),
        (None, None) => fingerprint.short(),
    }
}

#[cfg(test)]
mod tests;

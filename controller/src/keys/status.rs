//! The status of a SealingKey, for the programs that seal and for people.
//!
//! [`super::lifecycle`] has judged the key; the functions here turn a verdict into words, and depend on their
//! arguments alone. [`conditions`] has those that are present only while there is something to say.
//!
//! Invariants: a recorded fingerprint and floor are never cleared, because they tell a lost key from a planted
//! one. A recorded recovery set is never cleared, because it says whose leak exposes what was sealed to the key.

use std::collections::BTreeSet;

use jiff::Timestamp;
use seal_crds::Reason;
use seal_crds::keys::Fingerprint;
use seal_crds::resources::{
    ConditionStatus, KeyState, MAX_BACKUP_ONLY, MAX_REVOKED, PublishedState, SealingKey, SealingKeyStatus,
    find_condition,
};

use self::conditions::{Present, present};
use super::lifecycle::verdict::{Standing, Verdict};
use super::settings::Settings;
use crate::conditions::{Conditions, rfc3339};
use crate::store::Notice;
use crate::usage::Counted;

mod conditions;

/// A SealingKey with the status that it should have.
pub(super) struct Statement<'a> {
    /// The SealingKey, as it was read.
    pub(super) key: &'a SealingKey,
    pub(super) verdict: Verdict,
    /// The status that it should have.
    pub(super) status: SealingKeyStatus,
    /// The objects that keep the key from being deleted, by name: for those who may read Events of this namespace. The
    /// status is for everybody.
    pub(super) needing: String,
}

impl<'a> Statement<'a> {
    pub(super) fn new(key: &'a SealingKey, verdict: Verdict, settings: &Settings, now: Timestamp) -> Self {
        let status = next_status(key, &verdict, settings, now);
        Self { key, verdict, status, needing: String::new() }
    }

    /// Adds how many objects need the key. Of a key that is gone for good, nobody asks.
    pub(super) fn count(&mut self, counted: &Counted) {
        let said = self.key.status.as_ref().and_then(|status| status.usage.as_ref());
        let is_asked = self.status.fingerprint.is_some()
            && !matches!(self.verdict.standing, Standing::Destroyed | Standing::Duplicate { .. });
        self.status.usage = is_asked.then(|| counted.usage(&self.key.fingerprint(), said));
    }

    /// Adds whom the items of objects are compared with, to the statement about the primary.
    pub(super) fn compare(&mut self, exposing: &BTreeSet<Fingerprint>) {
        let is_said = self.verdict.is_primary && exposing.len() <= MAX_REVOKED;
        let listed = exposing.iter().filter(|_| is_said);
        self.status.revoked_recipients = listed.map(ToString::to_string).collect();
    }

    /// Whether the SealingKey doesn't have this status yet.
    pub(super) fn is_news(&self) -> bool {
        self.key.status.as_ref() != Some(&self.status)
    }

    /// Whether the status must be written before that of the primary: it takes that name from this key, or raises the
    /// floor of a key that is gone, which is noted nowhere else.
    pub(super) fn goes_before_primary(&self) -> bool {
        let recorded = self.key.status.as_ref().and_then(|status| status.floor);
        let is_gone = matches!(self.verdict.standing, Standing::Lost | Standing::Destroyed);
        self.key.is_primary() || is_gone && recorded < self.status.floor
    }

    /// The notice to people if there is a key that isn't on record, unless this process made it, or that is on record as one
    /// that was gone.
    ///
    /// The threat: whoever may create Secrets beside the keys can add a key, and then open every SealedSecret for it. This
    /// must not happen in silence, nor may it if the same person has written the key's SealingKey before, or has created
    /// the Secret under the controller's name.
    pub(super) fn arrival(&self, is_made_here: impl Fn(&Fingerprint) -> bool) -> Option<Notice> {
        let secret = self.verdict.secret.as_ref()?;
        let state = self.key.status.as_ref().and_then(|status| status.state);
        let is_gone = matches!(state, Some(PublishedState::Lost | PublishedState::Destroyed));
        let is_new = !self.key.is_recorded() && !is_made_here(&self.key.fingerprint());
        let message = format!(
            "Secret {secret} holds a private half that isn't on record: it was restored, or somebody added it; a key that \
             was there before is told of too if its SealingKey was deleted"
        );
        (is_gone || is_new).then(|| Notice { warning: true, reason: Reason::KeyAdded.as_str(), message })
    }

    /// The notice to people if the renewal of the key is newly announced.
    pub(super) fn announcement(&self) -> Option<Notice> {
        let announced = |status: &SealingKeyStatus| {
            let due = find_condition(&status.conditions, "RenewalDue");
            due.filter(|due| due.reason == Reason::RenewalSoon.as_str()).map(|due| due.message.clone())
        };
        let message = announced(&self.status)?;
        let is_said = self.key.status.as_ref().and_then(announced).is_some();
        let reason = Reason::RenewalSoon.as_str();
        (!is_said).then_some(Notice { warning: false, reason, message })
    }

    /// The reason and message if the SealingKey can't be used as it stands, unless its last status had that
    /// reason.
    pub(super) fn newly_stalled(&self) -> Option<(&str, &str)> {
        let stalled = |status: &'a SealingKeyStatus| find_condition(&status.conditions, "Stalled");
        let before = self.key.status.as_ref().and_then(stalled);
        let now = find_condition(&self.status.conditions, "Stalled")?;
        let is_said = before.is_some_and(|before| before.reason == now.reason);
        (!is_said).then_some((now.reason.as_str(), now.message.as_str()))
    }
}

/// The notice to people if Secrets are sealed to recipients beside the primary that the last published status of a
/// primary didn't have, with the SealingKey that it is about. The first primary has none before it.
///
/// The threat: whoever sets the controller's files of recipients reads what is sealed from then on, and, by its offer,
/// every object that the cluster opens. This must not happen in silence.
pub(super) fn newcomers<'a>(statements: &[Statement<'a>]) -> Option<(&'a SealingKey, Notice)> {
    let recipients = |status: &SealingKeyStatus| -> BTreeSet<String> {
        status.recovery_recipients.iter().chain(&status.extra_recipients).cloned().collect()
    };
    let said = statements.iter().filter(|it| it.key.is_recorded()).filter_map(|it| it.key.status.as_ref());
    let is_primary = |status: &&SealingKeyStatus| {
        let primary = find_condition(&status.conditions, "Primary");
        primary.is_some_and(|primary| primary.status == ConditionStatus::True)
    };
    let before = said.filter(is_primary).map(recipients).next().unwrap_or_default();
    let primary = statements.iter().find(|statement| statement.verdict.is_primary)?;
    let now = recipients(&primary.status);
    let new: Vec<String> = now.difference(&before).map(|text| Fingerprint::of(text).short()).collect();
    let message = format!(
        "Secrets are sealed to recipients that are new beside the sealing key, and every SealedSecret that the controller \
         opens is offered to them: {}; if you don't know them, correct the controller's files of recipients, and treat \
         every value as leaked",
        new.join(", ")
    );
    let notice = Notice { warning: true, reason: Reason::RecipientsAdded.as_str(), message };
    (!new.is_empty()).then_some((primary.key, notice))
}

/// Turns a verdict into the next status.
pub(super) fn next_status(
    object: &SealingKey,
    verdict: &Verdict,
    settings: &Settings,
    now: Timestamp,
) -> SealingKeyStatus {
    let said = object.status.clone().unwrap_or_default();
    let is_held =
        matches!(verdict.standing, Standing::Held(_) | Standing::Unreadable { .. } | Standing::Deleting);
    let before = &said.conditions;
    let following = Conditions { before, generation: object.metadata.generation, now };
    let (is_primary, reason, message) = primary(verdict);
    let mut conditions = vec![following.next("Primary", is_primary, reason, message)];
    conditions.extend(present(verdict, settings).map(|Present { type_, reason, message }| {
        // The announcement of a renewal says that none is due yet.
        following.next(type_, reason != Reason::RenewalSoon, reason, &message)
    }));
    let fingerprint = (object.is_recorded() || is_held).then(|| object.fingerprint().to_string());
    let recorded = if object.is_recorded() { said.clone() } else { SealingKeyStatus::default() };
    let (recovery_recipients, backup_only_recipients) = recovery(verdict, recorded, settings);
    SealingKeyStatus {
        state: state(verdict, said.state),
        // Fingerprint and floor go together: a fingerprint alone would look like a record of the first
        // version.
        floor: verdict.floor.filter(|_| fingerprint.is_some()),
        recovery_recipients,
        backup_only_recipients,
        extra_recipients: settings.extra().filter(|_| is_primary).map(ToString::to_string).collect(),
        // Known only to the caller, see `Statement::compare`.
        revoked_recipients: Vec::new(),
        renewal: verdict.renewal_at.map(rfc3339),
        usage: said.usage.filter(|_| fingerprint.is_some()),
        fingerprint,
        conditions,
    }
}

/// The key's recovery set, and what else is on record as a recipient of its backup.
///
/// What is sealed to the primary is sealed to its set, so that has no revoked recipient, and none that only the record
/// names: a Secret that was restored from a backup may lack the set. These stay on record beside it, because the backup
/// is still encrypted to them.
fn recovery(
    verdict: &Verdict,
    recorded: SealingKeyStatus,
    settings: &Settings,
) -> (Vec<String>, Vec<String>) {
    let own = verdict.recovery.as_deref().unwrap_or_default();
    let sealed_to = own.iter().filter(|it| !(verdict.is_primary && settings.is_revoked(it)));
    let sealed_to: Vec<String> = sealed_to.map(ToString::to_string).collect();
    let set =
        if own.is_empty() && !verdict.is_primary { recorded.recovery_recipients.clone() } else { sealed_to };
    let all = own.iter().map(ToString::to_string).chain(recorded.recovery_recipients);
    let all: BTreeSet<String> = all.chain(recorded.backup_only_recipients).collect();
    let others = all.into_iter().filter(|it| !set.contains(it)).take(MAX_BACKUP_ONLY).collect();
    (set, others)
}

fn state(verdict: &Verdict, said: Option<PublishedState>) -> Option<PublishedState> {
    match &verdict.standing {
        Standing::Held(state) => Some((*state).into()),
        Standing::Unreadable { .. } => Some(PublishedState::Revoked),
        Standing::Deleting => Some(PublishedState::Deleting),
        Standing::Destroyed => Some(PublishedState::Destroyed),
        Standing::Lost => Some(PublishedState::Lost),
        Standing::Planted => Some(PublishedState::Planted),
        Standing::LaterVersion => said,
        // The other SealingKey of the key has the state.
        Standing::Duplicate { .. } => None,
    }
}

fn primary(verdict: &Verdict) -> (bool, Reason, &'static str) {
    match verdict.standing {
        _ if verdict.is_primary => (true, Reason::NewestActive, "Secrets are sealed to this key"),
        Standing::Held(KeyState::Revoked) => {
            (false, Reason::Revoked, "Secrets are never sealed to this key again")
        }
        _ => (false, Reason::NotNewestActive, "Secrets are not sealed to this key"),
    }
}

#[cfg(test)]
mod tests;

//! The status of a SealingKey, for the programs that seal and for people.
//!
//! [`super::lifecycle`] has judged the key; the functions here turn a verdict into words, and depend on their
//! arguments alone.
//!
//! Invariants: a recorded fingerprint and floor are never cleared, because they tell a lost key from a planted
//! one. A recorded recovery set is never cleared, because it says whose leak exposes what was sealed to the key.

use std::collections::BTreeSet;

use jiff::Timestamp;
use seal_crds::Reason;
use seal_crds::keys::{Fingerprint, Recipient};
use seal_crds::resources::{
    ACKNOWLEDGEMENT_VOID, ConditionStatus, KeyState, MAX_BACKUP_ONLY, MAX_REVOKED, PublishedState,
    STATE_ANNOTATION, SealingKey, SealingKeyStatus, find_condition,
};

use super::clock::ClockFault;
use super::lifecycle::renewal::{Obstacle, Renewal, Why};
use super::lifecycle::verdict::{DateFault, Standing, Verdict, hindrance};
use super::settings::Settings;
use crate::conditions::{Conditions, rfc3339};
use crate::store::Notice;
use crate::usage::Counted;

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
    // These conditions are present only while there is something to say.
    let present = [
        ("Stalled", stalled(verdict)),
        ("RecoveryChanged", recovery_changed(verdict, settings)),
        ("BackupMissing", backup_missing(verdict)),
        ("RenewalDue", renewal_due(verdict)),
        ("ClockSkew", clock_skew(verdict)),
        (ACKNOWLEDGEMENT_VOID, acknowledgement_void(verdict)),
    ];
    for (type_, why) in present {
        conditions.extend(why.map(|(reason, message)| {
            // The announcement of a renewal says that none is due yet.
            following.next(type_, reason != Reason::RenewalSoon, reason, &message)
        }));
    }
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

/// The reason and message if a SealingKey can't be used as it stands.
fn stalled(verdict: &Verdict) -> Option<(Reason, String)> {
    Some(match &verdict.standing {
        Standing::Held(_) | Standing::Deleting | Standing::Destroyed => return None,
        Standing::Unreadable { secret } => (
            Reason::StateUnreadable,
            format!(
                "annotation {STATE_ANNOTATION} of Secret {secret} is none of Active, Retiring and Revoked, so the key is \
                 treated as Revoked; correct it"
            ),
        ),
        Standing::LaterVersion => (
            Reason::LaterVersion,
            "the Secret with the private half was made by a later version of the controller; update the controller"
                .to_owned(),
        ),
        Standing::Lost => (
            Reason::IdentityMissing,
            "the Secret with the private half is missing or unreadable; restore it from the backup".to_owned(),
        ),
        Standing::Planted => (
            Reason::Planted,
            "the controller never had the private half of this recipient, and seals nothing to it; find out who wrote \
             this SealingKey, and delete it"
                .to_owned(),
        ),
        Standing::Duplicate { of, .. } => {
            (Reason::Duplicate, format!("SealingKey {of} is about the same key; this one can be deleted"))
        }
    })
}

fn renewal_due(verdict: &Verdict) -> Option<(Reason, String)> {
    let (why, obstacle) = match verdict.renewal? {
        Renewal::Due { why, obstacle } => (why, obstacle),
        Renewal::Soon => {
            let at = verdict.renewal_at.map(rfc3339).unwrap_or_default();
            let message = format!(
                "a newer key takes the place of this one from {at}; commit the new recipients when it does (seal keys \
                 fetch -o)"
            );
            return Some((Reason::RenewalSoon, message));
        }
    };
    let reason = match (obstacle, why) {
        (Some(Obstacle::LaterVersion), _) => Reason::LaterVersion,
        (Some(Obstacle::Clock(_)), _) => Reason::ClockDiffers,
        (Some(Obstacle::TooManyKeys), _) => Reason::TooManyKeys,
        (Some(Obstacle::TooManyRecent), _) => Reason::TooManyRecentKeys,
        (Some(Obstacle::Unfinished), _) | (_, Why::Unpublished) => Reason::Unpublished,
        (_, Why::Lost) | (Some(Obstacle::Loss), _) => Reason::IdentityMissing,
        (None, Why::Age) => Reason::KeyAge,
        (None, Why::Asked | Why::NoneActive) => Reason::Retiring,
        (None, Why::Revoked) => Reason::Revoked,
        (None, Why::Deleted) => Reason::KeyDeleted,
        (None, Why::Unreadable) => Reason::StateUnreadable,
    };
    let what = match why {
        Why::Age => {
            "this key is as old as --key-renewal lets it become; until a newer key is the primary, Secrets are sealed to it"
        }
        Why::Asked => {
            "this key is to retire, which takes effect when a newer key is the primary; until then Secrets are sealed to it"
        }
        _ => "Secrets are sealed to no key until there is a newer one; older keys don't take its place",
    };
    Some((reason, format!("{what}{}", hindrance(obstacle))))
}

/// The reason and message if the flag names another recovery set than the primary has.
fn recovery_changed(verdict: &Verdict, settings: &Settings) -> Option<(Reason, String)> {
    let had = verdict.recovery.as_deref().filter(|_| verdict.is_primary)?;
    let wanted: Vec<&Recipient> = settings.recovery().collect();
    let short = |recipient: &Recipient| recipient.fingerprint().short();
    let mut added: Vec<_> = wanted.iter().filter(|it| !had.contains(it)).map(|it| short(it)).collect();
    let mut removed: Vec<_> = had.iter().filter(|it| !wanted.contains(it)).map(short).collect();
    if added.is_empty() && removed.is_empty() {
        return None;
    }
    added.sort();
    removed.sort();
    let list = |names: Vec<String>| if names.is_empty() { "nobody".to_owned() } else { names.join(", ") };
    let message = format!(
        "--recovery-recipients adds {} and removes {}, which takes effect with the next key (seal keys renew)",
        list(added),
        list(removed)
    );
    Some((Reason::RecoveryChanged, message))
}

fn backup_missing(verdict: &Verdict) -> Option<(Reason, String)> {
    let name = verdict.missing_backup.as_ref()?;
    let message = format!(
        "ConfigMap {name} is missing or doesn't hold the backup of this key, and the controller couldn't correct that; \
         delete it if it is immutable"
    );
    Some((Reason::BackupUnpublished, message))
}

fn acknowledgement_void(verdict: &Verdict) -> Option<(Reason, String)> {
    let message = "the loss of this key was acknowledged while the controller had its private half, so that counts for no \
                   later loss; once the key is lost for good, seal keys delete --force acknowledges that anew";
    verdict.is_acknowledgement_void.then(|| (Reason::AcknowledgedBefore, message.to_owned()))
}

fn clock_skew(verdict: &Verdict) -> Option<(Reason, String)> {
    Some(match verdict.dates? {
        DateFault::Clock(ClockFault::Differs) => (
            Reason::ClockDiffers,
            "the clocks of the controller and the API server differ by more than five minutes, so no key is renewed; \
             correct them"
                .to_owned(),
        ),
        DateFault::Clock(ClockFault::NoDate) => (
            Reason::ClockDiffers,
            "the API server's answers have no date, so no key is renewed; find out what drops the header".to_owned(),
        ),
        DateFault::Ahead => (
            Reason::CreatedInFuture,
            "createdAt of this key is still to come, so its age counts from the creation of its Secret".to_owned(),
        ),
    })
}

#[cfg(test)]
mod tests {
    use seal_crds::keys::Identity;
    use seal_crds::resources::SealingKeySpec;

    use super::super::settings::RecipientFlags;
    use super::*;

    fn object(status: Option<SealingKeyStatus>) -> SealingKey {
        let spec = SealingKeySpec {
            recipient: Identity::generate().recipient().to_string(),
            sequence: 1,
            created_at: "2026-01-01T00:00:00Z".into(),
            state: KeyState::Active,
            loss_acknowledged: false,
        };
        SealingKey { status, ..SealingKey::new("k", spec) }
    }

    fn verdict(standing: Standing) -> Verdict {
        let floor = (standing != Standing::Planted).then_some(KeyState::Retiring);
        Verdict {
            standing,
            floor,
            is_primary: false,
            renewal: None,
            renewal_at: None,
            recovery: None,
            missing_backup: None,
            dates: None,
            is_acknowledgement_void: false,
        }
    }

    fn said(object: &SealingKey, verdict: &Verdict) -> SealingKeyStatus {
        next_status(object, verdict, &Settings::default(), Timestamp::from_second(1_800_000_000).unwrap())
    }

    #[test]
    fn what_the_controller_says_of_a_primary_is_what_a_sealer_goes_by() {
        let mut key = object(None);
        assert!(!key.is_primary(), "nothing is said yet");
        let primary = Verdict { is_primary: true, ..verdict(Standing::Held(KeyState::Active)) };
        key.status = Some(said(&key, &primary));
        assert!(key.is_primary());
        for other in [
            verdict(Standing::Held(KeyState::Active)),
            verdict(Standing::Held(KeyState::Revoked)),
            verdict(Standing::Unreadable { secret: "s".into() }),
            verdict(Standing::LaterVersion),
            verdict(Standing::Deleting),
            verdict(Standing::Destroyed),
            verdict(Standing::Lost),
            verdict(Standing::Planted),
            verdict(Standing::Duplicate { of: "d".into(), is_recorded: true }),
        ] {
            key.status = Some(said(&key, &other));
            assert!(!key.is_primary(), "{other:?}");
        }
    }

    #[test]
    fn a_record_and_its_floor_outlive_the_private_half_and_a_planted_key_gets_neither() {
        let mut key = object(None);
        key.status = Some(said(&key, &verdict(Standing::Held(KeyState::Retiring))));
        assert!(key.is_recorded());
        for standing in [Standing::Lost, Standing::LaterVersion, Standing::Unreadable { secret: "s".into() }]
        {
            key.status = Some(said(&key, &verdict(standing.clone())));
            assert!(key.is_recorded(), "{standing:?}");
            let status = key.status.as_ref().unwrap();
            assert_eq!(status.floor, Some(KeyState::Retiring), "{standing:?}");
        }
        let planted = object(None);
        let status = said(&planted, &verdict(Standing::Planted));
        assert_eq!(
            (status.fingerprint, status.floor, status.state),
            (None, None, Some(PublishedState::Planted))
        );
        // The first version recorded what it had under the name, whatever the recipient.
        let other = Identity::generate().fingerprint().to_string();
        let misled = object(Some(SealingKeyStatus { fingerprint: Some(other), ..Default::default() }));
        assert_eq!(said(&misled, &verdict(Standing::Planted)).fingerprint, None);
    }

    #[test]
    fn a_renewal_that_is_due_is_said_with_what_it_means_for_sealing() {
        let due = |standing, is_primary, why, obstacle| {
            let renewal = Some(Renewal::Due { why, obstacle });
            let status = said(&object(None), &Verdict { is_primary, renewal, ..verdict(standing) });
            let condition = find_condition(&status.conditions, "RenewalDue").cloned().unwrap();
            (condition.reason, condition.message)
        };
        let (reason, message) = due(Standing::Held(KeyState::Active), true, Why::Asked, None);
        assert_eq!(reason, "Retiring");
        assert!(message.contains("until then Secrets are sealed to it"), "{message}");
        let (reason, message) = due(Standing::Held(KeyState::Revoked), false, Why::Revoked, None);
        assert_eq!(reason, "Revoked");
        assert!(message.contains("sealed to no key"), "{message}");
        assert_eq!(due(Standing::Lost, false, Why::Lost, Some(Obstacle::Loss)).0, "IdentityMissing");
        // The obstacle is what somebody has to do something about.
        let (reason, message) =
            due(Standing::Held(KeyState::Active), true, Why::Age, Some(Obstacle::TooManyKeys));
        assert_eq!(reason, "TooManyKeys");
        assert!(message.contains("delete keys that nothing needs"), "{message}");
    }

    #[test]
    fn a_renewal_is_announced_once_and_is_not_due_by_that() {
        let at = Timestamp::from_second(1_802_000_000).ok();
        let soon = Verdict {
            is_primary: true,
            renewal: Some(Renewal::Soon),
            renewal_at: at,
            ..verdict(Standing::Held(KeyState::Active))
        };
        let now = Timestamp::from_second(1_800_000_000).unwrap();
        let mut key = object(None);
        let statement = Statement::new(&key, soon.clone(), &Settings::default(), now);
        assert_eq!(statement.announcement().unwrap().reason, "RenewalSoon");
        let status = statement.status;
        assert_eq!(status.renewal.as_deref(), Some("2027-02-07T11:33:20Z"));
        let due = find_condition(&status.conditions, "RenewalDue").unwrap();
        assert_eq!((due.status, due.reason.as_str()), (ConditionStatus::False, "RenewalSoon"));
        key.status = Some(status);
        assert!(key.is_primary());
        let again = Statement::new(&key, soon, &Settings::default(), now);
        assert!(again.announcement().is_none() && !again.is_news());
    }

    #[test]
    fn a_changed_recovery_set_is_said_of_the_primary_and_published_for_none() {
        let [kept, gone, new, leaked] = std::array::from_fn(|_| Identity::generate().recipient().clone());
        let flags = RecipientFlags {
            recovery: vec![kept.clone(), new.clone(), leaked.clone()],
            extra: vec![new.clone()],
            revoked: [leaked.fingerprint()].into(),
            ..RecipientFlags::default()
        };
        let settings = Settings::new(jiff::SignedDuration::ZERO, flags).unwrap();
        let now = Timestamp::UNIX_EPOCH;
        let recovery = Some(vec![kept.clone(), gone.clone(), leaked.clone()]);
        let status = |is_primary| {
            let verdict = Verdict {
                is_primary,
                recovery: recovery.clone(),
                ..verdict(Standing::Held(KeyState::Active))
            };
            next_status(&object(None), &verdict, &settings, now)
        };
        let primary = status(true);
        assert_eq!(
            primary.recovery_recipients,
            [kept.to_string(), gone.to_string()],
            "nobody seals to the leaked one"
        );
        assert_eq!(
            primary.backup_only_recipients,
            [leaked.to_string()],
            "which opens the backup all the same"
        );
        assert_eq!(primary.extra_recipients, [new.to_string()]);
        let changed = find_condition(&primary.conditions, "RecoveryChanged").unwrap();
        let mut removed = [gone.fingerprint().short(), leaked.fingerprint().short()];
        removed.sort();
        let said = format!("adds {} and removes {},", new.fingerprint().short(), removed.join(", "));
        assert!(changed.message.contains(&said), "{}", changed.message);
        let older = status(false);
        assert_eq!(older.recovery_recipients.len(), 3, "the whole set stays on record");
        assert!(older.backup_only_recipients.is_empty());
        assert!(
            older.extra_recipients.is_empty()
                && find_condition(&older.conditions, "RecoveryChanged").is_none()
        );
    }

    #[test]
    fn a_recorded_set_outlives_the_private_half_and_a_secret_without_it() {
        let recipient = Identity::generate().recipient().to_string();
        let mut key = object(None);
        let mut status = said(&key, &verdict(Standing::Held(KeyState::Retiring)));
        status.recovery_recipients = vec![recipient.clone()];
        key.status = Some(status);
        for standing in [Standing::Lost, Standing::Destroyed, Standing::LaterVersion] {
            assert_eq!(said(&key, &verdict(standing)).recovery_recipients, [recipient.as_str()]);
        }
        let restored = Verdict { recovery: Some(Vec::new()), ..verdict(Standing::Held(KeyState::Retiring)) };
        assert_eq!(said(&key, &restored).recovery_recipients, [recipient.as_str()]);
        // As the primary it alone is sealed to, and the backup is still encrypted to whom it was.
        let primary = Verdict { is_primary: true, ..restored.clone() };
        for verdict in [primary, restored.clone(), verdict(Standing::Lost)] {
            let status = said(&key, &verdict);
            assert!(status.recovery_recipients.is_empty(), "{verdict:?}");
            let all: Vec<_> = status.backup_recipients().map(|it| it.to_string()).collect();
            assert_eq!(all, [recipient.as_str()]);
            key.status = Some(status);
        }
        let mut planted = object(key.status.clone());
        planted.status.as_mut().unwrap().fingerprint = None;
        for verdict in [verdict(Standing::Planted), restored] {
            assert_eq!(said(&planted, &verdict).backup_recipients().count(), 0);
        }
    }
}

//! The words of a status, for each kind of verdict.

use seal_crds::keys::Identity;
use seal_crds::resources::SealingKeySpec;

use super::*;
use crate::keys::lifecycle::renewal::{Obstacle, Renewal, Why};
use crate::keys::settings::RecipientFlags;

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
        secret: None,
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
    for standing in [Standing::Lost, Standing::LaterVersion, Standing::Unreadable { secret: "s".into() }] {
        key.status = Some(said(&key, &verdict(standing.clone())));
        assert!(key.is_recorded(), "{standing:?}");
        let status = key.status.as_ref().unwrap();
        assert_eq!(status.floor, Some(KeyState::Retiring), "{standing:?}");
    }
    let planted = object(None);
    let status = said(&planted, &verdict(Standing::Planted));
    assert_eq!((status.fingerprint, status.floor, status.state), (None, None, Some(PublishedState::Planted)));
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
        let verdict =
            Verdict { is_primary, recovery: recovery.clone(), ..verdict(Standing::Held(KeyState::Active)) };
        next_status(&object(None), &verdict, &settings, now)
    };
    let primary = status(true);
    assert_eq!(
        primary.recovery_recipients,
        [kept.to_string(), gone.to_string()],
        "nobody seals to the leaked one"
    );
    assert_eq!(primary.backup_only_recipients, [leaked.to_string()], "which opens the backup all the same");
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
        older.extra_recipients.is_empty() && find_condition(&older.conditions, "RecoveryChanged").is_none()
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

//! The status of a SealingKey, for the programs that seal and for people.
//!
//! [`super::lifecycle`] has judged the key; the functions here turn a verdict into words, and depend on their
//! arguments alone.
//!
//! Invariant: a recorded fingerprint and floor are never cleared, because they tell a lost key from a planted
//! one.

use jiff::Timestamp;
use seal_crds::Reason;
use seal_crds::resources::{
    KeyState, PublishedState, STATE_ANNOTATION, SealingKey, SealingKeyStatus, find_condition,
};

use super::lifecycle::verdict::{Standing, Verdict};
use super::settings::Settings;
use crate::conditions::Conditions;

/// A SealingKey with the status that it should have.
pub(super) struct Statement<'a> {
    /// The SealingKey, as it was read.
    pub(super) key: &'a SealingKey,
    pub(super) verdict: Verdict,
    /// The status that it should have.
    pub(super) status: SealingKeyStatus,
}

impl<'a> Statement<'a> {
    pub(super) fn new(key: &'a SealingKey, verdict: Verdict, settings: &Settings, now: Timestamp) -> Self {
        let status = next_status(key, &verdict, settings, now);
        Self { key, verdict, status }
    }

    /// Whether the SealingKey doesn't have this status yet.
    pub(super) fn is_news(&self) -> bool {
        self.key.status.as_ref() != Some(&self.status)
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

/// Turns a verdict into the next status.
pub(super) fn next_status(
    object: &SealingKey,
    verdict: &Verdict,
    settings: &Settings,
    now: Timestamp,
) -> SealingKeyStatus {
    let said = object.status.clone().unwrap_or_default();
    let is_held = matches!(verdict.standing, Standing::Held(_) | Standing::Unreadable { .. });
    let before = &said.conditions;
    let following = Conditions { before, generation: object.metadata.generation, now };
    let (is_primary, reason, message) = primary(verdict);
    let mut conditions = vec![following.next("Primary", is_primary, reason, message)];
    // These conditions are present only while they hold.
    for (type_, why) in [("Stalled", stalled(verdict)), ("RenewalDue", renewal_due(verdict))] {
        conditions.extend(why.map(|(reason, message)| following.next(type_, true, reason, &message)));
    }
    let fingerprint = (object.is_recorded() || is_held).then(|| object.fingerprint().to_string());
    SealingKeyStatus {
        state: state(verdict, said.state),
        // Fingerprint and floor go together: a fingerprint alone would look like a record of the first
        // version.
        floor: verdict.floor.filter(|_| fingerprint.is_some()),
        fingerprint,
        conditions,
        recovery_recipients: settings
            .recovery
            .iter()
            .filter(|_| verdict.is_primary)
            .map(ToString::to_string)
            .collect(),
        renewal: None,
        usage: None,
        extra_recipients: Vec::new(),
    }
}

fn state(verdict: &Verdict, said: Option<PublishedState>) -> Option<PublishedState> {
    match &verdict.standing {
        Standing::Held(state) => Some((*state).into()),
        Standing::Unreadable { .. } => Some(PublishedState::Revoked),
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
        Standing::Held(_) => return None,
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
    let reason = match &verdict.standing {
        _ if !verdict.is_renewal_due => return None,
        Standing::Held(_) if verdict.is_primary => {
            let message = "this key is to retire, which takes effect when a newer key is the primary; until then Secrets \
                           are sealed to it";
            return Some((Reason::Retiring, message.to_owned()));
        }
        Standing::Lost => Reason::IdentityMissing,
        Standing::Unreadable { .. } => Reason::StateUnreadable,
        Standing::LaterVersion => Reason::LaterVersion,
        _ => Reason::Revoked,
    };
    Some((
        reason,
        "Secrets are sealed to no key until there is a newer one; older keys don't take its place".to_owned(),
    ))
}

#[cfg(test)]
mod tests {
    use seal_crds::keys::Identity;
    use seal_crds::resources::SealingKeySpec;

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
        Verdict { standing, floor, is_primary: false, is_renewal_due: false }
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
        let due = |standing, is_primary| {
            let status =
                said(&object(None), &Verdict { is_primary, is_renewal_due: true, ..verdict(standing) });
            let condition = find_condition(&status.conditions, "RenewalDue").cloned().unwrap();
            (condition.reason, condition.message)
        };
        let (reason, message) = due(Standing::Held(KeyState::Active), true);
        assert_eq!(reason, "Retiring");
        assert!(message.contains("until then Secrets are sealed to it"), "{message}");
        let (reason, message) = due(Standing::Held(KeyState::Revoked), false);
        assert_eq!(reason, "Revoked");
        assert!(message.contains("sealed to no key"), "{message}");
        assert_eq!(due(Standing::Lost, false).0, "IdentityMissing");
    }
}

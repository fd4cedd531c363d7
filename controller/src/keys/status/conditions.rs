//! The conditions of a SealingKey that are present only while there is something to say, each with its reason and message.
//!
//! [`super`] puts them into the status. Messages hold fixed words, validated names and short fingerprints only. Everything
//! here is a pure function of the verdict and the flags.

use seal_crds::Reason;
use seal_crds::keys::Recipient;
use seal_crds::resources::{ACKNOWLEDGEMENT_VOID, STATE_ANNOTATION};

use crate::conditions::rfc3339;
use crate::keys::lifecycle::renewal::{Obstacle, Renewal, Why};
use crate::keys::lifecycle::verdict::{DateFault, Standing, Verdict, hindrance};
use crate::keys::server_time::ClockFault;
use crate::keys::settings::Settings;

/// A condition that is present: its type, reason and message.
pub(super) struct Present {
    pub(super) type_: &'static str,
    pub(super) reason: Reason,
    pub(super) message: String,
}

/// The conditions that are present.
pub(super) fn present(verdict: &Verdict, settings: &Settings) -> impl Iterator<Item = Present> {
    let all = [
        ("Stalled", stalled(verdict)),
        ("RecoveryChanged", recovery_changed(verdict, settings)),
        ("BackupMissing", backup_missing(verdict)),
        ("RenewalDue", renewal_due(verdict)),
        ("ClockSkew", clock_skew(verdict)),
        (ACKNOWLEDGEMENT_VOID, acknowledgement_void(verdict)),
    ];
    all.into_iter().filter_map(|(type_, why)| why.map(|(reason, message)| Present { type_, reason, message }))
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

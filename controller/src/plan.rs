//! Decides what to do about an object, by pure functions.
//!
//! [`crate::reconcile`] carries the plan out. Invariant: an object whose status says Ready for this
//! generation, and whose Secret is in sync, is neither opened nor written; so a restart over unchanged
//! objects costs no key operation.

use seal_crds::resources::{ConditionStatus, GROUP, SealedSecretStatus, find_condition};
use seal_crds::{Place, Reason};

use crate::failure::Failure;
use crate::store::{Last, SecretState, Successor, SyncState, Write};

/// The plan for an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Plan {
    /// Do nothing.
    Keep,
    /// Open the object to see that it still opens; the Secret is in sync. This is the plan after a rewrap, if
    /// the status was lost, or if the object is to be examined.
    Verify,
    /// Open the object and write the Secret.
    Write {
        /// How to write the Secret.
        write: Write,
        /// This undoes somebody's change, because nothing but the Secret changed.
        heals: bool,
    },
}

impl Plan {
    /// The plan for an object that is also to be examined: it is opened, and its Secret isn't written for that.
    pub(crate) fn and_examine(self) -> Self {
        match self {
            Self::Keep => Self::Verify,
            other => other,
        }
    }
}

/// Decides on the state of the Secret.
///
/// # Errors
///
/// A permanent failure if the Secret belongs to somebody else, or is immutable.
pub(crate) fn plan(place: &Place, last: &Last, state: SecretState) -> Result<Plan, Failure> {
    let ready = is_ready(last);
    match state {
        SecretState::Ours(SyncState::InSync | SyncState::Touched) if ready => Ok(Plan::Keep),
        SecretState::Ours(SyncState::InSync) => Ok(Plan::Verify),
        // The object has to be opened anyway, and a write of the values that are there changes nothing.
        SecretState::Ours(SyncState::Touched | SyncState::Drifted) => {
            Ok(Plan::Write { write: Write::Update, heals: ready })
        }
        // An update of the controller undoes nobody's change.
        SecretState::Ours(SyncState::Outdated) => Ok(Plan::Write { write: Write::Update, heals: false }),
        SecretState::Absent => Ok(Plan::Write { write: Write::Create, heals: ready }),
        SecretState::Foreign { adoptable: true } => Ok(Plan::Write { write: Write::Adopt, heals: false }),
        SecretState::Foreign { adoptable: false } => Err(foreign(place)),
        SecretState::Immutable => Err(immutable(place)),
    }
}

/// The failure for a Secret that can't be changed to what the object says. It is the same whether or not the
/// values differ, so it tells nothing of them.
pub(crate) fn immutable(place: &Place) -> Failure {
    Failure::new(
        Reason::ImmutableSecret,
        format!(
            "the target Secret is immutable, or its type would change; delete it, and {place} is made anew"
        ),
    )
}

/// The failure for a Secret that belongs to somebody else.
pub(crate) fn foreign(place: &Place) -> Failure {
    Failure::new(
        Reason::ForeignSecret,
        format!(
            "Secret {place} exists and doesn't belong to this SealedSecret; delete it, or annotate it with \
             sealing.dev/adopt={} to have it taken over",
            place.name
        ),
    )
}

/// Decides which of two objects of one name makes the Secret, for the one of the Bitnami format. The native
/// object makes it from the moment when it has taken the Secret over, and for as long as it has it, even if
/// it fails later. Until then the Bitnami object makes it, with a remark that says why. So a migration never
/// loses a Secret, and the two never take turns.
///
/// # Errors
///
/// A permanent failure if the native object makes it.
pub(crate) fn precedence(place: &Place, successor: Option<Successor>) -> Result<Option<String>, Failure> {
    match successor {
        Some(Successor::Owns | Successor::Ready) => Err(superseded(place)),
        Some(Successor::NotReady(Some(reason))) => {
            Ok(Some(format!("the SealedSecret of this name in {GROUP} can't take it over yet: {reason}")))
        }
        // A native object without a status gets one in a moment, and then this is decided again.
        Some(Successor::NotReady(None)) | None => Ok(None),
    }
}

/// The failure for a Bitnami object whose Secret a native one of the same name has taken over.
pub(crate) fn superseded(place: &Place) -> Failure {
    Failure::new(
        Reason::Superseded,
        format!(
            "the SealedSecret of this name in {GROUP} has taken Secret {place} over; this one is no longer needed"
        ),
    )
}

/// Whether the status says Ready for the current generation.
pub(crate) fn is_ready(last: &Last) -> bool {
    last.status.as_ref().is_some_and(|status| says_ready(status, last.generation))
}

/// Whether this status says Ready for this generation.
pub(crate) fn says_ready(status: &SealedSecretStatus, generation: i64) -> bool {
    status.observed_generation == generation
        && find_condition(&status.conditions, "Ready")
            .is_some_and(|ready| ready.status == ConditionStatus::True)
}

#[cfg(test)]
mod tests {
    use seal_crds::resources::Condition;

    use super::*;

    fn place() -> Place {
        Place { namespace: "prod".parse().unwrap(), name: "db".parse().unwrap() }
    }

    fn last(observed_generation: i64, ready: bool) -> Last {
        let ready = Condition {
            type_: "Ready".into(),
            status: ready.into(),
            observed_generation: Some(observed_generation),
            last_transition_time: "2026-01-01T00:00:00Z".into(),
            last_update_time: None,
            reason: "InSync".into(),
            message: String::new(),
        };
        let status =
            SealedSecretStatus { observed_generation, conditions: vec![ready], ..Default::default() };
        Last { generation: 2, status: Some(status), ..Last::default() }
    }

    const IN_SYNC: SecretState = SecretState::Ours(SyncState::InSync);

    #[test]
    fn an_unchanged_object_is_left_alone_also_where_somebody_touched_its_secret() {
        for state in [SyncState::InSync, SyncState::Touched] {
            assert_eq!(plan(&place(), &last(2, true), SecretState::Ours(state)), Ok(Plan::Keep));
        }
    }

    #[test]
    fn an_object_that_is_to_be_examined_is_opened_and_its_secret_is_not_written_for_that() {
        for state in [SyncState::InSync, SyncState::Touched] {
            let planned = plan(&place(), &last(2, true), SecretState::Ours(state)).unwrap();
            assert_eq!(planned.and_examine(), Plan::Verify);
        }
        let drifted = plan(&place(), &last(2, true), SecretState::Ours(SyncState::Drifted)).unwrap();
        assert_eq!(drifted.clone().and_examine(), drifted);
    }

    /// A person who can make the object unready may also have made the Secret look in sync.
    #[test]
    fn a_secret_that_somebody_touched_is_written_once_there_is_cause_to_open_the_object() {
        for last in [last(1, true), last(2, false), Last::default()] {
            let write = Plan::Write { write: Write::Update, heals: false };
            assert_eq!(plan(&place(), &last, SecretState::Ours(SyncState::Touched)), Ok(write));
        }
    }

    #[test]
    fn a_new_generation_over_a_right_secret_is_only_verified() {
        for last in [last(1, true), last(2, false), Last::default()] {
            assert_eq!(plan(&place(), &last, IN_SYNC), Ok(Plan::Verify));
        }
    }

    #[test]
    fn a_secret_that_changed_under_a_ready_object_is_healed() {
        for (state, write) in
            [(SecretState::Ours(SyncState::Drifted), Write::Update), (SecretState::Absent, Write::Create)]
        {
            assert_eq!(plan(&place(), &last(2, true), state), Ok(Plan::Write { write, heals: true }));
            assert_eq!(plan(&place(), &last(1, true), state), Ok(Plan::Write { write, heals: false }));
        }
    }

    #[test]
    fn a_secret_that_another_renderer_made_is_written_and_that_is_no_healing() {
        for last in [last(2, true), last(1, true), Last::default()] {
            let write = Plan::Write { write: Write::Update, heals: false };
            assert_eq!(plan(&place(), &last, SecretState::Ours(SyncState::Outdated)), Ok(write));
        }
    }

    #[test]
    fn the_native_object_goes_first_once_it_has_the_secret_and_not_before() {
        for taken_over in [Successor::Owns, Successor::Ready] {
            let failure = precedence(&place(), Some(taken_over)).unwrap_err();
            assert!(failure.is_permanent() && failure.reason == Reason::Superseded);
            assert_eq!(
                failure.message,
                "the SealedSecret of this name in sealing.dev has taken Secret prod/db over; this one is no longer needed"
            );
        }
        let remark = "the SealedSecret of this name in sealing.dev can't take it over yet: ScopeRefused";
        let refused = Successor::NotReady(Some("ScopeRefused".into()));
        assert_eq!(precedence(&place(), Some(refused)), Ok(Some(remark.into())));
        for nothing_to_say in [None, Some(Successor::NotReady(None))] {
            assert_eq!(precedence(&place(), nothing_to_say), Ok(None));
        }
    }

    #[test]
    fn a_foreign_secret_is_never_written_without_its_permission() {
        let refused = plan(&place(), &last(2, true), SecretState::Foreign { adoptable: false }).unwrap_err();
        assert_eq!(refused.reason, Reason::ForeignSecret);
        assert!(refused.is_permanent() && refused.message.contains("sealing.dev/adopt=db"));
        let adopted = plan(&place(), &Last::default(), SecretState::Foreign { adoptable: true });
        assert_eq!(adopted, Ok(Plan::Write { write: Write::Adopt, heals: false }));
    }
}

//! What to do about an object: pure decisions over what is known.
//!
//! Not the doing. Invariant: an object whose status says Ready for this generation, and whose Secret is in
//! sync, is neither opened nor written; so a restart over unchanged objects costs no key operation.

use seal_crds::Place;
use seal_crds::resources::{ConditionStatus, GROUP, find_condition};

use crate::failure::Failure;
use crate::store::{Last, Target, Write};

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Plan {
    /// Nothing.
    Keep,
    /// Open the object to see that it still opens; the Secret is already right. After a rewrap, or when
    /// the status was lost.
    Verify,
    /// Open the object and write the Secret. `heals` where nothing but the Secret changed.
    Write {
        /// What to do to the Secret.
        write: Write,
        /// Whether this undoes somebody's change.
        heals: bool,
    },
}

/// Decides.
///
/// # Errors
///
/// A permanent failure where the Secret belongs to somebody else.
pub fn plan(place: &Place, last: &Last, target: Target) -> Result<Plan, Failure> {
    let ready = is_ready(last);
    match target {
        Target::Ours { in_sync: true } if ready => Ok(Plan::Keep),
        Target::Ours { in_sync: true } => Ok(Plan::Verify),
        Target::Ours { in_sync: false } => Ok(Plan::Write { write: Write::Update, heals: ready }),
        Target::Absent => Ok(Plan::Write { write: Write::Create, heals: ready }),
        Target::Foreign { adoptable: true } => Ok(Plan::Write { write: Write::Adopt, heals: false }),
        Target::Foreign { adoptable: false } => Err(foreign(place)),
    }
}

/// The failure for a Secret that belongs to somebody else.
pub fn foreign(place: &Place) -> Failure {
    Failure::permanent(
        "ForeignSecret",
        format!(
            "Secret {place} exists and was not made from this SealedSecret; delete it, or annotate it with \
             sealing.dev/adopt={} to have it taken over",
            place.name
        ),
    )
}

/// The failure for an object of the peer's format beside a native one of the same name. A migration has both for a
/// while; one of them makes the Secret, and it is always the same.
pub fn superseded(place: &Place) -> Failure {
    Failure::permanent(
        "Superseded",
        format!(
            "Secret {place} is made from the SealedSecret of this name in {GROUP}; this one is no longer needed"
        ),
    )
}

/// Whether the status says Ready for the generation at hand.
pub fn is_ready(last: &Last) -> bool {
    last.status.as_ref().is_some_and(|status| {
        status.observed_generation == last.generation
            && find_condition(&status.conditions, "Ready")
                .is_some_and(|ready| ready.status == ConditionStatus::True)
    })
}

#[cfg(test)]
mod tests {
    use seal_crds::resources::{Condition, SealedSecretStatus};

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

    const IN_SYNC: Target = Target::Ours { in_sync: true };

    #[test]
    fn an_unchanged_object_is_left_alone() {
        assert_eq!(plan(&place(), &last(2, true), IN_SYNC), Ok(Plan::Keep));
    }

    #[test]
    fn a_new_generation_over_a_right_secret_is_only_verified() {
        for last in [last(1, true), last(2, false), Last::default()] {
            assert_eq!(plan(&place(), &last, IN_SYNC), Ok(Plan::Verify));
        }
    }

    #[test]
    fn a_secret_that_changed_under_a_ready_object_is_healed() {
        for (target, write) in
            [(Target::Ours { in_sync: false }, Write::Update), (Target::Absent, Write::Create)]
        {
            assert_eq!(plan(&place(), &last(2, true), target), Ok(Plan::Write { write, heals: true }));
            assert_eq!(plan(&place(), &last(1, true), target), Ok(Plan::Write { write, heals: false }));
        }
    }

    #[test]
    fn a_foreign_secret_is_never_written_without_its_permission() {
        let refused = plan(&place(), &last(2, true), Target::Foreign { adoptable: false }).unwrap_err();
        assert_eq!(refused.reason, "ForeignSecret");
        assert!(refused.is_permanent() && refused.message.contains("sealing.dev/adopt=db"));
        let adopted = plan(&place(), &Last::default(), Target::Foreign { adoptable: true });
        assert_eq!(adopted, Ok(Plan::Write { write: Write::Adopt, heals: false }));
    }
}

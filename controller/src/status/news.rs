//! The news in a status, for Events and the log: transitions of Ready, and labels that the Secret doesn't get.
//!
//! Invariant: what the last status said isn't told again.

use seal_crds::reason::About;
use seal_crds::resources::{Condition, ConditionStatus, SealedSecretStatus, find_condition};
use seal_crds::{Format, Reason};

use super::remarks::{Remarks, listed};
use super::{READY, before, findings, reason};
use crate::failure::Failure;
use crate::store::{Last, Notice};

/// The notices to people about the step from the last status to this one.
pub(crate) fn news(
    last: &Last,
    next: &SealedSecretStatus,
    outcome: Result<&Remarks, &Failure>,
) -> Vec<Notice> {
    let left_out = outcome.ok().and_then(|remarks| left_out(last, remarks));
    let of_keys = findings::news(last, next);
    transition(last, next, reason(outcome)).into_iter().chain(left_out).chain(of_keys).collect()
}

/// The notice that some labels or annotations of the template aren't on the Secret; `None` if the last status
/// said so.
fn left_out(last: &Last, remarks: &Remarks) -> Option<Notice> {
    if remarks.left_out.is_empty() {
        return None;
    }
    let all = listed(&remarks.left_out);
    let is_said = before(last, READY).is_some_and(|ready| ready.message.contains(&all));
    (!is_said).then(|| Notice {
        warning: true,
        reason: Reason::LeftOut.as_str(),
        message: format!("the template has what the Secret doesn't get: {all}"),
    })
}

pub(super) fn transition(last: &Last, next: &SealedSecretStatus, reason: Reason) -> Option<Notice> {
    let ready = find_condition(&next.conditions, READY)?;
    let before = before(last, READY);
    // That a key is gone, or back, is news of the keys.
    let is_same = |before: &Condition| {
        before.status == ready.status
            && (ready.status == ConditionStatus::True || before.reason == ready.reason)
    };
    if before.is_some_and(is_same) {
        return None;
    }
    let event = match last.format {
        Format::Native if reason.is_failure() => Reason::NotReady.as_str(),
        Format::Native => Reason::Ready.as_str(),
        Format::Bitnami => bitnami_event(reason),
    };
    let message = format!("{}: {}", ready.reason, ready.message);
    Some(Notice { warning: reason.is_failure(), reason: event, message })
}

/// The reason of an Event about a Bitnami object. These are the reasons of sealed-secrets, so that tools
/// built on them keep working: unsealed, can't be unsealed, or can't be written to the Secret.
pub(super) fn bitnami_event(reason: Reason) -> &'static str {
    if !reason.is_failure() {
        return "Unsealed";
    }
    match reason.about() {
        About::Secret | About::Store => "ErrUpdateFailed",
        About::Object | About::Key | About::Policy | About::Controller => "ErrUnsealFailed",
    }
}

//! Turns the outcome of a reconcile into a status, with conditions by kstatus' rules.
//!
//! [`crate::reconcile`] publishes it. kstatus reads, in this order: deletion, `observedGeneration`,
//! `Reconciling=True` (in progress), `Stalled=True` (failed), `Ready`. So `Reconciling` and `Stalled` are
//! present only while they hold, and a permanent failure is Stalled, for Flux and Argo CD to fail fast.
//!
//! Invariant: `Ready=True` speaks only of the generation whose Secret is in place, and a condition keeps its
//! transition time while its status stays.

use jiff::Timestamp;
use seal_crds::keys::Fingerprint;
use seal_crds::resources::{Condition, SealedSecretStatus, SecretVersion, find_condition};
use seal_crds::{Format, Reason};

use crate::conditions::{Conditions, rfc3339};
use crate::examination::Findings;
use crate::failure::Failure;
use crate::store::{Last, Requests};

pub(crate) use findings::{Look, fitting};
pub(crate) use news::news;
pub(crate) use remarks::Remarks;

mod findings;
mod news;
mod remarks;

/// The facts about an object that was opened and whose Secret is in place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reconciled {
    /// The number of items.
    pub(crate) items: usize,
    /// The sealing keys that opened the envelopes.
    pub(crate) by: Vec<Fingerprint>,
    /// The remarks about the Secret.
    pub(crate) remarks: Remarks,
    /// The version of the Secret after a write; `None` if it wasn't written.
    pub(crate) version: Option<SecretVersion>,
    /// What an examination found; `None` if the object was only opened.
    pub(crate) findings: Option<Findings>,
    /// What public text shows; `None` in a store without examinations.
    pub(crate) look: Option<Look>,
}

/// The status for an outcome.
pub(crate) fn next_status(
    last: &Last,
    outcome: Result<&Reconciled, &Failure>,
    now: Timestamp,
) -> SealedSecretStatus {
    let reason = reason(outcome);
    let message = match outcome {
        Ok(reconciled) => reconciled.remarks.message(),
        Err(failure) => failure.message.clone(),
    };
    let message = message.as_str();
    let mut conditions = Vec::new();
    if last.format == Format::Bitnami {
        conditions.push(synced(last, outcome.is_ok(), reason, message, now));
    }
    conditions.push(condition(last, READY, outcome.is_ok(), reason, message, now));
    if let Err(failure) = outcome {
        let type_ = if failure.is_permanent() { STALLED } else { RECONCILING };
        conditions.push(condition(last, type_, true, reason, message, now));
    }
    let reconciled = outcome.ok();
    let mut status = SealedSecretStatus {
        observed_generation: last.generation,
        conditions,
        items: reconciled.map(|reconciled| reconciled.items as i64),
        key: reconciled.and_then(|reconciled| reconciled.by.first()).map(|by| by.short().to_string()),
        opened_by: reconciled
            .map_or_else(Vec::new, |reconciled| reconciled.by.iter().map(ToString::to_string).collect()),
        last_handled_reconcile_at: last.requests.flux.clone(),
        last_handled_request_at: last.requests.own.clone(),
        // Only a Secret that was just written is known to be in sync; otherwise the remembered version stays.
        secret: reconciled
            .and_then(|reconciled| reconciled.version.clone())
            .or_else(|| last.status.as_ref()?.secret.clone()),
        usage: None,
        rewrap: None,
        exposed: Vec::new(),
        exposed_count: None,
        exposed_to: Vec::new(),
    };
    let following = following(last, now);
    match reconciled.and_then(|reconciled| reconciled.findings.as_ref()) {
        Some(found) => findings::put(&mut status, found, last, &following),
        None => findings::carry(&mut status, last),
    }
    if let Some(look) = reconciled.and_then(|reconciled| reconciled.look.as_ref()) {
        findings::look(&mut status, look, &following);
    }
    status
}

/// The reason of the condition Ready.
fn reason<T>(outcome: Result<T, &Failure>) -> Reason {
    match outcome {
        Ok(_) => Reason::InSync,
        Err(failure) => failure.reason,
    }
}

/// The next status of an object that wasn't opened, because it was ready and still is. `None` if its status
/// doesn't change; it changes if there are other remarks, if somebody has requested a look and waits for the answer,
/// or if a look shows something new of its keys.
///
/// The definition of sealed-secrets prunes the answers, with the number of items. Under it nobody is answered here:
/// each look would write a status that changes nothing.
pub(crate) fn kept_status(
    last: &Last,
    remarks: &Remarks,
    look: Option<&Look>,
    now: Timestamp,
) -> Option<SealedSecretStatus> {
    let mut status = last.status.clone()?;
    if status.items.is_some() {
        let Requests { flux, own } = &last.requests;
        let answers =
            [(&mut status.last_handled_reconcile_at, flux), (&mut status.last_handled_request_at, own)];
        answers
            .into_iter()
            .filter(|(_, asked)| asked.is_some())
            .for_each(|(said, asked)| said.clone_from(asked));
    }
    let ready = status.conditions.iter_mut().find(|condition| condition.type_ == READY)?;
    ready.message = remarks.message();
    if let Some(look) = look {
        findings::look(&mut status, look, &following(last, now));
    }
    (last.status.as_ref() != Some(&status)).then_some(status)
}

/// The requests that a status answers.
pub(crate) fn handled(status: &SealedSecretStatus) -> [&Option<String>; 2] {
    [&status.last_handled_reconcile_at, &status.last_handled_request_at]
}

/// Whether the last status has this failure for this generation already.
pub(crate) fn says(last: &Last, failure: &Failure) -> bool {
    let said =
        |ready: &Condition| ready.reason == failure.reason.as_str() && ready.message == failure.message;
    last.status.as_ref().is_some_and(|status| status.observed_generation == last.generation)
        && before(last, READY).is_some_and(said)
}

const READY: &str = "Ready";
const STALLED: &str = "Stalled";
const RECONCILING: &str = "Reconciling";
/// The only condition of sealed-secrets. Its printer columns read the first condition of the list, whatever
/// its type.
const SYNCED: &str = "Synced";

/// The condition `Synced` as sealed-secrets writes it: without a message while it is true, and with the time
/// of the last change of what it says about this generation.
///
/// If that time moved with every look, each status would differ from the last, and each would cause the next
/// look.
fn synced(last: &Last, status: bool, reason: Reason, message: &str, now: Timestamp) -> Condition {
    let message = if status { "" } else { message };
    let mut synced = condition(last, SYNCED, status, reason, message, now);
    let said = before(last, SYNCED).filter(|before| {
        (before.status, &before.reason, &before.message) == (synced.status, &synced.reason, &synced.message)
            && last.status.as_ref().is_some_and(|status| status.observed_generation == last.generation)
    });
    synced.last_update_time = match said {
        Some(said) => said.last_update_time.clone(),
        None => Some(rfc3339(now)),
    };
    synced
}

fn before<'a>(last: &'a Last, type_: &str) -> Option<&'a Condition> {
    find_condition(&last.status.as_ref()?.conditions, type_)
}

fn condition(
    last: &Last,
    type_: &str,
    status: bool,
    reason: Reason,
    message: &str,
    now: Timestamp,
) -> Condition {
    following(last, now).next(type_, status, reason, message)
}

/// The conditions that follow those of the last status.
fn following(last: &Last, now: Timestamp) -> Conditions<'_> {
    let before = last.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default();
    Conditions { before, generation: Some(last.generation), now }
}

#[cfg(test)]
mod tests;

//! Whether a Secret is still the one that was in sync, by its metadata.
//!
//! Ownership of fields shows most changes ([`super::fields`]), but not all: a server-side apply of
//! `stringData` changes a value and owns nothing of `data`, and an apply under our own name leaves every
//! field ours, as does an update under our name before our first apply. So the status remembers the Secret as we left it ([`SecretVersion`]). A change since then is
//! either shown to be harmless, or the Secret is applied once more: an identical apply changes nothing, and
//! nobody reads a value.
//!
//! [`crate::plan`] decides whether to write. Invariants: every function depends on its arguments alone; a
//! Secret that is no longer the remembered version counts as in sync only if its managedFields explain all
//! that changed it.
//!
//! The limit: people who may change the Secret may also write managedFields that hide their change. They
//! could as well write over our Secret all the time.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use seal_crds::resources::SecretVersion;

use super::fields::{FieldSet, held_at, may_change_values};
use crate::conditions::rfc3339;
use crate::store::SyncState;

/// How old our own write must be before a change since then is believed to be harmless. managedFields have
/// times in whole seconds, so a change in the second of our write leaves our entry as it was. Clocks that
/// differ are included.
const SETTLES_IN: SignedDuration = SignedDuration::from_secs(10);

/// The version of a Secret, for the status to remember; `None` for metadata that no API server returns.
pub(super) fn version(found: &ObjectMeta) -> Option<SecretVersion> {
    let managed = found.managed_fields.as_deref().unwrap_or_default();
    Some(SecretVersion {
        uid: found.uid.clone()?,
        resource_version: found.resource_version.clone()?,
        applied: held_at(managed).map(rfc3339),
    })
}

/// Whether this is the remembered Secret, in any version.
pub(super) fn is_same_secret(remembered: &SecretVersion, found: &ObjectMeta) -> bool {
    found.uid.as_deref() == Some(&remembered.uid)
}

/// Whether a Secret is still in sync, given that we own its fields as expected.
pub(super) fn since(
    remembered: &SecretVersion,
    found: &ObjectMeta,
    expected: &FieldSet,
    now: Timestamp,
) -> SyncState {
    if !is_same_secret(remembered, found) {
        return SyncState::Drifted;
    }
    if found.resource_version.as_deref() == Some(&remembered.resource_version) {
        return SyncState::InSync;
    }
    let managed = found.managed_fields.as_deref().unwrap_or_default();
    let is_our_last = held_at(managed).is_some_and(|at| {
        remembered.applied.as_deref() == Some(&rfc3339(at)) && now.duration_since(at) >= SETTLES_IN
    });
    if is_our_last && !may_change_values(managed, expected) { SyncState::Touched } else { SyncState::Drifted }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::fields::FIELD_MANAGER;
    use super::*;

    const APPLIED: &str = "2026-01-01T00:00:00Z";

    fn later() -> Timestamp {
        "2026-01-01T01:00:00Z".parse().unwrap()
    }

    fn remembered() -> SecretVersion {
        SecretVersion { uid: "s-1".into(), resource_version: "7".into(), applied: Some(APPLIED.into()) }
    }

    fn expected() -> FieldSet {
        let shape = seal_crds::Shape { keys: ["a".parse().unwrap()].into(), ..Default::default() };
        FieldSet::expected(&shape, Some("u-1"), true)
    }

    fn ours(time: &str) -> Value {
        json!({"manager": FIELD_MANAGER, "operation": "Apply", "time": time, "fieldsV1": expected().to_fields_v1()})
    }

    /// Our entry of a Secret that we created and never applied.
    fn created(time: &str) -> Value {
        let fields = expected().to_fields_v1();
        json!({"manager": FIELD_MANAGER, "operation": "Update", "time": time, "fieldsV1": fields})
    }

    fn theirs(operation: &str, manager: &str, fields: &Value) -> Value {
        json!({"manager": manager, "operation": operation, "time": "2026-01-01T00:30:00Z", "fieldsV1": fields})
    }

    fn found(version: &str, managed: &[Value]) -> ObjectMeta {
        let found = json!({"uid": "s-1", "resourceVersion": version, "managedFields": managed});
        serde_json::from_value(found).unwrap()
    }

    fn since_at(found: &ObjectMeta, now: Timestamp) -> SyncState {
        since(&remembered(), found, &expected(), now)
    }

    #[test]
    fn what_is_written_is_what_is_remembered() {
        for ours in [ours(APPLIED), created(APPLIED)] {
            assert_eq!(version(&found("7", &[ours])), Some(remembered()));
        }
        let untimed = version(&found("7", &[])).unwrap();
        assert_eq!(untimed.applied, None);
        assert_eq!(version(&ObjectMeta::default()), None);
    }

    /// Every case: the change of the Secret, and the state that it counts as.
    #[test]
    fn what_became_of_a_secret_is_told_from_its_metadata() {
        let label = json!({"f:metadata": {"f:labels": {"f:theirs": {}}}});
        let other_item = json!({"f:data": {"f:theirs": {}}});
        let text = json!({"f:stringData": {"f:a": {}}});
        let digest = json!({"f:metadata": {"f:annotations": {"f:sealing.dev/digest": {}}}});
        let cases = [
            ("nothing", "7", vec![ours(APPLIED)], SyncState::InSync),
            (
                "nothing, and it is shared",
                "7",
                vec![ours(APPLIED), theirs("Apply", "x", &text)],
                SyncState::InSync,
            ),
            ("it was stored anew", "9", vec![ours(APPLIED)], SyncState::Touched),
            ("a label", "9", vec![ours(APPLIED), theirs("Update", "kubectl", &label)], SyncState::Touched),
            (
                "an item beside",
                "9",
                vec![ours(APPLIED), theirs("Update", "kubectl", &other_item)],
                SyncState::Touched,
            ),
            (
                "an item applied",
                "9",
                vec![ours(APPLIED), theirs("Apply", "x", &other_item)],
                SyncState::Touched,
            ),
            ("stringData", "9", vec![ours(APPLIED), theirs("Apply", "x", &text)], SyncState::Drifted),
            (
                "stringData of another item",
                "9",
                vec![ours(APPLIED), theirs("Apply", "x", &json!({"f:stringData": {"f:theirs": {}}}))],
                SyncState::Drifted,
            ),
            (
                "the same item applied",
                "9",
                vec![ours(APPLIED), theirs("Apply", "x", &json!({"f:data": {"f:a": {}}}))],
                SyncState::Drifted,
            ),
            ("an apply under our name", "9", vec![ours("2026-01-01T00:30:00Z")], SyncState::Drifted),
            ("an older apply under our name", "9", vec![ours("2025-12-31T23:59:59Z")], SyncState::Drifted),
            (
                "managedFields without our entry",
                "9",
                vec![theirs("Update", "velero", &other_item)],
                SyncState::Drifted,
            ),
            (
                "our take-over",
                "9",
                vec![ours(APPLIED), theirs("Update", FIELD_MANAGER, &digest)],
                SyncState::Touched,
            ),
            (
                "another's digest",
                "9",
                vec![ours(APPLIED), theirs("Update", "x", &digest)],
                SyncState::Drifted,
            ),
            ("a creation", "7", vec![created(APPLIED)], SyncState::InSync),
            ("a creation, stored anew", "9", vec![created(APPLIED)], SyncState::Touched),
            (
                "a label on a creation",
                "9",
                vec![created(APPLIED), theirs("Update", "kubectl", &label)],
                SyncState::Touched,
            ),
            ("an update under our name", "9", vec![created("2026-01-01T00:30:00Z")], SyncState::Drifted),
            (
                "an apply under our name over a creation",
                "9",
                vec![created(APPLIED), ours(APPLIED)],
                SyncState::Drifted,
            ),
            (
                "stringData over a creation",
                "9",
                vec![created(APPLIED), theirs("Apply", "x", &text)],
                SyncState::Drifted,
            ),
            (
                "the same item applied over a creation",
                "9",
                vec![created(APPLIED), theirs("Apply", "x", &json!({"f:data": {"f:a": {}}}))],
                SyncState::Drifted,
            ),
        ];
        for (what, version, managed, state) in cases {
            assert_eq!(since_at(&found(version, &managed), later()), state, "{what}");
        }
    }

    #[test]
    fn another_secret_of_the_name_is_never_right() {
        let restored = ObjectMeta { uid: Some("s-2".into()), ..found("7", &[ours(APPLIED)]) };
        assert_eq!(since_at(&restored, later()), SyncState::Drifted);
        assert_eq!(since_at(&ObjectMeta::default(), later()), SyncState::Drifted);
    }

    /// Two writes under our name in one second leave the same managedFields, whatever the second one wrote.
    #[test]
    fn a_change_right_after_our_own_is_not_believed() {
        for ours in [ours(APPLIED), created(APPLIED)] {
            let touched = found("9", &[ours]);
            let at =
                |seconds: i64| since_at(&touched, Timestamp::from_second(seconds + 1_767_225_600).unwrap());
            // At -3, our clock is behind the API server's.
            assert_eq!([at(-3), at(0), at(9)], [SyncState::Drifted; 3]);
            assert_eq!(at(10), SyncState::Touched);
        }
    }

    /// Otherwise a person could remove the evidence by removing the time.
    #[test]
    fn an_entry_without_a_time_proves_nothing() {
        let mut untimed = ours(APPLIED);
        untimed.as_object_mut().unwrap().remove("time");
        let remembered = SecretVersion { applied: None, ..remembered() };
        assert_eq!(since(&remembered, &found("9", &[untimed]), &expected(), later()), SyncState::Drifted);
    }
}

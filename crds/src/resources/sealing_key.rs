//! `SealingKey`: the public half of a sealing key as an API object.
//!
//! The controller writes it. It reads back only that the object exists, the wish in `spec.state`, and its own words
//! in `status`. It never takes a recipient from here: otherwise the right to write SealingKeys would be the right to
//! read every Secret. Invariant: Revoked is final, and the recipient, sequence and date of a key never change. (CEL
//! holds it, so also against an administrator's slip.)
//!
//! Everybody who may write SealingKeys can write `spec`. Only the controller can write `status`, a subresource with a
//! right of its own. So a program that seals to a key must ask [`SealingKey::is_primary`], which reads the controller's
//! words.

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

use super::{Condition, ConditionStatus, find_condition};
use crate::keys::{Fingerprint, Recipient};

/// The public half of a sealing key, with its order and its state.
#[derive(CustomResource, Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "sealing.dev",
    version = "v1alpha1",
    kind = "SealingKey",
    namespaced,
    status = "SealingKeyStatus",
    shortname = "slk",
    category = "sealed",
    derive = "PartialEq",
    doc = "The public half of a sealing key. Counts only in the controller's namespace.",
    validation = Rule::new(
        "!has(oldSelf.spec.lossAcknowledged) || !oldSelf.spec.lossAcknowledged || \
         (has(self.spec.lossAcknowledged) && self.spec.lossAcknowledged) || \
         (has(self.status) && has(self.status.conditions) && \
         self.status.conditions.exists(said, said.type == 'AcknowledgementVoid'))"
    )
    .message("lossAcknowledged is taken back only while the condition AcknowledgementVoid says that it doesn't count"),
    printcolumn(name = "State", type_ = "string", json_path = ".status.state"),
    printcolumn(
        name = "Primary",
        type_ = "string",
        json_path = r#".status.conditions[?(@.type=="Primary")].status"#
    ),
    printcolumn(name = "Sequence", type_ = "integer", json_path = ".spec.sequence"),
    printcolumn(name = "Created", type_ = "date", json_path = ".spec.createdAt"),
    printcolumn(name = "Usage", type_ = "integer", json_path = ".status.usage.objects"),
    printcolumn(name = "Renewal", type_ = "string", json_path = ".status.renewal"),
    printcolumn(name = "Fingerprint", type_ = "string", json_path = ".status.fingerprint", priority = 1),
    printcolumn(
        name = "Stalled",
        type_ = "string",
        json_path = r#".status.conditions[?(@.type=="Stalled")].reason"#,
        priority = 1
    )
)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [
    {
        "rule": "oldSelf.state != 'Revoked' || self.state == 'Revoked'",
        "message": "Revoked is final: whoever holds a leaked key still holds it",
    },
    {
        "rule": "self.recipient == oldSelf.recipient && self.sequence == oldSelf.sequence && self.createdAt == oldSelf.createdAt",
        "message": "recipient, sequence and createdAt of a sealing key never change; a new key is a new object",
    },
]))]
pub struct SealingKeySpec {
    /// The recipient in its canonical form, `age1pq1…`. Never changes.
    #[schemars(length(min = 1, max = 4096))]
    pub recipient: String,
    /// The order of the keys, from 1: a higher number is a newer key. Never changes.
    #[schemars(range(min = 1))]
    pub sequence: i64,
    /// The time when the key was made: RFC 3339. Never changes.
    #[schemars(extend("format" = "date-time"))]
    pub created_at: String,
    /// The state that people ask for: `Active`, `Retiring` or `Revoked`. The state that counts is status.state, which
    /// only rises.
    pub state: KeyState,
    /// Somebody knows that the private half is gone, so it is waited for no longer. It counts only if the controller
    /// had the key, its Secret is missing, and this was written after that. If it was written before, the condition
    /// AcknowledgementVoid says so; only then may it be taken back, to be written anew.
    #[serde(default, skip_serializing_if = "is_false")]
    #[schemars(with = "Option<bool>")]
    pub loss_acknowledged: bool,
}

fn is_false(value: &bool) -> bool {
    !value
}

/// The state of a sealing key, which only rises: `Active` (sealed to, and opens), `Retiring` (only opens), `Revoked`
/// (compromised: never sealed to again, but still opens).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum KeyState {
    /// The newest such key is sealed to. The key opens.
    Active,
    /// The key isn't sealed to any more. It opens.
    Retiring,
    /// The key is compromised. It is never sealed to again; it still opens what was sealed to it.
    Revoked,
}

/// The state of a sealing key, as the controller publishes it: a state of a key, or `Deleting` (its Secret is being
/// deleted, which waits until nothing needs the key), `Destroyed` (the private half is gone for good), `Lost` (the
/// controller had the key, and its private half is gone), or `Planted` (the controller never had the key: somebody
/// else wrote this object).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum PublishedState {
    /// As [`KeyState::Active`].
    Active,
    /// As [`KeyState::Retiring`].
    Retiring,
    /// As [`KeyState::Revoked`].
    Revoked,
    /// The Secret with the private half is being deleted. The key opens, isn't sealed to, and stays until nothing
    /// needs it.
    Deleting,
    /// The private half was deleted after nothing needed it any more, or its loss was acknowledged. Final.
    Destroyed,
    /// The controller had this key, and its private half is gone.
    Lost,
    /// The controller never had this key: somebody else wrote this object.
    Planted,
}

impl From<KeyState> for PublishedState {
    fn from(state: KeyState) -> Self {
        match state {
            KeyState::Active => Self::Active,
            KeyState::Retiring => Self::Retiring,
            KeyState::Revoked => Self::Revoked,
        }
    }
}

/// The facts about the key that the controller vouches for. Only the controller writes them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SealingKeyStatus {
    /// The SHA-256 of the canonical recipient string: 64 hex digits. Set once the controller has the private half,
    /// and kept if that is lost. Absent if the controller never had it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub fingerprint: Option<String>,
    /// The state that counts: `Active`, `Retiring` or `Revoked`; `Deleting` while the deletion of the private half
    /// waits until nothing needs the key, then `Destroyed`; `Lost` if the private half is gone; `Planted` if the
    /// controller never had the key, because somebody else wrote this object.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "known_state")]
    #[schemars(with = "PublishedState")]
    pub state: Option<PublishedState>,
    /// The lowest state that the key can have, as last noted beside its private half. It is kept if the private half is
    /// lost, so that a private half that comes back isn't Active again.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "known_floor")]
    #[schemars(with = "KeyState")]
    pub floor: Option<KeyState>,
    /// The time from which a newer key takes the place of this one: RFC 3339. Only the primary has it, and only if
    /// keys are renewed at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub renewal: Option<String>,
    /// How many objects of the cluster need this key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<KeyUsage>,
    /// The conditions of the key: `Primary`, `Stalled`, `RecoveryChanged`, `BackupMissing`, `RenewalDue`, `ClockSkew` and
    /// `AcknowledgementVoid`; `Deletable` while its Secret is being deleted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = 16),
        extend("x-kubernetes-list-type" = "map"),
        extend("x-kubernetes-list-map-keys" = ["type"])
    )]
    pub conditions: Vec<Condition>,
    /// The recovery recipients of the key, in their canonical form, at most 15. They are fixed when the key is made.
    /// What is sealed to the key is sealed to them too, and the key's backup is encrypted to them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = 15),
        inner(length(min = 1, max = 4096)),
        extend("x-kubernetes-list-type" = "atomic")
    )]
    pub recovery_recipients: Vec<String>,
    /// Further recipients that a backup of the key is encrypted to, in their canonical form. Nothing is sealed to them
    /// now: they are revoked, or the key was restored without its recovery set. Whoever has one of their identities and
    /// the backup opens what was sealed to the key, so a recipient stays on record here.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = 64),
        inner(length(min = 1, max = 4096)),
        extend("x-kubernetes-list-type" = "atomic")
    )]
    pub backup_only_recipients: Vec<String>,
    /// Further recipients that the controller was started with, in their canonical form, at most 15. What is sealed to
    /// the key is sealed to them too; no backup is encrypted to them. Only the primary has them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = 15),
        inner(length(min = 1, max = 4096)),
        extend("x-kubernetes-list-type" = "atomic")
    )]
    pub extra_recipients: Vec<String>,
    /// The fingerprints of the recipients that the controller takes for compromised, sorted: those that are revoked, and
    /// keys whose backup a revoked recipient opens. `usage.revoked` of a SealedSecret is the SHA-256 of the list that its
    /// items were compared with. Only the primary has it, and not if it has more than 512 entries.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = 512),
        inner(length(min = 64, max = 64)),
        extend("x-kubernetes-list-type" = "atomic")
    )]
    pub revoked_recipients: Vec<String>,
}

/// The condition of a key that is being deleted: whether nothing needs it.
pub const DELETABLE: &str = "Deletable";

/// The condition of a key whose loss was acknowledged before there was one; it is there only while that is so.
pub const ACKNOWLEDGEMENT_VOID: &str = "AcknowledgementVoid";

/// The most [`SealingKeyStatus::revoked_recipients`].
pub const MAX_REVOKED: usize = 512;

/// The most [`SealingKeyStatus::backup_only_recipients`].
pub const MAX_BACKUP_ONLY: usize = 64;

impl SealingKeyStatus {
    /// All recipients that a backup of the key is encrypted to, as far as is on record. A text that isn't a recipient is
    /// dropped: nothing is sealed to this set.
    pub fn backup_recipients(&self) -> impl Iterator<Item = Recipient> {
        let texts = self.recovery_recipients.iter().chain(&self.backup_only_recipients);
        texts.filter_map(|text| text.parse().ok())
    }

    /// Whether the controller has let the key's Secret go, or is about to: nothing needed it.
    pub fn is_let_go(&self) -> bool {
        let deletable = find_condition(&self.conditions, DELETABLE);
        self.state == Some(PublishedState::Deleting)
            && deletable.is_some_and(|deletable| deletable.status == ConditionStatus::True)
    }
}

/// Reads a state. A word that a later version wrote is none: a list of SealingKeys that couldn't be read because of one
/// would stop a controller that was rolled back.
fn known_state<'de, D: Deserializer<'de>>(state: D) -> Result<Option<PublishedState>, D::Error> {
    let word = Option::<String>::deserialize(state)?;
    Ok(word.and_then(|word| serde_json::from_value(word.into()).ok()))
}

/// Reads a floor. A word that a later version wrote counts as Retiring: nothing is sealed to such a key, and nothing is
/// said of it that can't be taken back.
fn known_floor<'de, D: Deserializer<'de>>(floor: D) -> Result<Option<KeyState>, D::Error> {
    let word = Option::<String>::deserialize(floor)?;
    Ok(word.map(|word| serde_json::from_value(word.into()).unwrap_or(KeyState::Retiring)))
}

/// How many objects need a sealing key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct KeyUsage {
    /// The number of SealedSecrets of `sealing.dev` that don't open without this key. Those of `bitnami.com` are sealed
    /// to keys that have no SealingKey.
    #[schemars(range(min = 0))]
    pub objects: i64,
    /// The time of the count: RFC 3339.
    #[schemars(length(max = 64))]
    pub at: String,
}

impl SealingKey {
    /// The fingerprint of the recipient in the spec, which anybody who may write SealingKeys can choose. The text is
    /// hashed as it stands, so a text that isn't canonical matches no key.
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(&self.spec.recipient)
    }

    /// `true` if the controller has had the private half of this recipient. It said so in status, and never takes
    /// that back. A SealingKey that somebody else deletes and makes again has no status.
    pub fn is_recorded(&self) -> bool {
        let said = self.status.as_ref().and_then(|status| status.fingerprint.as_deref());
        said.is_some_and(|said| said == self.fingerprint().to_string())
    }

    /// `true` if the controller says that the loss of this key was acknowledged while it had the private half. Such a word
    /// says nothing of a later loss.
    pub fn is_acknowledgement_void(&self) -> bool {
        let conditions = self.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default();
        find_condition(conditions, ACKNOWLEDGEMENT_VOID).is_some()
    }

    /// `true` if the controller says that Secrets are sealed to this key now.
    ///
    /// The threat is somebody who may write SealingKeys, but neither their status nor Secrets: such a person plants
    /// an Active key, or sets the real one to Retiring, and opens what others then seal. So every word here is the
    /// controller's, except that a key that is asked to be Revoked isn't sealed to before the controller has seen that.
    pub fn is_primary(&self) -> bool {
        let conditions = self.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default();
        let is =
            |type_| find_condition(conditions, type_).is_some_and(|it| it.status == ConditionStatus::True);
        is("Primary") && !is("Stalled") && self.is_recorded() && self.spec.state != KeyState::Revoked
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resources::Condition;

    fn condition(type_: &str, status: ConditionStatus) -> Condition {
        Condition {
            type_: type_.into(),
            status,
            observed_generation: None,
            last_transition_time: "2026-01-01T00:00:00Z".into(),
            last_update_time: None,
            reason: "Because".into(),
            message: String::new(),
        }
    }

    /// The primary, as the controller writes it.
    fn primary() -> SealingKey {
        let spec = SealingKeySpec {
            recipient: "age1pq1x".into(),
            sequence: 1,
            created_at: "2026-01-01T00:00:00Z".into(),
            state: KeyState::Active,
            loss_acknowledged: false,
        };
        let status = SealingKeyStatus {
            fingerprint: Some(Fingerprint::of(&spec.recipient).to_string()),
            conditions: vec![condition("Primary", ConditionStatus::True)],
            ..SealingKeyStatus::default()
        };
        SealingKey { status: Some(status), ..SealingKey::new("k", spec) }
    }

    #[test]
    fn a_key_is_sealed_to_only_on_the_controllers_word() {
        assert!(primary().is_primary());
        let conditions = |conditions: &[(&str, ConditionStatus)]| {
            let mut key = primary();
            let all = conditions.iter().map(|(type_, status)| condition(type_, *status));
            key.status.as_mut().unwrap().conditions = all.collect();
            key
        };
        use ConditionStatus::{False, True, Unknown};
        assert!(conditions(&[("Primary", True), ("Stalled", False), ("RenewalDue", True)]).is_primary());
        for refused in [
            conditions(&[]),
            conditions(&[("Primary", False)]),
            conditions(&[("Primary", Unknown)]),
            conditions(&[("Primary", True), ("Stalled", True)]),
        ] {
            assert!(!refused.is_primary(), "{:?}", refused.status);
        }
    }

    #[test]
    fn what_a_writer_of_sealing_keys_can_write_makes_no_primary() {
        let mut planted = primary();
        planted.status = None;
        assert!(!planted.is_primary() && !planted.is_recorded(), "no status");
        let mut other = primary();
        other.spec.recipient = "age1pq1y".into();
        assert!(
            !other.is_primary() && !other.is_recorded(),
            "another recipient than the controller speaks of"
        );
        let mut unsaid = primary();
        unsaid.status.as_mut().unwrap().fingerprint = None;
        assert!(!unsaid.is_primary(), "a condition without a fingerprint");
        // A wish to retire waits for a successor. A wish to revoke stops sealing to the key at once.
        let asked = |state| SealingKey { spec: SealingKeySpec { state, ..primary().spec }, ..primary() };
        assert!(asked(KeyState::Retiring).is_primary());
        assert!(!asked(KeyState::Revoked).is_primary());
    }

    #[test]
    fn a_word_of_a_later_version_in_a_status_stops_no_list_and_makes_no_primary() {
        let read = |status: serde_json::Value| serde_json::from_value::<SealingKeyStatus>(status).unwrap();
        let status = read(serde_json::json!({"state": "Suspended", "floor": "Suspended"}));
        assert_eq!((status.state, status.floor), (None, Some(KeyState::Retiring)));
        let status = read(serde_json::json!({"state": "Destroyed", "floor": "Revoked"}));
        assert_eq!((status.state, status.floor), (Some(PublishedState::Destroyed), Some(KeyState::Revoked)));
        assert_eq!(read(serde_json::json!({"state": null, "floor": null})), SealingKeyStatus::default());
    }

    #[test]
    fn states_rise_from_active_to_revoked() {
        assert!(KeyState::Active < KeyState::Retiring && KeyState::Retiring < KeyState::Revoked);
    }
}

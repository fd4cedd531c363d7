//! What is written is read back, and what is no key says why.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde_json::Value;

use super::*;
use crate::keys::Recipient;
use crate::resources::DIGEST_ANNOTATION;

fn key() -> StoredKey {
    let created_at = serde_json::from_value(json!("2026-01-01T00:00:00Z")).unwrap();
    StoredKey { identity: Identity::generate(), sequence: 7, created_at, recovery: None }
}

fn recipients(count: usize) -> Vec<Recipient> {
    (0..count).map(|_| Identity::generate().recipient().clone()).collect()
}

const BACKUP: &str = "-----BEGIN AGE ENCRYPTED FILE-----\neA==\n-----END AGE ENCRYPTED FILE-----\n";

/// A Secret as the controller makes it, changed.
fn read(change: impl FnOnce(&mut Value)) -> Result<(ObjectMeta, StoredKey), NotAKey> {
    let mut secret: Value =
        serde_json::from_slice(&key().to_json("sealing-key-first", KeyState::Active)).unwrap();
    change(&mut secret);
    serde_json::from_value::<KeySecret>(secret).unwrap().into_key()
}

#[test]
fn what_is_stored_is_read_back() {
    let stored = key();
    let secret: KeySecret =
        serde_json::from_slice(&stored.to_json("sealing-key-first", KeyState::Active)).unwrap();
    assert!(secret.metadata.labels.as_ref().unwrap().contains_key(SEALING_KEY_LABEL));
    let (metadata, read) = secret.into_key().unwrap_or_else(|not| panic!("{not}"));
    assert_eq!(read.identity.fingerprint(), stored.identity.fingerprint());
    assert_eq!((read.sequence, json!(read.created_at)), (7, json!("2026-01-01T00:00:00Z")));
    assert_eq!(Note::of(&metadata), Note::Says(KeyState::Active));
    assert_eq!(metadata.name.as_deref(), Some("sealing-key-first"));
    assert!(read.recovery.is_none());
    assert_eq!(metadata.finalizers, Some(vec![KEY_IN_USE.to_owned()]), "a deletion is a request");
    // The recipient in the Secret is that of the private half.
    let recipient = serde_json::from_slice::<Value>(&stored.to_json("k", KeyState::Active)).unwrap();
    let recipient = BASE64.decode(recipient["data"]["recipient"].as_str().unwrap()).unwrap();
    assert_eq!(recipient, stored.identity.recipient().as_str().as_bytes());
}

#[test]
fn what_is_no_key_says_which_field_and_what_is_expected() {
    type Change = fn(&mut Value);
    let owner =
        |api_version| json!([{"apiVersion": api_version, "kind": "SealedSecret", "name": "x", "uid": "1"}]);
    let cases: [(NotAKey, Change); 12] = [
        (NotAKey::Type, |secret| secret["type"] = json!("Opaque")),
        (NotAKey::Mutable, |secret| secret["immutable"] = json!(false)),
        (NotAKey::Mutable, |secret| drop(secret.as_object_mut().unwrap().remove("immutable"))),
        (NotAKey::Owned, |secret| secret["metadata"]["annotations"][DIGEST_ANNOTATION] = json!("")),
        (NotAKey::Identity, |secret| secret["data"]["identity"] = json!("!!")),
        (NotAKey::Identity, |secret| secret["data"]["identity"] = json!("bm90IGEga2V5")),
        (NotAKey::Identity, |secret| secret["data"] = json!({})),
        (NotAKey::Sequence, |secret| secret["data"]["sequence"] = json!(BASE64.encode("0"))),
        (NotAKey::Sequence, |secret| secret["data"]["sequence"] = json!(BASE64.encode("2147483648"))),
        (NotAKey::CreatedAt, |secret| secret["data"]["createdAt"] = json!(BASE64.encode("yesterday"))),
        (NotAKey::LaterVersion(None), |secret| {
            secret["data"]["format"] = json!(BASE64.encode("3"));
            secret["data"]["recipient"] = json!("");
        }),
        (NotAKey::Identity, |secret| {
            secret["data"]["identity"] = json!(BASE64.encode("AGE-SECRET-KEY-PQ-1HUNTER2"));
        }),
    ];
    for (expected, change) in cases {
        let refused = read(change).err();
        assert_eq!(refused, Some(expected));
        assert!(!refused.unwrap().to_string().contains("HUNTER2"));
    }
    for api_version in ["sealing.dev/v1alpha1", "bitnami.com/v1alpha1", "v1"] {
        let refused = read(|secret| secret["metadata"]["ownerReferences"] = owner(api_version)).err();
        assert_eq!(refused, Some(NotAKey::Owned), "{api_version}");
    }
}

#[test]
fn a_recovery_set_is_stored_sorted_with_its_backup() {
    let set = recipients(3);
    let recovery = Recovery::new(set.iter().rev().chain(&set).cloned(), BACKUP.into());
    let stored = StoredKey { recovery, ..key() };
    let json = stored.to_json("k", KeyState::Active);
    let (_, read) =
        serde_json::from_slice::<KeySecret>(&json).unwrap().into_key().unwrap_or_else(|not| panic!("{not}"));
    assert_eq!(read.recovery, stored.recovery);
    let read = read.recovery.unwrap();
    assert_eq!((read.recipients().len(), read.backup()), (3, BACKUP), "each once");
    assert!(read.recipients().is_sorted_by_key(Recipient::fingerprint));
    let data = serde_json::from_slice::<Value>(&json).unwrap()["data"].clone();
    let text = BASE64.decode(data["recovery"].as_str().unwrap()).unwrap();
    let lines: String = read.recipients().iter().map(|recipient| format!("{recipient}\n")).collect();
    assert_eq!(String::from_utf8(text).unwrap(), lines);
    // Without a set, there is an empty list and no backup.
    let data =
        serde_json::from_slice::<Value>(&key().to_json("k", KeyState::Active)).unwrap()["data"].clone();
    assert_eq!((&data["recovery"], &data["backup"]), (&json!(""), &Value::Null));
}

#[test]
fn a_recovery_set_that_is_half_there_or_too_large_refuses_the_key() {
    let (one, many) = (recipients(1), recipients(MAX_RECOVERY + 1));
    let lines = |set: &[Recipient]| set.iter().map(|it| format!("{it}\n")).collect::<String>();
    let plain = "# seal sealing key, format 1\nAGE-SECRET-KEY-PQ-1HUNTER2\n";
    for (set, backup) in [
        (lines(&one), ""),
        (String::new(), BACKUP),
        (lines(&many), BACKUP),
        ("age1pq1hunter2\n".to_owned(), BACKUP),
        (lines(&one), "-----BEGIN AGE ENCRYPTED FILE-----\neA==\n"),
        (lines(&one), plain),
    ] {
        let refused = read(|secret| {
            secret["data"]["recovery"] = json!(BASE64.encode(&set));
            secret["data"]["backup"] = json!(BASE64.encode(backup));
        });
        assert_eq!(refused.err(), Some(NotAKey::Recovery), "{set} {backup}");
    }
    assert!(Recovery::new(one, plain.into()).is_none(), "only ciphertext is ever a backup");
}

#[test]
fn format_1_has_no_recovery_set_and_only_two_formats_are_known() {
    let format = |format: Option<&str>| {
        let (set, backup) = (recipients(1)[0].to_string(), BACKUP);
        read(|secret| {
            secret["data"]["recovery"] = json!(BASE64.encode(set));
            secret["data"]["backup"] = json!(BASE64.encode(backup));
            secret["data"]["format"] = json!(format.map(|format| BASE64.encode(format)).unwrap_or_default());
        })
    };
    let recovery = |text| format(text).unwrap_or_else(|not| panic!("{not}")).1.recovery;
    assert!(recovery(None).is_none());
    assert!(recovery(Some("2")).is_some());
    for later in ["1", "3", "02", "2\n", "two"] {
        let refused = format(Some(later)).err();
        assert!(matches!(refused, Some(NotAKey::LaterVersion(Some(_)))), "{later:?} {refused:?}");
    }
}

#[test]
fn a_key_of_a_later_version_is_known_by_its_recipient() {
    let recipient = Identity::generate().recipient().clone();
    let refused = read(|secret| {
        secret["data"]["format"] = json!(BASE64.encode("3"));
        secret["data"]["recipient"] = json!(BASE64.encode(recipient.as_str()));
    });
    assert_eq!(refused.err(), Some(NotAKey::LaterVersion(Some(recipient.fingerprint()))));
}

#[test]
fn a_date_with_an_offset_is_the_time_that_it_means() {
    let date = json!(BASE64.encode("2026-01-01T01:30:00.5+01:30"));
    let (_, read) = read(|secret| secret["data"]["createdAt"] = date).unwrap_or_else(|not| panic!("{not}"));
    assert_eq!(json!(read.created_at), json!("2026-01-01T00:00:00Z"));
}

#[test]
fn a_note_says_a_state_or_cannot_be_read() {
    let noted = |annotations: Value| {
        let read = read(|secret| secret["metadata"]["annotations"] = annotations);
        Note::of(&read.unwrap_or_else(|not| panic!("{not}")).0)
    };
    for state in [KeyState::Active, KeyState::Retiring, KeyState::Revoked] {
        assert_eq!(noted(json!({ STATE_ANNOTATION: state })), Note::Says(state));
    }
    for text in ["", "active", "Destroyed", " Active"] {
        assert_eq!(noted(json!({ STATE_ANNOTATION: text })), Note::Unreadable, "{text:?}");
    }
    assert_eq!(noted(json!({})), Note::Absent);
}

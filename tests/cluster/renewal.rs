//! Sealing keys are renewed, and nobody gets a private half by that.
//!
//! No clock is moved: the keys that tests make have old dates. Invariants: at every moment at most one SealingKey is
//! called the primary, and everything that was ever sealed opens.

use std::collections::BTreeSet;
use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use seal_crds::keys::{Fingerprint, Identity, Recipient, backup};
use seal_crds::native::NativeSealed;
use seal_crds::{Place, Sealed as _, UnsealError};
use seal_tests::controller::Controller;
use seal_tests::wait::{eventually, until};
use serde_json::{Value, json};

use super::key_writers::{ask, writer};
use super::keys::{
    FIRST, dated_secret, days_ago, hold_up_renewals, planted, recipient_of, until_primary, until_said,
};
use super::scene::{Scene, condition, items, path};
use crate::end_to_end::seal;
use crate::sandbox::Sandbox;

/// Adds a key of this age, as if a controller had made it and noted its state.
fn add_aged_key(scene: &Scene, name: &str, sequence: u32, days: i64) -> Identity {
    let identity = Identity::generate();
    let mut secret = dated_secret(name, &identity, sequence, &days_ago(days));
    secret["metadata"]["annotations"] = json!({"sealing.dev/state": "Active"});
    let path = format!("{}?fieldManager=seal-controller", scene.identities(""));
    scene.api().create(&path, &secret).unwrap();
    identity
}

/// The path of a ConfigMap in the controller's own namespace; of the collection if the name is empty.
fn config_maps(scene: &Scene, name: &str) -> String {
    path("/api/v1", &scene.keys, "configmaps", name)
}

/// Writes a file of recipients.
pub(super) fn recipients_file(scene: &Scene, name: &str, recipients: &[&Recipient]) -> PathBuf {
    let file = scene.kubeconfig.with_extension(name);
    let lines: String = recipients.iter().map(|recipient| format!("{recipient}\n")).collect();
    std::fs::write(&file, lines).unwrap();
    file
}

fn started_with(scene: &Scene, recovery: &[&Recipient]) -> Controller {
    let file = recipients_file(scene, "recovery", recovery);
    scene.start(&[&format!("--recovery-recipients={}", file.display())])
}

/// The published backup of a key, once it is there.
#[track_caller]
pub(super) fn published_backup(scene: &Scene, fingerprint: &Fingerprint) -> String {
    let map = config_maps(scene, &format!("sealing-key-backup-{}", fingerprint.short()));
    eventually("the backup is published", || {
        let found = scene.api().get(&map).unwrap_or_default();
        let data = found["data"].as_object().cloned().unwrap_or_default();
        match data.get(&format!("{fingerprint}.age")) {
            Some(backup) if data.len() == 1 => Ok(backup.as_str().unwrap().to_owned()),
            _ => Err(found),
        }
    })
}

/// The fingerprint of the SealingKey of this name.
fn fingerprint(scene: &Scene, name: &str) -> Fingerprint {
    let key = scene.api().get(&scene.sealing_keys(name)).unwrap();
    key["status"]["fingerprint"].as_str().unwrap().parse().unwrap()
}

#[test]
fn three_renewals_by_the_dates_of_the_keys_leave_one_primary_with_its_backup() {
    let scene = Scene::new("renewals");
    let recovery = Identity::generate();
    // Somebody has planted a SealingKey with a high number. It counts for nothing.
    let planted = planted("planted", &Identity::generate(), 999);
    scene.api().create(&scene.sealing_keys(""), &planted).unwrap();
    for (sequence, old, new) in [
        (1, FIRST, "sealing-key-2"),
        (3, "sealing-key-3", "sealing-key-4"),
        (5, "sealing-key-5", "sealing-key-6"),
    ] {
        let identity = add_aged_key(&scene, old, sequence, 366);
        let before = scene.requests().len();
        let mut controller = started_with(&scene, &[recovery.recipient()]);
        until_primary(&scene, new);
        let key = until_said(&scene, new, |key| key["status"]["renewal"].is_string());
        assert_eq!(key["spec"]["sequence"], sequence + 1);
        assert_eq!(key["status"]["recoveryRecipients"], json!([recovery.recipient().as_str()]));
        until_said(&scene, old, |key| key["status"]["state"] == "Retiring");

        // The published backup is the one in the Secret, and opens as the key.
        let published = published_backup(&scene, &fingerprint(&scene, new));
        let secret = scene.api().get(&scene.identities(new)).unwrap();
        assert_eq!(secret["data"]["backup"], BASE64.encode(&published));
        assert_eq!(secret["metadata"]["finalizers"], json!(["sealing.dev/key-in-use"]));
        let opened = backup::open(published.as_bytes(), std::iter::once(recovery.as_age()))
            .unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(opened.identity.fingerprint(), fingerprint(&scene, new));
        assert_eq!(opened.sequence, i64::from(sequence) + 1);

        // The order of the writes.
        let position = |verb: &str, resource: &str, name: &str| {
            let is_it = |request: &Value| {
                let object = &request["objectRef"];
                let named = object["name"] == name || request["responseObject"]["metadata"]["name"] == name;
                request["verb"] == verb
                    && object["resource"] == resource
                    && (named || verb == "create")
                    && object["subresource"].is_null() != (resource == "sealingkeys" && verb == "update")
                    && request["responseStatus"]["code"].as_u64().is_some_and(|code| code < 300)
            };
            let requests = scene.requests().split_off(before);
            requests.iter().rposition(is_it).unwrap_or_else(|| panic!("no {verb} of {resource} {name}"))
        };
        let order = [
            position("create", "secrets", new),
            position("create", "configmaps", ""),
            position("create", "sealingkeys", new),
            position("patch", "secrets", old),
            position("update", "sealingkeys", new),
        ];
        assert!(order.is_sorted(), "{order:?}");

        // What is sealed to either opens.
        scene.seal(&format!("old-{sequence}")).item("a", "1").to(&recipient_of(&identity)).commit();
        scene.until_ready(&format!("old-{sequence}"));
        assert!(controller.terminate().success());
    }
    let keys = scene.api().get(&scene.sealing_keys("")).unwrap();
    let state = |key: &Value| key["status"]["state"].as_str().unwrap().to_owned();
    let count = |wanted: &str| items(&keys).iter().filter(|key| state(key) == wanted).count();
    assert_eq!((count("Active"), count("Retiring"), count("Planted")), (1, 5, 1));
}

#[test]
fn a_recovery_set_that_is_swapped_and_swapped_back_gives_the_intruder_nothing() {
    let scene = Scene::new("swapped");
    let (recovery, intruder) = (Identity::generate(), Identity::generate());
    let mut controller = started_with(&scene, &[recovery.recipient()]);
    until_primary(&scene, FIRST);
    let backup = published_backup(&scene, &fingerprint(&scene, FIRST));
    let labelled = format!("{}?labelSelector=sealing.dev/sealing-key-backup", config_maps(&scene, ""));
    let maps = || scene.api().get(&labelled);
    let versions = |list: Option<Value>| {
        let list = list.unwrap();
        items(&list).iter().map(|map| map["metadata"]["resourceVersion"].clone()).collect::<Vec<_>>()
    };
    let before = versions(maps());
    assert_eq!(before.len(), 1);
    assert!(controller.terminate().success());

    let mut controller = started_with(&scene, &[intruder.recipient()]);
    let key = until_said(&scene, FIRST, |key| condition(key, "RecoveryChanged").0 == "True");
    let (_, _, message) = condition(&key, "RecoveryChanged");
    assert!(message.contains(&format!("adds {}", intruder.fingerprint().short())), "{message}");
    assert_eq!(key["status"]["recoveryRecipients"], json!([recovery.recipient().as_str()]));
    scene.seal("db").item("a", "1").commit();
    scene.until_ready("db");
    assert!(controller.terminate().success());

    let _controller = started_with(&scene, &[recovery.recipient()]);
    let key = until_said(&scene, FIRST, |key| condition(key, "RecoveryChanged").0.is_empty());
    assert!(!key.to_string().contains(intruder.recipient().as_str()));
    assert_eq!(versions(maps()), before, "no backup was written");
    assert_eq!(published_backup(&scene, &fingerprint(&scene, FIRST)), backup);
    let opened = backup::open(backup.as_bytes(), std::iter::once(intruder.as_age()));
    assert!(opened.is_err(), "the intruder opens nothing");
}

#[test]
fn a_removed_recovery_recipient_opens_nothing_that_is_backed_up_or_sealed_after_a_renewal() {
    let scene = Scene::new("removed");
    let (leaver, stays) = (Identity::generate(), Identity::generate());
    let mut controller = started_with(&scene, &[leaver.recipient(), stays.recipient()]);
    until_primary(&scene, FIRST);
    assert!(controller.terminate().success());
    let _controller = started_with(&scene, &[stays.recipient()]);
    ask(scene.api(), &scene, FIRST, "Retiring");
    until_primary(&scene, "sealing-key-2");
    let backup = published_backup(&scene, &fingerprint(&scene, "sealing-key-2"));
    assert!(backup::open(backup.as_bytes(), std::iter::once(leaver.as_age())).is_err());
    assert!(backup::open(backup.as_bytes(), std::iter::once(stays.as_age())).is_ok());
    let key = scene.api().get(&scene.sealing_keys("sealing-key-2")).unwrap();
    assert_eq!(key["status"]["recoveryRecipients"], json!([stays.recipient().as_str()]));
    // Nor what people seal to the recipients that they fetch now.
    let sandbox = Sandbox::new();
    let fetch = ["keys", "fetch", "-o", "now.pub"];
    assert_eq!(seal(&sandbox, &scene, scene.plane.kubeconfig(), &fetch, b"").code, 0);
    let secret = format!(
        "apiVersion: v1\nkind: Secret\nmetadata: {{name: db, namespace: {}}}\nstringData: {{a: '1'}}\n",
        scene.namespace
    );
    let sealed: Value = serde_yaml::from_slice(&sandbox.succeed(["-r", "now.pub"], secret)).unwrap();
    let spec = serde_json::from_value(sealed["spec"].clone()).unwrap();
    let place = Place { namespace: scene.namespace.parse().unwrap(), name: "db".parse().unwrap() };
    let object = NativeSealed::parse(place, &spec, &BTreeSet::new()).unwrap();
    let opens = |identity: Identity| object.unseal(&[identity].into_iter().collect());
    assert!(opens(stays).is_ok());
    assert!(matches!(opens(leaver), Err(UnsealError::NoMatchingKey { .. })));
    scene.commit(&sealed).unwrap();
    scene.until_ready("db");
    // The older key's set stays on record, and with it what the leaver opens.
    let older = until_said(&scene, FIRST, |key| condition(key, "Primary").0 == "False");
    assert_eq!(older["status"]["recoveryRecipients"].as_array().unwrap().len(), 2);
}

#[test]
fn a_lost_primary_is_waited_for_until_its_loss_is_acknowledged_and_no_older_key_takes_its_place() {
    let (scene, controller) = Scene::with_controller("loss");
    let writer = writer(&scene);
    ask(&writer, &scene, FIRST, "Retiring");
    until_primary(&scene, "sealing-key-2");
    let mut found = scene.api().get(&scene.identities("sealing-key-2")).unwrap();
    let name = json!({"name": "found", "labels": found["metadata"]["labels"]});
    found["metadata"] = name;
    scene.lose_key("sealing-key-2");
    let lost = until_said(&scene, "sealing-key-2", |key| key["status"]["state"] == "Lost");
    assert_eq!(condition(&lost, "RenewalDue").1, "IdentityMissing");
    assert_eq!(condition(&lost, "Primary").0, "False");
    let first = scene.api().get(&scene.sealing_keys(FIRST)).unwrap();
    assert_eq!(condition(&first, "Primary").0, "False");
    until("it isn't ready", || controller.http("/readyz").map(|(status, _)| status) == Some(503));

    let acknowledged = json!({"spec": {"lossAcknowledged": true}});
    writer.merge(&scene.sealing_keys("sealing-key-2"), &acknowledged).unwrap();
    until_primary(&scene, "sealing-key-3");
    until_said(&scene, "sealing-key-2", |key| key["status"]["state"] == "Destroyed");
    let taken_back = json!({"spec": {"lossAcknowledged": false}});
    let second = scene.sealing_keys("sealing-key-2");
    assert_eq!(writer.merge(&second, &taken_back).unwrap_err().code, 422);
    // Its Secret is found after all. The acknowledgement says nothing of the next loss, and may be taken back for that.
    scene.api().create(&scene.identities(""), &found).unwrap();
    let void = |key: &Value| condition(key, "AcknowledgementVoid").0 == "True";
    until_said(&scene, "sealing-key-2", |key| key["status"]["state"] == "Retiring" && void(key));
    scene.lose_key("found");
    until_said(&scene, "sealing-key-2", |key| key["status"]["state"] == "Lost" && void(key));
    writer.merge(&second, &taken_back).unwrap();
    until_said(&scene, "sealing-key-2", |key| key["status"]["state"] == "Lost" && !void(key));
    writer.merge(&second, &acknowledged).unwrap();
    until_said(&scene, "sealing-key-2", |key| key["status"]["state"] == "Destroyed");
    until("it is ready again", || controller.http("/readyz").map(|(status, _)| status) == Some(200));
}

#[test]
fn a_key_that_the_flag_revokes_is_revoked_whatever_the_cluster_says() {
    let (scene, mut controller) = Scene::with_controller("flag");
    let key = fingerprint(&scene, FIRST);
    assert!(controller.terminate().success());
    let file = scene.kubeconfig.with_extension("revoked");
    std::fs::write(&file, format!("# leaked in March\n{key}\n")).unwrap();
    let mut controller = scene.start(&[&format!("--revoked-recipients={}", file.display())]);
    until_primary(&scene, "sealing-key-2");
    until_said(&scene, FIRST, |key| key["status"]["state"] == "Revoked" && key["spec"]["state"] == "Active");
    assert!(controller.terminate().success());
    // The floor is noted, so the flag may go.
    let _controller = scene.start(&[]);
    until_primary(&scene, "sealing-key-2");
    until_said(&scene, FIRST, |key| key["status"]["state"] == "Revoked");
}

#[test]
fn a_published_backup_that_is_changed_deleted_or_hidden_is_put_back() {
    let scene = Scene::new("healed-backup");
    let _controller = started_with(&scene, &[Identity::generate().recipient()]);
    until_primary(&scene, FIRST);
    let key = fingerprint(&scene, FIRST);
    let backup = published_backup(&scene, &key);
    let map = config_maps(&scene, &format!("sealing-key-backup-{}", key.short()));
    let file = format!("{key}.age");
    for change in [
        json!({"data": {(file.as_str()): "forged"}}),
        json!({"data": {"more": "x"}, "binaryData": {"other": "eA=="}}),
        // Without its label, the controller doesn't find it.
        json!({"metadata": {"labels": null}, "data": {"more": "x"}}),
    ] {
        scene.api().merge(&map, &change).unwrap();
        until("it is put back", || {
            let found = scene.api().get(&map).unwrap();
            found["data"] == json!({(file.as_str()): backup})
                && found["binaryData"].as_object().is_none_or(serde_json::Map::is_empty)
                && found["metadata"]["labels"]["sealing.dev/sealing-key-backup"] == ""
        });
    }
    scene.api().delete(&map).unwrap();
    assert_eq!(published_backup(&scene, &key), backup);
    until_primary(&scene, FIRST);
    // ConfigMaps of others with the label stay as they are.
    let other = json!({
        "apiVersion": "v1", "kind": "ConfigMap", "data": {"a": "b"},
        "metadata": {"name": "of-somebody", "labels": {"sealing.dev/sealing-key-backup": ""}},
    });
    let other = scene.api().create(&config_maps(&scene, ""), &other).unwrap();
    ask(scene.api(), &scene, FIRST, "Retiring");
    until_primary(&scene, "sealing-key-2");
    assert_eq!(scene.api().get(&config_maps(&scene, "of-somebody")), Some(other));
}

#[test]
fn a_renewal_that_the_api_server_refuses_stops_nobody_and_goes_on_when_it_may() {
    let scene = Scene::new("refused");
    let recovery = Identity::generate();
    let controller = started_with(&scene, &[recovery.recipient()]);
    until_primary(&scene, FIRST);
    // An older role: the controller may not write ConfigMaps any more.
    let roles = path("/apis/rbac.authorization.k8s.io/v1", &scene.keys, "roles", "seal-controller");
    let mut role = scene.api().get(&roles).unwrap();
    let as_shipped = role["rules"].clone();
    for rule in role["rules"].as_array_mut().unwrap() {
        if rule["resources"] == json!(["configmaps"]) {
            rule["verbs"] = json!(["get", "list", "watch"]);
        }
    }
    scene.api().replace(&roles, &role).unwrap();
    until("the role is in force", || {
        ask(scene.api(), &scene, FIRST, "Retiring");
        controller.log().contains("forbids publishing the backup")
    });
    let due = until_said(&scene, FIRST, |key| condition(key, "RenewalDue").1 == "Unpublished");
    assert_eq!(condition(&due, "Primary").0, "True", "people still seal to the older key");
    scene.seal("db").item("a", "1").commit();
    scene.until_ready("db");

    let mut role = scene.api().get(&roles).unwrap();
    role["rules"] = as_shipped;
    scene.api().replace(&roles, &role).unwrap();
    until_primary(&scene, "sealing-key-2");
    let secrets = scene.api().get(&format!("{}?labelSelector=sealing.dev/sealing-key", scene.identities("")));
    assert_eq!(items(&secrets.unwrap()).len(), 2, "no third key was made");
}

#[test]
fn a_renewal_is_announced_before_it_is_due_and_not_done_while_something_is_in_the_way() {
    let scene = Scene::new("announced");
    add_aged_key(&scene, FIRST, 1, 340);
    let mut controller = scene.start(&[]);
    let key = until_said(&scene, FIRST, |key| condition(key, "RenewalDue").1 == "RenewalSoon");
    assert_eq!(condition(&key, "RenewalDue").0, "False");
    assert_eq!(key["status"]["renewal"], days_ago(340 - 365));
    let events = format!("/apis/events.k8s.io/v1/namespaces/{}/events", scene.keys);
    until("it is announced", || {
        let events = scene.api().get(&events).unwrap();
        items(&events).iter().any(|it| it["reason"] == "RenewalSoon" && it["regarding"]["name"] == FIRST)
    });
    assert!(controller.metric("seal_controller_key_renewal_timestamp_seconds") > 1_700_000_000);
    assert!(controller.terminate().success());

    hold_up_renewals(&scene);
    let mut controller = scene.start(&["--key-renewal=300d"]);
    let key = until_said(&scene, FIRST, |key| condition(key, "RenewalDue").1 == "LaterVersion");
    assert_eq!(
        (condition(&key, "RenewalDue").0, condition(&key, "Primary").0),
        ("True".into(), "True".into())
    );
    assert!(controller.terminate().success());
    let _controller = scene.start(&["--key-renewal=0"]);
    let key = until_said(&scene, FIRST, |key| condition(key, "RenewalDue").0.is_empty());
    assert_eq!(key["status"]["renewal"], Value::Null);
}

//! Secrets as the peer's controller leaves them. One write takes them over, and it changes no value.

use seal_tests::wait::until;
use serde_json::{Value, json};

use super::scene::Peers;

const MARK: &str = "argocd.argoproj.io/tracking-id";

/// The Secret that the peer makes of the object: everything is copied, and the owner reference is included.
fn made_by_peer(peers: &Peers, object: &Value, data: &Value) -> Value {
    let name = object["metadata"]["name"].as_str().unwrap();
    let template = &object["spec"]["template"];
    let mut secret = json!({
        "apiVersion": "v1", "kind": "Secret", "type": "Opaque", "data": data,
        "metadata": {"name": name, "labels": template["metadata"]["labels"], "annotations": template["metadata"]["annotations"]},
    });
    if template["metadata"]["annotations"]["sealedsecrets.bitnami.com/skip-set-owner-references"] != "true" {
        secret["metadata"]["ownerReferences"] = json!([{
            "apiVersion": "bitnami.com/v1alpha1", "kind": "SealedSecret", "name": name,
            "uid": object["metadata"]["uid"], "controller": true, "blockOwnerDeletion": true,
        }]);
    }
    if template["immutable"] == true {
        secret["immutable"] = json!(true);
    }
    let path = format!("{}?fieldManager=controller", peers.scene.secrets(""));
    peers.scene.api().create(&path, &secret).unwrap()
}

#[test]
fn what_the_peer_made_is_taken_over_by_one_write_that_changes_metadata_only() {
    let peers = Peers::new("hand-over");
    let scene = &peers.scene;
    let usual = peers.seal("usual").item("a", "1").label("app", "x").annotation(MARK, "x").commit();
    let fixed = peers.seal("fixed").item("a", "1").immutable().annotation(MARK, "x").commit();
    let unowned = peers
        .seal("unowned")
        .item("a", "1")
        .annotation("sealedsecrets.bitnami.com/skip-set-owner-references", "true")
        .commit();
    let objects = [("usual", usual), ("fixed", fixed), ("unowned", unowned)];
    let before: Vec<_> =
        objects.iter().map(|(_, object)| made_by_peer(&peers, object, &json!({"a": "MQ=="}))).collect();

    let controller = scene.start(&[]);
    for ((name, object), before) in objects.iter().zip(&before) {
        peers.until_ready(name);
        let after = scene.secret(name).unwrap();
        for field in ["data", "type", "immutable"] {
            assert_eq!(after[field], before[field], "{name}");
        }
        for field in ["uid", "labels"] {
            assert_eq!(after["metadata"][field], before["metadata"][field], "{name}");
        }
        assert!(after["metadata"]["annotations"].get(MARK).is_none(), "{name}");
        let owner = &after["metadata"]["ownerReferences"][0]["uid"];
        assert_eq!(
            (*name == "unowned", owner == &object["metadata"]["uid"]),
            (owner.is_null(), !owner.is_null())
        );
        assert_eq!(peers.writes(name), 1, "{name}");
    }
    assert_eq!(controller.metric("seal_controller_heals_total"), 0);

    // From then on it is one of ours: an item removed from the object is removed from the Secret, and a restart
    // finds it right.
    let after: Vec<_> = objects.iter().map(|(name, _)| scene.secret(name).unwrap()).collect();
    let _controller = scene.restart(controller);
    peers.after("later");
    for ((name, _), after) in objects.iter().zip(after) {
        assert_eq!(scene.secret(name).unwrap(), after);
    }
    peers.seal("usual").item("b", "2").commit();
    until("the item went", || scene.data("usual").into_keys().eq(["b".to_owned()]));
    assert!(scene.secret("usual").unwrap()["metadata"]["labels"].is_null());
}

/// The Secret belongs to another owner; the peer has put its items in, and its part of the annotations.
#[test]
fn what_the_peer_patched_is_taken_over_by_one_write_and_stays_its_owners() {
    let peers = Peers::new("patched");
    let scene = &peers.scene;
    let patch = "sealedsecrets.bitnami.com/patch";
    let mut theirs = json!({
        "apiVersion": "v1", "kind": "Secret", "type": "Opaque", "data": {"theirs": "MQ=="},
        "metadata": {"name": "db", "labels": {"theirs": "1"}, "annotations": {patch: "true"}},
    });
    theirs = scene.api().create(&scene.secrets(""), &theirs).unwrap();
    theirs["data"]["a"] = json!("MQ==");
    theirs["metadata"]["annotations"][MARK] = json!("x");
    let path = format!("{}?fieldManager=controller", scene.secrets("db"));
    let before = scene.api().replace(&path, &theirs).unwrap();
    peers.seal("db").item("a", "1").annotation(patch, "true").annotation(MARK, "x").commit();

    let controller = scene.start(&[]);
    peers.until_ready("db");
    let after = scene.secret("db").unwrap();
    assert_eq!(
        (&after["data"], &after["metadata"]["labels"]),
        (&before["data"], &before["metadata"]["labels"])
    );
    assert!(after["metadata"]["annotations"].get(MARK).is_none());
    assert!(after["metadata"]["ownerReferences"].is_null());
    assert_eq!(peers.writes("db"), 1);
    let _controller = scene.restart(controller);
    peers.after("later");
    assert_eq!(scene.secret("db").unwrap(), after);
}

#[test]
fn back_to_the_peer_and_to_us_again_is_one_write_each() {
    let (peers, mut controller) = Peers::with_controller("back");
    let scene = &peers.scene;
    let object = peers.seal("db").item("a", "1").annotation(MARK, "x").commit();
    peers.until_ready("db");
    assert!(controller.terminate().success());
    // The peer writes its annotations and its owner reference over ours.
    let mut theirs = scene.secret("db").unwrap();
    theirs["metadata"]["annotations"] = json!({MARK: "x"});
    theirs["metadata"]["ownerReferences"] = json!([{
        "apiVersion": "bitnami.com/v1alpha1", "kind": "SealedSecret", "name": "db",
        "uid": object["metadata"]["uid"], "controller": true, "blockOwnerDeletion": true,
    }]);
    let path = format!("{}?fieldManager=controller", scene.secrets("db"));
    scene.api().replace(&path, &theirs).unwrap();
    let status = json!({"status": {"observedGeneration": 1, "conditions": [
        {"type": "Synced", "status": "True", "lastUpdateTime": "2026-01-01T00:00:00Z",
         "lastTransitionTime": "2026-01-01T00:00:00Z"},
    ]}});
    scene.api().merge(&format!("{}/status", peers.path("db")), &status).unwrap();
    let before = peers.writes("db");

    let _controller = scene.start(&[]);
    let object = peers.until_ready("db");
    let secret = scene.secret("db").unwrap();
    assert!(secret["metadata"]["annotations"].get(MARK).is_none());
    assert_eq!(secret["data"], theirs["data"]);
    assert_eq!(peers.writes("db") - before, 1);
    let types: Vec<_> =
        object["status"]["conditions"].as_array().unwrap().iter().map(|it| &it["type"]).collect();
    assert_eq!(types, ["Synced", "Ready"]);
}

#[test]
fn what_changed_while_nobody_was_there_is_written_and_what_is_gone_goes() {
    let peers = Peers::new("stale");
    let object = peers.seal("db").item("a", "new").commit();
    made_by_peer(&peers, &object, &json!({"a": "b2xk", "gone": "MQ=="}));
    // These fields aren't the peer's, so they stay.
    let mine = json!({"data": {"mine": "MQ=="}, "metadata": {"annotations": {"example.com/mine": "1"}}});
    peers.scene.api().merge(&peers.scene.secrets("db"), &mine).unwrap();
    let _controller = peers.scene.start(&[]);
    peers.until_ready("db");
    let data = peers.scene.data("db");
    assert_eq!((data.len(), &data["a"][..], &data["mine"][..]), (2, &b"new"[..], &b"1"[..]));
    let secret = peers.scene.secret("db").unwrap();
    assert_eq!(secret["metadata"]["annotations"]["example.com/mine"], "1");
}

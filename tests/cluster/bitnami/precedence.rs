//! One name in both groups: the native object makes the Secret, which is never deleted and keeps its UID on the way.

use seal_crds::Scope;
use seal_crds::keys::Identity;
use seal_crds::native::NamedRecipient;
use seal_tests::wait::{eventually, until};
use serde_json::{Value, json};

use super::scene::Peers;
use crate::cluster::scene::condition;

fn uid(object: &Value) -> &Value {
    &object["metadata"]["uid"]
}

/// The Secret, once both objects own it.
fn shared(peers: &Peers<'_>) -> Value {
    eventually("both own the Secret", || {
        let secret = peers.scene.secret("db").unwrap_or_default();
        let owners = secret["metadata"]["ownerReferences"].as_array().map_or(0, Vec::len);
        if owners == 2 { Ok(secret) } else { Err(secret["metadata"].clone()) }
    })
}

/// What the users of a Secret see of it, and the UID of the object that controls it.
fn use_and_controller(secret: &Value) -> (Value, Value, Value) {
    let owners = secret["metadata"]["ownerReferences"].as_array().cloned().unwrap_or_default();
    let controller = owners.into_iter().find(|owner| owner["controller"] == true).unwrap_or_default();
    (uid(secret).clone(), secret["data"].clone(), controller["uid"].clone())
}

/// Waits until the garbage collector has deleted something that was left to it after all earlier changes.
fn after_garbage_collection(peers: &Peers<'_>, marker: &str) {
    let scene = &peers.scene;
    scene.seal(marker).item("a", "1").commit();
    scene.until_ready(marker);
    scene.api().delete(&scene.sealed_secrets(marker)).unwrap();
    until("the garbage collector came by", || scene.secret(marker).is_none());
}

#[test]
fn a_native_object_takes_the_secret_and_the_other_steps_back_until_it_goes() {
    let (peers, controller) = Peers::with_controller("native");
    let scene = &peers.scene;
    peers.seal("db").item("a", "old").item("gone", "1").commit();
    peers.until_ready("db");
    let before = scene.secret("db").unwrap();

    let manifest = scene.seal("db").item("a", "new").manifest();
    scene.commit(&manifest).unwrap();
    let native = scene.until_ready("db");
    let message = peers.until_stalled("db", "Superseded");
    assert!(message.contains("sealing.dev"), "{message}");
    let taken = shared(&peers);
    assert_eq!(
        use_and_controller(&taken),
        (uid(&before).clone(), json!({"a": "bmV3"}), uid(&native).clone())
    );

    // Neither object disturbs the other, and a controller that starts with both does nothing at all.
    let controller = scene.restart(controller);
    let stalled = peers.sealed("db");
    scene.nudge("db");
    peers.after("later");
    assert_eq!((scene.secret("db").unwrap(), peers.sealed("db")), (taken.clone(), stalled));
    assert_eq!(controller.metric("seal_controller_secret_writes_total"), 1, "the later one's");

    // The end of the migration: the peer's object is deleted.
    scene.api().delete(&peers.path("db")).unwrap();
    after_garbage_collection(&peers, "much-later");
    assert_eq!(use_and_controller(&scene.secret("db").unwrap()), use_and_controller(&taken));

    // And back to the peer's object.
    peers.seal("db").item("a", "old").commit();
    peers.until_stalled("db", "Superseded");
    shared(&peers);
    scene.api().delete(&scene.sealed_secrets("db")).unwrap();
    let object = peers.until_ready("db");
    after_garbage_collection(&peers, "at-last");
    assert_eq!(
        use_and_controller(&scene.secret("db").unwrap()),
        (uid(&before).clone(), json!({"a": "b2xk"}), uid(&object).clone())
    );
}

/// As with a tool that deletes what is gone from Git before it creates what is new.
#[test]
fn an_orphaned_secret_outlives_its_object_and_belongs_to_the_native_one_that_comes() {
    let (peers, mut controller) = Peers::with_controller("orphan");
    let scene = &peers.scene;
    peers.seal("db").item("a", "old").item("gone", "1").commit();
    peers.until_ready("db");
    let before = scene.secret("db").unwrap();
    assert!(controller.terminate().success());

    let controller = scene.start(&["--orphan-bitnami-secrets"]);
    until("the Secret has no owner", || {
        scene.secret("db").unwrap()["metadata"].get("ownerReferences").is_none()
    });
    scene.api().delete(&peers.path("db")).unwrap();
    after_garbage_collection(&peers, "later");
    assert!(scene.secret("db").is_some());
    let native = scene.seal("db").item("a", "new").manifest();
    scene.commit(&native).unwrap();
    let native = scene.until_ready("db");
    let taken = scene.secret("db").unwrap();
    assert_eq!((uid(&taken), &taken["metadata"]["ownerReferences"][0]["uid"]), (uid(&before), uid(&native)));
    assert_eq!(scene.data("db"), [("a".to_owned(), b"new".to_vec())].into());
    drop(controller);
}

/// An object that kubeseal sealed cluster-wide and that was migrated as it is, under default flags.
#[test]
fn a_native_object_that_is_refused_leaves_the_secret_with_the_other_until_it_is_ready() {
    let (peers, mut controller) = Peers::with_controller("refused");
    let scene = &peers.scene;
    peers.seal("db").scope(Scope::ClusterWide).item("a", "same").commit();
    peers.until_ready("db");
    let before = scene.secret("db").unwrap();
    let manifest = scene.seal("db").scope(Scope::ClusterWide).item("a", "same").manifest();
    scene.commit(&manifest).unwrap();
    scene.until_stalled("db", "ScopeRefused");
    let says_why = || {
        let (status, reason, message) = condition(&peers.sealed("db"), "Ready");
        (status == "True" && reason == "InSync" && message.contains("can't take it over yet: ScopeRefused"))
            .then_some(())
    };
    until("the other says why it still makes the Secret", || says_why().is_some());
    assert_eq!(use_and_controller(&shared(&peers)), use_and_controller(&before));
    scene.api().merge(&scene.secrets("db"), &json!({"data": {"a": "eA=="}})).unwrap();
    until("the other heals it", || scene.data("db")["a"] == b"same");

    // A restart changes nothing.
    controller = scene.restart(controller);
    peers.after("later");
    assert_eq!(uid(&scene.secret("db").unwrap()), uid(&before));
    assert!(says_why().is_some());

    // Only the flag was missing.
    assert!(controller.terminate().success());
    let _controller = scene.start(&["--allowed-scopes=strict,namespace-wide,cluster-wide"]);
    let native = scene.until_ready("db");
    peers.until_stalled("db", "Superseded");
    let taken = shared(&peers);
    assert_eq!(
        use_and_controller(&taken),
        (uid(&before).clone(), before["data"].clone(), uid(&native).clone())
    );

    // README says to delete an object that is `Superseded`.
    scene.api().delete(&peers.path("db")).unwrap();
    after_garbage_collection(&peers, "much-later");
    assert_eq!(use_and_controller(&scene.secret("db").unwrap()), use_and_controller(&taken));
}

#[test]
fn a_native_object_that_fails_after_it_took_the_secret_over_keeps_it() {
    let (peers, controller) = Peers::with_controller("fails");
    let scene = &peers.scene;
    peers.seal("db").item("a", "old").commit();
    peers.until_ready("db");
    let good = scene.seal("db").item("a", "new").manifest();
    scene.commit(&good).unwrap();
    scene.until_ready("db");
    peers.until_stalled("db", "Superseded");
    let taken = shared(&peers);

    let elsewhere = NamedRecipient { recipient: Identity::generate().recipient().clone(), name: None };
    scene.commit(&scene.seal("db").item("a", "new").to(&elsewhere).manifest()).unwrap();
    scene.until_stalled("db", "NoMatchingKey");
    let _controller = scene.restart(controller);
    peers.after("later");
    peers.until_stalled("db", "Superseded");
    assert_eq!(scene.secret("db").unwrap(), taken, "neither takes it from the other");

    // Once the Secret is gone, one of the objects has to make it.
    scene.api().delete(&scene.secrets("db")).unwrap();
    until("the other makes it", || {
        scene.secret("db").is_some_and(|secret| secret["data"] == json!({"a": "b2xk"}))
    });
    peers.until_ready("db");
    scene.commit(&good).unwrap();
    scene.until_ready("db");
    peers.until_stalled("db", "Superseded");
    assert_eq!(scene.data("db"), [("a".to_owned(), b"new".to_vec())].into());
}

#[test]
fn a_native_object_for_another_cluster_never_takes_the_secret() {
    let (peers, _controller) = Peers::with_controller("elsewhere");
    let scene = &peers.scene;
    // The native object comes first, so there is no Secret to take over.
    let elsewhere = NamedRecipient { recipient: Identity::generate().recipient().clone(), name: None };
    let manifest = scene.seal("db").item("a", "new").to(&elsewhere).manifest();
    scene.commit(&manifest).unwrap();
    scene.until_stalled("db", "NoMatchingKey");
    peers.seal("db").item("a", "old").commit();
    let object = peers.until_ready("db");
    let secret = shared(&peers);
    assert_eq!(use_and_controller(&secret).2, *uid(&object));
    assert!(condition(&object, "Ready").2.contains("can't take it over yet: NoMatchingKey"));
    scene.api().delete(&scene.sealed_secrets("db")).unwrap();
    until("there is nothing more to say", || {
        condition(&peers.sealed("db"), "Ready").2 == "the Secret is what this SealedSecret says"
    });
    after_garbage_collection(&peers, "later");
    assert_eq!(use_and_controller(&scene.secret("db").unwrap()), use_and_controller(&secret));
}

/// As with a tool that prunes what Git no longer has, without a look at the other objects.
#[test]
fn an_object_that_is_deleted_before_it_was_superseded_leaves_the_secret_to_the_native_one() {
    let (peers, _controller) = Peers::with_controller("pruned");
    let scene = &peers.scene;
    peers.seal("db").item("a", "same").commit();
    peers.until_ready("db");
    let elsewhere = NamedRecipient { recipient: Identity::generate().recipient().clone(), name: None };
    scene.commit(&scene.seal("db").item("a", "same").to(&elsewhere).manifest()).unwrap();
    scene.until_stalled("db", "NoMatchingKey");
    let before = shared(&peers);
    scene.api().delete(&peers.path("db")).unwrap();
    after_garbage_collection(&peers, "later");
    let left = scene.secret("db").unwrap();
    assert_eq!((uid(&left), &left["data"]), (uid(&before), &before["data"]));
    assert_eq!(left["metadata"]["ownerReferences"].as_array().unwrap().len(), 1, "the native one's");

    scene.commit(&scene.seal("db").item("a", "same").manifest()).unwrap();
    let native = scene.until_ready("db");
    assert_eq!(
        use_and_controller(&scene.secret("db").unwrap()),
        (uid(&before).clone(), before["data"].clone(), uid(&native).clone())
    );
    scene.api().delete(&scene.sealed_secrets("db")).unwrap();
    until("the Secret goes with the last of both", || scene.secret("db").is_none());
}

#[test]
fn a_secret_that_outlives_its_object_is_never_owned_by_it_in_any_way() {
    let (peers, controller) = Peers::with_controller("outlives");
    let scene = &peers.scene;
    let skips = "sealedsecrets.bitnami.com/skip-set-owner-references";
    for name in ["db", "alone"] {
        peers.seal(name).item("a", "1").annotation(skips, "true").commit();
        peers.until_ready(name);
    }
    scene.commit(&scene.seal("db").item("a", "1").manifest()).unwrap();
    let native = scene.until_ready("db");
    peers.until_stalled("db", "Superseded");
    let owners = |name: &str| {
        let secret = scene.secret(name).unwrap();
        let owners = secret["metadata"]["ownerReferences"].as_array().cloned().unwrap_or_default();
        owners.into_iter().map(|owner| owner["uid"].clone()).collect::<Vec<_>>()
    };
    let _controller = scene.restart(controller);
    peers.after("later");
    assert_eq!(owners("db"), [uid(&native).clone()]);

    // An owner reference that an earlier version, or a person, has put there is removed.
    for (name, kept) in [("db", vec![uid(&native).clone()]), ("alone", vec![])] {
        let object = peers.sealed(name);
        let mut all = scene.secret(name).unwrap()["metadata"]["ownerReferences"].as_array().cloned();
        let all = all.get_or_insert_default();
        all.push(json!({"apiVersion": "bitnami.com/v1alpha1", "kind": "SealedSecret", "name": name,
            "uid": uid(&object), "blockOwnerDeletion": false}));
        scene.api().merge(&scene.secrets(name), &json!({"metadata": {"ownerReferences": all}})).unwrap();
        until("the reference goes", || owners(name) == kept);
    }
    scene.api().delete(&peers.path("alone")).unwrap();
    after_garbage_collection(&peers, "much-later");
    assert!(scene.secret("alone").is_some());
}

//! Every private half is lost, native and RSA, while a controller runs or before it starts: all objects of both groups say
//! so, and so does `/readyz`.
//!
//! The way back, from backups, is in [`super::recovery`]. Invariant: no Secret changes.

use seal_tests::wait::until;
use serde_json::Value;

use super::bitnami::scene::Peers;
use super::keys::FIRST;
use super::scene::{Scene, condition, items};

/// The Secret of the peer's key.
const RSA: &str = "sealed-secrets-key1";

/// Status, and reason, of Ready, and the status of `KeyMissing`.
fn said(object: &Value) -> [String; 3] {
    let (status, reason, _) = condition(object, "Ready");
    [status, reason, condition(object, "KeyMissing").0]
}

/// Deletes every private half; a restored native key may have got a newer one in its place.
fn lose_all(scene: &Scene<'_>) {
    let labelled = format!("{}?labelSelector=sealing.dev/sealing-key", scene.identities(""));
    for secret in items(&scene.api().get(&labelled).unwrap()) {
        scene.lose_key(secret["metadata"]["name"].as_str().unwrap());
    }
    scene.api().delete(&scene.identities(RSA)).unwrap();
}

/// The key's Secret as a backup has it.
fn saved(scene: &Scene<'_>, name: &str) -> Value {
    let mut secret = scene.api().get(&scene.identities(name)).unwrap();
    let fields = ["name", "labels", "annotations", "finalizers"];
    secret["metadata"] = fields.map(|field| (field, secret["metadata"][field].clone())).into_iter().collect();
    secret
}

#[test]
fn without_any_private_half_every_object_and_the_readiness_say_so_and_no_secret_changes() {
    let (peers, mut controller) = Peers::with_controller("lost-keys");
    let scene = &peers.scene;
    let (natives, bitnami) = (["db", "mail", "cache"], "peers");
    natives.iter().for_each(|name| drop(scene.seal(name).item("a", "1").commit()));
    peers.seal(bitnami).item("a", "1").commit();
    natives.iter().for_each(|name| drop(scene.until_ready(name)));
    peers.until_ready(bitnami);
    let secrets = || [natives[0], natives[1], natives[2], bitnami].map(|name| scene.secret(name).unwrap());
    let before = secrets();
    let keys = [FIRST, RSA].map(|name| saved(scene, name));
    let late = scene.seal("late").item("a", "1").manifest();
    let late_bitnami = peers.seal("late-peers").item("a", "1").manifest();

    for while_it_runs in [true, false] {
        if !while_it_runs {
            assert!(controller.terminate().success());
        }
        lose_all(scene);
        if while_it_runs {
            until("the keys are gone", || controller.log().contains(" keys=0 rsa_keys=0"));
            // Otherwise they say so after half a minute.
            natives.iter().for_each(|name| drop(scene.nudge(name)));
            scene.nudge_at(&peers.path(bitnami));
        } else {
            controller = scene.launch(&[]);
        }
        let is_missing = |object: &Value| said(object) == ["True", "KeyMissing", "True"];
        for name in natives {
            until("it says so", || is_missing(&scene.sealed(name)));
        }
        until("the object of sealed-secrets says so", || is_missing(&peers.sealed(bitnami)));
        scene.commit(&late).unwrap();
        scene.until_stalled("late", "NoMatchingKey");
        peers.commit(&late_bitnami);
        peers.until_stalled("late-peers", "NoMatchingKey");
        until("the readiness says so", || {
            let page = controller.http("/readyz");
            page.is_some_and(|(status, page)| status == 503 && page.contains("its private half is missing"))
        });
        assert_eq!(secrets(), before);

        let [native, rsa] = &keys;
        scene.api().create(&scene.identities(""), native).unwrap();
        scene.until_ready("late");
        for name in natives {
            until("it is back", || said(&scene.sealed(name)) == ["True", "InSync", ""]);
        }
        let other = scene.nudge_at(&peers.path(bitnami));
        assert!(is_missing(&other), "a native key is none of its own: {:?}", said(&other));
        scene.api().create(&scene.identities(""), rsa).unwrap();
        peers.until_ready("late-peers");
        until("it is back, too", || said(&peers.sealed(bitnami)) == ["True", "InSync", ""]);
        scene.api().delete(&scene.sealed_secrets("late")).unwrap();
        scene.api().delete(&peers.path("late-peers")).unwrap();
        until("they are gone", || ["late", "late-peers"].iter().all(|name| scene.secret(name).is_none()));
        assert_eq!(secrets(), before);
    }
}

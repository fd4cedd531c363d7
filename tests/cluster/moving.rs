//! A cluster moves to another one: for a while the old one also seals to the new one's key.
//!
//! Both are on one API server here, each with namespaces and a controller of its own, and one file serves both because it
//! is sealed for every namespace. Invariant: no private half leaves the namespace of the controller that made it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use seal_crds::keys::{Identity, Pins, Recipient, backup};
use seal_crds::native::target;
use seal_crds::{Scope, keys};
use seal_tests::wait::{eventually, until};
use serde_json::{Value, json};

use super::keys::{FIRST, until_primary};
use super::renewal::{published_backup, recipients_file};
use super::scene::{Scene, condition, items};
use crate::end_to_end::seal;
use crate::sandbox::Sandbox;

/// Lets the controllers open what is sealed for every namespace.
const SCOPES: &str = "--allowed-scopes=cluster-wide";

/// The file with the envelope that the controller offers to exactly these recipients.
#[track_caller]
fn offered(scene: &Scene, file: &Value, to: &[&Recipient]) -> Value {
    let target = target(to.iter().map(|recipient| recipient.fingerprint()));
    let rewrap = eventually("an offer to all of them", || {
        let rewrap = scene.sealed("db")["status"]["rewrap"].clone();
        if rewrap["target"] == target { Ok(rewrap) } else { Err(scene.sealed("db")["status"].clone()) }
    });
    let mut file = file.clone();
    file["metadata"] = json!({"name": "db"});
    file["spec"]["envelopes"] = json!([rewrap["envelope"]]);
    file
}

/// The private half of a scene's first key.
fn identity(scene: &Scene) -> Identity {
    let secret = scene.api().get(&scene.identities(FIRST)).unwrap();
    let text = BASE64.decode(secret["data"]["identity"].as_str().unwrap()).unwrap();
    keys::parse_identities(text).unwrap().remove(0)
}

#[test]
fn a_repository_moves_to_another_cluster_by_offers_and_no_private_half_moves() {
    let (old, new) = (Scene::new("moving-from"), Scene::new("moving-to"));
    let mut new_controller = new.start(&[SCOPES]);
    let recovery = Identity::generate();
    let flag = |scene: &Scene, flag: &str, recipients: &[&Recipient]| {
        format!("--{flag}={}", recipients_file(scene, flag, recipients).display())
    };
    let backed_up = flag(&old, "recovery-recipients", &[recovery.recipient()]);
    let mut controller = old.start(&[SCOPES, &backed_up]);
    for scene in [&old, &new] {
        until_primary(scene, FIRST);
    }
    let [from, to] = [&old, &new].map(|scene| scene.recipient().recipient);
    let file = old.seal("db").scope(Scope::ClusterWide).item("a", "1").commit();
    old.until_ready("db");
    let before = old.secret("db").unwrap();

    // The old cluster seals to the new one's key, too, and tells people to.
    assert!(controller.terminate().success());
    let _controller = old.start(&[SCOPES, &backed_up, &flag(&old, "extra-recipients", &[&to])]);
    let all = [&from, recovery.recipient(), &to];
    let both = offered(&old, &file, &all);
    old.commit(&both).unwrap();
    old.until_ready("db");
    assert_eq!(
        old.secret("db").unwrap()["metadata"]["resourceVersion"],
        before["metadata"]["resourceVersion"]
    );
    let sandbox = Sandbox::new();
    until("people are told", || {
        let fetch = ["keys", "fetch", "-o", "moving.pub"];
        assert_eq!(seal(&sandbox, &old, old.plane.kubeconfig(), &fetch, b"").code, 0);
        let pins = Pins::parse(&String::from_utf8(sandbox.read("moving.pub")).unwrap()).unwrap();
        pins.recipients().iter().eq(all)
    });

    // The new cluster opens the same file, and leaves it alone until it is told that the old one's keys are its own.
    new.commit(&both).unwrap();
    let object = new.until_ready("db");
    assert_eq!(object["status"]["openedBy"], json!([to.fingerprint().to_string()]));
    assert_eq!(new.data("db"), old.data("db"));
    let moved = new.secret("db").unwrap();
    until("it is left alone", || condition(&new.sealed("db"), "RewrapOffered").1 == "ForeignRecipients");
    let (_, _, message) = condition(&new.sealed("db"), "RewrapOffered");
    for stranger in [&from, recovery.recipient()] {
        assert!(message.contains(&stranger.fingerprint().short()), "{message}");
    }
    assert!(new_controller.terminate().success());
    let former = flag(&new, "former-recipients", &[&from, recovery.recipient()]);
    let _new_controller = new.start(&[SCOPES, &former]);
    let own = offered(&new, &both, &[&to]);
    new.commit(&own).unwrap();
    until("it needs its own key alone", || {
        new.until_ready("db")["status"]["usage"]["only"] == json!([to.fingerprint().to_string()])
    });
    assert_eq!(
        new.secret("db").unwrap()["metadata"]["resourceVersion"],
        moved["metadata"]["resourceVersion"]
    );

    // No private half has moved.
    let backup = published_backup(&old, &from.fingerprint());
    assert!(backup::open(backup.as_bytes(), std::iter::once(identity(&new).as_age())).is_err());
    assert!(backup::open(backup.as_bytes(), std::iter::once(recovery.as_age())).is_ok());
    let held = format!("{}?labelSelector=sealing.dev/sealing-key", new.identities(""));
    assert_eq!(items(&new.api().get(&held).unwrap()).len(), 1);
    assert_eq!(identity(&new).fingerprint(), to.fingerprint());
}

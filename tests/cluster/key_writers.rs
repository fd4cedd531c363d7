//! A user who may write SealingKeys, but neither their status nor Secrets, can't choose the recipient that others
//! seal to.
//!
//! Such a right is easily given away: to a GitOps tool, or with a role for "everything in sealing.dev".
//! Invariant: a user with this right alone never makes others seal to a key of the user, or to an older key again.

use seal_crds::keys::{Identity, parse_recipients};
use seal_tests::api::Api;
use seal_tests::wait::{eventually, until};
use serde_json::{Value, json};

use super::keys::{FIRST, hold_up_renewals, planted, until_primary, until_said};
use super::scene::{Scene, condition, items};
use crate::end_to_end::{publish, seal, somebody};
use crate::sandbox::{CANARY, Run, Sandbox};

/// The API as a user with every right over SealingKeys in the controller's namespace, and no other right.
pub(super) fn writer(scene: &Scene) -> Api {
    let kubeconfig = scene.plane.service_account(&scene.keys, "key-writer");
    let rbac = format!("/apis/rbac.authorization.k8s.io/v1/namespaces/{}", scene.keys);
    let role = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": "key-writer"},
        "rules": [{"apiGroups": ["sealing.dev"], "resources": ["sealingkeys"], "verbs": ["*"]}],
    });
    let binding = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {"name": "key-writer"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "key-writer"},
        "subjects": [{"kind": "ServiceAccount", "name": "key-writer", "namespace": scene.keys}],
    });
    scene.api().create(&format!("{rbac}/roles"), &role).unwrap();
    scene.api().create(&format!("{rbac}/rolebindings"), &binding).unwrap();
    let writer = Api::new(&kubeconfig);
    let last = format!("{}?limit=1", scene.sealing_keys(""));
    until("the role is in force", || writer.create(&last, &json!({})).err().map(|no| no.code) != Some(403));
    writer
}

/// Sets the state in the SealingKey's spec, which asks for a change.
pub(super) fn ask(writer: &Api, scene: &Scene, name: &str, state: &str) {
    writer.merge(&scene.sealing_keys(name), &json!({"spec": {"state": state}})).unwrap();
}

/// Every command that takes its recipients from a cluster, run by a user without rights of their own.
struct Sealers<'s> {
    scene: &'s Scene<'static>,
    sandbox: Sandbox,
    user: std::path::PathBuf,
}

impl<'s> Sealers<'s> {
    fn new(scene: &'s Scene<'static>) -> Self {
        publish(scene);
        let sandbox = Sandbox::new();
        let secret = json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "db", "namespace": scene.namespace},
            "stringData": {"password": CANARY},
        });
        sandbox.write("secret.yaml", secret.to_string());
        Self { scene, sandbox, user: somebody(&scene.keys) }
    }

    fn run(&self) -> [Run; 3] {
        [
            &["keys", "fetch"][..],
            &["secret.yaml"],
            &["create", "db", "-n", &self.scene.namespace, "--literal", "username=app"],
        ]
        .map(|args| seal(&self.sandbox, self.scene, &self.user, args, b""))
    }

    /// Checks that all of them seal to this recipient.
    #[track_caller]
    fn seal_to(&self, recipient: &str) {
        let [fetched, sealed, created] = self.run();
        for run in [&fetched, &sealed, &created] {
            assert_eq!(run.code, 0, "{}", run.stderr);
        }
        let recipients = parse_recipients(std::str::from_utf8(&fetched.stdout).unwrap()).unwrap();
        assert_eq!(recipients.iter().map(|it| it.as_str()).collect::<Vec<_>>(), [recipient]);
        let expected = recipients[0].fingerprint().to_string();
        for run in [sealed, created] {
            let manifest: Value = serde_yaml::from_slice(&run.stdout).unwrap();
            let sealed_to = &manifest["spec"]["envelopes"][0]["recipients"];
            assert_eq!(sealed_to.as_array().unwrap().len(), 1);
            assert_eq!(sealed_to[0]["fingerprint"], expected);
        }
    }

    /// Checks that none of them seals, and that each prints this message and what to do.
    #[track_caller]
    fn refuse(&self, said: &str) {
        for run in self.run() {
            assert_eq!((run.code, run.stdout), (3, Vec::new()), "{}", run.stderr);
            assert!(run.stderr.contains(said) && run.stderr.contains("\nhint: "), "{}", run.stderr);
        }
    }
}

#[test]
fn people_seal_to_the_controllers_key_whatever_a_writer_of_sealing_keys_does() {
    let (scene, _controller) = Scene::with_controller("writers");
    let recipient = scene.recipient().recipient;
    let writer = writer(&scene);
    let sealers = Sealers::new(&scene);
    sealers.seal_to(recipient.as_str());

    // The writer adds a newer Active key of their own.
    let mallory = Identity::generate();
    let mut newer = planted("sealing-key-2", &mallory, 2);
    newer["status"] = json!({
        "fingerprint": mallory.fingerprint().to_string(), "state": "Active",
        "conditions": [{"type": "Primary", "status": "True", "reason": "NewestActive", "message": "",
                        "lastTransitionTime": "2026-01-01T00:00:00Z"}],
    });
    writer.create(&scene.sealing_keys(""), &newer).unwrap();
    sealers.seal_to(recipient.as_str());
    let planted = until_said(&scene, "sealing-key-2", |key| key["status"]["state"] == "Planted");
    assert_eq!(condition(&planted, "Stalled").1, "Planted");
    until_primary(&scene, FIRST);
    sealers.seal_to(recipient.as_str());

    // The writer can't write the controller's status, nor put another recipient under the real key's name.
    let claim = json!({"status": newer["status"]});
    let refused =
        writer.merge(&format!("{}/status", scene.sealing_keys("sealing-key-2")), &claim).unwrap_err();
    assert_eq!(refused.code, 403);
    writer.delete(&scene.sealing_keys(FIRST)).unwrap();
    let stolen = super::keys::planted(FIRST, &mallory, 1);
    until("the name is theirs", || {
        let _ = writer.delete(&scene.sealing_keys(FIRST));
        writer.create(&scene.sealing_keys(""), &stolen).is_ok()
    });
    let second_name = format!("sealing-key-{}", recipient.fingerprint().short());
    until_said(&scene, &second_name, |key| condition(key, "Primary").0 == "True");
    sealers.seal_to(recipient.as_str());

    // The writer sets the real key to retire: the controller's own next key takes its place, although the name that it
    // would have is the writer's.
    ask(&writer, &scene, &second_name, "Retiring");
    let next = eventually("the next key is the primary", || {
        let keys = scene.api().get(&scene.sealing_keys("")).unwrap();
        let primary = items(&keys).iter().find(|key| condition(key, "Primary").0 == "True");
        let next = primary.map(|key| key["spec"]["recipient"].as_str().unwrap().to_owned());
        next.filter(|next| next != recipient.as_str()).ok_or(keys)
    });
    assert_ne!(next, mallory.recipient().as_str());
    sealers.seal_to(&next);
}

#[test]
fn a_key_that_was_planted_before_the_first_start_is_not_taken_for_the_controllers() {
    let scene = Scene::new("before");
    let mallory = Identity::generate();
    for (name, sequence) in [(FIRST, 1), ("sealing-key-2", 2)] {
        scene.api().create(&scene.sealing_keys(""), &planted(name, &mallory, sequence)).unwrap();
    }
    let sealers = Sealers::new(&scene);
    sealers.refuse("hasn't said yet which sealing key is its own");

    let _controller = scene.start(&[]);
    let recipient = scene.recipient();
    assert_ne!(recipient.recipient.fingerprint(), mallory.fingerprint());
    sealers.seal_to(recipient.recipient.as_str());
    for name in [FIRST, "sealing-key-2"] {
        until_said(&scene, name, |key| key["status"]["state"] == "Planted");
    }
    scene.seal("db").item("a", "1").commit();
    scene.until_ready("db");
}

/// Plants a SealingKey so large that a status doesn't fit into it.
fn plant_a_full_one(scene: &Scene, name: &str) {
    let mut full = planted(name, &Identity::generate(), 9);
    let label = |i| (format!("{i:0>60}"), json!("x".repeat(60)));
    let mut create = |labels: usize| {
        full["metadata"]["labels"] = (0..labels).map(label).collect::<serde_json::Map<_, _>>().into();
        scene.api().create(&scene.sealing_keys(""), &full)
    };
    let (mut fits, mut is_refused) = (100, 15_000);
    while is_refused - fits > 1 {
        let labels = usize::midpoint(fits, is_refused);
        match create(labels) {
            Ok(_) => {
                scene.api().delete(&scene.sealing_keys(name)).unwrap();
                fits = labels;
            }
            Err(_) => is_refused = labels,
        }
    }
    create(fits).unwrap();
}

#[test]
fn a_sealing_key_whose_status_cannot_be_written_holds_up_nothing() {
    let scene = Scene::new("full");
    plant_a_full_one(&scene, "a-full-one");
    let controller = scene.start(&[]);
    until_primary(&scene, FIRST);
    until("it is said which one can't be written", || {
        controller.log().contains("while writing the status of SealingKey a-full-one")
    });
    scene.seal("db").item("a", "1").commit();
    scene.until_ready("db");

    // The controller still updates the primary's status, here to say that it is no longer the primary.
    ask(&writer(&scene), &scene, FIRST, "Revoked");
    until_said(&scene, FIRST, |key| {
        condition(key, "Primary").0 == "False" && key["status"]["state"] == "Revoked"
    });
}

#[test]
fn more_planted_sealing_keys_than_are_looked_at_hide_none_that_counts() {
    let scene = Scene::new("crowd");
    let mallory = Identity::generate();
    // The API server lists the name of the first key after this crowd.
    for name in (0..300).map(|i| format!("a-{i}")).chain([FIRST.to_owned()]) {
        scene.api().create(&scene.sealing_keys(""), &planted(&name, &mallory, 9)).unwrap();
    }
    let controller = scene.start(&[]);
    let recipient = scene.recipient().recipient;
    assert_ne!(recipient.fingerprint(), mallory.fingerprint());
    until_primary(&scene, &format!("sealing-key-{}", recipient.fingerprint().short()));
    let said = "there are more than 256 SealingKeys that this controller didn't write";
    assert_eq!(controller.log().matches(said).count(), 1, "{}", controller.log());
    scene.seal("db").item("a", "1").commit();
    scene.until_ready("db");
    // In the end, all keys that the controller looks at are said to be planted.
    until("256 are said to be planted", || {
        let keys = scene.api().get(&scene.sealing_keys("")).unwrap();
        items(&keys).iter().filter(|key| key["status"]["state"] == "Planted").count() == 257
    });
}

#[test]
fn when_the_key_is_revoked_nobody_seals_and_everybody_is_told_what_to_do() {
    let (scene, mut controller) = Scene::with_controller("revoked");
    let recipient = scene.recipient();
    let sealers = Sealers::new(&scene);
    // The commands refuse the key even if the controller hasn't seen the change.
    assert!(controller.terminate().success());
    ask(scene.api(), &scene, FIRST, "Revoked");
    sealers.refuse("sealing-key-first is revoked");

    hold_up_renewals(&scene);
    let controller = scene.launch(&[]);
    until_said(&scene, FIRST, |key| key["status"]["state"] == "Revoked");
    sealers.refuse("seals to no key now: sealing-key-first is revoked");
    let key = until_said(&scene, FIRST, |key| condition(key, "RenewalDue").0 == "True");
    assert_eq!(condition(&key, "Primary").0, "False");
    let said = "Secrets are sealed to no key: the newest is sealing-key-first, and it is revoked; no older key takes its place; \
                no newer key is made, because a Secret is of a later version: update the controller";
    until("readiness says it", || {
        controller.http("/readyz").is_some_and(|(status, text)| status == 503 && text == format!("{said}\n"))
    });
    assert!(controller.log().contains(said), "{}", controller.log());
    // Sealed objects still open: a revocation doesn't undo the leak, and without the values services would stop.
    scene.seal("db").item("a", "1").to(&recipient).commit();
    scene.until_ready("db");
    // As soon as nothing is in the way, there is a newer key.
    scene.api().delete(&scene.identities("of-a-later-version")).unwrap();
    until_primary(&scene, "sealing-key-2");
    until("it is ready again", || controller.http("/readyz").map(|(status, _)| status) == Some(200));
    let keys = scene.api().get(&scene.sealing_keys("sealing-key-2")).unwrap();
    sealers.seal_to(keys["spec"]["recipient"].as_str().unwrap());
}

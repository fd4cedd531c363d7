//! What people do to sealing keys with `seal keys …`, on a real API server.
//!
//! Most tests play the controller themselves, and write the statuses that it writes: so a test decides what the controller
//! has said so far ([`Stage`]). Some have a real controller. Invariant: the users of these tests have no right to read a
//! Secret of the controller's namespace beyond what their command needs.

mod deletion;
mod revocation;
mod states;

use std::process::Command;

use seal_crds::keys::{Identity, Pins};
use seal_crds::native::source;
use seal_crds::resources::Envelope;
use seal_tests::control_plane::ControlPlane;
use serde_json::{Value, json};

use super::keys::{FIRST, identity_secret, planted, recipient_of};
use super::scene::Scene;
use crate::end_to_end::seal;
use crate::sandbox::{CANARY, Run, Sandbox, run};

/// The finalizer by which the controller holds up the deletion of a key.
const KEY_IN_USE: &str = "sealing.dev/key-in-use";

/// The name of the first key's successor.
const SECOND: &str = "sealing-key-2";

/// A scene in which the test plays the controller, and an administrator types.
struct Stage<'p> {
    scene: Scene<'p>,
    sandbox: Sandbox,
}

impl Stage<'static> {
    fn new(prefix: &str) -> Self {
        Self::at(Scene::new(prefix))
    }
}

impl<'p> Stage<'p> {
    fn at(scene: Scene<'p>) -> Self {
        Self { scene, sandbox: Sandbox::new() }
    }

    /// On a control plane of the test's own, with the namespaces and roles that are shipped.
    fn alone(plane: &'p ControlPlane) -> Self {
        plane.deploy();
        Self::at(Scene::on(plane, plane.namespace("apps"), "seal-system".to_owned()))
    }

    /// Publishes the first key, as the primary.
    fn first(&self) -> Identity {
        let first = Identity::generate();
        self.publish(FIRST, &first, 1);
        self.say(FIRST, &first, "Active", true);
        first
    }

    /// Publishes the first key and its successor, which is the primary.
    fn renewed(&self) -> [Identity; 2] {
        let [first, second] = [(); 2].map(|()| Identity::generate());
        self.publish(FIRST, &first, 1);
        self.say(FIRST, &first, "Retiring", false);
        self.publish(SECOND, &second, 2);
        self.say(SECOND, &second, "Active", true);
        [first, second]
    }

    /// Creates the Secret that holds a key, with these finalizers.
    fn hold(&self, secret: &str, identity: &Identity, finalizers: &[&str]) {
        let mut secret = identity_secret(secret, identity, 1);
        secret["metadata"]["finalizers"] = json!(finalizers);
        self.scene.api().create(&self.scene.identities(""), &secret).unwrap();
    }

    /// Publishes a key in the place of the controller.
    fn publish(&self, name: &str, identity: &Identity, sequence: u32) {
        self.scene.api().create(&self.scene.sealing_keys(""), &planted(name, identity, sequence)).unwrap();
    }

    /// Says the state of a key in the place of the controller.
    fn say(&self, name: &str, identity: &Identity, state: &str, is_primary: bool) {
        let status = if is_primary { "True" } else { "False" };
        let status = json!({"status": {
            "fingerprint": identity.fingerprint().to_string(), "state": state, "floor": "Active",
            "conditions": [{
                "type": "Primary", "status": status, "reason": "Said", "message": "said by a test",
                "lastTransitionTime": "2026-02-03T04:05:06Z",
            }],
        }});
        self.scene.api().merge(&format!("{}/status", self.scene.sealing_keys(name)), &status).unwrap();
    }

    fn key(&self, name: &str) -> Value {
        self.scene.api().get(&self.scene.sealing_keys(name)).unwrap()
    }

    /// Runs `seal` as the administrator.
    fn run(&self, args: &[&str]) -> Run {
        seal(&self.sandbox, &self.scene, self.scene.plane.kubeconfig(), args, b"")
    }

    #[track_caller]
    fn done(&self, args: &[&str]) -> Run {
        let run = self.run(args);
        assert_eq!(run.code, 0, "{args:?}: {}", run.stderr);
        run
    }

    fn pins(&self, file: &str) -> Pins {
        Pins::parse(&String::from_utf8(self.sandbox.read(file)).unwrap()).unwrap()
    }

    /// Commits a SealedSecret to a key, with the status that a controller gives it.
    fn commit(&self, name: &str, identity: &Identity, status: &Value) {
        let manifest = self.scene.seal(name).item("password", CANARY).to(&recipient_of(identity)).commit();
        self.write(&format!("{name}.json"), manifest);
        let sealed = self.scene.sealed(name);
        let mut status = json!({ "status": status });
        status["status"]["observedGeneration"] = sealed["metadata"]["generation"].clone();
        if status["status"]["usage"].is_object() {
            let envelopes: Vec<Envelope> =
                serde_json::from_value(sealed["spec"]["envelopes"].clone()).unwrap();
            status["status"]["usage"]["source"] = json!(source(&envelopes));
        }
        self.scene.api().merge(&format!("{}/status", self.scene.sealed_secrets(name)), &status).unwrap();
    }

    /// Writes a manifest with its namespace into the work tree.
    fn write(&self, file: &str, mut manifest: Value) {
        manifest["metadata"]["namespace"] = json!(self.scene.namespace);
        self.sandbox.write(file, manifest.to_string());
    }

    fn git(&self, args: &[&str]) {
        git(&self.sandbox, args);
    }
}

fn git(sandbox: &Sandbox, args: &[&str]) {
    let mut git = Command::new("git");
    sandbox.confine(&mut git);
    git.args(["-c", "user.name=x", "-c", "user.email=x@example.com"]).args(args);
    let run = run(&mut git, b"");
    assert_eq!(run.code, 0, "{args:?}: {}", run.stderr);
}

/// What a controller says of an object that needs these keys.
fn needs(only: &[&Identity]) -> Value {
    let only: Vec<String> = only.iter().map(|identity| identity.fingerprint().to_string()).collect();
    json!({"openedBy": only, "usage": {"keyring": "0".repeat(64), "only": only}})
}

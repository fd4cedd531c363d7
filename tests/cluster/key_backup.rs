//! The backup of a sealing key by hand, and the way back into a cluster: README's own two commands, run.
//!
//! Invariants: a restored key opens what was sealed to it, and is never the primary by itself; no command that
//! README tells people to run prints a private half.

use std::fs;
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use seal_tests::control_plane::ControlPlane;
use seal_tests::toolchain;
use seal_tests::wait::until;

use super::keys::{FIRST, until_primary, until_said};
use super::scene::{Scene, condition, items};
use crate::sandbox::{Run, Sandbox, run};

/// An operator who types README's commands in a directory.
struct Operator<'s> {
    scene: &'s Scene<'static>,
    sandbox: Sandbox,
}

impl<'s> Operator<'s> {
    fn new(scene: &'s Scene<'static>) -> Self {
        Self { scene, sandbox: Sandbox::new() }
    }

    /// Runs README's command that contains this text, on the namespaces of the scene.
    fn follow(&self, part: &str) -> Run {
        let readme = fs::read_to_string(toolchain::repository().join("README.md")).unwrap();
        let mut commands =
            readme.lines().filter_map(|line| line.strip_prefix("$ ")).filter(|it| it.contains(part));
        let command = commands.next().unwrap_or_else(|| panic!("README has no command with {part}"));
        self.bash(
            &command.replace("seal-system", &self.scene.keys).replace("--context prod", "--context test"),
        )
    }

    fn bash(&self, command: &str) -> Run {
        let mut bash = Command::new("bash");
        bash.args(["-o", "pipefail", "-c", command]);
        self.sandbox.confine(&mut bash);
        let kubectl = toolchain::bin("kubectl");
        let bin = self.sandbox.path("bin");
        if !bin.exists() {
            fs::create_dir(&bin).unwrap();
            std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_test-seal"), bin.join("seal")).unwrap();
        }
        bash.env("PATH", format!("{}:{}:/usr/bin:/bin", bin.display(), kubectl.parent().unwrap().display()));
        bash.env("SEAL_CONTROLLER_NAMESPACE", &self.scene.keys);
        run(bash.env("KUBECONFIG", ControlPlane::shared().kubeconfig()), b"")
    }

    /// Saves the keys beside the pins, and returns the private half of the first, in base64.
    fn back_up(&self) -> String {
        let fetched = self.bash("mkdir -p keys && seal keys fetch --context test -o keys/prod.pub");
        assert_eq!(fetched.code, 0, "{}", fetched.stderr);
        let saved = self.follow("> seal-keys.yaml");
        assert_eq!((saved.code, saved.stderr.as_str(), saved.stdout.len()), (0, "", 0));
        let secret = self.scene.api().get(&self.scene.identities(FIRST)).unwrap();
        secret["data"]["identity"].as_str().unwrap().to_owned()
    }

    /// Restores the keys, and returns the name of the Secret.
    fn restore(&self) -> String {
        let restored = self.follow("seal keys restore");
        let said = String::from_utf8(restored.stdout).unwrap();
        assert_eq!(restored.code, 0, "{}", restored.stderr);
        let name = said.strip_prefix("seal-keys.yaml: sealing-key-first: restored as ").unwrap();
        name.strip_suffix(", sequence 1, Retiring\n").unwrap().to_owned()
    }
}

/// Empties the controller's namespace of keys, like that of a rebuilt cluster.
fn rebuild(scene: &Scene) {
    scene.lose_key(FIRST);
    for list in [scene.identities(""), scene.sealing_keys("")] {
        scene.api().delete(&list).unwrap();
        until("they are gone", || items(&scene.api().get(&list).unwrap()).is_empty());
    }
}

#[test]
fn in_a_rebuilt_cluster_the_restored_key_opens_and_the_new_one_is_sealed_to() {
    for before_the_start in [false, true] {
        let (scene, mut controller) = Scene::with_controller("rebuilt");
        let operator = Operator::new(&scene);
        scene.seal("db").item("a", "1").commit();
        let opened_by = scene.until_ready("db")["status"]["openedBy"].clone();
        let private = operator.back_up();
        assert!(controller.terminate().success());
        rebuild(&scene);
        scene.api().delete(&scene.sealed_secrets("db")).unwrap();

        let mut controller = None;
        let restored = if before_the_start {
            operator.restore()
        } else {
            controller = Some(scene.start(&[]));
            until_primary(&scene, FIRST);
            // A restore under the old name meets the new key's Secret, and the error shows nobody the content.
            let refused = operator.bash("kubectl create -f seal-keys.yaml");
            assert!(refused.code != 0 && !refused.stderr.contains(&private), "{}", refused.stderr);
            operator.restore()
        };
        let controller = controller.unwrap_or_else(|| scene.start(&[]));
        let primary = if before_the_start { "sealing-key-2" } else { FIRST };
        until_primary(&scene, primary);
        until_said(&scene, &restored, |key| key["status"]["state"] == "Retiring");
        scene.seal("db").item("a", "1").commit();
        assert_eq!(scene.until_ready("db")["status"]["openedBy"], opened_by);
        assert!(!controller.log().contains(&private));
    }
}

#[test]
fn a_key_that_was_deleted_by_mistake_opens_on_and_is_held_by_its_copy_when_it_is_restored() {
    let (scene, _controller) = Scene::with_controller("mistake");
    until_primary(&scene, FIRST);
    let operator = Operator::new(&scene);
    let private = operator.back_up();
    // This shows why README says not to apply the file.
    scene
        .api()
        .merge(&scene.identities(FIRST), &serde_json::json!({"metadata": {"labels": {"moved": "on"}}}))
        .unwrap();
    let applied = operator.bash("kubectl apply -f seal-keys.yaml");
    assert!(applied.code != 0 && applied.stderr.contains(&private), "{}", applied.stderr);

    let recipient = scene.recipient();
    scene.api().delete(&scene.identities(FIRST)).unwrap();
    until_said(&scene, FIRST, |key| key["status"]["state"] == "Deleting");
    until_primary(&scene, "sealing-key-2");
    operator.restore();
    let key = until_said(&scene, FIRST, |key| key["status"]["state"] == "Retiring");
    assert_eq!(condition(&key, "Stalled").0, "");
    scene.seal("db").item("a", "1").to(&recipient).commit();
    scene.until_ready("db");
}

#[test]
fn the_backup_opens_things_offline_and_on_a_host() {
    let (scene, _controller) = Scene::with_controller("offline");
    let operator = Operator::new(&scene);
    let mut manifest = scene.seal("db").item("a", "1").manifest();
    manifest["metadata"]["namespace"] = scene.namespace.as_str().into();
    operator.back_up();
    operator.sandbox.write("db.yaml", manifest.to_string());
    let opened = operator.sandbox.succeed(["unseal", "-i", "seal-keys.yaml", "db.yaml"], b"");
    let secret: serde_json::Value = serde_yaml::from_slice(&opened).unwrap();
    assert!(secret["data"]["a"] == BASE64.encode("1") || secret["stringData"]["a"] == "1", "{secret}");

    operator.sandbox.write("manifests/db.yaml", manifest.to_string());
    let host = "host --manifests manifests --secrets secrets --identity seal-keys.yaml --once";
    let program = toolchain::own("test-seal-controller");
    let ran = operator.bash(&format!("{} {host}", program.display()));
    assert_eq!(ran.code, 0, "{}{}", String::from_utf8_lossy(&ran.stdout), ran.stderr);
    assert_eq!(operator.sandbox.read(format!("secrets/{}/db/a", scene.namespace)), b"1");
}

//! Another server-side applier of one of our fields: the controller reports it and doesn't fight.

use seal_tests::control_plane::{ControlPlane, succeed_with};
use serde_json::{Value, json};

use super::scene::Scene;

/// Runs `kubectl apply --server-side --force-conflicts` on a Secret with these values.
fn apply(scene: &Scene, data: &Value) {
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "db"}, "data": data});
    let namespace = format!("--namespace={}", scene.namespace);
    let args =
        ["apply", "--server-side", "--force-conflicts", "--field-manager=other", &namespace, "-f", "-"];
    succeed_with(&mut ControlPlane::shared().kubectl(args), &secret.to_string());
}

#[test]
fn another_applier_of_a_field_is_a_conflict_until_it_gives_it_up() {
    let (scene, _controller) = Scene::with_controller("conflict");
    scene.seal("db").item("user", "app").item("password", "right").commit();
    scene.until_ready("db");

    apply(&scene, &json!({"password": "b3RoZXI="}));
    let message = scene.until_stalled("db", "FieldConflict");
    assert!(
        message.contains("\"other\"") && message.contains(&format!("{}/db", scene.namespace)),
        "{message}"
    );
    let theirs = scene.secret("db").unwrap();
    assert_eq!(theirs["data"]["password"], "b3RoZXI=");

    // The controller doesn't fight, however often it looks at the object.
    for _ in 0..3 {
        scene.nudge("db");
    }
    assert_eq!(scene.secret("db").unwrap(), theirs);

    apply(&scene, &json!({"theirs": "MQ=="}));
    scene.until_ready("db");
    let data = scene.data("db");
    assert_eq!((&data["password"], &data["theirs"]), (&b"right".to_vec(), &b"1".to_vec()));
}

#[test]
fn an_applier_of_other_fields_is_no_conflict() {
    let (scene, controller) = Scene::with_controller("neighbour");
    scene.seal("db").item("password", "right").commit();
    scene.until_ready("db");
    apply(&scene, &json!({"theirs": "MQ=="}));
    scene.nudge("db");
    scene.until_ready("db");
    assert_eq!(scene.data("db")["theirs"], b"1");
    assert_eq!(controller.metric("seal_controller_secret_writes_total"), 1);
}

//! A namespace that is deleted while the controller works in it, and made again.

use seal_tests::wait::eventually;
use serde_json::json;

use super::applied::Applied;
use crate::cluster::scene::{ACCOUNT, Scene};

#[test]
fn a_namespace_that_is_being_deleted_goes_and_the_next_of_its_name_is_served() {
    let (scene, controller) = Scene::with_controller("terminating");
    let mut applied = Applied::to(&scene);
    let names: Vec<String> = (0..30).map(|n| format!("db-{n}")).collect();
    names.iter().for_each(|name| applied.seal(name, "1"));
    applied.until_it_is_so();
    let namespace = format!("/api/v1/namespaces/{}", scene.namespace);
    let binding = format!(
        "/apis/rbac.authorization.k8s.io/v1/namespaces/{}/rolebindings/{ACCOUNT}-clusterrole",
        scene.namespace
    );
    let mut bound = scene.api().get(&binding).unwrap();
    scene.api().delete(&namespace).unwrap();
    // Each deletion of a Secret is drift to the controller, until it hears that the object goes too.
    eventually("the namespace is gone", || match scene.api().get(&namespace) {
        Some(namespace) => Err(namespace["status"].clone()),
        None => Ok(()),
    });

    let made = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": scene.namespace}});
    scene.api().create("/api/v1/namespaces", &made).unwrap();
    bound["metadata"] = json!({"name": format!("{ACCOUNT}-clusterrole")});
    scene.api().create(binding.rsplit_once('/').unwrap().0, &bound).unwrap();
    let mut applied = Applied::to(&scene);
    names.iter().take(10).for_each(|name| applied.seal(name, "2"));
    applied.until_it_is_so();
    assert_eq!(controller.http("/readyz").map(|(status, _)| status), Some(200));
}

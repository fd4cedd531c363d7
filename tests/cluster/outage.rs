//! An API server that can't be reached for a while: the controller waits for it, and catches up.

use std::fs;

use seal_tests::proxy::Proxy;
use seal_tests::wait::until;
use serde_json::{Value, json};

use super::scene::Scene;

/// How many connections must fail before the watches and the keys have met the outage.
const ATTEMPTS: usize = 4;

/// Puts a proxy between the scene's controllers and the API server.
pub(super) fn wire(scene: &mut Scene<'_>) -> Proxy {
    let mut kubeconfig: Value = serde_json::from_slice(&fs::read(&scene.kubeconfig).unwrap()).unwrap();
    let server = &mut kubeconfig["clusters"][0]["cluster"]["server"];
    let address = server.as_str().unwrap().trim_start_matches("https://").parse().unwrap();
    let proxy = Proxy::to(address).unwrap();
    *server = json!(format!("https://{}", proxy.address()));
    fs::write(&scene.kubeconfig, kubeconfig.to_string()).unwrap();
    proxy
}

#[test]
fn what_happens_during_an_outage_is_caught_up_with_after_it() {
    let mut scene = Scene::new("outage");
    let proxy = wire(&mut scene);
    let controller = scene.start(&[]);
    for name in ["drifted", "deleted", "changed"] {
        scene.seal(name).item("a", "1").commit();
        scene.until_ready(name);
    }

    proxy.cut();
    scene.api().merge(&scene.secrets("drifted"), &json!({"data": {"a": "Mg=="}})).unwrap();
    scene.api().delete(&scene.secrets("deleted")).unwrap();
    scene.seal("changed").item("b", "1").commit();
    scene.seal("new").item("a", "1").commit();
    until("the controller tries again", || proxy.refused() >= ATTEMPTS);
    assert_eq!(
        controller.http("/healthz").map(|(status, _)| status),
        Some(200),
        "an outage is no reason to be restarted"
    );
    assert_eq!(scene.secret("new"), None);
    proxy.mend();

    scene.until_ready("new");
    scene.until_ready("changed");
    assert_eq!(scene.data("changed").into_keys().collect::<Vec<_>>(), ["b"]);
    until("drift is healed", || scene.data("drifted").get("a").is_some_and(|value| value == b"1"));
    until("a deletion is undone", || scene.secret("deleted").is_some());
}

#[test]
fn a_controller_that_starts_during_an_outage_waits_for_its_end() {
    let mut scene = Scene::new("dark");
    let proxy = wire(&mut scene);
    proxy.cut();
    let controller = scene.launch(&[]);
    until("the controller tries again", || proxy.refused() >= ATTEMPTS);
    assert_eq!(controller.http("/healthz").map(|(status, _)| status), Some(200));
    assert_eq!(controller.http("/readyz").map(|(status, _)| status), Some(503));
    proxy.mend();
    let mut controller = controller.ready();
    scene.seal("db").item("a", "1").commit();
    scene.until_ready("db");

    // An outage doesn't keep the controller from ending.
    proxy.cut();
    assert_eq!(controller.terminate().code(), Some(0));
}

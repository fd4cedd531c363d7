//! An API server that can't be reached for a while: the controller waits for it, says that it isn't ready, and catches up.
//!
//! How soon, the benchmark measures. Here an outage of 40 s would keep kube's own watcher away for longer than a test waits.

use std::fs;
use std::thread;
use std::time::Duration;

use seal_tests::control_plane::{ControlPlane, definitions};
use seal_tests::controller::Controller;

use seal_tests::proxy::Proxy;
use seal_tests::wait::until;
use serde_json::{Value, json};

use super::faults::applied::Applied;
use super::scene::{ACCOUNT, Scene};

/// How many connections must fail before the watches and the keys have met the outage.
const ATTEMPTS: usize = 4;

/// Puts a proxy between the scene's controllers and the API server.
pub(super) fn wire(scene: &mut Scene<'_>) -> Proxy {
    let mut kubeconfig: Value = serde_json::from_slice(&fs::read(&scene.kubeconfig).unwrap()).unwrap();
    let server = &mut kubeconfig["clusters"][0]["cluster"]["server"];
    let (scheme, address) = server.as_str().unwrap().split_once("://").unwrap();
    let proxy = Proxy::to(address.parse().unwrap()).unwrap();
    *server = json!(format!("{scheme}://{}", proxy.address()));
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

/// The API server is killed, and comes back without the history that the watches would go on from; or it answers, and etcd
/// doesn't.
#[test]
fn after_an_outage_of_any_length_all_is_as_it_was_applied_and_meanwhile_no_replica_is_ready() {
    let plane = ControlPlane::start(&definitions()).unwrap();
    plane.deploy();
    let mut scene = Scene::on(&plane, plane.namespace("away"), "seal-system".to_owned());
    let proxy = wire(&mut scene);
    let replicas = [scene.launch(&[]), scene.launch(&[])].map(Controller::ready);
    let mut applied = Applied::to(&scene);
    let is_said = |replica: &Controller| {
        let page = replica.http("/readyz");
        page.is_some_and(|(code, why)| code == 503 && why.contains("no contact with the API server for"))
    };
    for seconds in [8, 40] {
        applied.begin();
        plane.stop_api_server();
        proxy.cut();
        thread::sleep(Duration::from_secs(seconds));
        if seconds > 10 {
            until("no replica is ready", || replicas.iter().all(is_said));
            assert!(replicas.iter().all(|it| it.http("/healthz").is_some_and(|(code, _)| code == 200)));
        }
        plane.start_api_server();
        applied.change(&format!("{seconds}"));
        proxy.mend();
        // Sooner than the other differences have to be gone.
        until("the deletion is undone", || scene.secret("deleted").is_some());
        applied.until_it_is_so();
        until("both are ready", || {
            replicas.iter().all(|it| it.http("/readyz") == Some((200, "ok\n".to_owned())))
        });
    }

    applied.begin();
    plane.pause_etcd();
    until("no replica is ready", || replicas.iter().all(is_said));
    thread::scope(|scope| {
        // The first change waits in the API server, and is the first that etcd does.
        let changing = scope.spawn(|| applied.change("paused"));
        thread::sleep(Duration::from_secs(1));
        assert!(!changing.is_finished(), "etcd does nothing");
        plane.resume_etcd();
    });
    until("the deletion is undone", || scene.secret("deleted").is_some());
    applied.until_it_is_so();
    until("one leads", || replicas.iter().filter(|it| it.is_leader()).count() == 1);
}

/// As when a node or a route is gone: nobody closes the connections, and nothing comes through them any more.
#[test]
fn a_replica_whose_connections_are_dead_keeps_up_again_as_soon_as_new_ones_work() {
    let mut scene = Scene::new("dead");
    let direct = fs::read(&scene.kubeconfig).unwrap();
    let proxy = wire(&mut scene);
    let one = scene.start(&[]);
    fs::write(&scene.kubeconfig, direct).unwrap();
    let mut other = scene.start(&[]);
    scene.seal("before").item("a", "1").commit();
    scene.until_ready("before");

    proxy.silence();
    until("the other one leads", || other.is_leader() && !one.is_leader());
    assert_eq!(one.http("/healthz").map(|(status, _)| status), Some(200));
    until("it says why", || one.http("/readyz").is_some_and(|(_, why)| why.contains("no contact")));
    scene.seal("meanwhile").item("a", "1").commit();
    scene.until_ready("meanwhile");
    proxy.mend();
    until("it is ready", || one.http("/readyz") == Some((200, "ok\n".to_owned())));
    assert!(other.terminate().success());
    until("it leads", || one.is_leader());
    scene.api().delete(&scene.secrets("before")).unwrap();
    until("it has seen the deletion", || scene.secret("before").is_some());
    until("it was one write more", || one.metric("seal_controller_secret_writes_total") == 2);
}

/// The token of a service account ends, and the kubelet has written another one into the file.
#[test]
fn a_token_that_ends_is_followed_by_the_next_one_of_the_file() {
    let scene = Scene::new("token");
    let file = scene.plane.dir().join(format!("{}.token", scene.keys));
    // A token ends with the object that it is bound to.
    let token = |secret: &str| {
        let path = scene.identities("");
        let object = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": secret}});
        let bound = scene.api().create(&path, &object).unwrap();
        let request = json!({
            "apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest",
            "spec": {"expirationSeconds": 3600, "boundObjectRef": {
                "apiVersion": "v1", "kind": "Secret", "name": secret, "uid": bound["metadata"]["uid"],
            }},
        });
        let path = format!("/api/v1/namespaces/{}/serviceaccounts/{ACCOUNT}/token", scene.keys);
        let token = scene.api().create(&path, &request).unwrap();
        token["status"]["token"].as_str().unwrap().to_owned()
    };
    fs::write(&file, token("first")).unwrap();
    let mut kubeconfig: Value = serde_json::from_slice(&fs::read(&scene.kubeconfig).unwrap()).unwrap();
    kubeconfig["users"][0]["user"] = json!({"tokenFile": file});
    fs::write(&scene.kubeconfig, kubeconfig.to_string()).unwrap();
    let controller = scene.start(&[]);
    scene.seal("before").item("a", "1").commit();
    scene.until_ready("before");

    scene.api().delete(&scene.identities("first")).unwrap();
    until("it says why", || {
        controller.http("/readyz").is_some_and(|(_, why)| why.contains("the API server forbids"))
    });
    fs::write(&file, token("second")).unwrap();
    scene.seal("after").item("a", "1").commit();
    scene.until_ready("after");
    until("it is ready", || controller.http("/readyz") == Some((200, "ok\n".to_owned())));
}

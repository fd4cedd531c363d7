//! The controller as a process: its pages, requests to look again, and its end.

use std::process::Command;
use std::time::{Duration, Instant};

use seal_tests::toolchain;
use seal_tests::wait::until;
use serde_json::json;

use super::scene::{Scene, condition};
use crate::sandbox::{Sandbox, run};

#[test]
fn it_answers_whether_it_lives_whether_it_is_ready_and_what_it_counted() {
    let (scene, controller) = Scene::with_controller("pages");
    scene.seal("db").item("a", "1").commit();
    scene.until_ready("db");
    assert_eq!(controller.http("/healthz"), Some((200, "ok\n".to_owned())));
    assert_eq!(controller.http("/readyz"), Some((200, "ok\n".to_owned())));
    assert_eq!(controller.http("/").map(|(status, _)| status), Some(404));
    let (status, page) = controller.http("/metrics").unwrap();
    assert!(status == 200 && page.ends_with("# EOF\n"), "{page}");
    assert_eq!(controller.metric("seal_controller_secret_writes_total"), 1);
}

/// A write that is held, and so certainly under way, is the subject of [`super::faults`].
#[test]
fn sigterm_during_work_ends_it_promptly_and_what_it_began_is_whole() {
    let (scene, mut controller) = Scene::with_controller("sigterm");
    let names: Vec<String> = (0..30).map(|n| format!("db-{n}")).collect();
    let manifests: Vec<_> =
        names.iter().map(|name| scene.seal(name).item("a", "1").item("b", "2").manifest()).collect();
    for manifest in &manifests {
        scene.commit(manifest).unwrap();
    }
    let asked = Instant::now();
    let status = controller.terminate();
    assert_eq!(status.code(), Some(0));
    assert!(asked.elapsed() < Duration::from_secs(10), "{:?}", asked.elapsed());
    assert_eq!(controller.http("/readyz"), None);
    for name in &names {
        // A Secret that is there has its status, too, though no other controller runs.
        let is_ready = condition(&scene.sealed(name), "Ready").0 == "True";
        assert!(matches!((scene.data(name).len(), is_ready), (0, false) | (2, true)), "{name} is half done");
    }
    // The next controller continues from there.
    let _next = scene.start(&[]);
    for name in &names {
        scene.until_ready(name);
    }
}

/// A signal to end may come at any moment of a start.
#[test]
fn sigterm_during_the_start_ends_it_too() {
    let (scene, _controller) = Scene::with_controller("early");
    for _ in 0..6 {
        let mut early = scene.launch(&[]);
        assert_eq!(early.terminate().code(), Some(0));
        let mut ready = scene.start(&[]);
        assert_eq!(ready.terminate().code(), Some(0));
    }
}

#[test]
fn a_request_to_look_is_echoed_also_when_nothing_is_to_be_done() {
    let (scene, controller) = Scene::with_controller("echo");
    scene.seal("good").item("a", "1").commit();
    let before = scene.until_ready("good");
    let controller = scene.restart(controller);
    let after = scene.nudge("good");
    assert_eq!(before["status"]["conditions"], after["status"]["conditions"]);
    scene.nudge("good");
    assert_eq!(controller.metric("seal_controller_secret_writes_total"), 0);
    assert_eq!(controller.metric("seal_controller_unseals_total"), 0);

    scene.seal("moved").item("a", "1").found_as("bad").commit();
    scene.until_stalled("bad", "WrongPlace");
    let transition =
        |object: serde_json::Value| object["status"]["conditions"][0]["lastTransitionTime"].clone();
    assert_eq!(transition(scene.sealed("bad")), transition(scene.nudge("bad")));
    let log = controller.log();
    let refusals = log.lines().filter(|line| line.contains("refused") && line.contains("WrongPlace"));
    assert_eq!(refusals.count(), 1, "said once, however often it is looked at");
}

/// People without Flux have an annotation of ours. An object that failed is tried at once, whatever its backoff.
#[test]
fn a_request_by_hand_is_answered_in_a_field_of_its_own_and_a_failed_object_is_tried_at_once() {
    let (scene, _controller) = Scene::with_controller("by-hand");
    let request = |name: &str, at: &str| {
        let patch = json!({"metadata": {"annotations": {"sealing.dev/reconcile-requested-at": at}}});
        scene.api().merge(&scene.sealed_secrets(name), &patch).unwrap();
        until("the request is answered", || scene.sealed(name)["status"]["lastHandledRequestAt"] == at);
    };
    scene.seal("good").item("a", "1").commit();
    scene.until_ready("good");
    request("good", "1");
    request("good", "2");
    assert_eq!(scene.nudge("good")["status"]["lastHandledRequestAt"], "2");

    scene.seal("moved").item("a", "1").found_as("bad").commit();
    scene.until_stalled("bad", "WrongPlace");
    request("bad", "1");
    assert_eq!(condition(&scene.sealed("bad"), "Stalled").1, "WrongPlace");
    // The longest text that is repeated, of characters that aren't bytes.
    let long = "é".repeat(5000);
    let patch = json!({"metadata": {"annotations": {"sealing.dev/reconcile-requested-at": long}}});
    scene.api().merge(&scene.sealed_secrets("good"), &patch).unwrap();
    until("the answer is cut", || scene.sealed("good")["status"]["lastHandledRequestAt"] == "é".repeat(253));
}

#[test]
fn what_is_published_is_what_the_flags_say() {
    let scene = Scene::new("recovery");
    let recovery = seal_crds::keys::Identity::generate().recipient().clone();
    let file = scene.kubeconfig.with_extension("recovery");
    std::fs::write(&file, format!("# offline\n{}\n", recovery.as_str())).unwrap();
    let _controller = scene.start(&[&format!("--recovery-recipients={}", file.display())]);
    until("the primary names the recovery recipients", || {
        let key = scene.api().get(&scene.sealing_keys("sealing-key-first")).unwrap();
        key["status"]["recoveryRecipients"] == json!([recovery.as_str()])
    });
    // An object sealed to both recipients opens with the identity in the cluster.
    let both = seal_crds::native::NamedRecipient { recipient: recovery, name: Some("recovery".into()) };
    scene.seal("db").item("a", "1").to(&scene.recipient()).to(&both).commit();
    let object = scene.until_ready("db");
    assert_eq!(object["status"]["openedBy"].as_array().unwrap().len(), 1);
    assert_eq!(condition(&object, "Ready").1, "InSync");
}

#[test]
fn recipients_that_nothing_could_be_sealed_to_stop_the_start_with_the_flag() {
    let sandbox = Sandbox::new();
    sandbox.write("classic", "age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj\n");
    for flag in ["recovery-recipients", "extra-recipients"] {
        let mut controller = Command::new(toolchain::own("test-seal-controller"));
        sandbox.confine(&mut controller);
        let refused = run(controller.args(["run", &format!("--{flag}=classic")]), b"");
        assert_eq!(refused.code, 2, "{}", refused.stderr);
        assert!(refused.stderr.contains(&format!("--{flag}: recipient 6a804773982840fa isn't post-quantum")));
    }
}

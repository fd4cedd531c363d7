//! Somebody else who writes the same objects all the time: requests meet conflicts (409).
//!
//! Invariant: by the audit log, at least one did.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use super::applied::Applied;
use crate::cluster::scene::Scene;

const OBJECTS: usize = 6;
const ROUNDS: usize = 3;
/// The rounds in which a conflict must have come.
const MOST_ROUNDS: usize = 20;

/// How many writes of the controller the API server refused because somebody else was quicker.
fn conflicts(scene: &Scene<'_>) -> usize {
    let is_conflict = |request: &Value| {
        let resource = &request["objectRef"]["resource"];
        request["responseStatus"]["code"] == 409
            && (resource == "sealedsecrets" || resource == "secrets")
            && (request["verb"] == "update" || request["verb"] == "patch")
    };
    scene.requests().iter().filter(|request| is_conflict(request)).count()
}

/// Turns true at the end of a test that fails, too: otherwise the other thread would go on for ever.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

#[test]
fn somebody_who_writes_the_same_objects_all_the_time_delays_and_harms_nothing() {
    let (scene, _controller) = Scene::with_controller("writers");
    let mut applied = Applied::to(&scene);
    (0..OBJECTS).for_each(|n| applied.seal(&format!("db-{n}"), "0"));
    applied.until_it_is_so();
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let _over = Over(&is_over);
        // Labels of others are theirs, so nothing is to be healed; but every version is outdated at once.
        scope.spawn(|| {
            for turn in 0.. {
                if is_over.load(Ordering::SeqCst) {
                    break;
                }
                let label = json!({"metadata": {"labels": {"turn": format!("{turn}")}}});
                for n in 0..OBJECTS {
                    let name = format!("db-{n}");
                    let _ = scene.api().merge(&scene.sealed_secrets(&name), &label);
                    let _ = scene.api().merge(&scene.secrets(&name), &label);
                }
                thread::sleep(Duration::from_millis(10));
            }
        });
        for round in 1.. {
            for n in 0..OBJECTS {
                applied.seal(&format!("db-{n}"), &format!("{round}"));
                let _ = scene
                    .api()
                    .merge(&scene.secrets(&format!("db-{n}")), &json!({"data": {"a": "ZHJpZnQ="}}));
            }
            applied.until_it_is_so();
            if round >= ROUNDS && (conflicts(&scene) > 0 || round == MOST_ROUNDS) {
                break;
            }
        }
    });
    applied.until_it_is_so();
    assert!(conflicts(&scene) > 0, "no write met a conflict");
}

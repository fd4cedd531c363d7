//! Somebody else who writes the same objects all the time: requests meet conflicts (409).

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::json;

use super::applied::Applied;
use crate::cluster::scene::Scene;

const OBJECTS: usize = 6;

#[test]
fn somebody_who_writes_the_same_objects_all_the_time_delays_and_harms_nothing() {
    let (scene, _controller) = Scene::with_controller("writers");
    let mut applied = Applied::to(&scene);
    (0..OBJECTS).for_each(|n| applied.seal(&format!("db-{n}"), "0"));
    applied.until_it_is_so();
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
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
        for round in 1..4 {
            for n in 0..OBJECTS {
                applied.seal(&format!("db-{n}"), &format!("{round}"));
                let _ = scene
                    .api()
                    .merge(&scene.secrets(&format!("db-{n}")), &json!({"data": {"a": "ZHJpZnQ="}}));
            }
            applied.until_it_is_so();
        }
        is_over.store(true, Ordering::SeqCst);
    });
    applied.until_it_is_so();
}

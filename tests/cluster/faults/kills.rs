//! Leaders that are killed (SIGKILL) in the middle of their work, with another replica beside them.
//!
//! Invariant: the moments are random, and the same in every run.

use std::thread;
use std::time::{Duration, Instant};

use seal_random::Random;
use seal_tests::controller::Controller;
use seal_tests::wait::eventually;
use serde_json::json;

use super::applied::Applied;
use crate::cluster::scene::Scene;

const KILLS: usize = 10;
/// The changes between two kills.
const CHANGES: usize = 12;
const NAMES: usize = 40;

#[test]
fn ten_leaders_that_are_killed_at_any_moment_lose_nothing_and_leave_nothing() {
    let scene = Scene::new("kills");
    let mut random = Random(13);
    let mut replicas = vec![scene.start(&[]), scene.start(&[])];
    let mut applied = Applied::to(&scene);
    for round in 0..KILLS {
        for n in 0..CHANGES {
            change(&mut applied, &scene, &mut random, NAMES, &format!("{round}-{n}"));
        }
        thread::sleep(Duration::from_millis(random.below(400) as u64));
        kill_the_leader(&scene, &mut replicas);
    }
    applied.until_it_is_so();
    assert!(applied.names().len() > NAMES / 4, "{:?}", applied.names());
}

/// Kills the leader of two replicas, as soon as one leads, and starts another replica in its place. Returns the time of the
/// kill.
pub(super) fn kill_the_leader(scene: &Scene<'_>, replicas: &mut Vec<Controller>) -> Instant {
    let leader =
        eventually("a replica leads", || replicas.iter().position(Controller::is_leader).ok_or("none does"));
    // Dropping it kills it.
    drop(replicas.remove(leader));
    let killed = Instant::now();
    replicas.push(scene.launch(&[]));
    killed
}

/// Creates, changes or deletes an object, or changes or deletes a Secret behind the controller's back.
pub(super) fn change(
    applied: &mut Applied<'_>,
    scene: &Scene<'_>,
    random: &mut Random,
    limit: usize,
    value: &str,
) {
    let names = applied.names();
    let any = |random: &mut Random| names.get(random.below(names.len().max(1))).cloned();
    match (random.below(8), any(random)) {
        (0, Some(name)) => applied.delete(&name),
        // The Secret may not be there yet.
        (1, Some(name)) => drop(scene.api().delete(&scene.secrets(&name))),
        (2, Some(name)) => {
            let drift = json!({"data": {"a": "ZHJpZnQ=", "more": "ZHJpZnQ="}});
            drop(scene.api().merge(&scene.secrets(&name), &drift));
            // Items of others stay. They would be another state than the one that was applied.
            drop(scene.api().merge(&scene.secrets(&name), &json!({"data": {"more": null}})));
        }
        _ => applied.seal(&format!("db-{}", random.below(limit)), value),
    }
}

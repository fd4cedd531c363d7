//! Leaders that are killed (SIGKILL) in the middle of their work, with another replica beside them.
//!
//! Invariants: what is drawn comes from a seed, which a test that fails shows; each leader is killed at a moment of its term,
//! and some are in the middle of their work.

use std::thread;
use std::time::{Duration, Instant};

use seal_random::Random;
use seal_tests::controller::Controller;
use seal_tests::wait::eventually;
use serde_json::json;

use super::applied::Applied;
use crate::cluster::scene::Scene;

const SEED: u64 = 13;
const KILLS: usize = 10;
/// The changes of a round: some before its kill, and the others while nobody leads.
const CHANGES: usize = 12;
/// The longest time from a change to the kill, in milliseconds: an object takes about as long.
const LONGEST: usize = 60;
const NAMES: usize = 40;

#[test]
fn ten_leaders_that_are_killed_at_any_moment_lose_nothing_and_leave_nothing() {
    let scene = Scene::new("kills");
    let mut random = Random(SEED);
    let mut replicas = vec![scene.start(&[]), scene.start(&[])];
    let mut applied = Applied::to(&scene);
    let mut in_the_middle = 0;
    for round in 0..KILLS {
        let leader = leader_of(&replicas);
        let written = |replica: &Controller| replica.metric("seal_controller_secret_writes_total");
        let before = written(&replicas[leader]);
        let (last, pause) = (random.below(CHANGES), random.below(LONGEST));
        for n in 0..CHANGES {
            change(&mut applied, &scene, &mut random, NAMES, &format!("{round}-{n}"));
            if n == last {
                thread::sleep(Duration::from_millis(pause as u64));
                let wrote = written(&replicas[leader]) - before;
                kill_the_leader(&scene, &mut replicas);
                let left = applied.differences().len();
                eprintln!(
                    "seed {SEED}, round {round}: killed {pause} ms after change {n}; {wrote} Secrets were written, \
                     and {left} differences left"
                );
                in_the_middle += usize::from(wrote > 0 && left > 0);
            }
        }
    }
    applied.until_it_is_so();
    assert!(in_the_middle > 0, "each was killed before it did anything, or after it had done all");
    assert!(applied.names().len() > NAMES / 4, "{:?}", applied.names());
}

/// Kills the leader of two replicas, as soon as one leads, and starts another replica in its place. Returns the time of the
/// kill.
pub(super) fn kill_the_leader(scene: &Scene<'_>, replicas: &mut Vec<Controller>) -> Instant {
    // Dropping it kills it.
    drop(replicas.remove(leader_of(replicas)));
    let killed = Instant::now();
    replicas.push(scene.launch(&[]));
    killed
}

/// Which of the replicas leads, as soon as one does.
fn leader_of(replicas: &[Controller]) -> usize {
    eventually("a replica leads", || replicas.iter().position(Controller::is_leader).ok_or("none does"))
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

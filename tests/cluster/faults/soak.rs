//! Churn and faults for a long time, and a report: nothing is lost, and memory, threads and files don't grow.
//!
//! `make soak` runs it for `SEAL_SOAK_MINUTES` (15 by default); without that variable, as in `make test`, it is a
//! small version of less than a minute. Two pairs of replicas run side by side, each in namespaces of its own: one whose
//! leaders are killed again and again, and one that lives through the whole run, with an outage in the middle.
//! Invariant: what happens is drawn from a seed (`SEAL_SOAK_SEED`), and every draw is bounded.

use std::fmt::Write as _;
use std::thread;
use std::time::{Duration, Instant};

use seal_crds::native::NamedRecipient;
use seal_random::Random;
use seal_tests::controller::{Controller, Usage};
use seal_tests::wait::{eventually, until};
use serde_json::json;

use super::applied::Applied;
use super::kills::{change, kill_the_leader};
use crate::cluster::outage::wire;
use crate::cluster::scene::{Scene, condition, items};

/// How long, and how much, a run is.
#[derive(Clone, Copy)]
struct Plan {
    seed: u64,
    time: Duration,
    kills: usize,
    outage: Duration,
    names: usize,
    renewals: u32,
}

impl Plan {
    fn from_env() -> Self {
        let number = |name: &str| {
            let text = std::env::var(name).ok()?;
            Some(text.parse::<u64>().unwrap_or_else(|_| panic!("{name} is a number")))
        };
        let seed = number("SEAL_SOAK_SEED").unwrap_or(15);
        match number("SEAL_SOAK_MINUTES") {
            None => Self {
                seed,
                time: Duration::from_secs(12),
                kills: 1,
                outage: Duration::from_secs(3),
                names: 20,
                renewals: 1,
            },
            // 50 kills and 150 s in 15 minutes.
            Some(minutes) => Self {
                seed,
                time: Duration::from_secs(60 * minutes),
                kills: usize::try_from(minutes * 50 / 15).expect("minutes, not eternities").max(1),
                outage: Duration::from_secs((10 * minutes).min(150)),
                names: 200,
                // Of 8 keys that are less than a day old, none is renewed.
                renewals: 6,
            },
        }
    }
}

#[test]
fn churn_and_faults_for_a_long_time_lose_nothing_and_leak_nothing() {
    let plan = Plan::from_env();
    let (churned, killed) = thread::scope(|scope| {
        let churned = scope.spawn(move || churn(plan));
        let killed = scope.spawn(move || kills(plan));
        (churned.join(), killed.join())
    });
    let mut report = format!("soak: seed {}, {} s\n", plan.seed, plan.time.as_secs());
    for part in [churned, killed] {
        match part {
            Ok(part) => report += &part,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }
    // libtest shows it with --nocapture, which `make soak` asks for.
    eprint!("{report}");
}

/// Kills leaders while objects change.
fn kills(plan: Plan) -> String {
    let scene = Scene::new("soak-kills");
    let (mut random, begin) = (Random(plan.seed), Instant::now());
    let mut replicas = vec![scene.start(&[]), scene.start(&[])];
    let mut applied = Applied::to(&scene);
    let mut changes = 0;
    for round in 0..plan.kills {
        for n in 0..=random.below(plan.names) {
            change(&mut applied, &scene, &mut random, plan.names, &format!("{round}-{n}"));
            changes += 1;
        }
        thread::sleep(Duration::from_millis(random.below(1000) as u64));
        kill_the_leader(&scene, &mut replicas);
    }
    applied.until_it_is_so();
    let took = begin.elapsed().as_secs();
    format!("kills: {} leaders killed in {took} s, {changes} changes, all as applied\n", plan.kills)
}

/// Changes everything all the time, with an outage in the middle, over one pair of replicas.
fn churn(plan: Plan) -> String {
    let mut scene = Scene::new("soak-churn");
    let proxy = wire(&mut scene);
    let mut random = Random(plan.seed + 1);
    let replicas = [scene.start(&[]), scene.start(&[])];
    until("one leads", || replicas.iter().any(Controller::is_leader));
    let mut applied = Applied::to(&scene);
    let mut changes = 0;
    let mut churn = |applied: &mut Applied<'_>, time: Duration, samples: &mut Vec<Sample>| {
        let (begin, mut renewals) = (Instant::now(), 0);
        while begin.elapsed() < time {
            for _ in 0..10 {
                change(applied, &scene, &mut random, plan.names, &format!("{changes}"));
                changes += 1;
            }
            if renewals < plan.renewals / 2 && begin.elapsed() > time / (plan.renewals + 1) * (renewals + 1) {
                renew(&scene, applied);
                renewals += 1;
            }
            samples.push(Sample::of(&replicas));
            thread::sleep(Duration::from_millis(200));
        }
    };
    let (mut before, mut after) = (Vec::new(), Vec::new());
    let half = plan.time.saturating_sub(plan.outage) / 2;
    churn(&mut applied, half, &mut before);
    applied.until_it_is_so();
    until_at_rest(&replicas);
    let first = Sample::of(&replicas);

    proxy.cut();
    thread::sleep(plan.outage);
    applied.seal("in-the-dark", "1");
    proxy.mend();
    let mended = Instant::now();
    applied.until_it_is_so();
    let back = mended.elapsed();

    churn(&mut applied, half, &mut after);
    applied.until_it_is_so();
    until_at_rest(&replicas);
    let last = Sample::of(&replicas);
    assert_flat(&before, &after, &first, &last);
    let mut report = format!(
        "churn: {changes} changes, {} objects at the end, an outage of {} s (all as applied {:.1} s after it)\n",
        applied.names().len(),
        plan.outage.as_secs(),
        back.as_secs_f64()
    );
    let samples: Vec<&Sample> = before.iter().chain(&after).collect();
    for sample in samples.iter().step_by(samples.len().div_ceil(12)).copied().chain([&last]) {
        let _ = writeln!(report, "  {sample}");
    }
    report
}

/// Asks for a newer key, and seals something to it.
fn renew(scene: &Scene<'_>, applied: &mut Applied<'_>) {
    let primary = || {
        let keys = scene.api().get(&scene.sealing_keys("")).unwrap_or_default();
        let primary = items(&keys).iter().find(|key| condition(key, "Primary").0 == "True").cloned();
        primary.ok_or("there is no primary")
    };
    let old = eventually("a primary", primary);
    let name = old["metadata"]["name"].as_str().unwrap();
    scene.api().merge(&scene.sealing_keys(name), &json!({"spec": {"state": "Retiring"}})).unwrap();
    let new = eventually("a newer key is the primary", || match primary() {
        Ok(key) if key["metadata"]["name"] != name => Ok(key),
        _ => Err("the old one still is"),
    });
    let recipient = new["spec"]["recipient"].as_str().unwrap().parse().unwrap();
    let renewed = format!("renewed-{}", new["metadata"]["name"].as_str().unwrap());
    let sealing = scene.seal(&renewed).item("a", "1").to(&NamedRecipient { recipient, name: None });
    applied.commit(&renewed, &sealing.manifest(), "1");
}

/// Waits until the controllers have nothing more to do: nothing is looked at between two looks of ours.
fn until_at_rest(replicas: &[Controller; 2]) {
    let looked = || {
        let all = replicas
            .iter()
            .map(|replica| replica.metric(r#"seal_controller_reconciles_total{result="ok",reason=""}"#));
        all.sum::<u64>()
    };
    until("the controllers are at rest", || {
        let before = looked();
        thread::sleep(Duration::from_secs(2));
        looked() == before
    });
}

/// What the two replicas use, the larger of each.
#[derive(Clone, Copy, Debug)]
struct Sample(Usage);

impl Sample {
    fn of(replicas: &[Controller; 2]) -> Self {
        let [one, other] = [replicas[0].usage(), replicas[1].usage()];
        Self(Usage {
            memory: one.memory.max(other.memory),
            threads: one.threads.max(other.threads),
            files: one.files.max(other.files),
        })
    }
}

impl std::fmt::Display for Sample {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Usage { memory, threads, files } = self.0;
        write!(f, "memory {memory} KiB, {threads} threads, {files} files")
    }
}

/// `first` and `last` are of moments of rest. The bounds are wide: what leaks by the object, the request or the outage
/// goes through them within minutes. Connections and threads of the runtime's pool come and go.
fn assert_flat(before: &[Sample], after: &[Sample], first: &Sample, last: &Sample) {
    let most = |samples: &[Sample]| {
        samples.iter().map(|sample| sample.0.memory).max().expect("there was time for a sample")
    };
    assert!(most(after) < most(before) * 5 / 4 + 8192, "memory grows: {before:?} {after:?}");
    assert!(last.0.threads <= first.0.threads + 8, "threads are left over: {first}; {last}");
    assert!(last.0.files <= first.0.files + 8, "files are left open: {first}; {last}");
}

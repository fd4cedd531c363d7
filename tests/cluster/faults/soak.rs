//! Churn and faults for a long time, and a report: nothing is lost, the queue drains, and memory, threads, files and tasks
//! don't grow.
//!
//! `make soak` runs it for `SEAL_SOAK_MINUTES` (15 by default), by hand and on a machine with nothing else to do, so it also
//! holds how soon the controller is back after an outage and after a kill. Without that variable, as in `make test`, it is a
//! small version of less than a minute, and says how soon.
//!
//! Two pairs of replicas run side by side, each in namespaces of its own: one whose leaders are killed again and again, and
//! one that lives through the whole run, with an outage in the middle. Invariant: what happens is drawn from a seed
//! (`SEAL_SOAK_SEED`), and every draw is bounded.

use std::fmt::Write as _;
use std::thread;
use std::time::{Duration, Instant};

use seal_crds::native::NamedRecipient;
use seal_random::Random;
use seal_tests::controller::Controller;
use seal_tests::wait::{eventually, until};
use serde_json::json;

use super::applied::Applied;
use super::kills::{change, kill_the_leader};
use crate::cluster::outage::wire;
use crate::cluster::scene::{Scene, condition, items};

/// How soon everything is as applied once the API server is back: the controller asks for it every two seconds, and an
/// object that met the outage waits four at most, from before its end.
const BACK: Duration = Duration::from_secs(5);
/// How soon another replica leads after a kill: the Lease runs out after 15 seconds, and is looked at every second or two.
const HANDED_OVER: Duration = Duration::from_secs(20);

/// How long, and how much, a run is.
#[derive(Clone, Copy)]
struct Plan {
    seed: u64,
    time: Duration,
    /// How often everything comes to rest.
    rounds: usize,
    kills: usize,
    outage: Duration,
    names: usize,
    /// One in each of the first rounds.
    renewals: usize,
    /// Nothing else runs on the machine, so how long things take is held, too.
    is_alone: bool,
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
                rounds: 4,
                kills: 1,
                outage: Duration::from_secs(3),
                names: 20,
                renewals: 1,
                is_alone: false,
            },
            // 50 kills and 150 s in 15 minutes.
            Some(minutes) => Self {
                seed,
                time: Duration::from_secs(60 * minutes),
                rounds: 8,
                kills: usize::try_from(minutes * 50 / 15).expect("minutes, not eternities").max(1),
                outage: Duration::from_secs((10 * minutes).min(150)),
                names: 200,
                // Of 8 keys that are less than a day old, none is renewed.
                renewals: 6,
                is_alone: true,
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
    let ((churned, rests), killed) = match (churned, killed) {
        (Ok(churned), Ok(killed)) => (churned, killed),
        (Err(panic), _) | (_, Err(panic)) => std::panic::resume_unwind(panic),
    };
    // libtest shows it with --nocapture, which `make soak` asks for, and with a failure.
    eprint!("soak: seed {}, {} s\n{churned}{killed}", plan.seed, plan.time.as_secs());
    assert_flat(&rests);
}

/// Kills leaders while objects change.
fn kills(plan: Plan) -> String {
    let scene = Scene::new("soak-kills");
    let (mut random, begin) = (Random(plan.seed), Instant::now());
    let mut replicas = vec![scene.start(&[]), scene.start(&[])];
    let mut applied = Applied::to(&scene);
    let (mut changes, mut longest) = (0, Duration::ZERO);
    for round in 0..plan.kills {
        for n in 0..=random.below(plan.names) {
            change(&mut applied, &scene, &mut random, plan.names, &format!("{round}-{n}"));
            changes += 1;
        }
        thread::sleep(Duration::from_millis(random.below(1000) as u64));
        let killed = kill_the_leader(&scene, &mut replicas);
        until("another one leads", || replicas.iter().any(Controller::is_leader));
        longest = longest.max(killed.elapsed());
    }
    let is_soon = longest <= HANDED_OVER || !plan.is_alone;
    assert!(is_soon, "another replica led {:.1} s after a kill", longest.as_secs_f64());
    applied.until_it_is_so();
    let took = begin.elapsed().as_secs();
    format!(
        "kills: {} leaders killed in {took} s, {changes} changes, another one led after {:.1} s at most, all as applied\n",
        plan.kills,
        longest.as_secs_f64()
    )
}

/// Changes everything all the time, with an outage in the middle, over one pair of replicas. After each round of changes
/// everything comes to rest, so that what is then in use is what the objects need, or a leak.
fn churn(plan: Plan) -> (String, Vec<Rest>) {
    let mut scene = Scene::new("soak-churn");
    let proxy = wire(&mut scene);
    let mut random = Random(plan.seed + 1);
    let replicas = [scene.start(&[]), scene.start(&[])];
    until("one leads", || replicas.iter().any(Controller::is_leader));
    let mut applied = Applied::to(&scene);
    let mut changes = 0;
    let time = plan.time.saturating_sub(plan.outage) / u32::try_from(plan.rounds).expect("a few");
    let (mut rests, mut back, mut renewals) = (Vec::new(), Duration::ZERO, 0);
    for round in 0..plan.rounds {
        let begin = Instant::now();
        let mut peak = 0;
        while begin.elapsed() < time {
            for _ in 0..10 {
                change(&mut applied, &scene, &mut random, plan.names, &format!("{changes}"));
                changes += 1;
            }
            if renewals == round && renewals < plan.renewals && begin.elapsed() > time / 2 {
                renew(&scene, &mut applied);
                renewals += 1;
            }
            peak = peak.max(Usage::of(&replicas).memory);
            thread::sleep(Duration::from_millis(100));
        }
        if round == plan.rounds / 2 {
            proxy.cut();
            thread::sleep(plan.outage);
            applied.seal("in-the-dark", "1");
            proxy.mend();
            let mended = Instant::now();
            applied.until_it_is_so();
            back = mended.elapsed();
        }
        applied.until_it_is_so();
        until_drained(&replicas);
        rests.push(Rest { changes, objects: applied.names().len(), peak, usage: Usage::of(&replicas) });
    }
    let is_soon = back <= BACK || !plan.is_alone;
    assert!(is_soon, "everything was as applied {:.1} s after the outage", back.as_secs_f64());
    let mut report = format!(
        "churn: {changes} changes, an outage of {} s (all as applied {:.1} s after it); at rest:\n",
        plan.outage.as_secs(),
        back.as_secs_f64()
    );
    for rest in &rests {
        let _ = writeln!(report, "  {rest}");
    }
    (report, rests)
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

/// Waits until the controllers have nothing more to do: nobody waits for a look or is looked at, and none ended between two
/// looks of ours, with whatever result.
fn until_drained(replicas: &[Controller; 2]) {
    let looked = || {
        let all = replicas.iter().map(|replica| replica.metric_sum("seal_controller_reconciles_total"));
        all.sum::<u64>()
    };
    let busy = || in_queue(replicas, "waiting") + in_queue(replicas, "under-way");
    eventually("the queue is drained", || {
        let before = (looked(), busy());
        thread::sleep(Duration::from_secs(2));
        let after = (looked(), busy());
        let is_drained = before == after && after.1 == 0;
        if is_drained {
            Ok(())
        } else {
            Err(format!("looks and objects in the queue: {before:?}, {after:?}"))
        }
    });
}

/// How many objects are in this state in the queues of the replicas. Only a leader has one.
fn in_queue(replicas: &[Controller; 2], state: &str) -> u64 {
    let series = format!(r#"seal_controller_queue_objects{{state="{state}"}}"#);
    let all: Vec<u64> = replicas.iter().filter_map(|replica| replica.series(&series)).collect();
    assert!(!all.is_empty(), "there is no {series}");
    all.iter().sum()
}

/// What the two replicas use, the larger of each.
#[derive(Clone, Copy, Debug)]
struct Usage {
    /// Memory of their own, in KiB, without the program's file.
    memory: usize,
    threads: usize,
    files: usize,
    tasks: usize,
}

impl Usage {
    fn of(replicas: &[Controller; 2]) -> Self {
        let [one, other] = [replicas[0].usage(), replicas[1].usage()];
        let tasks = replicas.iter().map(|replica| replica.metric("seal_controller_tasks")).max();
        Self {
            memory: one.memory.max(other.memory),
            threads: one.threads.max(other.threads),
            files: one.files.max(other.files),
            tasks: usize::try_from(tasks.unwrap_or_default()).expect("tasks are few"),
        }
    }
}

/// A moment at which nothing is left to do.
#[derive(Debug)]
struct Rest {
    /// The changes so far.
    changes: usize,
    objects: usize,
    /// The most memory since the last rest, in KiB.
    peak: usize,
    usage: Usage,
}

impl std::fmt::Display for Rest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { changes, objects, peak, usage: Usage { memory, threads, files, tasks } } = self;
        write!(
            f,
            "{changes:6} changes {objects:4} objects {memory:6} KiB ({peak:6} at most) \
             {threads:3} threads {files:3} files {tasks:3} tasks"
        )
    }
}

/// What a change leaves behind for ever shows in the least that is in use at rest: the first round warms up, and of the
/// others the earlier half is compared with the later one. Threads and connections of pools come and go.
fn assert_flat(rests: &[Rest]) {
    let (earlier, later) = rests[1..].split_at(rests.len() / 2 - 1);
    let least = |rests: &[Rest], what: fn(&Usage) -> usize| {
        rests.iter().map(|rest| what(&rest.usage)).min().expect("each half has rounds")
    };
    let between = later[0].changes - earlier[0].changes;
    for (name, what, slack) in [
        ("memory", (|it| it.memory) as fn(&Usage) -> usize, 8192 + between / 8),
        ("threads", |it| it.threads, 8),
        ("files", |it| it.files, 8),
        ("tasks", |it| it.tasks, 8),
    ] {
        let (before, after) = (least(earlier, what), least(later, what));
        assert!(after <= before + slack, "{name} grow from {before} to {after}: {rests:#?}");
    }
}

#[test]
fn a_leak_of_two_kibibytes_or_a_task_for_each_change_is_seen() {
    const EACH: usize = 2000;
    let rests = |memory: usize, tasks: usize| -> Vec<Rest> {
        let usage = |n: usize| Usage {
            // What an allocator keeps differs from one moment to the next.
            memory: 30_000 + [0, 900, 300, 1500][n % 4] + n * EACH * memory / 1024,
            threads: 12,
            files: 20 + n % 3,
            tasks: 30 + n * EACH * tasks,
        };
        let rest = |n| Rest { changes: n * EACH, objects: 100, peak: 0, usage: usage(n) };
        (1..=8).map(rest).collect()
    };
    assert_flat(&rests(0, 0));
    for (memory, tasks) in [(2048, 0), (0, 1)] {
        let seen = std::panic::catch_unwind(|| assert_flat(&rests(memory, tasks)));
        assert!(seen.is_err(), "{memory} bytes and {tasks} tasks");
    }
}

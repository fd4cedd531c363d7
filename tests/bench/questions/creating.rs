//! One change while the controller has much else to do: thousands of objects are created, or thousands of unchanged ones
//! are looked at again after a start.
//!
//! Invariant: only changes that are sent while there is other work count, and the first one, which finds a controller that
//! has just begun. The changed objects are in a namespace of the others, among them, and take turns; and the same objects
//! are changed while the same controller has nothing else to do, to compare.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use seal_crds::format::Format;

use super::Bench;
use crate::cluster::contender::{Limit, Running, Who};
use crate::cluster::objects::Objects;
use crate::cluster::probe::{Probes, SEVERAL};
use crate::cluster::watch::Watch;
use crate::cluster::{Cluster, namespace};
use crate::figure::{Figure, PEER, Ratio, SEAL_IDLE, SEAL_NATIVE, Unit};
use crate::sample::Takes;

/// Between two changes.
const PAUSE: Duration = Duration::from_millis(20);
/// How many changes of an idle controller are timed at a time.
const CHANGES: usize = 10;
/// How often a controller is started to look at all objects again.
const STARTS: usize = 3;

pub(super) fn answer(bench: &mut Bench) -> (Vec<Figure>, Vec<Ratio>) {
    let (many, few) = (bench.size.many, bench.size.objects[0]);
    let figure = |id: &str, title: &str| Figure::new(id, title, Unit::Milliseconds, Takes::Median, "others");
    let mut creating = figure("change-creating", "A change while others are created")
        .note("One client creates the others, 16 at once, as fast as the API server takes them, so it has no core left for anybody.");
    let mut again = figure("change-again", "A change while unchanged others are looked at again")
        .note(format!("After a start, from when the controller is ready and leads until it has looked at all; {STARTS} starts. The peer had \
                       fewer others, and works through them before it comes to a change."));
    let cluster = bench.cluster();
    while_creating(cluster, &mut creating, many);
    cluster.are_synced(Format::Native, many);
    for _ in 0..STARTS {
        let running = cluster.run(Who::Seal);
        while_looking_again(cluster, &mut again, &running, many);
        running.until_quiet();
        while_idle(cluster, &mut again, many);
    }
    // The probes are more objects than the next question expects.
    cluster.are_touched();
    peer_looks_again(cluster, &mut again, few);
    let mut ratios = again.versus(SEAL_NATIVE, PEER);
    ratios.extend([&creating, &again].iter().flat_map(|figure| figure.versus(SEAL_NATIVE, SEAL_IDLE)));
    (vec![creating, again], ratios)
}

fn while_creating(cluster: &mut Cluster, figure: &mut Figure, many: usize) {
    cluster.clear();
    let others = Objects::seal(&cluster.recipients, Format::Native, many, 1);
    let watch = Watch::objects(Format::Native);
    let running = cluster.run(Who::Seal);
    let probes = Probes::among(cluster, Format::Native, &namespace(0));
    probes.create();
    running.until_quiet();
    while_idle(cluster, figure, many);
    let is_done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            others.create();
            is_done.store(true, Ordering::SeqCst);
        });
        loop {
            let sample = probes.change();
            figure.add(SEAL_NATIVE, many, sample);
            thread::sleep(PAUSE);
            if is_done.load(Ordering::SeqCst) {
                break;
            }
        }
    });
    // All others and the probes, of whichever generation they are.
    watch.until_synced(many + SEVERAL, 1);
    others.verify();
    running.until_quiet();
}

fn while_looking_again(cluster: &Cluster, figure: &mut Figure, running: &Running, many: usize) {
    let probes = Probes::among(cluster, Format::Native, &namespace(0));
    let looked_at = || running.counter("seal_controller_reconciles_total");
    while !running.is_leading() {
        thread::sleep(Duration::from_millis(5));
    }
    loop {
        let sample = probes.change();
        figure.add(SEAL_NATIVE, many, sample);
        thread::sleep(PAUSE);
        if looked_at() >= many as u64 {
            return;
        }
    }
}

/// Changes the probes a few times while nothing else happens.
fn while_idle(cluster: &Cluster, figure: &mut Figure, many: usize) {
    let probes = Probes::among(cluster, Format::Native, &namespace(0));
    for _ in 0..CHANGES {
        let sample = probes.change();
        figure.add(SEAL_IDLE, many, sample);
        thread::sleep(PAUSE);
    }
}

/// The peer writes everything anew after a start, one after the other, so a change waits for all that is before it.
fn peer_looks_again(cluster: &mut Cluster, figure: &mut Figure, few: usize) {
    cluster.synced_by_the_peer(few);
    let running = cluster.run(Who::Peer(Limit::Off));
    running.until_quiet();
    let probes = Probes::among(cluster, Format::Bitnami, &namespace(0));
    probes.create();
    drop(running);
    let _running = cluster.run(Who::Peer(Limit::Off));
    thread::sleep(Duration::from_secs(1));
    figure.add(PEER, few, probes.change());
}

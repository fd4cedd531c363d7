//! A controller that starts over objects that are all in sync: nothing has to be done, and what it costs to find out.
//!
//! Invariant: the objects are unchanged between two starts, or the second says so by what it writes.

use seal_crds::format::Format;

use super::Bench;
use crate::cluster::contender::{Limit, Running, Who};
use crate::figure::{Figure, PEER, Ratio, SEAL_NATIVE, Unit};
use crate::sample::Takes;

/// The figures in the making: processor time, until quiet, memory, written, opened.
type Figures = [Figure; 5];

pub(super) fn answer(bench: &mut Bench) -> (Vec<Figure>, Vec<Ratio>) {
    let figure = |id: &str, title: &str, unit| Figure::new(id, title, unit, Takes::Best, "objects");
    let mut figures = [
        figure("restart-cpu", "The controller's processor time", Unit::Seconds),
        figure("restart", "From its start until it is at rest", Unit::Seconds),
        figure("restart-memory", "Peak memory", Unit::Megabytes),
        figure("restart-written", "Writing requests to the API server", Unit::Count)
            .note("Without the Lease."),
        figure("restart-opened", "Objects opened with a private key", Unit::Count)
            .note("As our controller counts them. The peer opens every object."),
    ];
    let counts = [bench.size.many].into_iter().chain(bench.size.objects.iter().rev().copied());
    for count in counts {
        let rounds = bench.size.rounds + 1;
        let cluster = bench.cluster();
        cluster.synced(Format::Native, count);
        // The first start may still find news: its own last status, keys that have changed.
        cluster.run(Who::Seal).until_quiet();
        for _ in 0..rounds {
            let running = cluster.run(Who::Seal);
            add(&mut figures, SEAL_NATIVE, count, &running);
            #[expect(clippy::cast_precision_loss, reason = "counts are small")]
            figures[4].add(SEAL_NATIVE, count, running.counter("seal_controller_unseals_total") as f64);
        }
    }
    // The peer opens and writes everything again, so the least count is enough.
    let count = bench.size.objects[0];
    let cluster = bench.cluster();
    cluster.synced_by_the_peer(count);
    add(&mut figures, PEER, count, &cluster.run(Who::Peer(Limit::Off)));
    let mut ratios: Vec<Ratio> =
        figures[..3].iter().flat_map(|figure| figure.versus(SEAL_NATIVE, PEER)).collect();
    ratios.extend(figures[..3].iter().filter_map(|figure| figure.growth(SEAL_NATIVE)));
    (figures.into(), ratios)
}

fn add(figures: &mut Figures, who: &str, count: usize, running: &Running) {
    let rest = running.until_quiet();
    let [cpu, time, memory, written, _] = figures;
    cpu.add(who, count, running.cpu());
    time.add(who, count, (rest - running.started).as_secs_f64());
    memory.add(who, count, running.peak_memory());
    #[expect(clippy::cast_precision_loss, reason = "counts are small")]
    written.add(who, count, running.requests().writes as f64);
}

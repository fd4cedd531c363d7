//! One object at a time, with an idle controller: what somebody waits for who has just applied it.
//!
//! Invariant: the contenders take turns in blocks, and the next object is sent only when the one before is done with.

use std::thread;
use std::time::Duration;

use seal_crds::format::Format;

use super::Bench;
use crate::cluster::contender::{Limit, Who};
use crate::cluster::probe::{NAME, Probe};
use crate::figure::{Figure, PEER, Ratio, SEAL_BITNAMI, SEAL_NATIVE, Unit};
use crate::sample::Takes;

/// Between two objects: long enough for what a controller does after a Secret is there.
const PAUSE: Duration = Duration::from_millis(25);
/// In how many blocks each contender takes its turns.
const BLOCKS: usize = 2;

pub(super) fn answer(bench: &mut Bench) -> (Vec<Figure>, Vec<Ratio>) {
    let probes = bench.size.probes.div_ceil(BLOCKS);
    let figure =
        |id: &str, title: &str, takes| Figure::new(id, title, Unit::Milliseconds, takes, "at a time");
    let mut figures = [
        figure("apply", "A new object, from sending it until its Secret is seen", Takes::Median)
            .note("With two items, an idle controller, and nothing else on the control plane. The request that creates the object, and the \
                   news of the Secret by a watch, are in the time."),
        figure("apply-p99", "A new object, the slowest of a hundred", Takes::Percentile99),
        figure("change", "A changed object, from sending the change until the Secret is seen to have it", Takes::Median),
        figure("change-p99", "A changed object, the slowest of a hundred", Takes::Percentile99),
    ];
    let cluster = bench.cluster();
    cluster.clear();
    cluster.are_touched();
    for block in 0..BLOCKS {
        for (name, who, format) in [
            (SEAL_NATIVE, Who::Seal, Format::Native),
            (PEER, Who::Peer(Limit::Off), Format::Bitnami),
            (SEAL_BITNAMI, Who::Seal, Format::Bitnami),
        ] {
            let running = cluster.run(who);
            let probe = Probe::alone(cluster, format);
            probe.create(&format!("{NAME}-{}-{block}", name.len()));
            running.until_quiet();
            for index in 0..probes {
                let object = format!("p-{}-{block}-{index}", name.len());
                let milliseconds = probe.create(&object);
                thread::sleep(PAUSE);
                let changed = probe.change(&object);
                thread::sleep(PAUSE);
                for (figure, sample) in figures.iter_mut().zip([milliseconds, milliseconds, changed, changed])
                {
                    figure.add(name, 1, sample);
                }
            }
        }
    }
    let ratios =
        figures.iter().flat_map(|figure| [SEAL_NATIVE, SEAL_BITNAMI].map(|ours| figure.versus(ours, PEER)));
    let ratios = ratios.flatten().collect();
    (figures.into(), ratios)
}

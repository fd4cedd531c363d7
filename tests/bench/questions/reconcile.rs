//! All objects at once: from the start of a controller until the last of them is in sync, and again after all of them
//! have changed; with the memory, the processor time and the requests that it took.
//!
//! Invariant: every Secret is compared with what was sealed, or the run doesn't count.

use std::thread;
use std::time::{Duration, Instant};

use seal_crds::format::Format;

use super::Bench;
use crate::cluster::bare;
use crate::cluster::contender::{Limit, Who};
use crate::cluster::objects::Objects;
use crate::cluster::watch::Watch;
use crate::figure::{BARE_BITNAMI, BARE_NATIVE, Figure, PEER, RSA, Ratio, SEAL_BITNAMI, SEAL_NATIVE, Unit};
use crate::machine::cores;
use crate::opening::{Keys, Opening, repeated};
use crate::sample::Takes;

const PEER_AT_100: &str = "sealed-secrets, limit of 100";
const PEER_SHIPPED: &str = "sealed-secrets, as shipped";

/// Between all objects new and all objects changed.
const PAUSE: Duration = Duration::from_millis(500);

/// The figures in the making.
struct Figures {
    cold: Figure,
    changed: Figure,
    memory: Figure,
    cpu: Figure,
    server: Figure,
    requests: Figure,
}

pub(super) fn answer(bench: &mut Bench) -> (Vec<Figure>, Vec<Ratio>) {
    let mut figures = Figures::new(bench);
    let size = bench.size;
    for round in 0..size.rounds {
        for count in size.objects {
            // The peer takes its time, and what takes long is disturbed little.
            if round == 0 {
                all(bench, &mut figures, PEER, (Who::Peer(Limit::Off), Format::Bitnami), *count);
            }
            // As many runs for ours as for the bare client: the best of more is better.
            for in_flight in size.in_flight {
                bare(bench, &mut figures, Format::Bitnami, *count, *in_flight);
                all(bench, &mut figures, SEAL_BITNAMI, (Who::Seal, Format::Bitnami), *count);
                bare(bench, &mut figures, Format::Native, *count, *in_flight);
                all(bench, &mut figures, SEAL_NATIVE, (Who::Seal, Format::Native), *count);
            }
        }
    }
    let (at_100, shipped) = size.limited;
    all(bench, &mut figures, PEER_AT_100, (Who::Peer(Limit::At(100)), Format::Bitnami), at_100);
    all(bench, &mut figures, PEER_SHIPPED, (Who::Peer(Limit::Shipped), Format::Bitnami), shipped);
    rsa(bench, &mut figures);
    peer_over_many(bench, &mut figures);
    bare(bench, &mut figures, Format::Native, size.many, size.in_flight[0]);
    all(bench, &mut figures, SEAL_NATIVE, (Who::Seal, Format::Native), size.many);
    figures.answer()
}

/// One controller over so many objects: all new, and then all changed.
fn all(bench: &mut Bench, figures: &mut Figures, name: &str, (who, format): (Who, Format), count: usize) {
    let cluster = bench.cluster();
    cluster.fresh(format, count);
    let first = Objects::seal(&cluster.recipients, format, count, 1);
    let second = Objects::seal(&cluster.recipients, format, count, 2);
    let (watch, before) = (Watch::objects(format), cluster.plane.cpu());
    let running = cluster.run(who);
    let last = watch.until_synced(count, 1);
    figures.cold(name, count, (last - running.started).as_secs_f64());
    figures.cpu.add(name, count, running.cpu());
    figures.server.add(name, count, (cluster.plane.cpu() - before).as_secs_f64());
    let requests = running.requests();
    #[expect(clippy::cast_precision_loss, reason = "counts are small")]
    figures.requests.add(name, count, (requests.reads + requests.writes) as f64 / count as f64);
    first.verify();

    // Ours goes on with what may wait (Events, examinations); its work on changes comes before that.
    thread::sleep(PAUSE);
    let begun = Instant::now();
    second.change();
    let last = watch.until_synced(count, 2);
    figures.changed.add(name, count, (last - begun).as_secs_f64());
    figures.memory.add(name, count, running.peak_memory());
    second.verify();
    if (who, format) == (Who::Seal, Format::Native) {
        // The next question may want them like this.
        running.until_quiet();
        cluster.are_synced(format, count);
    } else {
        cluster.are_touched();
    }
}

/// The bare client over so many objects.
fn bare(bench: &mut Bench, figures: &mut Figures, format: Format, count: usize, in_flight: usize) {
    let cluster = bench.cluster();
    cluster.fresh(format, count);
    let watch = Watch::objects(format);
    let started = bare::run(&cluster.kubeconfig, cluster.written(format), format, in_flight);
    let last = watch.until_synced(count, 1);
    let name = if format == Format::Native { BARE_NATIVE } else { BARE_BITNAMI };
    figures.cold(name, count, (last - started).as_secs_f64());
    cluster.are_touched();
}

/// What the RSA operations of the Bitnami objects take of all cores, which nothing can save.
fn rsa(bench: &Bench, figures: &mut Figures) {
    let keys = Keys::rsa(1);
    let opening = Opening::new(Format::Bitnami, &keys, 2);
    // On all cores at once, as the controller does it: two cores of one processor are less than twice as fast as one.
    let at_once = || -> f64 {
        let each = || repeated(bench.size.repeat, || opening.open());
        thread::scope(|scope| {
            let threads: Vec<_> = (0..cores()).map(|_| scope.spawn(each)).collect();
            threads.into_iter().map(|thread| thread.join().expect("opening doesn't fail")).sum()
        })
    };
    #[expect(clippy::cast_precision_loss, reason = "cores are few")]
    let microseconds = (0..3).map(|_| at_once() / cores() as f64).fold(f64::MAX, f64::min);
    for count in bench.size.objects {
        #[expect(clippy::cast_precision_loss, reason = "counts are small")]
        figures.cold.add(RSA, *count, microseconds * *count as f64 / 1e6 / cores() as f64);
    }
}

/// Numbers in words: "8 and 32".
fn in_flight(numbers: &[usize]) -> String {
    numbers.iter().map(usize::to_string).collect::<Vec<_>>().join(" and ")
}

/// The peer's memory over many objects. It is looked at once a part of them is in sync: the rest would take minutes.
fn peer_over_many(bench: &mut Bench, figures: &mut Figures) {
    let (many, part) = (bench.size.many, bench.size.of_many);
    let cluster = bench.cluster();
    cluster.fresh(Format::Bitnami, many);
    let watch = Watch::objects(Format::Bitnami);
    let running = cluster.run(Who::Peer(Limit::Off));
    watch.until_synced(part, 1);
    figures.memory.add(PEER, many, running.peak_memory());
    drop(running);
    cluster.are_touched();
}

impl Figures {
    fn new(bench: &Bench) -> Self {
        let size = bench.size;
        let cold = "All objects new, from the controller's start to the last in sync";
        let changed = "All objects changed while the controller runs, from the first to the last in sync";
        let memory = "Peak memory";
        let cpu = "The controller's own processor time, all objects new";
        let server = "The control plane's processor time meanwhile";
        let requests = "Requests an object, all objects new";
        Self {
            cold: Figure::new("cold", cold, Unit::Seconds, Takes::Best, "objects")
                .note(format!("The bare client lists the objects, posts each Secret and replaces each status, as our controller does and \
                       with its roles, and opens nothing: what the API server can do here. Of its numbers of objects in flight, {}, the \
                       best counts.", in_flight(size.in_flight)))
                .note(format!("The peer runs without its own limit of requests, unless it says so. As it ships it is limited to 5 a second, \
                               so it got {} objects.", size.limited.1))
                .note("RSA alone: the time that opening all Bitnami objects takes on all cores, with nothing else to do."),
            changed: Figure::new("changed", changed, Unit::Seconds, Takes::Best, "objects")
                .note("One client changes both values of every object, 16 at once, as fast as the API server takes it; that is in the time."),
            memory: Figure::new("memory", memory, Unit::Megabytes, Takes::Best, "objects")
                .note(format!("The most resident memory (VmHWM) until all objects were new, and changed once. Over {} objects the peer was \
                               looked at once {} were in sync, so it needs at least this much.", size.many, size.of_many)),
            cpu: Figure::new("cold-cpu", cpu, Unit::Seconds, Takes::Best, "objects"),
            server: Figure::new("cold-server", server, Unit::Seconds, Takes::Best, "objects")
                .note("kube-apiserver, etcd and kube-controller-manager together. They share the cores with the controller, so they are \
                       part of how fast it is."),
            requests: Figure::new("cold-requests", requests, Unit::Count, Takes::Best, "objects")
                .note("From the API server's audit log, without the Lease and watches, until the last object was in sync."),
        }
    }

    /// Also says it: this question takes minutes.
    fn cold(&mut self, name: &str, count: usize, seconds: f64) {
        crate::say(&format!("  {name}, {count} objects: {seconds:.2} s"));
        self.cold.add(name, count, seconds);
    }

    fn answer(self) -> (Vec<Figure>, Vec<Ratio>) {
        let mut ratios = Vec::new();
        for figure in [&self.cold, &self.changed, &self.memory, &self.cpu, &self.server, &self.requests] {
            ratios.extend([SEAL_NATIVE, SEAL_BITNAMI].iter().flat_map(|ours| figure.versus(ours, PEER)));
        }
        for (ours, bare) in [(SEAL_NATIVE, BARE_NATIVE), (SEAL_BITNAMI, BARE_BITNAMI)] {
            ratios.extend(self.cold.versus(ours, bare));
        }
        ratios.extend([&self.cold, &self.memory].into_iter().filter_map(|figure| figure.growth(SEAL_NATIVE)));
        (vec![self.cold, self.changed, self.memory, self.cpu, self.server, self.requests], ratios)
    }
}

//! The limit over a simulated server, in simulated time.
//!
//! The server works on so many requests at a time, each of which takes it some time, and the network adds its own.
//! By these alone, more requests than [`Server::knee`] in flight make nothing faster.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::*;

struct Server {
    works_on: usize,
    /// The mean time of its work on a request, in microseconds.
    work: u64,
    /// The time on the network, both ways, in microseconds.
    network: u64,
    /// With more requests in flight than that, it answers 429.
    takes: usize,
}

impl Server {
    fn knee(&self) -> f64 {
        self.works_on as f64 * (self.work + self.network) as f64 / self.work as f64
    }

    fn most_a_second(&self) -> f64 {
        self.works_on as f64 * 1e6 / self.work as f64
    }
}

const LOCAL: Server = Server { works_on: 2, work: 3_000, network: 200, takes: usize::MAX };
const REMOTE: Server = Server { works_on: 4, work: 3_000, network: 20_000, takes: usize::MAX };

/// A limit in use, and the time.
struct Simulation {
    limit: Limit,
    start: Instant,
    /// Microseconds since the start.
    now: u64,
    random: u64,
    /// For each request in flight, when it ends, its start, and whether it is refused.
    ends: BinaryHeap<Reverse<(u64, usize)>>,
    requests: Vec<(Started, bool)>,
    /// When each of the server's workers is free.
    free: Vec<u64>,
}

/// What happened in some seconds.
#[derive(Default)]
struct Seen {
    answered: usize,
    refused: usize,
    /// The limit after each answer.
    limits: Vec<usize>,
}

impl Seen {
    fn mean_limit(&self) -> f64 {
        self.limits.iter().sum::<usize>() as f64 / self.limits.len() as f64
    }
}

impl Simulation {
    fn new(most: usize) -> Self {
        let start = Instant::now();
        Self {
            limit: Limit::new(most, start),
            start,
            now: 0,
            random: 1,
            ends: BinaryHeap::new(),
            requests: Vec::new(),
            free: Vec::new(),
        }
    }

    fn at(&self, micros: u64) -> Instant {
        self.start + Duration::from_micros(micros)
    }

    /// A time between half and one and a half of the mean.
    fn about(&mut self, mean: u64) -> u64 {
        self.random = self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        mean / 2 + (self.random >> 33) % (mean + 1)
    }

    /// `callers` send one request after the other to this server, for so many seconds.
    fn run(&mut self, server: &Server, callers: usize, seconds: u64) -> Seen {
        let (mut seen, until) = (Seen::default(), self.now + seconds * 1_000_000);
        self.free.resize(server.works_on, self.now);
        while self.now < until {
            while self.limit.in_flight() < self.limit.requests(self.at(self.now)).min(callers) {
                if let Some(pause) = self.limit.pause(self.at(self.now)) {
                    if self.ends.is_empty() {
                        self.now += pause.as_micros() as u64;
                        continue;
                    }
                    break;
                }
                self.send(server);
            }
            let Some(Reverse((end, id))) = self.ends.pop() else { break };
            self.now = self.now.max(end);
            let (started, is_refused) = self.requests[id];
            let now = self.at(self.now);
            if is_refused {
                seen.refused += 1;
                self.limit.refused(started, Some(Duration::from_secs(1)), now);
            } else {
                seen.answered += 1;
                self.limit.answered(started, Kind::Create, now);
            }
            self.limit.over(now);
            seen.limits.push(self.limit.requests(now));
        }
        seen
    }

    fn send(&mut self, server: &Server) {
        let started = self.limit.started(self.at(self.now));
        let is_refused = self.limit.in_flight() > server.takes;
        let mut end = self.now + self.about(server.network);
        if !is_refused {
            let work = self.about(server.work);
            let free = self.free.iter_mut().min().expect("a server works on something");
            *free = (*free).max(self.now + server.network / 2) + work;
            end = *free + server.network / 2;
        }
        self.ends.push(Reverse((end, self.requests.len())));
        self.requests.push((started, is_refused));
    }
}

#[test]
fn it_comes_to_rest_a_little_above_what_the_server_works_on() {
    for server in [LOCAL, REMOTE, Server { works_on: 1, ..LOCAL }, Server { works_on: 16, ..LOCAL }] {
        let mut simulation = Simulation::new(128);
        simulation.run(&server, 128, 20);
        let seen = simulation.run(&server, 128, 60);
        let (limit, knee) = (seen.mean_limit(), server.knee());
        assert!((knee * 0.9..knee * 1.2 + WAITING + 2.0).contains(&limit), "{limit} for {knee}");
        let (a_second, most) = (seen.answered as f64 / 60.0, server.most_a_second());
        assert!(a_second > most * 0.93, "{a_second} of {most}");
    }
}

#[test]
fn far_away_it_soon_lets_through_what_makes_the_whole_shorter() {
    let mut simulation = Simulation::new(64);
    let seen = simulation.run(&REMOTE, 64, 4);
    assert!(*seen.limits.last().unwrap() as f64 > REMOTE.knee() * 0.8, "{:?}", seen.limits.last());
    assert!(seen.answered as f64 > 4.0 * REMOTE.most_a_second() * 0.6, "{}", seen.answered);
}

#[test]
fn it_stays_between_the_least_and_the_given_most() {
    for (most, server) in [(1, LOCAL), (8, REMOTE), (64, Server { takes: 1, ..LOCAL })] {
        let seen = Simulation::new(most).run(&server, 64, 60);
        let bounds = LEAST..=most.max(LEAST);
        assert!(seen.limits.iter().all(|limit| bounds.contains(limit)), "{most}");
    }
}

#[test]
fn a_limit_that_nobody_reaches_does_not_rise() {
    let mut simulation = Simulation::new(64);
    simulation.run(&LOCAL, 3, 60);
    assert!(simulation.limit.requests(simulation.at(simulation.now)) <= 4);
}

#[test]
fn a_server_that_becomes_slower_gets_less_and_its_usual_time_is_learnt() {
    let mut simulation = Simulation::new(64);
    simulation.run(&Server { works_on: 16, ..LOCAL }, 64, 20);
    let before = simulation.run(&Server { works_on: 16, ..LOCAL }, 64, 10).mean_limit();
    let after = simulation.run(&Server { works_on: 2, ..LOCAL }, 64, 5);
    assert!(after.limits.last().unwrap() * 2 < before as usize, "{before} and {:?}", after.limits.last());

    // The network becomes slower for good. That is no reason to send less.
    simulation.run(&REMOTE, 64, 40);
    let seen = simulation.run(&REMOTE, 64, 20);
    assert!(seen.mean_limit() > REMOTE.knee() * 0.8, "{}", seen.mean_limit());
    assert!(seen.answered as f64 / 20.0 > REMOTE.most_a_second() * 0.8);
}

#[test]
fn a_server_that_is_busy_has_its_pause_and_then_less_to_do() {
    let server = Server { takes: 10, ..REMOTE };
    let mut simulation = Simulation::new(64);
    let seen = simulation.run(&server, 64, 60);
    assert!(seen.refused > 0 && seen.refused * 25 < seen.answered, "{} of {}", seen.refused, seen.answered);
    assert!(seen.mean_limit() < 12.0);

    let mut limit = Limit::new(64, simulation.start);
    let now = simulation.start;
    let started = limit.started(now);
    limit.refused(started, Some(Duration::from_secs(86_400)), now);
    assert_eq!(limit.pause(now), Some(LONGEST_PAUSE), "no server stops the work for a day");
    assert_eq!(limit.pause(now + LONGEST_PAUSE), None);
}

/// A webhook that answers after seconds holds up those requests alone, and others find as many places as before.
#[test]
fn a_request_that_is_slow_for_a_reason_of_its_own_takes_no_place_from_others() {
    let mut limit = Limit::new(8, Instant::now());
    let mut now = Instant::now();
    let mut rounds = |of: Duration, rounds: u32| {
        for _ in 0..rounds {
            let all: Vec<Started> = (0..limit.requests(now)).map(|_| limit.started(now)).collect();
            now += of;
            for started in all {
                limit.answered(started, Kind::Create, now);
                limit.over(now);
            }
        }
        limit.limit
    };
    assert_eq!(rounds(Duration::from_millis(3), 100), 8.0);
    for _ in 0..20 {
        assert!(rounds(Duration::from_secs(10), 1) > 6.0);
    }
}

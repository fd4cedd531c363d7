//! How many requests may be in flight, decided from how long requests take.
//!
//! Once a server has more requests than it works on, they wait there: each takes longer, and all together take no
//! less. So the limit rises until a few requests wait, and no further. The server then always finds the next one,
//! and a request for a changed object has few before it. How many wait follows from time alone, by Little's law:
//! it is the time that requests took beyond their usual time, for each second. The usual time is what a request
//! takes while hardly any other is in flight.
//!
//! [`super`] sends the requests. Invariants: the limit is never below [`LEAST`] nor above the given maximum; every
//! function is given the time; a server that answers slowly for reasons of its own isn't taken for a busy one.

use std::time::{Duration, Instant};

use http::Method;

/// The least limit: with one request in flight, a server would be idle while the answer is on its way.
pub(super) const LEAST: usize = 2;

/// How many requests should wait at the server.
const WAITING: f64 = 3.0;

/// The limit changes after so many answers, or as many as may be in flight if those are more.
const ANSWERS: usize = 16;

/// How long the usual times count. Then few requests are let through until [`SAMPLES`] answers have told them anew. So
/// a network that became slower for good isn't taken for a busy server.
const MEASURED_FOR: Duration = Duration::from_secs(30);

/// The answers that tell the usual times.
const SAMPLES: u32 = 8;

/// The longest time for which few requests are let through for that. It takes a fraction of a second, unless each
/// answer takes seconds.
const MEASURING: Duration = Duration::from_secs(1);

/// How long the limit stays below the one at which the server refused requests.
const REFUSED_FOR: Duration = Duration::from_secs(30);

/// The longest pause that the server may ask for.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// Requests that take about the same time.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    Read,
    Create,
    Change,
}

impl Kind {
    pub(super) fn of(method: &Method) -> Self {
        match *method {
            Method::GET | Method::HEAD => Self::Read,
            Method::POST => Self::Create,
            _ => Self::Change,
        }
    }
}

/// A request that is in flight.
#[derive(Clone, Copy)]
pub(super) struct Started(Instant);

impl Started {
    /// One that has no place.
    pub(super) fn at(now: Instant) -> Self {
        Self(now)
    }
}

pub(super) struct Limit {
    most: f64,
    limit: f64,
    in_flight: usize,
    /// The last time at which more than [`LEAST`] requests were in flight.
    crowded: Option<Instant>,
    /// The usual time of each kind, in seconds.
    usual: [Option<f64>; 3],
    /// Answers that told a usual time since `measuring_from`.
    samples: u32,
    /// The time from which the usual times are measured anew.
    measuring_from: Instant,
    window: Window,
    /// The last time at which the server refused requests because it was busy, and the limit that it took.
    refused: Option<(Instant, f64)>,
    paused_until: Option<Instant>,
}

/// The answers since the last change of the limit.
struct Window {
    since: Instant,
    answers: usize,
    /// The time in seconds for which their requests waited.
    waited: f64,
    /// As many requests were in flight as may be. Otherwise a higher limit would change nothing.
    was_full: bool,
}

impl Window {
    fn new(since: Instant) -> Self {
        Self { since, answers: 0, waited: 0.0, was_full: false }
    }
}

impl Limit {
    pub(super) fn new(most: usize, now: Instant) -> Self {
        Self {
            most: most.max(LEAST) as f64,
            limit: LEAST as f64,
            in_flight: 0,
            crowded: None,
            usual: [None; 3],
            samples: 0,
            measuring_from: now,
            window: Window::new(now),
            refused: None,
            paused_until: None,
        }
    }

    /// How many requests may be in flight now.
    pub(super) fn requests(&self, now: Instant) -> usize {
        if self.is_measuring(now) { LEAST } else { self.limit as usize }
    }

    pub(super) fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// How long no request may start, because the server asked for a pause.
    pub(super) fn pause(&self, now: Instant) -> Option<Duration> {
        Some(self.paused_until?.saturating_duration_since(now)).filter(|pause| !pause.is_zero())
    }

    /// Whether few requests are let through, to see how long they take.
    pub(super) fn is_measuring(&self, now: Instant) -> bool {
        let since = now.checked_duration_since(self.measuring_from);
        self.longest_usual().is_none() || since.is_some_and(|since| since < MEASURING)
    }

    /// The longest usual time of any kind; `None` before the first answer.
    pub(super) fn longest_usual(&self) -> Option<f64> {
        self.usual.into_iter().flatten().reduce(f64::max)
    }

    /// A request starts.
    pub(super) fn started(&mut self, now: Instant) -> Started {
        self.in_flight += 1;
        self.note_crowd(now);
        self.window.was_full |= self.in_flight >= self.requests(now);
        Started(now)
    }

    /// A request is over: it was answered, it failed, or nobody waits for its answer any more.
    pub(super) fn over(&mut self, now: Instant) {
        self.note_crowd(now);
        self.in_flight -= 1;
    }

    fn note_crowd(&mut self, now: Instant) {
        if self.in_flight > LEAST {
            self.crowded = Some(now);
        }
    }

    /// The server answered, and wasn't busy. Comes before [`Self::over`].
    pub(super) fn answered(&mut self, Started(at): Started, kind: Kind, now: Instant) {
        let took = now.saturating_duration_since(at).as_secs_f64();
        let was_measuring = self.is_measuring(now);
        if self.in_flight <= LEAST && self.crowded.is_none_or(|crowded| crowded < at) {
            self.learn(kind, took, at);
        }
        if self.samples >= SAMPLES || now.saturating_duration_since(self.measuring_from) >= MEASURING {
            (self.samples, self.measuring_from) = (0, now + MEASURED_FOR);
        }
        if was_measuring {
            self.window = Window::new(now);
            return;
        }
        let usual = self.usual[kind as usize].or(self.longest_usual()).unwrap_or(took);
        self.window.answers += 1;
        // Our own requests make another wait for no longer than they take one after the other. Whatever is beyond
        // that has a reason of its own: a webhook that answers slowly, a pause of etcd.
        self.window.waited += (took - usual).min(usual * self.in_flight as f64);
        if self.window.answers >= ANSWERS.max(self.limit as usize) {
            self.adapt(now);
        }
    }

    /// Learns from a request beside which hardly any other was in flight.
    fn learn(&mut self, kind: Kind, took: f64, at: Instant) {
        if self.longest_usual().is_none() {
            self.measuring_from = at;
        }
        let usual = &mut self.usual[kind as usize];
        *usual = Some(usual.map_or(took, |usual| usual + (took - usual) / 4.0));
        self.samples += 1;
    }

    fn adapt(&mut self, now: Instant) {
        let seconds = now.saturating_duration_since(self.window.since).as_secs_f64();
        let waiting = (self.window.waited / seconds.max(f64::EPSILON)).max(0.0);
        let next = (self.limit + WAITING - waiting).clamp(self.limit * 0.75, self.limit + 1.0);
        let is_recent = |(refused, _): &(Instant, f64)| now.saturating_duration_since(*refused) < REFUSED_FOR;
        let most = self.refused.filter(is_recent).map_or(self.most, |(_, most)| most);
        if next < self.limit || self.window.was_full {
            self.limit = next.min(most).max(LEAST as f64);
        }
        self.window = Window::new(now);
    }

    /// The server refused the request because it is busy, and perhaps asked for a pause.
    pub(super) fn refused(&mut self, Started(at): Started, pause: Option<Duration>, now: Instant) {
        let until = now + pause.unwrap_or_default().min(LONGEST_PAUSE);
        self.paused_until = self.paused_until.max(Some(until));
        // Those that were in flight together tell the same.
        if self.refused.is_none_or(|(refused, _)| refused < at) {
            self.refused = Some((now, self.limit * 0.75));
            self.limit = (self.limit / 2.0).max(LEAST as f64);
            self.window = Window::new(now);
        }
    }
}

#[cfg(test)]
mod tests;

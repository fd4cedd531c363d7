//! A token bucket for each client: how often one client may have something done.
//!
//! Not the amount of work at once: that is bounded for all clients together. If all clients shared one
//! bucket, any of them could shut out the others. Invariants: in any `n` seconds at most `1 + burst + n *
//! rate` requests of a client are let through; at most [`CLIENTS`] clients have a bucket of their own, and
//! all others share one.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::listen::Client;

/// The most clients that have a bucket of their own.
const CLIENTS: usize = 1024;

/// The limit on the requests of each client.
pub(super) struct Limit {
    /// The tokens that come back to a bucket in a second.
    rate: f64,
    /// The most tokens in a bucket.
    capacity: f64,
    /// The buckets by client; `None` is the one that all clients without their own share.
    buckets: Mutex<HashMap<Option<Client>, Bucket>>,
}

struct Bucket {
    tokens: f64,
    at: Instant,
}

impl Limit {
    /// A limit of `rate` requests a second (0 counts as 1); after a rest, `burst` more than one may come at
    /// once.
    pub(super) fn new(rate: u32, burst: u32) -> Self {
        let capacity = 1.0 + f64::from(burst);
        Self { rate: f64::from(rate.max(1)), capacity, buckets: Mutex::default() }
    }

    /// Lets one request through, or returns how long the client has to wait.
    pub(super) fn take(&self, client: Client, now: Instant) -> Result<(), Duration> {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= CLIENTS && !buckets.contains_key(&Some(client)) {
            // A full bucket and no bucket say the same.
            buckets.retain(|_, bucket| self.filled(bucket, now) < self.capacity);
        }
        let is_known = buckets.len() < CLIENTS || buckets.contains_key(&Some(client));
        let full = Bucket { tokens: self.capacity, at: now };
        let bucket = buckets.entry(is_known.then_some(client)).or_insert(full);
        bucket.tokens = self.filled(bucket, now);
        bucket.at = bucket.at.max(now);
        if bucket.tokens < 1.0 {
            return Err(Duration::from_secs_f64((1.0 - bucket.tokens) / self.rate));
        }
        bucket.tokens -= 1.0;
        Ok(())
    }

    fn filled(&self, bucket: &Bucket, now: Instant) -> f64 {
        let passed = now.saturating_duration_since(bucket.at).as_secs_f64();
        (bucket.tokens + passed * self.rate).min(self.capacity)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(last: usize) -> Client {
        Client::new(std::net::Ipv4Addr::from(u32::try_from(last).unwrap()).into())
    }

    #[test]
    fn a_burst_is_let_through_and_then_as_many_as_the_rate() {
        let start = Instant::now();
        let at = |millis| start + Duration::from_millis(millis);
        let limit = Limit::new(2, 2);
        let at_once: Vec<_> = (0..4).map(|_| limit.take(client(1), start).is_ok()).collect();
        assert_eq!(at_once, [true, true, true, false]);
        assert_eq!(limit.take(client(1), at(100)), Err(Duration::from_millis(400)));
        let in_ten_seconds = (1..=10_000).filter(|millis| limit.take(client(1), at(*millis)).is_ok()).count();
        assert_eq!(in_ten_seconds, 20);
    }

    #[test]
    fn a_long_rest_gives_one_burst_and_no_more() {
        let start = Instant::now();
        let limit = Limit::new(1000, 1);
        let later = start + Duration::from_secs(3600);
        let at_once: Vec<_> = (0..3).map(|_| limit.take(client(1), later).is_ok()).collect();
        assert_eq!(at_once, [true, true, false]);
        assert!(limit.take(client(1), start).is_err(), "a clock that stands still gives nothing");
    }

    #[test]
    fn one_client_takes_nothing_from_another() {
        let start = Instant::now();
        let limit = Limit::new(1, 0);
        assert!(limit.take(client(1), start).is_ok() && limit.take(client(1), start).is_err());
        assert!(limit.take(client(2), start).is_ok());
    }

    #[test]
    fn clients_without_end_share_a_bucket_and_take_up_no_room() {
        let start = Instant::now();
        let limit = Limit::new(1, 0);
        let taken = (0..10 * CLIENTS).filter(|n| limit.take(client(*n), start).is_ok()).count();
        assert_eq!(taken, CLIENTS + 1);
        assert_eq!(limit.buckets.lock().unwrap().len(), CLIENTS + 1);
        let rested = start + Duration::from_secs(1);
        assert!(limit.take(client(20 * CLIENTS), rested).is_ok());
        assert_eq!(limit.buckets.lock().unwrap().len(), 1, "who has rested is forgotten");
    }
}

//! The election of the leader: of all replicas, the one that holds the Lease leads.
//!
//! [`crate::leadership`] has the answer for the work. [`Candidate::decide`] is the whole machine, a function of the
//! Lease, of what this replica has seen of it, and of its own clock; [`Election`] does what it says. Crates for this
//! patch a Lease without its resourceVersion, or compare the time that another machine wrote with their own clock,
//! and both make two leaders.
//!
//! Invariants. The Lease is written under the resourceVersion that was decided on. Another replica's Lease has run out
//! only if this replica has seen it unchanged for its whole duration; no time in it is read. A term ends before
//! any other replica can find that the Lease has run out, because it is shorter and begins earlier: with the
//! request, and not with the answer. A request is never sent twice. (A Lease that somebody deletes or empties is free
//! at once; then two may believe to lead for the rest of a term, which is harmless.)

use std::future::Future;
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use kube::Client;
use kube::api::{Api, PostParams};
use rand_core::{OsRng, RngCore as _};
use seal_crds::{Namespace, Reason};
use tokio::sync::watch;

use super::api::{failure, is_code};
use super::fields::FIELD_MANAGER;
use super::work::until;
use crate::contact::Contact;
use crate::failure::Failure;
use crate::leadership::{Clock, Leadership, Moment, Part};
use crate::metrics::Metrics;

/// The name of the Lease.
const NAME: &str = "seal-controller";

/// How long the Lease lasts: after so much time without a change, another replica takes it.
const DURATION: Duration = Duration::from_secs(15);

/// How long a term lasts without a renewal. The rest of [`DURATION`] is for clocks that don't run alike.
const TERM: Duration = Duration::from_secs(10);

/// The pause between two looks at the Lease of a replica that leads.
const PAUSE: Duration = Duration::from_secs(2);

/// The pause of a replica that doesn't, or that reached nobody: it may lead, or has lost contact, from one moment to the
/// next. A look is one small request.
const SHORT_PAUSE: Duration = Duration::from_secs(1);

/// The longest duration that is believed: a Lease may say anything.
const MAX_DURATION: Duration = Duration::from_secs(300);

/// The place where the Lease is kept.
///
/// # Errors
///
/// Every request fails with a transient failure.
pub(crate) trait LeaseStore: Send + Sync + 'static {
    /// Reads the Lease, if there is one.
    fn read(&self) -> impl Future<Output = Result<Option<Lease>, Failure>> + Send;

    /// Creates the Lease if it has no resourceVersion, and else replaces the one of this version. Gives `false` if
    /// somebody else was quicker.
    fn write(&self, lease: &Lease) -> impl Future<Output = Result<bool, Failure>> + Send;
}

/// One replica in the election.
struct Candidate {
    /// The name of this process, which no other has.
    name: String,
    /// The last Lease of another replica.
    seen: Option<Seen>,
}

/// A Lease of another replica, and since when it looks like this.
struct Seen {
    spec: LeaseSpec,
    since: Moment,
}

impl Candidate {
    /// Decides on the Lease that was found at `now`: gives the Lease to write if this replica may hold it. `date` is
    /// for people who read the Lease.
    fn decide(&mut self, found: Option<Lease>, now: Moment, date: Timestamp) -> Option<Lease> {
        let mut lease = found.unwrap_or_else(|| Lease {
            metadata: ObjectMeta { name: Some(NAME.to_owned()), ..ObjectMeta::default() },
            spec: None,
        });
        let spec = lease.spec.get_or_insert_default();
        let holder = spec.holder_identity.as_deref().filter(|holder| !holder.is_empty());
        if holder == Some(&self.name) {
            spec.renew_time = Some(MicroTime(date));
            return Some(lease);
        }
        if holder.is_some() && !self.has_run_out(spec, now) {
            return None;
        }
        *spec = LeaseSpec {
            holder_identity: Some(self.name.clone()),
            acquire_time: Some(MicroTime(date)),
            renew_time: Some(MicroTime(date)),
            lease_duration_seconds: Some(DURATION.as_secs().try_into().expect("a few seconds")),
            lease_transitions: Some(spec.lease_transitions.unwrap_or_default().saturating_add(1)),
            ..LeaseSpec::default()
        };
        Some(lease)
    }

    /// Whether another replica's Lease has been seen unchanged for its whole duration.
    fn has_run_out(&mut self, spec: &LeaseSpec, now: Moment) -> bool {
        let seen = match self.seen.take().filter(|seen| seen.spec == *spec) {
            Some(seen) => seen,
            None => Seen { spec: spec.clone(), since: now },
        };
        let asked = spec.lease_duration_seconds.and_then(|seconds| seconds.try_into().ok());
        let duration = Duration::from_secs(asked.unwrap_or_default()).clamp(DURATION, MAX_DURATION);
        now.since(self.seen.insert(seen).since) >= duration
    }

    /// The Lease without a holder, if this replica holds it.
    fn release(&self, mut lease: Lease, date: Timestamp) -> Option<Lease> {
        let spec = lease.spec.as_mut().filter(|spec| spec.holder_identity.as_ref() == Some(&self.name))?;
        (spec.holder_identity, spec.renew_time) = (None, Some(MicroTime(date)));
        Some(lease)
    }
}

/// A replica's part in the election.
pub(crate) struct Election<S> {
    store: S,
    candidate: Candidate,
    clock: Clock,
    part: watch::Sender<Part>,
    metrics: Metrics,
    /// Hears of each look at the Lease.
    contact: Contact,
    /// The reason of the last failure, which is logged once.
    said: Option<Reason>,
}

impl<S: LeaseStore> Election<S> {
    /// A candidate, and the leadership that it keeps up to date. `name` is the name of the Pod.
    pub(crate) fn new(
        store: S,
        name: &str,
        clock: Clock,
        metrics: Metrics,
        contact: Contact,
    ) -> (Self, Leadership) {
        let (part, parts) = watch::channel(Part::Unknown);
        // The container of a Pod may be started again while the old process is only stopped.
        let name = format!("{name}_{:016x}", OsRng.next_u64());
        let candidate = Candidate { name, seen: None };
        let election = Self { store, candidate, clock: clock.clone(), part, metrics, contact, said: None };
        (election, Leadership::new(parts, clock))
    }

    /// Takes part until `over`, and then gives the Lease up, so that another replica needn't wait.
    pub(crate) async fn campaign(mut self, over: watch::Receiver<bool>) {
        while !*over.borrow() {
            let part = self.round().await;
            let pause = if let Ok(Part::Leads(_)) = part { PAUSE } else { SHORT_PAUSE };
            self.stand(part);
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = until(over.clone()) => {}
            }
        }
        self.resign().await;
    }

    /// Looks at the Lease once, and takes or renews it if this replica may.
    async fn round(&mut self) -> Result<Part, Failure> {
        let sent = self.clock.now();
        let found = self.store.read().await?;
        let Some(lease) = self.candidate.decide(found, self.clock.now(), Timestamp::now()) else {
            return Ok(Part::Follows);
        };
        if self.store.write(&lease).await? {
            return Ok(Part::Leads(sent.plus(TERM)));
        }
        // Somebody else wrote, who isn't known to hold the Lease now. So the term that is left stays.
        Ok(match *self.part.borrow() {
            Part::Unknown => Part::Follows,
            part => part,
        })
    }

    /// Makes the result of a round known. After a failure the term that is left stays.
    fn stand(&mut self, result: Result<Part, Failure>) {
        match &result {
            Ok(_) => self.contact.made(),
            Err(failure) => self.contact.failed(failure),
        }
        let reason = result.as_ref().err().map(|failure| failure.reason);
        if let Err(failure) = &result
            && self.said != reason
        {
            tracing::warn!(reason = failure.reason.as_str(), %failure, "the Lease can't be kept");
        }
        self.said = reason;
        let part = result.unwrap_or(*self.part.borrow());
        let leads = |part, now| matches!(part, Part::Leads(until) if until > now);
        let now = self.clock.now();
        let is_leader = leads(part, now);
        if self.metrics.leads(is_leader) != is_leader {
            tracing::info!(
                candidate = self.candidate.name,
                leads = is_leader,
                "this replica's part has changed"
            );
        }
        self.part.send_replace(part);
    }

    async fn resign(&mut self) {
        self.stand(Ok(Part::Follows));
        let given_up = async {
            let Some(lease) = self.store.read().await? else { return Ok(true) };
            match self.candidate.release(lease, Timestamp::now()) {
                Some(lease) => self.store.write(&lease).await,
                None => Ok(true),
            }
        };
        // Otherwise another replica waits until it has run out.
        if let Err(failure) = given_up.await {
            tracing::warn!(reason = failure.reason.as_str(), %failure, "the Lease can't be given up");
        }
    }
}

/// The Lease in the API.
pub(crate) struct ClusterLease(Api<Lease>);

impl ClusterLease {
    /// The Lease in the controller's namespace. The client must give up on a request long before a term ends.
    pub(crate) fn new(client: Client, namespace: &Namespace) -> Self {
        Self(Api::namespaced(client, namespace.as_str()))
    }
}

impl LeaseStore for ClusterLease {
    async fn read(&self) -> Result<Option<Lease>, Failure> {
        self.0.get_opt(NAME).await.map_err(|error| failure("reading the Lease", &error))
    }

    async fn write(&self, lease: &Lease) -> Result<bool, Failure> {
        let params = PostParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PostParams::default() };
        let written = match lease.metadata.resource_version {
            None => self.0.create(&params, lease).await,
            Some(_) => self.0.replace(NAME, &params, lease).await,
        };
        match written {
            Ok(_) => Ok(true),
            Err(error) if is_code(&error, 409) || is_code(&error, 404) => Ok(false),
            Err(error) => Err(failure("writing the Lease", &error)),
        }
    }
}

#[cfg(test)]
mod tests;

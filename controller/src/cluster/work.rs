//! The work on the objects of one group: it watches them, queues them and reconciles them, until it is
//! stopped.
//!
//! [`crate::reconcile`] says what a reconcile does. Each group has a queue of its own, and both share the
//! workers. Invariant: one worker at a time reconciles an object.

use std::sync::Arc;
use std::time::Duration;

use futures::{FutureExt as _, Stream, StreamExt as _};
use kube::api::Api;
use kube::runtime::controller::{Action, Config as ControllerConfig};
use kube::runtime::{Controller, reflector};
use kube::{Client, Resource as _};
use seal_crds::resources::Group;
use seal_crds::{Format, Namespace};
use tokio::sync::{Semaphore, watch};

use super::cache::pages;
use super::key_changes::key_changes;
use super::object::Object;
use super::store::ClusterStore;
use super::usage::count;
use super::wakes::Name;
use crate::contact::Contact;
use crate::leadership::Leadership;
use crate::reconcile::{Context, Next, reconcile};
use crate::usage::Counted;

/// The values that all reconciles of a group share.
pub(crate) struct Shared {
    pub(crate) context: Context<ClusterStore>,
    /// One permit for each worker; both groups share them.
    pub(crate) slots: Arc<Semaphore>,
    pub(crate) leadership: Leadership,
    pub(crate) contact: Contact,
    /// Gets the number of objects that need each sealing key.
    pub(crate) counted: watch::Sender<Option<Arc<Counted>>>,
}

/// Reconciles the objects of one group, until `stopped`. `concerned` are the names whose objects must be
/// looked at again. If the cluster doesn't have the definition of sealed-secrets, its group is tried again
/// every few seconds, so the definition may be installed at any time.
pub(crate) async fn serve_group(
    group: Group,
    objects: Api<Object>,
    concerned: impl Stream<Item = Name> + Send + 'static,
    shared: Arc<Shared>,
    workers: u16,
    stopped: watch::Receiver<bool>,
) {
    let concerned = concerned.map(move |name| name.sealed_secret(group));
    let keys_changed = key_changes(shared.context.keys.clone());
    let recipients_changed = shared.context.examinations.as_ref().map(|needed| needed.recipients.clone());
    let recipients_changed = futures::stream::iter(recipients_changed).flat_map(changes);
    let mut controller = Controller::new_with(objects, pages(), group);
    if group == Group::BITNAMI {
        controller = controller.trigger_backoff(Steady(Duration::from_secs(5)));
    }
    let objects = controller.store();
    let counting = match group.format {
        Format::Native => count(objects.clone(), shared.counted.clone()).boxed(),
        Format::Bitnami => std::future::pending().boxed(),
    };
    let work = controller
        .with_config(ControllerConfig::default().concurrency(workers))
        .reconcile_on(concerned)
        .reconcile_all_on(keys_changed)
        .reconcile_all_on(recipients_changed)
        .graceful_shutdown_on(until(stopped.clone()))
        .run(reconcile_one, |_, _, _| unreachable!("a reconcile never fails"), shared)
        .for_each(|_| std::future::ready(()));
    tokio::select! {
        () = work => {}
        () = counting => {}
        () = stopped_before_work(stopped, objects) => {}
    }
}

/// The changes of a value, from now on.
fn changes<T: Send + Sync + 'static>(value: watch::Receiver<T>) -> impl Stream<Item = ()> + Send {
    futures::stream::unfold(value, |mut value| async move {
        value.changed().await.ok()?;
        Some(((), value))
    })
}

/// A constant backoff: it waits for a definition to be installed, and a growing one would notice that late.
struct Steady(Duration);

impl Iterator for Steady {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        Some(self.0)
    }
}

impl kube::runtime::utils::Backoff for Steady {
    fn reset(&mut self) {}
}

async fn reconcile_one(object: Arc<Object>, shared: Arc<Shared>) -> Result<Action, std::convert::Infallible> {
    // The garbage collector deletes the Secret of an object that is being deleted.
    if object.meta().deletion_timestamp.is_some() {
        return Ok(Action::await_change());
    }
    // An outage makes no object fail, and no object waits for longer than the outage.
    shared.contact.is_there().await;
    let _slot = shared.slots.acquire().await.expect("the semaphore is never closed");
    // A replica that no longer leads stops where it is. The next leader looks at every object.
    let reconciled = shared.leadership.while_leading(reconcile(&shared.context, &object)).await;
    Ok(match reconciled {
        None | Some(Next::OnChange) => Action::await_change(),
        Some(Next::After(delay)) => Action::requeue(delay),
    })
}

/// The SealedSecrets of a group.
pub(crate) fn objects(client: &Client, namespace: Option<&Namespace>, group: Group) -> Api<Object> {
    match namespace {
        Some(namespace) => Api::namespaced_with(client.clone(), namespace.as_str(), &group),
        None => Api::all_with(client.clone(), &group),
    }
}

/// Ends with `stopped` if the first list of objects hasn't come by then. kube's Controller would wait for the
/// list for ever, because it has closed the watch. Before the list, no reconcile is under way that would have
/// to finish.
async fn stopped_before_work(stopped: watch::Receiver<bool>, objects: reflector::Store<Object>) {
    until(stopped).await;
    if objects.wait_until_ready().now_or_never().is_some() {
        std::future::pending().await
    }
}

/// Waits until it is time to stop.
pub(crate) async fn until(mut stopped: watch::Receiver<bool>) {
    // An error means that the sender is gone, and then the program ends anyway.
    drop(stopped.wait_for(|stopped| *stopped).await);
}

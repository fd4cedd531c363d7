//! The work on the objects of both groups: it watches them and looks at each when it is its turn, until it is stopped.
//!
//! [`super::objects`] decides whose turn it is, and [`crate::reconcile`] says what a look does. One task takes in what the
//! watches deliver and hands out the looks. A look that has to wait for anything goes on as a task of its own. Invariant:
//! nothing that a watch delivers is dropped on the way; between a watch and this task are no more than [`INBOX`] objects.

use std::future::ready;
use std::panic::resume_unwind;
use std::pin::pin;
use std::sync::Arc;

use futures::stream::{BoxStream, select_all};
use futures::{FutureExt as _, StreamExt as _};
use kube::api::{Api, GetParams};
use kube::runtime::watcher::Event;
use kube::{Client, Resource as _};
use seal_crds::resources::Group;
use seal_crds::{Format, Namespace, Place};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, interval, sleep_until};

use super::api::{failure, is_code};
use super::flight::{Flight, urgently};
use super::key_changes::key_changes;
use super::mark::Mark;
use super::name::Name;
use super::natives::Natives;
use super::object::Object;
use super::objects::{Ended, Key, Objects, Turn, marks};
use super::room::Room;
use super::store::ClusterStore;
use super::usage;
use super::watching::{Which, events};
use crate::contact::Contact;
use crate::failure::Failure;
use crate::leadership::Leadership;
use crate::metrics::Metrics;
use crate::queue::{Counts, Urgency};
use crate::reconcile::{Context, Next, look};
use crate::usage::Counted;

/// The most objects that a watch is ahead of this work.
const INBOX: usize = 64;

/// The most looks that begin in a row before the watches have their turn.
const AT_ONCE: usize = 16;

/// The values that all looks share.
pub(crate) struct Shared {
    pub(crate) context: Context<ClusterStore>,
    pub(crate) leadership: Leadership,
    /// The requests of the looks, which say how many objects should be in hand.
    pub(crate) flight: Arc<Flight>,
    pub(crate) contact: Contact,
    /// Turns true when no look begins any more.
    pub(crate) stopped: watch::Receiver<bool>,
}

/// What the work is told.
pub(crate) struct Sources {
    /// The SealedSecrets of each group. If the cluster doesn't have the definition of sealed-secrets, its group is tried
    /// again every few seconds, so the definition may be installed at any time.
    pub(crate) objects: [(Group, Api<Object>); 2],
    /// The names of Secrets that change.
    pub(crate) secrets: BoxStream<'static, Name>,
    /// Gets the native SealedSecrets that there are.
    pub(crate) natives: Natives,
}

/// Reconciles all objects until it is time to stop, and then finishes the looks that are under way: at most `workers`.
pub(crate) async fn work(
    sources: Sources,
    shared: Arc<Shared>,
    workers: u16,
    counted: &watch::Sender<Option<Arc<Counted>>>,
) {
    let Sources { objects: watched, mut secrets, natives } = sources;
    let (arrived, mut arrivals) = mpsc::channel(INBOX);
    let mut watches = JoinSet::new();
    let _watched = Watched(&shared.contact);
    let in_queue = InQueue(&shared.context.metrics);
    let recipients = shared.context.examinations.as_ref().map(|needed| changes(needed.recipients.clone()));
    let keys = key_changes(shared.context.keys.clone()).boxed();
    let mut changes = select_all([Some(keys), recipients].into_iter().flatten());
    let secret = |key: &Key| secret(&shared.context.store, key);
    let mut objects = Objects::new(workers.into(), natives);
    for (group, api) in watched {
        let room = objects.room(group.format).clone();
        watches.spawn(deliver(group, api, room, shared.contact.clone(), arrived.clone()));
    }
    let mut looks = JoinSet::new();
    let mut count = interval(usage::EVERY);
    let stopped = until(shared.stopped.clone());
    tokio::pin!(stopped);
    loop {
        let now = Instant::now().into_std();
        let room = |objects: &Objects| {
            shared.flight.has_room(objects.under_way(Urgency::Again), objects.under_way(Urgency::Changed))
        };
        let mut begun = 0;
        while begun < AT_ONCE
            && let Some(least) = room(&objects)
            && let Some(turn) = objects.begin(least, now, secret)
        {
            begun += 1;
            let is_urgent = turn.urgency == Urgency::Changed;
            let mut look = urgently(is_urgent, look_at(turn, shared.clone())).boxed();
            // Most looks at objects that haven't changed wait for nothing, and a task costs more than they do.
            match look.as_mut().now_or_never() {
                Some(ended) => objects.end(ended, now, secret),
                None => drop(looks.spawn(look)),
            }
        }
        let may_begin_more = begun == AT_ONCE;
        in_queue.0.in_queue(objects.counts());
        // Without room, the end of a look comes first.
        let next_time = objects.next_time().filter(|_| room(&objects).is_some());
        tokio::select! {
            () = &mut stopped => break,
            () = ready(()), if may_begin_more => {}
            Some((format, event)) = arrivals.recv() => {
                let is_counted = format == Format::Native && matches!(event, Event::InitDone);
                objects.take_in(format, event, secret);
                if is_counted {
                    count.reset_immediately();
                }
            }
            Some(name) = secrets.next() => {
                for format in [Format::Native, Format::Bitnami] {
                    objects.touch(&Key::named(format, &name), secret);
                }
            }
            Some(()) = changes.next() => objects.look_at_all(),
            () = shared.flight.more_room() => {}
            Some(ended) = looks.join_next() => objects.end(finished(ended), Instant::now().into_std(), secret),
            () = sleep_until(next_time.unwrap_or_else(std::time::Instant::now).into()), if next_time.is_some() => {}
            _ = count.tick() => if let Some(needs) = objects.needs() { usage::publish(needs, counted) },
        }
    }
    drop(watches);
    while let Some(ended) = looks.join_next().await {
        finished(ended);
    }
}

/// The result of a look's task. A panic goes on here: it is a bug, and the process ends with it.
fn finished<T>(task: Result<T, tokio::task::JoinError>) -> T {
    task.unwrap_or_else(|error| resume_unwind(error.into_panic()))
}

/// Delivers what the watch on a group says, for ever.
async fn deliver(
    group: Group,
    api: Api<Object>,
    room: Arc<Room>,
    contact: Contact,
    to: mpsc::Sender<(Format, Event<Object>)>,
) {
    let which = match group.format {
        Format::Native => Which::all(NATIVE).of_cache(),
        Format::Bitnami => Which::all("sealedsecrets.bitnami.com").may_be_missing(),
    };
    let mut events = pin!(events(api, which.within(room), &contact));
    while let Some(event) = events.next().await {
        if to.send((group.format, event)).await.is_err() {
            return;
        }
    }
}

/// Native objects, in logs and metrics.
const NATIVE: &str = "sealedsecrets";

/// While the leader watches, a refusal of its watch makes it unready. A replica that leads no longer has no such watch.
struct Watched<'c>(&'c Contact);

impl Drop for Watched<'_> {
    fn drop(&mut self) {
        self.0.watch_kept(NATIVE);
    }
}

/// The metric of the queue. A replica that leads no longer has none.
struct InQueue<'m>(&'m Metrics);

impl Drop for InQueue<'_> {
    fn drop(&mut self) {
        self.0.in_queue(Counts::default());
    }
}

/// Looks at an object in its turn.
async fn look_at(turn: Turn, shared: Arc<Shared>) -> Ended {
    let (key, begun) = (turn.key.clone(), turn.begun);
    let context = &shared.context;
    let looked = shared.leadership.while_leading(async {
        // An outage makes no object fail, and keeps nobody from ending.
        tokio::select! {
            () = shared.contact.is_there() => {}
            () = until(shared.stopped.clone()) => return (Next::OnChange, None),
        }
        let object = match &turn.object {
            Some(kept) => kept.object.clone(),
            None => match read(&context.store.client, &turn).await {
                Ok(Some(object)) => Arc::new(object),
                // Another one is to arrive, or its deletion.
                Ok(None) => return (Next::OnChange, None),
                Err(failure) => {
                    tracing::debug!(reason = failure.reason.as_str(), "an object can't be read now");
                    let now = std::time::Instant::now();
                    let wait = context.backoff.failed(place(&turn.key), failure.whose(), now);
                    return (Next::After(wait), None);
                }
            },
        };
        let looked = look(context, &object).await;
        (looked.next, looked.left.map(|left| marks(&object, &left)))
    });
    // A replica that no longer leads stops where it is. The next leader looks at every object.
    let (next, left) = looked.await.unwrap_or((Next::OnChange, None));
    Ended { key, begun, next, left }
}

/// Reads an object that there was no room for; `None` if it isn't what arrived, and so a later arrival is on its way. A
/// cache of the API server that has the arrival answers.
async fn read(client: &Client, turn: &Turn) -> Result<Option<Object>, Failure> {
    let Key { format, namespace, name } = &turn.key;
    let api: Api<Object> = Api::namespaced_with(client.clone(), namespace, &Group::of(*format));
    match api.get_with(name, &GetParams::at(&turn.version)).await {
        Ok(found) => Ok(Some(found).filter(|found| Mark::of_spec(found.meta()) == turn.spec)),
        Err(error) if is_code(&error, 404) => Ok(None),
        Err(error) => Err(failure("reading the object", &error)),
    }
}

fn place(key: &Key) -> Option<Place> {
    Some(Place { namespace: key.namespace.parse().ok()?, name: key.name.parse().ok()? })
}

/// The version of an object's Secret that the cache has.
fn secret(store: &ClusterStore, key: &Key) -> Option<Mark> {
    let (uid, version) = store.secrets.version(&key.to_name())?;
    Some(Mark::of_secret(&uid, &version))
}

/// The changes of a value, from now on.
fn changes<T: Send + Sync + 'static>(value: watch::Receiver<T>) -> BoxStream<'static, ()> {
    let changes = futures::stream::unfold(value, |mut value| async move {
        value.changed().await.ok()?;
        Some(((), value))
    });
    changes.boxed()
}

/// The SealedSecrets of a group.
pub(crate) fn objects(client: &Client, namespace: Option<&Namespace>, group: Group) -> Api<Object> {
    match namespace {
        Some(namespace) => Api::namespaced_with(client.clone(), namespace.as_str(), &group),
        None => Api::all_with(client.clone(), &group),
    }
}

/// Waits until it is time to stop.
pub(crate) async fn until(mut stopped: watch::Receiver<bool>) {
    // An error means that the sender is gone, and then the program ends anyway.
    drop(stopped.wait_for(|stopped| *stopped).await);
}

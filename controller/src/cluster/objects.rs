//! The SealedSecrets of both groups: what is known of each, and which of them have to be looked at.
//!
//! This file decides and makes no request; [`super::work`] brings it what the watches deliver, and does the looks. The spec
//! of an object, by far its largest part, is kept from its arrival to the end of the next look, as long as there is
//! [`Room`]; without it, the look begins with a GET. At rest an object costs its name and a few marks.
//!
//! A look ends with a memo ([`Memo`]): what it went by, and how it left the object and the Secret. While both are like
//! that, another look would do nothing, so the echoes of our own writes cost none.
//!
//! Invariants: every object's last version is looked at after it arrived, or found to be what the last look left; so is
//! every object whose Secret changed. After a new list, what isn't in it is forgotten, and nothing else is. A memo counts
//! only while the keys and recipients are those of its look, and while no native object stands beside a Bitnami one.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Instant;

use kube::runtime::watcher::Event;
use seal_crds::Format;
use seal_crds::keys::Fingerprint;

use super::mark::Mark;
use super::name::Name;
use super::natives::Natives;
use super::object::Object;
use super::room::{Kept, Room};
use crate::plan::says_ready;
use crate::queue::{Counts, Queue, Queued, Urgency};
use crate::reconcile::{Left, Next};

/// The name of a SealedSecret of either group.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key {
    pub(super) format: Format,
    pub(super) namespace: Arc<str>,
    pub(super) name: Arc<str>,
}

/// All SealedSecrets.
pub(super) struct Objects {
    known: HashMap<Key, Known>,
    queue: Queue<Key>,
    /// The lists of each group.
    lists: [List; 2],
    /// Counts the changes of keys and recipients.
    epoch: u64,
    /// The room of each group.
    rooms: [Arc<Room>; 2],
    natives: Natives,
}

/// The lists of a group.
#[derive(Clone, Copy, Default)]
struct List {
    /// The number of the last one.
    number: u32,
    /// One was complete.
    is_complete: bool,
}

/// What is known of an object.
struct Known {
    /// The resourceVersion of its last arrival.
    version: Box<str>,
    spec: Mark,
    seen: Mark,
    is_ready: bool,
    /// The object is being deleted, and the garbage collector deletes its Secret.
    is_going: bool,
    /// The sealing keys that it needs, as its status says.
    needs: Box<[Fingerprint]>,
    /// The last list that it was in, or the last one before it arrived.
    list: u32,
    object: Option<Kept>,
    memo: Option<Memo>,
    touched: Touched,
}

/// What has changed since a look began, as far as the watches have delivered it.
#[derive(Clone, Copy, Default)]
struct Touched {
    object: bool,
    secret: bool,
    /// The native object beside a Bitnami one.
    native: bool,
}

/// How the last look left an object.
struct Memo {
    epoch: u64,
    object: After<Mark>,
    secret: After<Option<Mark>>,
}

/// A thing as a look left it.
struct After<T> {
    it: T,
    /// The thing as it was before the look, until the watch has delivered any later state of it: what the look wrote is
    /// still to come then, and is compared when it comes.
    before: Option<T>,
}

impl<T: PartialEq> After<T> {
    fn is(&self, now: &T) -> bool {
        self.it == *now || self.before.as_ref() == Some(now)
    }
}

/// A look that begins.
pub(super) struct Turn {
    pub(super) key: Key,
    pub(super) urgency: Urgency,
    /// The object; `None` if it has to be read.
    pub(super) object: Option<Kept>,
    /// Where the object was when it arrived last.
    pub(super) version: Box<str>,
    pub(super) spec: Mark,
    pub(super) begun: Begun,
}

/// What a look goes by, beside the object.
#[derive(Clone, Copy)]
pub(super) struct Begun {
    epoch: u64,
    seen: Mark,
    secret: Option<Mark>,
    /// A native object stood beside the Bitnami one.
    native: bool,
}

/// A look that ended.
pub(super) struct Ended {
    pub(super) key: Key,
    pub(super) begun: Begun,
    pub(super) next: Next,
    /// The marks of the object and of a Secret that was written; `None` if the look doesn't know how it left them.
    pub(super) left: Option<(Mark, Option<Mark>)>,
}

impl Queued for Key {
    type Group = Arc<str>;

    fn group(&self) -> &Arc<str> {
        &self.namespace
    }
}

impl Key {
    fn of(format: Format, object: &Object) -> Self {
        let part = |text: &Option<String>| text.as_deref().unwrap_or_default().into();
        Self { format, namespace: part(&object.metadata.namespace), name: part(&object.metadata.name) }
    }

    pub(super) fn named(format: Format, name: &Name) -> Self {
        Self { format, namespace: name.namespace.clone(), name: name.name.clone() }
    }

    pub(super) fn to_name(&self) -> Name {
        Name { namespace: self.namespace.clone(), name: self.name.clone() }
    }
}

/// The marks of how a look left an object.
pub(super) fn marks(object: &Object, left: &Left) -> (Mark, Option<Mark>) {
    let status = left.status.as_ref().or(object.status.as_deref());
    (Mark::of_object(&object.metadata, status), left.secret.as_ref().map(Mark::of_version))
}

impl Objects {
    /// Nothing is known, and at most `workers` looks are under way at once. `natives` gets the native objects.
    pub(super) fn new(workers: usize, natives: Natives) -> Self {
        Self {
            known: HashMap::new(),
            queue: Queue::new(workers),
            lists: [List::default(); 2],
            epoch: 0,
            rooms: [(); 2].map(|()| Arc::default()),
            natives,
        }
    }

    /// The room for the objects of a group.
    pub(super) fn room(&self, format: Format) -> &Arc<Room> {
        &self.rooms[format as usize]
    }

    /// Takes in what the watch of a group delivers. `secret` is the version of an object's Secret in the cache.
    pub(super) fn take_in(
        &mut self,
        format: Format,
        event: Event<Object>,
        secret: impl Fn(&Key) -> Option<Mark>,
    ) {
        match event {
            Event::Init => self.lists[format as usize].number += 1,
            Event::InitApply(object) => self.arrive(format, &Arc::new(object), true, secret),
            Event::InitDone => self.end_list(format),
            Event::Apply(object) => self.arrive(format, &Arc::new(object), false, secret),
            Event::Delete(object) => self.forget(&Key::of(format, &object)),
        }
    }

    fn end_list(&mut self, format: Format) {
        let list = &mut self.lists[format as usize];
        let is_first = !std::mem::replace(&mut list.is_complete, true);
        let number = list.number;
        let all = self.known.iter().filter(|(key, known)| key.format == format && known.list != number);
        let gone: Vec<Key> = all.map(|(key, _)| key.clone()).collect();
        gone.iter().for_each(|key| self.forget(key));
        if is_first && format == Format::Native {
            // Now it is known which Bitnami objects have native ones beside them.
            let waiting = self.known.iter().filter(|(key, _)| key.format == Format::Bitnami);
            waiting.for_each(|(key, known)| self.queue.wake(key, known.urgency()));
        }
    }

    fn arrive(
        &mut self,
        format: Format,
        object: &Arc<Object>,
        is_listed: bool,
        secret: impl Fn(&Key) -> Option<Mark>,
    ) {
        let (key, metadata) = (Key::of(format, object), &object.metadata);
        let before = self.known.remove(&key);
        let (mut memo, touched) = before.map(|before| (before.memo, before.touched)).unwrap_or_default();
        if let Some(memo) = &mut memo {
            memo.object.before = None;
        }
        let mut known = Known {
            version: metadata.resource_version.as_deref().unwrap_or_default().into(),
            spec: Mark::of_spec(metadata),
            seen: Mark::of_object(metadata, object.status.as_deref()),
            is_ready: is_ready(object),
            is_going: metadata.deletion_timestamp.is_some(),
            needs: needs(object),
            list: self.lists[format as usize].number,
            object: None,
            memo,
            touched: Touched { object: true, ..touched },
        };
        if self.queue.is_under_way(&key) || !known.is_settled(self.epoch, secret(&key)) {
            known.object = self.room(format).keep(object);
            self.wake(&key, urgency(object, is_listed));
        }
        let uid = metadata.uid.as_deref().filter(|_| !known.is_going);
        self.known.insert(key.clone(), known);
        self.note_native(&key, uid);
    }

    fn forget(&mut self, key: &Key) {
        self.known.remove(key);
        self.queue.forget(key);
        self.note_native(key, None);
    }

    /// Notes whether there is a native object of this name, and looks at the Bitnami one beside it.
    fn note_native(&mut self, key: &Key, uid: Option<&str>) {
        if key.format != Format::Native {
            return;
        }
        self.natives.set(&key.namespace, &key.name, uid);
        let key = Key { format: Format::Bitnami, ..key.clone() };
        if let Some(known) = self.known.get_mut(&key) {
            known.touched.native = true;
            known.memo = None;
            self.wake(&key, Urgency::Changed);
        }
    }

    /// Lets the object be looked at. A Bitnami object waits until all native ones are known: it may have to step back for one.
    fn wake(&mut self, key: &Key, urgency: Urgency) {
        if key.format == Format::Native || self.lists[Format::Native as usize].is_complete {
            self.queue.wake(key, urgency);
        }
    }

    /// The Secret of this name has changed. If the last look left none, one has come. It may be gone again, and then the
    /// marks are as they were, but whatever the look met isn't.
    pub(super) fn touch(&mut self, key: &Key, secret: impl Fn(&Key) -> Option<Mark>) {
        let Some(known) = self.known.get_mut(key) else { return };
        known.touched.secret = true;
        known.memo.take_if(|memo| memo.secret.it.is_none());
        if let Some(memo) = &mut known.memo {
            memo.secret.before = None;
        }
        if self.queue.is_under_way(key) || !known.is_settled(self.epoch, secret(key)) {
            self.wake(key, Urgency::Changed);
        }
    }

    /// The keys or the recipients have changed, so every object is looked at again.
    pub(super) fn look_at_all(&mut self) {
        self.epoch += 1;
        let all = self.known.iter().filter(|(_, known)| !known.is_going);
        let all: Vec<_> = all.map(|(key, known)| (key.clone(), known.urgency())).collect();
        all.iter().for_each(|(key, urgency)| self.wake(key, *urgency));
    }

    /// How many objects wait for a look, are looked at, and rest until their next one.
    pub(super) fn counts(&self) -> Counts {
        self.queue.counts()
    }

    /// How many looks of this urgency, or a higher one, are under way.
    pub(super) fn under_way(&self, least: Urgency) -> usize {
        self.queue.under_way(least)
    }

    /// Begins the next look of this urgency or a higher one, if there is one to begin.
    pub(super) fn begin(
        &mut self,
        least: Urgency,
        now: Instant,
        secret: impl Fn(&Key) -> Option<Mark>,
    ) -> Option<Turn> {
        loop {
            let key = self.queue.begin(least, now)?;
            let urgency = self.queue.turn(&key).unwrap_or(least);
            let Some(known) = self.known.get_mut(&key).filter(|known| !known.is_going) else {
                self.queue.end(&key, now);
                continue;
            };
            known.touched = Touched::default();
            let native =
                key.format == Format::Bitnami && self.natives.uid(&key.namespace, &key.name).is_some();
            let begun = Begun { epoch: self.epoch, seen: known.seen, secret: secret(&key), native };
            let (object, version, spec) = (known.object.take(), known.version.clone(), known.spec);
            return Some(Turn { key, urgency, object, version, spec, begun });
        }
    }

    /// Takes in how a look ended.
    pub(super) fn end(&mut self, ended: Ended, now: Instant, secret: impl Fn(&Key) -> Option<Mark>) {
        let Ended { key, begun, next, left } = ended;
        let woken = self.queue.end(&key, now);
        let Some(known) = self.known.get_mut(&key) else { return };
        let (touched, epoch) = (known.touched, begun.epoch);
        let memo = left.filter(|_| !begun.native && !touched.native).map(|(object, written)| Memo {
            epoch,
            object: After { it: object, before: (!touched.object).then_some(begun.seen) },
            secret: After { it: written.or(begun.secret), before: (!touched.secret).then_some(begun.secret) },
        });
        known.memo = memo.filter(|memo| !touched.secret || memo.secret.it.is_some());
        match woken {
            Some(urgency) if !known.is_settled(self.epoch, secret(&key)) => self.queue.wake(&key, urgency),
            _ => {
                known.object = None;
                if let Next::After(delay) = next {
                    self.queue.rest(&key, now + delay, known.urgency());
                }
            }
        }
    }

    /// The time at which the next look begins, if nothing happens before.
    pub(super) fn next_time(&self) -> Option<Instant> {
        self.queue.next_rest()
    }

    /// The number of objects that need each sealing key; `None` until all objects are known.
    pub(super) fn needs(&self) -> Option<BTreeMap<Fingerprint, i64>> {
        let mut counts = BTreeMap::new();
        for key in self.known.values().flat_map(|known| &known.needs) {
            *counts.entry(*key).or_default() += 1;
        }
        self.lists[Format::Native as usize].is_complete.then_some(counts)
    }
}

impl Known {
    /// Whether a look would do nothing.
    fn is_settled(&self, epoch: u64, secret: Option<Mark>) -> bool {
        let is_left =
            |memo: &Memo| memo.epoch == epoch && memo.object.is(&self.seen) && memo.secret.is(&secret);
        self.is_going || self.memo.as_ref().is_some_and(is_left)
    }

    /// The urgency of a look that no change causes.
    fn urgency(&self) -> Urgency {
        if self.is_ready { Urgency::Again } else { Urgency::Unready }
    }
}

/// The urgency of a look at an object that arrives.
fn urgency(object: &Object, is_listed: bool) -> Urgency {
    let observed = object.status.as_ref().map(|status| status.observed_generation).filter(|it| *it >= 0);
    match observed {
        None => Urgency::Unready,
        Some(_) if !is_listed || observed != object.metadata.generation => Urgency::Changed,
        Some(_) if is_ready(object) => Urgency::Again,
        Some(_) => Urgency::Unready,
    }
}

fn is_ready(object: &Object) -> bool {
    let generation = object.metadata.generation.unwrap_or_default();
    object.status.as_ref().is_some_and(|status| says_ready(status, generation))
}

/// The sealing keys that an object needs, as its status says. Objects of the Bitnami format need RSA keys, which have no
/// SealingKey.
fn needs(object: &Object) -> Box<[Fingerprint]> {
    let usage = object.status.as_ref().and_then(|status| status.usage.as_ref());
    let usage = usage.filter(|_| object.group().format == Format::Native);
    usage.iter().flat_map(|usage| &usage.only).filter_map(|key| key.parse().ok()).collect()
}

#[cfg(test)]
mod tests;

//! Writes Events about objects (`events.k8s.io/v1`). One that repeats is counted in the Event that is there.
//!
//! kube has a recorder, too. It keeps each Event of the last minutes whole, and goes through all of them for each new one.
//! The threat is a tenant with a hundred thousand objects that can't be opened: each of them is a warning. Invariants: no
//! more than [`KEPT`] Events are remembered, and of each a few words; an Event is written in one request, or in two if
//! the one that it repeats is gone.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::api::events::v1::Event;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use k8s_openapi::jiff::Timestamp;
use kube::Client;
use kube::api::{Api, ObjectMeta, Patch, PatchParams, PostParams};
use serde_json::json;

use super::api::is_code;
use crate::store::Notice;

/// The most Events that are remembered. Of more, one that repeats is a new Event.
const KEPT: usize = 256;

/// For how long a repeated Event is counted in the last one, as client-go does it (`finishTime` of its recorder).
const SERIES: Duration = Duration::from_mins(6);

/// The longest name of an object (RFC 1123 subdomain).
const LONGEST_NAME: usize = 253;

/// The way to write Events.
#[derive(Clone)]
pub(crate) struct Recorder {
    client: Client,
    /// The name of the controller, and of this instance of it.
    controller: &'static str,
    instance: String,
    /// Oldest first.
    recent: Arc<Mutex<VecDeque<Recent>>>,
}

/// An Event that was written.
struct Recent {
    what: What,
    name: String,
    count: i32,
    /// The time at which the next is a new Event.
    until: Instant,
}

/// What an Event is about. One about the same repeats it, whatever its message: as with client-go.
#[derive(Clone, PartialEq, Eq)]
struct What {
    uid: Option<String>,
    warning: bool,
    reason: &'static str,
    action: &'static str,
}

impl Recorder {
    pub(crate) fn new(client: Client, controller: &'static str, instance: Option<String>) -> Self {
        let instance = instance.unwrap_or_else(|| controller.to_owned());
        Self { client, controller, instance, recent: Arc::default() }
    }

    /// Writes an Event about an object to which the controller did `action`.
    ///
    /// # Errors
    ///
    /// The API server can't be reached, or it refuses.
    pub(crate) async fn publish(
        &self,
        notice: &Notice,
        action: &'static str,
        about: &ObjectReference,
    ) -> kube::Result<()> {
        // Where the Events of what is in no namespace are.
        let namespace = about.namespace.as_deref().unwrap_or("default");
        let events: Api<Event> = Api::namespaced(self.client.clone(), namespace);
        let (uid, warning, reason) = (about.uid.clone(), notice.warning, notice.reason);
        let what = What { uid, warning, reason, action };
        let now = MicroTime(Timestamp::now());
        if let Some(Recent { name, count, .. }) = self.take(&what) {
            let count = count.saturating_add(1);
            let series = json!({"series": {"count": count, "lastObservedTime": now}});
            match events.patch(&name, &PatchParams::default(), &Patch::Merge(series)).await {
                // It has expired, or somebody removed it.
                Err(error) if is_code(&error, 404) => {}
                answer => {
                    self.keep(what, name, count);
                    return answer.map(drop);
                }
            }
        }
        let event = self.event(notice, action, about, now);
        events.create(&PostParams::default(), &event).await?;
        self.keep(what, event.metadata.name.unwrap_or_default(), 1);
        Ok(())
    }

    fn event(&self, notice: &Notice, action: &str, about: &ObjectReference, now: MicroTime) -> Event {
        let suffix = format!(".{:x}", now.0.as_nanosecond());
        let mut name = about.name.clone().unwrap_or_default();
        // Names of objects are ASCII. One that was cut at a dot would end with two.
        name.truncate(LONGEST_NAME - suffix.len());
        let name = name.trim_end_matches(['.', '-']).to_owned() + &suffix;
        Event {
            metadata: ObjectMeta {
                namespace: about.namespace.clone(),
                name: Some(name),
                ..ObjectMeta::default()
            },
            action: Some(action.to_owned()),
            reason: Some(notice.reason.to_owned()),
            note: Some(notice.message.clone()),
            type_: Some(if notice.warning { "Warning" } else { "Normal" }.to_owned()),
            event_time: Some(now),
            regarding: Some(about.clone()),
            reporting_controller: Some(self.controller.to_owned()),
            reporting_instance: Some(self.instance.clone()),
            ..Event::default()
        }
    }

    /// The last Event about the same, if it isn't too old. Those that are, are forgotten.
    fn take(&self, what: &What) -> Option<Recent> {
        let mut recent = self.recent();
        while recent.front().is_some_and(|oldest| oldest.until <= Instant::now()) {
            recent.pop_front();
        }
        let index = recent.iter().position(|recent| recent.what == *what)?;
        recent.remove(index)
    }

    fn keep(&self, what: What, name: String, count: i32) {
        let mut recent = self.recent();
        if recent.len() >= KEPT {
            recent.pop_front();
        }
        recent.push_back(Recent { what, name, count, until: Instant::now() + SERIES });
    }

    fn recent(&self) -> MutexGuard<'_, VecDeque<Recent>> {
        // A panic elsewhere leaves Events that are still Events.
        self.recent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;

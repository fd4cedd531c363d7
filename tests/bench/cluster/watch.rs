//! What becomes of objects, seen by a watch, with the time at which each event arrived.
//!
//! Every contender is watched by the same code, so what watching costs the API server falls on all alike. The API server
//! ends a watch whose reader is too slow for it, and then another one goes on where that one was. Invariant: no event is
//! missed.

use std::collections::{BTreeMap, HashSet};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use futures::{AsyncBufReadExt as _, StreamExt as _};
use seal_crds::format::Format;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use tokio::task::JoinHandle;

use super::objects::everywhere;
use super::{PATIENCE, requests};

/// A watch that runs. It ends when the value is dropped.
pub(crate) struct Watch {
    events: Receiver<Seen>,
    task: JoinHandle<()>,
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// An object as it was seen.
pub(crate) struct Seen {
    pub(crate) at: Instant,
    pub(crate) object: Object,
}

#[derive(Deserialize)]
pub(crate) struct Object {
    pub(crate) metadata: Metadata,
    #[serde(default)]
    status: Status,
    /// The values of a Secret, in base64.
    #[serde(default)]
    pub(crate) data: BTreeMap<String, String>,
}

#[derive(Deserialize)]
pub(crate) struct Metadata {
    pub(crate) name: String,
    #[serde(default)]
    generation: i64,
    #[serde(default, rename = "resourceVersion")]
    version: String,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Status {
    observed_generation: i64,
    conditions: Vec<Condition>,
}

#[derive(Deserialize)]
struct Condition {
    #[serde(rename = "type")]
    type_: String,
    status: String,
}

#[derive(Deserialize)]
struct Event<'t> {
    #[serde(rename = "type")]
    type_: &'t str,
    #[serde(borrow)]
    object: &'t RawValue,
}

impl Watch {
    /// Watches all objects of a format from now on.
    pub(crate) fn objects(format: Format) -> Self {
        Self::start(&everywhere(format), "")
    }

    /// Watches a collection from now on. The selector is part of a query, such as `&fieldSelector=…`.
    ///
    /// # Panics
    /// When it can't be listed.
    pub(crate) fn start(collection: &str, selector: &str) -> Self {
        let client = requests::shared().clone();
        let now = requests::get(&format!("{collection}?limit=1{selector}"), requests::METADATA_LIST);
        let now = requests::block_on(client.request::<Value>(now)).expect("the collection can be listed");
        let mut version = now["metadata"]["resourceVersion"].as_str().unwrap_or_default().to_owned();
        let watch = format!("{collection}?watch=1{selector}");
        let (sender, events) = mpsc::channel();
        let task = requests::runtime().spawn(async move {
            loop {
                let request =
                    requests::get(&format!("{watch}&resourceVersion={version}"), "application/json");
                let stream = client.request_stream(request).await;
                let mut lines = Box::pin(stream.expect("the collection can be watched")).lines();
                while let Some(Ok(line)) = lines.next().await {
                    let (at, event) = (Instant::now(), serde_json::from_str::<Event<'_>>(&line));
                    let Event { type_, object } = event.expect("an event");
                    assert_ne!(type_, "ERROR", "{object}");
                    let object: Object = serde_json::from_str(object.get()).expect("an object");
                    version.clone_from(&object.metadata.version);
                    if type_ != "DELETED" && sender.send(Seen { at, object }).is_err() {
                        return;
                    }
                }
            }
        });
        Self { events, task }
    }

    /// Waits until so many objects are in sync as of this generation, and returns when the last was seen to be.
    pub(crate) fn until_synced(&self, count: usize, generation: i64) -> Instant {
        let mut synced = HashSet::new();
        self.until(PATIENCE, |seen| {
            if seen.object.is_synced(generation) {
                synced.insert(seen.object.metadata.name.clone());
            }
            synced.len() == count
        })
        .at
    }

    /// The first event that is looked for.
    ///
    /// # Panics
    /// When there is none for so long, or the watch panicked.
    #[track_caller]
    pub(crate) fn until(&self, patience: Duration, mut is_it: impl FnMut(&Seen) -> bool) -> Seen {
        let deadline = Instant::now() + patience;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.events.recv_timeout(left) {
                Ok(seen) if is_it(&seen) => return seen,
                Ok(_) => {}
                Err(RecvTimeoutError::Timeout) => panic!("not seen within {patience:?}"),
                Err(RecvTimeoutError::Disconnected) => panic!("the watch ended"),
            }
        }
    }
}

impl Object {
    /// `true` if the Secret of this generation, or of a later one, is written, by the word of whoever wrote it.
    fn is_synced(&self, generation: i64) -> bool {
        let status = &self.status;
        let says =
            |type_: &str| status.conditions.iter().find(|it| it.type_ == type_).map(|it| it.status == "True");
        // The peer has no Ready, and its Synced is what ours says there too.
        let is_ready = says("Ready").or_else(|| says("Synced")).unwrap_or(false);
        is_ready
            && self.metadata.generation >= generation
            && status.observed_generation == self.metadata.generation
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_object_is_in_sync_by_its_own_generation() {
        let object = |generation: i64, observed: i64, conditions: Value| {
            let metadata = json!({"name": "a", "generation": generation});
            let object = json!({"metadata": metadata, "status": {"observedGeneration": observed, "conditions": conditions}});
            Object::deserialize(&object).unwrap()
        };
        let condition = |type_: &str, status: &str| json!([{"type": type_, "status": status}]);
        assert!(object(1, 1, condition("Ready", "True")).is_synced(1));
        assert!(object(1, 1, condition("Synced", "True")).is_synced(1));
        assert!(!object(1, 1, condition("Ready", "True")).is_synced(2));
        assert!(!object(2, 1, condition("Ready", "True")).is_synced(1));
        let both = json!([{"type": "Synced", "status": "True"}, {"type": "Ready", "status": "False"}]);
        assert!(!object(1, 1, both).is_synced(1));
        assert!(!object(1, 0, json!([])).is_synced(0));
    }
}

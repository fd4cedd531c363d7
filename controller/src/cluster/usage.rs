//! Publishes how many objects need each sealing key, for people.
//!
//! [`super::objects`] counts, from the statuses of the watched objects. Invariant: a count is published at most once a
//! minute and after a new list, and only if it differs from the last.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use seal_crds::keys::Fingerprint;
use tokio::sync::watch;

use crate::usage::Counted;

/// The time between two counts.
pub(super) const EVERY: Duration = Duration::from_secs(60);

pub(super) fn publish(needs: BTreeMap<Fingerprint, i64>, counted: &watch::Sender<Option<Arc<Counted>>>) {
    counted.send_if_modified(|last| {
        let is_news = last.as_ref().is_none_or(|last| last.objects != needs);
        if is_news {
            *last = Some(Arc::new(Counted { objects: needs, at: Timestamp::now() }));
        }
        is_news
    });
}

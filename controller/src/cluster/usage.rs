//! Counts the objects that need each sealing key, from the statuses of the watched objects.
//!
//! Only native objects are counted: those of the Bitnami format need RSA keys, which have no SealingKey. Invariant: a
//! count is published at most once a minute, and only if it differs from the last.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use kube::runtime::reflector::Store;
use seal_crds::keys::Fingerprint;
use seal_crds::resources::SealedSecretStatus;
use tokio::sync::watch;

use super::object::Object;
use crate::usage::Counted;

/// The time between two counts.
const EVERY: Duration = Duration::from_secs(60);

/// Counts again and again; never ends.
pub(super) async fn count(objects: Store<Object>, counted: watch::Sender<Option<Arc<Counted>>>) {
    // An error means that the watch has ended; then the program ends too.
    drop(objects.wait_until_ready().await);
    loop {
        let all = objects.state();
        let now = needs(all.iter().filter_map(|object| object.status.as_ref()));
        counted.send_if_modified(|last| {
            let is_news = last.as_ref().is_none_or(|last| last.objects != now);
            if is_news {
                *last = Some(Arc::new(Counted { objects: now, at: Timestamp::now() }));
            }
            is_news
        });
        tokio::time::sleep(EVERY).await;
    }
}

fn needs<'a>(statuses: impl Iterator<Item = &'a SealedSecretStatus>) -> BTreeMap<Fingerprint, i64> {
    let mut counts = BTreeMap::new();
    for usage in statuses.filter_map(|status| status.usage.as_ref()) {
        for key in usage.only.iter().filter_map(|key| key.parse().ok()) {
            *counts.entry(key).or_default() += 1;
        }
    }
    counts
}

#[cfg(test)]
mod tests {
    use seal_crds::resources::Usage;

    use super::*;

    #[test]
    fn every_object_counts_once_for_each_key_that_it_needs() {
        let [a, b] = ["a", "b"].map(Fingerprint::of);
        let status = |only: &[Fingerprint]| {
            let only = only.iter().map(ToString::to_string).collect();
            let usage = Usage {
                source: String::new(),
                items: None,
                keyring: String::new(),
                only,
                revoked: None,
                target: None,
            };
            SealedSecretStatus { usage: Some(usage), ..SealedSecretStatus::default() }
        };
        let all = [status(&[a]), status(&[a, b]), status(&[]), SealedSecretStatus::default()];
        assert_eq!(needs(all.iter()), [(a, 2), (b, 1)].into());
    }
}

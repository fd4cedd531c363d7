//! The changes of the keys that concern every object: a key that came at once, and keys that only went once that has
//! lasted.
//!
//! A key that came, or came back, may open what failed. Keys that went open nothing, and all that an object can do is to
//! say so. A Secret of a key that is deleted and put back, or labelled anew, would otherwise cost two statuses of every
//! object; so it costs a look.
//! Invariant: after a change of the keys that lasts, every object is looked at with keys that are no older.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use futures::Stream;
use seal_crds::keys::{Fingerprint, Keyring, RsaPrivateKey};
use tokio::sync::watch::Receiver;

/// How long keys must be gone before every object is looked at for that.
const LASTS: Duration = Duration::from_secs(30);

/// An item whenever every object has to be looked at again for its keys.
pub(super) fn key_changes(keys: Receiver<Arc<Keyring>>) -> impl Stream<Item = ()> + Send {
    changes(keys, LASTS)
}

fn changes(mut keys: Receiver<Arc<Keyring>>, lasts: Duration) -> impl Stream<Item = ()> + Send {
    let known = fingerprints(&keys.borrow_and_update());
    futures::stream::unfold((keys, known), move |(mut keys, mut known)| async move {
        let mut are_fewer = false;
        let mut last = known.clone();
        loop {
            let is_over = if are_fewer {
                match tokio::time::timeout(lasts, keys.changed()).await {
                    Ok(changed) => changed.is_err(),
                    Err(_) => {
                        known = fingerprints(&keys.borrow());
                        return Some(((), (keys, known)));
                    }
                }
            } else {
                keys.changed().await.is_err()
            };
            if is_over {
                return None;
            }
            let now = fingerprints(&keys.borrow_and_update());
            if !now.is_subset(&last) {
                known = now;
                return Some(((), (keys, known)));
            }
            are_fewer = now.len() < known.len();
            last = now;
        }
    })
}

fn fingerprints(keyring: &Keyring) -> BTreeSet<Fingerprint> {
    keyring.fingerprints().chain(keyring.rsa_keys().iter().map(RsaPrivateKey::fingerprint)).collect()
}

#[cfg(test)]
mod tests {
    use futures::{FutureExt as _, StreamExt as _};
    use seal_crds::keys::Identity;
    use tokio::sync::watch;

    use super::*;

    fn keyring(keys: &[&Identity]) -> Arc<Keyring> {
        Arc::new(keys.iter().map(|key| Identity::parse(&key.to_secret_string()).unwrap()).collect())
    }

    #[tokio::test]
    async fn a_key_that_came_counts_at_once_and_keys_that_went_only_once_that_lasts() {
        let [one, other] = [Identity::generate(), Identity::generate()];
        let (set, keys) = watch::channel(keyring(&[&one]));
        let mut never = Box::pin(changes(keys.clone(), Duration::from_secs(3600)));
        let mut soon = Box::pin(changes(keys, Duration::from_millis(1)));
        assert_eq!(never.next().now_or_never(), None);
        set.send_replace(keyring(&[&one, &other]));
        assert_eq!([never.next().await, soon.next().await], [Some(()); 2]);
        // Another order changes nothing, and a loss nothing yet.
        set.send_replace(keyring(&[&other, &one]));
        assert_eq!(never.next().now_or_never(), None);
        set.send_replace(keyring(&[]));
        assert_eq!(never.next().now_or_never(), None);
        assert_eq!(soon.next().await, Some(()));
        // They are back at once: an object that was looked at meanwhile has failed.
        set.send_replace(keyring(&[&one, &other]));
        assert_eq!([never.next().await, soon.next().await], [Some(()); 2]);
        // One of them goes, and another comes in its place.
        set.send_replace(keyring(&[&one]));
        assert_eq!(never.next().now_or_never(), None);
        set.send_replace(keyring(&[&one, &Identity::generate()]));
        assert_eq!(never.next().await, Some(()));
        drop(set);
        assert_eq!(never.next().await, None);
    }
}

//! The room for the objects of a group that are kept whole from their arrival to the end of their look.
//!
//! An object for which there is no room costs a GET when it is looked at. So a list, which brings objects faster than they
//! are looked at, pauses between its pages while the room fills up ([`Room::pause`]). Invariants: what is kept weighs no
//! more than [`ROOM`]; a pause ends by itself, and a list of any length makes progress whatever the looks do.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::timeout;

use super::object::Object;

/// The bytes of all objects of a group that are kept whole: those of some 500 usual ones. More would cost more memory than
/// the requests for the others are worth.
pub(super) const ROOM: usize = 2 << 20;

/// The longest pause. A page has 50 objects, which are looked at in much less.
const PAUSE: Duration = Duration::from_millis(500);

/// The room of a group.
#[derive(Default)]
pub(super) struct Room {
    used: AtomicUsize,
    freed: Notify,
    /// Nothing has become free since the last pause began.
    is_stuck: AtomicBool,
}

/// An object that is kept whole.
pub(super) struct Kept {
    pub(super) object: Arc<Object>,
    weight: usize,
    room: Arc<Room>,
}

impl Room {
    /// Keeps the object, if there is room for it.
    pub(super) fn keep(self: &Arc<Self>, object: &Arc<Object>) -> Option<Kept> {
        let weight = object.weight();
        let take = |used: usize| used.checked_add(weight).filter(|used| *used <= ROOM);
        self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).ok()?;
        Some(Kept { object: object.clone(), weight, room: self.clone() })
    }

    /// Waits until half of the room is free, at most for [`PAUSE`]. If nothing has become free since the last pause began,
    /// as in an outage, there is none.
    pub(super) async fn pause(&self) {
        let is_full = || self.used() > ROOM / 2;
        if !is_full() || self.is_stuck.swap(true, Ordering::Relaxed) {
            return;
        }
        let free = async {
            loop {
                // Whatever becomes free after this line ends the wait below.
                let freed = self.freed.notified();
                if !is_full() {
                    return;
                }
                freed.await;
            }
        };
        let _ = timeout(PAUSE, free).await;
    }

    /// The bytes of what is kept now.
    pub(super) fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.room.used.fetch_sub(self.weight, Ordering::Relaxed);
        self.room.is_stuck.store(false, Ordering::Relaxed);
        self.room.freed.notify_waiters();
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// An object of some 100 KiB.
    pub(in super::super) fn object() -> Arc<Object> {
        let spec = serde_json::json!({"text": "x".repeat(100 << 10)});
        let object = serde_json::json!({
            "apiVersion": "sealing.dev/v1alpha1", "kind": "SealedSecret",
            "metadata": {"name": "db", "namespace": "prod"}, "spec": spec,
        });
        Arc::new(serde_json::from_value(object).unwrap())
    }

    /// A room with as many objects as it has room for.
    pub(in super::super) fn full() -> (Arc<Room>, Vec<Kept>) {
        let (room, object) = (Arc::<Room>::default(), object());
        let kept = std::iter::from_fn(|| room.keep(&object)).collect();
        (room, kept)
    }

    async fn paused(room: &Room) -> Duration {
        let begun = tokio::time::Instant::now();
        room.pause().await;
        begun.elapsed()
    }

    #[test]
    fn what_is_kept_fits_into_the_room_and_leaves_none_of_it_taken() {
        let (room, mut kept) = full();
        assert!((ROOM - (110 << 10)..=ROOM).contains(&room.used()), "{}", room.used());
        kept.pop();
        let again = room.keep(&object());
        assert!(again.is_some() && room.keep(&object()).is_none());
        drop((kept, again));
        assert_eq!(room.used(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_ends_as_soon_as_half_of_the_room_is_free() {
        let (room, mut kept) = full();
        let ended = tokio::spawn({
            let room = room.clone();
            async move { paused(&room).await }
        });
        while room.used() > ROOM / 2 {
            assert!(!ended.is_finished());
            tokio::time::sleep(Duration::from_millis(10)).await;
            kept.pop();
        }
        let taken = ended.await.unwrap();
        assert!((Duration::from_millis(50)..PAUSE).contains(&taken), "{taken:?}");
        assert_eq!(paused(&room).await, Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_is_short_and_there_is_no_other_until_something_becomes_free() {
        let (room, mut kept) = full();
        assert_eq!(paused(&room).await, PAUSE);
        assert_eq!(paused(&room).await, Duration::ZERO);
        kept.pop();
        assert_eq!(paused(&room).await, PAUSE);
    }
}

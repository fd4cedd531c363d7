//! The cores of the machine, for work whose length an object's content decides: decoding, templates, key operations.
//!
//! More of it at once than there are cores would take no less time, only more memory. Namespaces share the cores by time
//! ([`crate::line`]), so an object waits for one piece of work of each other namespace, and not for all the heavy ones of
//! one. Invariant: a core is given back when the work ends, however it ends, and is lost with nobody who no longer waits.

use std::num::NonZero;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::available_parallelism;
use std::time::{Duration, Instant};

use seal_crds::Namespace;
use tokio::sync::oneshot;

use crate::line::{Called, Line};

/// The cores; cheap to clone.
#[derive(Clone)]
pub(crate) struct Cores(Arc<Mutex<State>>);

struct State {
    free: usize,
    line: Line<Namespace, (Namespace, oneshot::Sender<Core>)>,
}

/// A core, for one piece of work. It is given back when this is dropped.
pub(crate) struct Core {
    cores: Cores,
    namespace: Namespace,
    begun: Instant,
}

impl Default for Cores {
    fn default() -> Self {
        Self::new(available_parallelism().map_or(1, NonZero::get))
    }
}

impl Cores {
    /// So many cores.
    pub(crate) fn new(count: usize) -> Self {
        Self(Arc::new(Mutex::new(State { free: count, line: Line::new(usize::MAX) })))
    }

    /// Waits for a core.
    pub(crate) async fn take(&self, namespace: &Namespace) -> Core {
        let (sender, core) = oneshot::channel();
        self.lock()
            .line
            .join(namespace, (namespace.clone(), sender))
            .expect("the line has room for everybody");
        self.hand_out();
        core.await.expect("a sender is kept until it is used")
    }

    fn hand_out(&self) {
        while let Some((sender, core)) = self.next() {
            // If nobody waits for it any more, dropping it gives it back.
            drop(sender.send(core));
        }
    }

    /// Takes a free core for the next one who waits.
    fn next(&self) -> Option<(oneshot::Sender<Core>, Core)> {
        let mut state = self.lock();
        while state.free > 0 {
            let Called { who: (namespace, sender), .. } = state.line.call(Duration::ZERO)?;
            if sender.is_closed() {
                continue;
            }
            state.free -= 1;
            return Some((sender, Core { cores: self.clone(), namespace, begun: Instant::now() }));
        }
        None
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic elsewhere leaves a line that is still a line.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Core {
    fn drop(&mut self) {
        let mut state = self.cores.lock();
        state.free += 1;
        state.line.settle(&self.namespace, Duration::ZERO, self.begun.elapsed());
        drop(state);
        self.cores.hand_out();
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;
    use futures::future::BoxFuture;

    use super::*;

    fn ask(cores: &Cores, namespace: &str) -> BoxFuture<'static, Core> {
        let (cores, namespace) = (cores.clone(), namespace.parse().unwrap());
        let mut asked = async move { cores.take(&namespace).await }.boxed();
        // The first poll lets it wait in the line.
        match (&mut asked).now_or_never() {
            Some(core) => async { core }.boxed(),
            None => asked,
        }
    }

    #[test]
    fn no_more_work_runs_than_there_are_cores_and_each_is_given_back() {
        let cores = Cores::new(2);
        let (one, two) = (ask(&cores, "a").now_or_never(), ask(&cores, "a").now_or_never());
        assert!(one.is_some() && two.is_some());
        let mut third = ask(&cores, "b");
        assert!((&mut third).now_or_never().is_none());
        drop(one);
        assert!(third.now_or_never().is_some());
        drop(two);
        assert_eq!(cores.lock().free, 2);
    }

    #[test]
    fn a_namespace_waits_for_one_piece_of_work_of_another_and_not_for_all() {
        let cores = Cores::new(1);
        let first = ask(&cores, "a").now_or_never().unwrap();
        let mut others: Vec<_> = (0..20).map(|_| ask(&cores, "a")).collect();
        let mut mine = ask(&cores, "b");
        drop(first);
        let waited = others.iter_mut().take_while(|_| (&mut mine).now_or_never().is_none());
        let waited = waited.map(|other| drop(other.now_or_never().expect("it is its turn"))).count();
        assert!(waited <= 1, "{waited}");
    }

    #[test]
    fn who_no_longer_waits_costs_no_core() {
        let cores = Cores::new(1);
        let first = ask(&cores, "a").now_or_never().unwrap();
        let (gone, waits, given) = (ask(&cores, "a"), ask(&cores, "a"), ask(&cores, "a"));
        drop(gone);
        drop(first);
        // This one was given the core, and is gone before it has seen that.
        drop(waits);
        assert!(given.now_or_never().is_some());
        assert_eq!(cores.lock().free, 1);
    }
}

//! Wakes the loop on changes of the checkout, of the output and of the identity files.
//!
//! Doesn't say what changed: every pass looks at everything, and decides from metadata alone that most of it
//! is in sync. Invariant: nothing depends on an event arriving. If watching fails (too many directories, a
//! network file system), the resync finds the change, later.

use std::path::{Path, PathBuf};
use std::time::Duration;

use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};

/// How long a checkout has to be without events before it counts as at rest.
const QUIET: Duration = Duration::from_millis(200);
/// How long a checkout that never rests may delay a look at it.
const PATIENCE: Duration = Duration::from_secs(2);

/// Watches directories and says when to look.
pub(crate) struct Watch {
    watcher: Option<RecommendedWatcher>,
    events: mpsc::Receiver<()>,
    manifests: PathBuf,
    resolved: Option<PathBuf>,
}

impl Watch {
    /// Watches a checkout, an output and single files.
    pub(crate) fn start(manifests: &Path, secrets: &Path, files: &[PathBuf]) -> Self {
        let (sender, events) = mpsc::channel(1);
        // Events come with absolute paths.
        let (manifests, secrets) = (absolute(manifests), absolute(secrets));
        let mut watch = Self { watcher: None, events, manifests: manifests.clone(), resolved: None };
        // In the parent directories of the identity files and of the checkout, only these entries concern us.
        // The watch on the checkout also covers files that lie in it.
        let single: Vec<PathBuf> =
            files.iter().map(|file| absolute(file)).chain([manifests.clone()]).collect();
        let single: Vec<PathBuf> = single
            .into_iter()
            .filter(|file| file.parent().is_some_and(|p| !p.starts_with(&manifests)))
            .collect();
        let parents: Vec<PathBuf> = single.iter().filter_map(|file| file.parent().map(Into::into)).collect();
        let ours = secrets.clone();
        let alert = move |event: notify::Result<Event>| {
            // A failed event (queue overflow) is reason enough to look. A full channel has said so already.
            if event.map_or(true, |event| concerns(&event, &ours, &single)) {
                let _ = sender.try_send(());
            }
        };
        let config = notify::Config::default().with_follow_symlinks(false);
        match RecommendedWatcher::new(alert, config) {
            Ok(watcher) => watch.watcher = Some(watcher),
            Err(error) => tracing::warn!(%error, "can't watch for changes; only the resync finds them"),
        }
        watch.add(&secrets, RecursiveMode::Recursive);
        for parent in parents {
            watch.add(&parent, RecursiveMode::NonRecursive);
        }
        watch.follow();
        watch
    }

    /// Watches the directory that the checkout is now, because `current -> releases/42` may have moved on.
    pub(crate) fn follow(&mut self) {
        let now = self.manifests.canonicalize().ok();
        if now == self.resolved {
            return;
        }
        if let (Some(watcher), Some(before)) = (&mut self.watcher, &self.resolved) {
            let _ = watcher.unwatch(before);
        }
        if let Some(now) = &now {
            self.add(now, RecursiveMode::Recursive);
        }
        self.resolved = now;
    }

    fn add(&mut self, path: &Path, mode: RecursiveMode) {
        let Some(watcher) = &mut self.watcher else { return };
        if let Err(error) = watcher.watch(path, mode) {
            tracing::warn!(path = %path.display(), %error, "can't watch this; only the resync finds changes here");
        }
    }

    /// Waits until something has changed and things have come to rest again.
    pub(crate) async fn changed(&mut self) {
        if self.events.recv().await.is_none() {
            // Without a watcher there will be no event.
            return std::future::pending().await;
        }
        let until = Instant::now() + PATIENCE;
        while Instant::now() < until && timeout(QUIET, self.events.recv()).await.is_ok_and(|e| e.is_some()) {}
    }
}

fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

/// Whether an event is a reason to look.
///
/// Reading isn't one, because every pass reads. Our own state and status files aren't either, so that a pass
/// doesn't wake itself for ever. Of a parent directory, only the entries in `single` concern us.
fn concerns(event: &Event, secrets: &Path, single: &[PathBuf]) -> bool {
    if matches!(event.kind, EventKind::Access(_)) {
        return false;
    }
    event.paths.is_empty()
        || event.paths.iter().any(|path| {
            if let Ok(below) = path.strip_prefix(secrets) {
                let own = below.iter().next().is_some_and(|name| name.as_encoded_bytes().starts_with(b".."));
                return !own;
            }
            let beside = single.iter().any(|file| file.parent() == path.parent());
            !beside || single.iter().any(|file| file == path)
        })
}

#[cfg(test)]
mod tests {
    use notify::event::{AccessKind, CreateKind};

    use super::*;

    #[test]
    fn reading_and_our_own_files_wake_nobody() {
        let single = [PathBuf::from("/etc/seal/keys.txt"), PathBuf::from("/srv/current")];
        let concerns = |kind, path: &str| {
            concerns(&Event::new(kind).add_path(path.into()), Path::new("/run/seal/secrets"), &single)
        };
        let created = EventKind::Create(CreateKind::File);
        assert!(!concerns(EventKind::Access(AccessKind::Read), "/srv/releases/1/a.yaml"));
        assert!(!concerns(created, "/run/seal/secrets/..seal-state.json"));
        assert!(!concerns(created, "/run/seal/secrets/..status/prod/db/status.json"));
        assert!(concerns(created, "/run/seal/secrets/prod/db/password"));
        assert!(concerns(created, "/srv/releases/1/a.yaml"));
        assert!(concerns(created, "/etc/seal/keys.txt") && !concerns(created, "/etc/seal/other"));
        assert!(concerns(created, "/srv/current") && !concerns(created, "/srv/other"));
    }

    #[tokio::test]
    async fn a_new_manifest_and_a_tampered_secret_wake_the_loop() {
        let tmp = tempfile::tempdir().unwrap();
        let (manifests, secrets) = (tmp.path().join("m"), tmp.path().join("s"));
        for dir in [manifests.join("deep"), secrets.join("prod/db")] {
            std::fs::create_dir_all(dir).unwrap();
        }
        let mut watch = Watch::start(&manifests, &secrets, &[]);
        for file in [manifests.join("deep/a.yaml"), secrets.join("prod/db/password")] {
            std::fs::write(file, "x").unwrap();
            timeout(Duration::from_secs(10), watch.changed()).await.unwrap();
        }
        std::fs::read(manifests.join("deep/a.yaml")).unwrap();
        assert!(timeout(Duration::from_millis(300), watch.changed()).await.is_err());
    }
}

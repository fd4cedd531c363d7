//! Secrets as directories: written, seen in sync, healed, pruned, left alone.
//!
//! Not the reconcile. Invariant: the tests assert what a reader of the directory sees.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::PathBuf;

use super::*;
use crate::host::lock::LockError;

mod crash;
mod hostile;

/// An output directory, and a store on it that can be opened again and again.
struct Output {
    tmp: tempfile::TempDir,
}

type Items = BTreeMap<String, String>;

fn items(text: &[(&str, &str)]) -> Items {
    text.iter().map(|(item, value)| ((*item).to_owned(), (*value).to_owned())).collect()
}

fn place(text: &str) -> Place {
    let (namespace, name) = text.split_once('/').unwrap();
    Place { namespace: namespace.parse().unwrap(), name: name.parse().unwrap() }
}

fn names(items: &Items) -> BTreeSet<ItemName> {
    items.keys().map(|item| item.parse().unwrap()).collect()
}

fn plaintexts(items: &Items) -> BTreeMap<ItemName, Plaintext> {
    items.iter().map(|(i, v)| (i.parse().unwrap(), Plaintext::from(v.clone().into_bytes()))).collect()
}

/// Runs the store's one async function on this thread, where the fault plan is.
fn write(store: &DirectoryStore, at: &str, digest: &str, items: &Items) -> Result<bool, VolumeError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(store.write(&place(at), digest, &plaintexts(items)))
}

impl Output {
    fn new() -> Self {
        Self { tmp: tempfile::tempdir().unwrap() }
    }

    /// An output in memory if that is possible: most outputs are in memory, and syncing is a hundred times
    /// faster there.
    fn in_memory() -> Self {
        Self { tmp: tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap() }
    }

    fn path(&self, at: &str) -> PathBuf {
        self.tmp.path().join(at)
    }

    fn store(&self) -> DirectoryStore {
        open(self.tmp.path(), Access::new(0o600, None)).0
    }

    /// The items that a reader sees of a Secret; a link that leads nowhere is no item.
    fn view(&self, at: &str) -> Items {
        let Ok(entries) = fs::read_dir(self.path(at)) else {
            return Items::new();
        };
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names
            .filter(|name| !name.starts_with(".."))
            .filter_map(|name| Some((name.clone(), fs::read_to_string(self.path(at).join(&name)).ok()?)))
            .collect()
    }

    /// The names of all entries except the state file; links aren't followed.
    fn listing(&self, at: &str) -> Vec<String> {
        let Ok(entries) = fs::read_dir(self.path(at)) else {
            return Vec::new();
        };
        let mut names: Vec<_> = entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.retain(|name| name != STATE);
        names.sort();
        names
    }
}

const STATE: &str = "..seal-state.json";

fn open(path: &Path, access: Access) -> (DirectoryStore, Option<StateError>) {
    // Another test's `fork` holds a copy of every descriptor, and so the lock, until its `exec`.
    let lock = (0..100).find_map(|_| match Lock::take(path) {
        Err(LockError::Held(_)) => {
            std::thread::sleep(std::time::Duration::from_millis(20));
            None
        }
        taken => Some(taken.unwrap()),
    });
    DirectoryStore::open(lock.expect("nobody else has the lock"), access, &path.join(STATE)).unwrap()
}

fn in_sync() -> DirectoryState {
    DirectoryState::Ours { current: true, drift: None, extra: BTreeSet::new() }
}

#[test]
fn a_secret_is_written_and_then_in_sync_also_after_a_restart() {
    let output = Output::new();
    let secret = items(&[("password", "hunter2"), (".dockerconfigjson", "{}"), ("empty", ""), ("null", "ü")]);
    let store = output.store();
    assert_eq!(store.observe(&place("prod/db"), "d1", &names(&secret)).unwrap(), DirectoryState::Absent);
    write(&store, "prod/db", "d1", &secret).unwrap();
    assert_eq!(output.view("prod/db"), secret);
    assert_eq!(store.observe(&place("prod/db"), "d1", &names(&secret)).unwrap(), in_sync());
    drop(store);
    let again = output.store();
    assert_eq!(again.observe(&place("prod/db"), "d1", &names(&secret)).unwrap(), in_sync());
    let stale = DirectoryState::Ours { current: false, drift: None, extra: BTreeSet::new() };
    assert_eq!(again.observe(&place("prod/db"), "d2", &names(&secret)).unwrap(), stale);
    assert_eq!(again.ours(), [place("prod/db")]);
}

#[test]
fn directories_and_files_are_private() {
    let output = Output::new();
    write(&output.store(), "prod/db", "d1", &items(&[("password", "x")])).unwrap();
    let mode = |at: &str| fs::metadata(output.path(at)).unwrap().permissions().mode() & 0o7777;
    assert_eq!((mode("prod"), mode("prod/db"), mode("prod/db/..data")), (0o700, 0o700, 0o700));
    assert_eq!((mode("prod/db/password"), mode(STATE)), (0o600, 0o600));
}

#[test]
fn modes_come_from_flags_and_a_changed_flag_is_drift() {
    let output = Output::new();
    let secret = items(&[("password", "x")]);
    write(&output.store(), "prod/db", "d1", &secret).unwrap();
    let (store, _) = open(output.tmp.path(), Access::new(0o440, None));
    let observed = store.observe(&place("prod/db"), "d1", &names(&secret)).unwrap();
    assert_eq!(
        observed,
        DirectoryState::Ours { current: true, drift: Some(Drift::Access), extra: BTreeSet::new() }
    );
    write(&store, "prod/db", "d1", &secret).unwrap();
    assert_eq!(store.observe(&place("prod/db"), "d1", &names(&secret)).unwrap(), in_sync());
    let mode = |at: &str| fs::metadata(output.path(at)).unwrap().permissions().mode() & 0o7777;
    assert_eq!((mode("prod"), mode("prod/db"), mode("prod/db/password")), (0o750, 0o750, 0o440));
}

#[test]
fn a_changed_secret_keeps_its_directory_and_loses_what_was_removed() {
    let output = Output::new();
    let store = output.store();
    write(&store, "prod/db", "d1", &items(&[("old", "1"), ("both", "1")])).unwrap();
    let inode = fs::metadata(output.path("prod/db")).unwrap().ino();
    let next = items(&[("both", "2"), ("new", "2")]);
    write(&store, "prod/db", "d2", &next).unwrap();
    assert_eq!(output.view("prod/db"), next);
    assert_eq!(fs::metadata(output.path("prod/db")).unwrap().ino(), inode);
    let listing = output.listing("prod/db");
    assert_eq!(listing.len(), 4, "..data, one generation, two links: {listing:?}");
    assert_eq!(store.observe(&place("prod/db"), "d2", &names(&next)).unwrap(), in_sync());
}

#[test]
fn bytes_that_are_right_are_not_written_again() {
    let output = Output::new();
    let store = output.store();
    let secret = items(&[("password", &"x".repeat(20_000))]);
    write(&store, "prod/db", "d1", &secret).unwrap();
    let inode = || fs::metadata(output.path("prod/db/password")).unwrap().ino();
    let before = inode();
    // A `touch` moves the times and nothing else.
    fs::File::open(output.path("prod/db/password")).unwrap().set_modified(std::time::UNIX_EPOCH).unwrap();
    std::thread::sleep(volume::TICK * 2);
    let observed = store.observe(&place("prod/db"), "d1", &names(&secret)).unwrap();
    let edited = Drift::Edited("password".parse().unwrap());
    assert_eq!(observed, DirectoryState::Ours { current: true, drift: Some(edited), extra: BTreeSet::new() });
    assert!(!write(&store, "prod/db", "d1", &secret).unwrap(), "readers notice nothing");
    assert_eq!(inode(), before);
    assert_eq!(store.observe(&place("prod/db"), "d1", &names(&secret)).unwrap(), in_sync());
}

#[test]
fn an_edit_right_after_the_write_shows_even_with_times_and_size_put_back() {
    let output = Output::new();
    let store = output.store();
    for round in 0..20 {
        let at = format!("prod/db-{round}");
        let secret = items(&[("password", "right")]);
        write(&store, &at, "d1", &secret).unwrap();
        let path = output.path(&at).join("password");
        let modified = fs::metadata(&path).unwrap().modified().unwrap();
        fs::write(&path, "wrong").unwrap();
        fs::File::options().write(true).open(&path).unwrap().set_modified(modified).unwrap();
        let observed = store.observe(&place(&at), "d1", &names(&secret)).unwrap();
        assert!(
            matches!(observed, DirectoryState::Ours { drift: Some(Drift::Edited(_)), .. }),
            "{observed:?}"
        );
        write(&store, &at, "d1", &secret).unwrap();
        assert_eq!(output.view(&at), secret);
    }
}

/// Whether a tick suffices depends on the kernel. Newer kernels stamp more finely, so there the edit of the
/// test above shows in any case.
#[test]
fn files_are_visible_only_a_tick_after_their_last_change() {
    let output = Output::in_memory();
    let store = output.store();
    let changed = |at: &str| {
        let found = fs::metadata(output.path(at)).unwrap();
        let nanos = u32::try_from(found.ctime_nsec()).unwrap();
        std::time::UNIX_EPOCH + std::time::Duration::new(u64::try_from(found.ctime()).unwrap(), nanos)
    };
    for digest in ["d1", "d2"] {
        write(&store, "prod/db", digest, &items(&[("password", digest)])).unwrap();
        assert!(changed("prod/db/password") + volume::TICK <= std::time::SystemTime::now());
    }
}

#[test]
fn a_second_name_for_a_file_is_drift_and_the_secret_gets_a_file_of_its_own() {
    let output = Output::new();
    let elsewhere = tempfile::tempdir_in(output.tmp.path().parent().unwrap()).unwrap();
    let store = output.store();
    let secret = items(&[("password", "x")]);
    write(&store, "prod/db", "d1", &secret).unwrap();
    let target = fs::canonicalize(output.path("prod/db/password")).unwrap();
    fs::hard_link(target, elsewhere.path().join("second-name")).unwrap();
    std::thread::sleep(volume::TICK * 2);
    let observed = store.observe(&place("prod/db"), "d1", &names(&secret)).unwrap();
    assert!(matches!(observed, DirectoryState::Ours { drift: Some(Drift::Edited(_)), .. }), "{observed:?}");
    assert!(write(&store, "prod/db", "d1", &secret).unwrap());
    assert_eq!(fs::metadata(output.path("prod/db/password")).unwrap().nlink(), 1);
}

#[test]
fn pruning_removes_a_secret_and_then_its_empty_namespace() {
    let output = Output::new();
    let store = output.store();
    let secret = items(&[("password", "x")]);
    write(&store, "prod/db", "d1", &secret).unwrap();
    write(&store, "prod/cache", "d1", &secret).unwrap();
    assert_eq!(store.prune(&place("prod/db")).unwrap(), Removed::Wholly);
    assert_eq!(output.listing("prod"), ["cache"]);
    assert_eq!(store.prune(&place("prod/cache")).unwrap(), Removed::Wholly);
    assert!(output.listing("").is_empty() && store.ours().is_empty());
    assert_eq!(store.prune(&place("prod/never-there")).unwrap(), Removed::Wholly);
}

#[test]
fn a_namespace_directory_that_we_did_not_make_keeps_its_mode_and_stays() {
    let output = Output::new();
    fs::create_dir(output.path("prod")).unwrap();
    fs::set_permissions(output.path("prod"), fs::Permissions::from_mode(0o755)).unwrap();
    let store = output.store();
    write(&store, "prod/db", "d1", &items(&[("password", "x")])).unwrap();
    store.prune(&place("prod/db")).unwrap();
    assert_eq!(fs::metadata(output.path("prod")).unwrap().permissions().mode() & 0o777, 0o755);
}

#[test]
fn without_a_state_file_nothing_is_pruned_and_our_layout_is_taken_over_without_a_write() {
    let output = Output::new();
    let secret = items(&[("password", "x")]);
    write(&output.store(), "prod/db", "d1", &secret).unwrap();
    let inode = fs::metadata(output.path("prod/db/password")).unwrap().ino();
    for lose in
        [(|path| fs::remove_file(path).unwrap()) as fn(&Path), |path| fs::write(path, "{ damaged").unwrap()]
    {
        lose(&output.path(STATE));
        let (store, lost) = open(output.tmp.path(), Access::new(0o600, None));
        assert!(lost.is_some());
        assert!(store.ours().is_empty());
        assert!(store.prune(&place("prod/db")).is_err());
        let observed = store.observe(&place("prod/db"), "d1", &names(&secret)).unwrap();
        assert_eq!(observed, DirectoryState::Foreign { why: Foreign::Unrecorded, adoptable: true });
        write(&store, "prod/db", "d1", &secret).unwrap();
        store.settled().unwrap();
        assert_eq!(store.observe(&place("prod/db"), "d1", &names(&secret)).unwrap(), in_sync());
        assert_eq!(fs::metadata(output.path("prod/db/password")).unwrap().ino(), inode);
    }
}

#[test]
fn with_a_state_file_our_layout_alone_does_not_make_a_directory_ours() {
    let output = Output::new();
    let secret = items(&[("password", "x")]);
    let store = output.store();
    write(&store, "prod/db", "d1", &secret).unwrap();
    let copied = std::process::Command::new("cp")
        .args(["-a".as_ref(), output.path("prod/db").as_os_str(), output.path("prod/copy").as_os_str()])
        .status();
    assert!(copied.unwrap().success());
    let observed = store.observe(&place("prod/copy"), "d1", &names(&secret)).unwrap();
    assert_eq!(observed, DirectoryState::Foreign { why: Foreign::Unrecorded, adoptable: false });
    assert!(matches!(write(&store, "prod/copy", "d2", &secret), Err(VolumeError::Foreign(_))));
}

#[test]
fn a_state_file_that_was_put_back_to_an_older_one_stops_pruning() {
    let output = Output::new();
    let store = output.store();
    let secret = items(&[("password", "x")]);
    write(&store, "prod/db", "d1", &secret).unwrap();
    let older = fs::read(output.path(STATE)).unwrap();
    write(&store, "prod/cache", "d1", &secret).unwrap();
    fs::write(output.path(STATE), older).unwrap();
    assert!(matches!(store.prune(&place("prod/db")), Err(PruneError::State(_))));
    assert_eq!(output.view("prod/db"), secret);
}

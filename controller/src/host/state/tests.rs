//! The state file: kept, lost, damaged, exposed.
//!
//! Not what is done with the state. Invariant: a doubtful state file never makes anything ours.

use std::os::unix::fs::{PermissionsExt as _, symlink};

use super::*;
use crate::host::fault::injected::{Fault, clear, plan};

fn place(text: &str) -> Place {
    let (namespace, name) = text.split_once('/').unwrap();
    Place { namespace: namespace.parse().unwrap(), name: name.parse().unwrap() }
}

fn record(dir: &Path) -> Record {
    Record {
        directory: Dir::open(dir).unwrap().identity().unwrap(),
        digest: "d1".into(),
        generation: Generation::fresh().unwrap(),
        files: BTreeMap::from([(
            "password".parse().unwrap(),
            Stamp::of(&Dir::open(dir).unwrap().stat_self().unwrap()),
        )]),
    }
}

#[test]
fn what_was_written_is_read_back() {
    let tmp = tempfile::tempdir().unwrap();
    let path = tmp.path().join("state.json");
    let (mut file, why) = StateFile::open(&path).unwrap();
    assert!(matches!(why, Some(StateError::Missing(_))));
    assert!(file.state().recovering);
    let record = record(tmp.path());
    file.update(|state| state.insert(&place("prod/db"), record.clone())).unwrap();
    let (again, why) = StateFile::open(&path).unwrap();
    assert!(why.is_none());
    assert_eq!(again.state(), file.state());
    assert_eq!(again.state().record(&place("prod/db")), Some(&record));
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn a_forgotten_secret_leaves_no_empty_namespace() {
    let tmp = tempfile::tempdir().unwrap();
    let mut state = State::default();
    state.insert(&place("prod/db"), record(tmp.path()));
    assert!(state.uses(&"prod".parse().unwrap()) && !state.uses(&"staging".parse().unwrap()));
    state.remove(&place("prod/db"));
    assert!(state.is_empty());
}

#[test]
fn a_file_that_we_did_not_write_is_not_believed() {
    let tmp = tempfile::tempdir().unwrap();
    let path = tmp.path().join("state.json");
    let refused = |expected: &str| {
        let (file, why) = StateFile::open(&path).unwrap();
        assert!(file.state().recovering && file.state().is_empty());
        let why = why.unwrap().to_string();
        assert!(why.contains(expected), "{why}");
    };
    for bytes in ["", "{", "[]", r#"{"v":2,"namespaces":{},"objects":{}}"#] {
        std::fs::write(&path, bytes).unwrap();
        refused("is damaged");
    }
    let hostile = r#"{"v":1,"namespaces":{},"objects":{"..":{}}}"#;
    std::fs::write(&path, hostile).unwrap();
    refused("is damaged");
    std::fs::write(&path, r#"{"v":1,"namespaces":{},"objects":{}}"#).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o666)).unwrap();
    refused("can be written by others");
    std::fs::remove_file(&path).unwrap();
    symlink("/etc/hostname", &path).unwrap();
    refused("is damaged");
}

#[test]
fn a_directory_that_others_write_to_keeps_no_state() {
    let tmp = tempfile::tempdir().unwrap();
    std::fs::set_permissions(tmp.path(), std::fs::Permissions::from_mode(0o777)).unwrap();
    assert!(StateFile::open(&tmp.path().join("state.json")).is_err());
}

#[test]
fn a_file_changed_behind_our_back_is_noticed() {
    let tmp = tempfile::tempdir().unwrap();
    let path = tmp.path().join("state.json");
    let (mut file, _) = StateFile::open(&path).unwrap();
    file.update(|state| state.insert(&place("prod/db"), record(tmp.path()))).unwrap();
    let older = std::fs::read(&path).unwrap();
    file.update(|state| state.insert(&place("prod/cache"), record(tmp.path()))).unwrap();
    file.check().unwrap();
    std::fs::write(&path, older).unwrap();
    assert!(matches!(file.check(), Err(StateError::Changed(_))));
    std::fs::remove_file(&path).unwrap();
    assert!(matches!(file.check(), Err(StateError::Missing(_))));
}

#[test]
fn after_a_failed_update_memory_and_file_still_agree() {
    let tmp = tempfile::tempdir().unwrap();
    let path = tmp.path().join("state.json");
    let (mut file, _) = StateFile::open(&path).unwrap();
    file.update(|state| state.recovering = false).unwrap();
    let mut failures = 0;
    for step in 0.. {
        plan(step, Fault::Fails(rustix::io::Errno::NOSPC));
        let result =
            file.update(|state| state.insert(&place(&format!("prod/db-{step}")), record(tmp.path())));
        clear();
        file.check().unwrap();
        assert_eq!(std::fs::read_dir(tmp.path()).unwrap().count(), 1, "nothing left beside it");
        match result {
            Ok(()) => break,
            Err(_) => failures += 1,
        }
    }
    assert!(failures >= 4, "only {failures} steps were reached");
}

#[test]
fn generation_names_are_ours_alone() {
    let fresh = Generation::fresh().unwrap();
    assert_eq!(Generation::parse(fresh.as_str().as_bytes()), Some(fresh.clone()));
    assert_ne!(Generation::fresh().unwrap(), fresh);
    for other in ["..data", "..seal-", "..seal-xyz", "seal-0", &fresh.as_str()[..20]] {
        assert_eq!(Generation::parse(other.as_bytes()), None, "{other}");
    }
}

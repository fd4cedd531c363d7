//! Links, FIFOs, directories and foreign files planted in the output.

use rustix::fs::{FileType, Mode, mknodat};

use super::*;

const KINDS: [&str; 8] = [
    "absolute link",
    "link to a directory",
    "dangling link",
    "hard link",
    "fifo",
    "file",
    "directory",
    "nothing",
];

/// Puts something hostile in the place of whatever is at `at`.
fn plant(output: &Output, at: &str, kind: &str, outside: &Path) {
    let path = output.path(at);
    if fs::symlink_metadata(&path).is_ok_and(|m| m.is_dir()) {
        fs::remove_dir_all(&path).unwrap();
    } else {
        let _ = fs::remove_file(&path);
    }
    match kind {
        "absolute link" => symlink(outside.join("victim"), &path).unwrap(),
        "link to a directory" => symlink(outside, &path).unwrap(),
        "dangling link" => symlink(outside.join("not-there"), &path).unwrap(),
        "hard link" => fs::hard_link(outside.join("victim"), &path).unwrap(),
        "fifo" => mknodat(rustix::fs::CWD, &path, FileType::Fifo, Mode::RUSR, 0).unwrap(),
        "file" => fs::write(&path, "planted").unwrap(),
        "directory" => {
            fs::create_dir_all(path.join("deeper")).unwrap();
            symlink(outside, path.join("deeper/out")).unwrap();
        }
        "nothing" => {}
        _ => unreachable!(),
    }
}

/// A directory beside the output with one file in it.
fn outside() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("victim"), "victim").unwrap();
    dir
}

/// Whether the directory outside still is as it was.
fn intact(outside: &tempfile::TempDir) -> bool {
    let names: Vec<_> = fs::read_dir(outside.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    names == ["victim"] && fs::read(outside.path().join("victim")).unwrap() == b"victim"
}

#[test]
fn what_is_planted_inside_a_secret_is_drift_and_is_replaced_never_followed() {
    let generation = |output: &Output| {
        let target = fs::read_link(output.path("prod/db/..data")).unwrap();
        format!("prod/db/{}", target.to_str().unwrap())
    };
    for kind in KINDS {
        let (output, outside) = (Output::new(), outside());
        let store = output.store();
        let secret = items(&[("password", "x"), ("user", "y")]);
        write(&store, "prod/db", "d1", &secret).unwrap();
        for spot in ["item link", "data link", "generation", "file"] {
            let at = match spot {
                "item link" => "prod/db/password".to_owned(),
                "data link" => "prod/db/..data".to_owned(),
                "generation" => generation(&output),
                _ => format!("{}/password", generation(&output)),
            };
            plant(&output, &at, kind, outside.path());
            let observed = store.observe(&place("prod/db"), "d1", &names(&secret)).unwrap();
            assert!(
                matches!(observed, DirectoryState::Ours { drift: Some(_), .. }),
                "{kind} as {spot}: {observed:?}"
            );
            write(&store, "prod/db", "d1", &secret).unwrap();
            assert_eq!(output.view("prod/db"), secret, "{kind} as {spot}");
            let observed = store.observe(&place("prod/db"), "d1", &names(&secret)).unwrap();
            assert_eq!(observed, in_sync(), "{kind} as {spot}");
            assert!(intact(&outside), "{kind} as {spot}");
        }
    }
}

#[test]
fn what_is_planted_in_place_of_a_secret_or_a_namespace_is_foreign_and_stays() {
    let kinds = KINDS.into_iter().filter(|kind| *kind != "nothing");
    for (kind, spot) in kinds.flat_map(|kind| [(kind, "prod"), (kind, "prod/db")]) {
        let (output, outside) = (Output::new(), outside());
        let store = output.store();
        let secret = items(&[("password", "x")]);
        write(&store, "prod/db", "d1", &secret).unwrap();
        std::thread::sleep(volume::TICK * 2);
        plant(&output, spot, kind, outside.path());
        let observed = store.observe(&place("prod/db"), "d1", &names(&secret)).unwrap();
        if (kind, spot) == ("directory", "prod") {
            // A namespace's directory that only we can write to is usable, even if somebody else made it.
            assert_eq!(observed, DirectoryState::Absent);
            continue;
        }
        assert!(
            matches!(observed, DirectoryState::Foreign { adoptable: false, .. }),
            "{kind} at {spot}: {observed:?}"
        );
        let before = fs::symlink_metadata(output.path(spot)).unwrap();
        assert!(matches!(write(&store, "prod/db", "d2", &secret), Err(VolumeError::Foreign(_))));
        assert!(matches!(store.prune(&place("prod/db")), Err(PruneError::Volume(VolumeError::Foreign(_)))));
        let after = fs::symlink_metadata(output.path(spot)).unwrap();
        assert_eq!((before.ino(), before.ctime()), (after.ino(), after.ctime()), "{kind} at {spot}");
        assert!(intact(&outside), "{kind} at {spot}");
    }
}

#[test]
fn a_namespace_that_others_can_write_to_is_refused() {
    let output = Output::new();
    fs::create_dir(output.path("prod")).unwrap();
    fs::set_permissions(output.path("prod"), fs::Permissions::from_mode(0o777)).unwrap();
    let error = write(&output.store(), "prod/db", "d1", &items(&[("password", "x")])).unwrap_err();
    assert!(matches!(error, VolumeError::Foreign(Foreign::Namespace)), "{error}");
    assert!(output.listing("prod").is_empty());
}

#[test]
fn a_foreign_directory_is_never_touched() {
    let output = Output::new();
    fs::create_dir_all(output.path("prod/db")).unwrap();
    fs::write(output.path("prod/db/password"), "theirs").unwrap();
    let store = output.store();
    let secret = items(&[("password", "ours")]);
    let observed = store.observe(&place("prod/db"), "d1", &names(&secret)).unwrap();
    assert_eq!(observed, DirectoryState::Foreign { why: Foreign::Unrecorded, adoptable: false });
    assert!(matches!(write(&store, "prod/db", "d1", &secret), Err(VolumeError::Foreign(_))));
    assert_eq!(output.view("prod/db"), items(&[("password", "theirs")]));
    // Once the foreign directory goes, ours takes its place.
    fs::remove_dir_all(output.path("prod/db")).unwrap();
    write(&store, "prod/db", "d1", &secret).unwrap();
    assert_eq!(output.view("prod/db"), secret);
}

#[test]
fn what_somebody_added_beside_the_items_stays_also_when_the_secret_goes() {
    let output = Output::new();
    let store = output.store();
    let secret = items(&[("password", "x")]);
    write(&store, "prod/db", "d1", &secret).unwrap();
    fs::write(output.path("prod/db/notes"), "theirs").unwrap();
    let extra = ["notes".parse().unwrap()].into();
    let observed = store.observe(&place("prod/db"), "d1", &names(&secret)).unwrap();
    assert_eq!(observed, DirectoryState::Ours { current: true, drift: None, extra });
    write(&store, "prod/db", "d2", &items(&[("user", "y")])).unwrap();
    assert_eq!(output.view("prod/db"), items(&[("user", "y"), ("notes", "theirs")]));
    assert_eq!(store.prune(&place("prod/db")).unwrap(), Removed::Except(1));
    assert_eq!(output.listing("prod/db"), ["notes"]);
    assert!(store.ours().is_empty());
}

#[test]
fn a_directory_made_again_by_somebody_else_is_theirs() {
    let output = Output::new();
    let store = output.store();
    let secret = items(&[("password", "x")]);
    write(&store, "prod/db", "d1", &secret).unwrap();
    fs::remove_dir_all(output.path("prod/db")).unwrap();
    std::thread::sleep(volume::TICK * 2);
    fs::create_dir(output.path("prod/db")).unwrap();
    fs::write(output.path("prod/db/password"), "theirs").unwrap();
    assert!(matches!(store.prune(&place("prod/db")), Err(PruneError::Volume(VolumeError::Foreign(_)))));
    assert_eq!(output.view("prod/db"), items(&[("password", "theirs")]));
}

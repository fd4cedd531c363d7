//! Files that appear whole or not at all, one run after another, with the modes that they should have.

use super::*;

#[test]
fn no_word_adds_a_line_to_a_report() {
    let lines = ["a.yaml:1: x\nb.yaml:1: done", "c.yaml\r\u{2028}\u{1b}[2K:1: y"];
    assert_eq!(report_text(lines), "a.yaml:1: x\\nb.yaml:1: done\nc.yaml\\r\\u{2028}\\u{1b}[2K:1: y\n");
    let long = "x".repeat(100_000);
    assert_eq!(report_text([&long]).len(), long.len() + 1, "nothing is left out");
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn names(directory: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn an_existing_file_keeps_its_mode_and_its_link() {
    let directory = tempfile::tempdir().unwrap();
    let (file, link) = (directory.path().join("file"), directory.path().join("link"));
    fs::write(&file, "old").unwrap();
    fs::set_permissions(&file, Permissions::from_mode(0o640)).unwrap();
    std::os::unix::fs::symlink(&file, &link).unwrap();
    to_files(&[(&link, b"new")], Privacy::Public).unwrap();
    assert_eq!(fs::read(&file).unwrap(), b"new");
    assert_eq!(mode(&file), 0o640);
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(names(directory.path()), ["file", "link"]);
}

#[test]
fn one_file_that_cannot_be_written_leaves_all_as_they_were() {
    let directory = tempfile::tempdir().unwrap();
    let (good, bad) = (directory.path().join("good"), directory.path().join("missing/bad"));
    fs::write(&good, "old").unwrap();
    let error = to_files(&[(&good, b"new"), (&bad, b"new")], Privacy::Public).unwrap_err();
    assert_eq!(error.to_string(), format!("can't write {}", bad.display()));
    assert_eq!(fs::read(&good).unwrap(), b"old");
    assert_eq!(names(directory.path()), ["good"]);
}

#[test]
fn what_may_not_be_written_comes_with_what_to_look_at() {
    let hint = |path: &str| {
        OutputError::Unwritable(path.into(), io::ErrorKind::PermissionDenied.into()).hint().unwrap()
    };
    assert_eq!(hint("dir/db.yaml"), "ls -ld dir says who may write to the directory");
    assert_eq!(hint("db.yaml"), "ls -ld . says who may write to the directory");
}

#[test]
fn of_writers_at_a_time_all_but_one_see_that_the_file_changed() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("file");
    for round in 0..50 {
        fs::write(&file, "old").unwrap();
        let barrier = std::sync::Barrier::new(4);
        let write = |new: usize| {
            let new = format!("{round}-{new}");
            barrier.wait();
            replace_files(&[Replacement { path: &file, old: b"old", new: new.as_bytes() }]).is_ok()
        };
        let written = std::thread::scope(|scope| {
            let write = &write;
            let writers: Vec<_> = (0..4).map(|new| scope.spawn(move || write(new))).collect();
            writers.into_iter().map(|writer| writer.join().unwrap()).filter(|is_written| *is_written).count()
        });
        assert_eq!(written, 1, "in round {round} a change was lost");
    }
}

#[test]
fn a_file_that_changed_meanwhile_is_left_and_so_are_the_others() {
    let directory = tempfile::tempdir().unwrap();
    let (same, changed) = (directory.path().join("same"), directory.path().join("changed"));
    fs::write(&same, "old").unwrap();
    fs::write(&changed, "newer").unwrap();
    let replacement = |path, old| Replacement { path, old, new: b"new" };
    let both = [replacement(&same, b"old".as_slice()), replacement(&changed, b"older")];
    let error = replace_files(&both).unwrap_err();
    assert_eq!(error.to_string(), format!("{} was changed meanwhile", changed.display()));
    assert_eq!(fs::read(&same).unwrap(), b"old");
    assert_eq!(fs::read(&changed).unwrap(), b"newer");
    assert_eq!(names(directory.path()), ["changed", "same"]);
    replace_files(&[replacement(&same, b"old")]).unwrap();
    assert_eq!(fs::read(&same).unwrap(), b"new");
}

/// This test runs itself again as a process of its own, which then is ended by a signal.
#[test]
fn a_signal_between_writing_and_renaming_leaves_nothing() {
    use std::os::unix::process::ExitStatusExt;
    const DIRECTORY: &str = "SEAL_TEST_SIGNAL_DIRECTORY";
    if let Some(directory) = std::env::var_os(DIRECTORY) {
        let path = Path::new(&directory).join("secret");
        let staged = Staged::new(&[(&path, b"plaintext")], Privacy::Private).unwrap();
        signal_hook::low_level::raise(signal_hook::consts::SIGTERM).unwrap();
        let _ = staged.commit();
        unreachable!("the signal ends this process");
    }
    let directory = tempfile::tempdir().unwrap();
    let name = "files::output::tests::a_signal_between_writing_and_renaming_leaves_nothing";
    let status = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", name])
        .env(DIRECTORY, directory.path())
        .stdout(std::process::Stdio::null())
        .status()
        .unwrap();
    assert_eq!(status.signal(), Some(signal_hook::consts::SIGTERM), "{status}");
    assert!(names(directory.path()).is_empty(), "{:?}", names(directory.path()));
}

#[test]
fn private_files_are_private_and_identities_never_overwritten() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("key");
    to_new_private_file(&file, b"one").unwrap();
    assert_eq!(mode(&file), 0o600);
    assert!(matches!(to_new_private_file(&file, b"two"), Err(OutputError::Exists(_))));
    assert_eq!(fs::read(&file).unwrap(), b"one");
    fs::set_permissions(&file, Permissions::from_mode(0o644)).unwrap();
    to_files(&[(&file, b"three")], Privacy::Private).unwrap();
    assert_eq!(mode(&file), 0o600);
}

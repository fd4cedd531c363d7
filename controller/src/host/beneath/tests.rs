//! Paths that try to leave: links, dots and mounts, at every depth.
//!
//! Not the store's tests. Invariant: every case also looks at the outside afterwards, and not only at the
//! error.

use std::os::unix::fs::{PermissionsExt as _, symlink};

use super::*;

fn part(name: &str) -> Component {
    Component::new(name).expect("a plain name")
}

/// One of the two ways of resolving. Both are tested, so that old kernels keep the same promises.
type Open = fn(&Dir, &[&Component]) -> Result<Dir, Errno>;
const WAYS: [Open; 2] = [Dir::open_at_once, Dir::open_stepwise];

#[test]
fn a_component_is_one_plain_name() {
    for bad in ["", ".", "..", "/", "a/b", "../a", "/etc", "a\0b"] {
        assert!(Component::new(bad).is_none(), "{bad:?}");
    }
    for good in ["a", "..data", "...", ".a", "-"] {
        assert!(Component::new(good).is_some(), "{good:?}");
    }
}

#[test]
fn directories_beneath_open_either_way() {
    let tmp = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(tmp.path().join("a/b")).unwrap();
    let root = Dir::open(tmp.path()).unwrap();
    for open in WAYS {
        assert!(open(&root, &[&part("a"), &part("b")]).is_ok());
        assert_eq!(open(&root, &[&part("a"), &part("c")]).unwrap_err(), Errno::NOENT);
    }
}

#[test]
fn links_are_not_followed_not_even_inside() {
    let (tmp, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    std::fs::create_dir_all(tmp.path().join("a/b")).unwrap();
    std::fs::create_dir_all(outside.path().join("b")).unwrap();
    symlink(outside.path(), tmp.path().join("out")).unwrap();
    symlink("a", tmp.path().join("in")).unwrap();
    symlink("/proc/self/root", tmp.path().join("magic")).unwrap();
    let root = Dir::open(tmp.path()).unwrap();
    for open in WAYS {
        for name in ["out", "in", "magic"] {
            assert!(open(&root, &[&part(name)]).is_err(), "{name} itself");
            assert!(open(&root, &[&part(name), &part("b")]).is_err(), "through {name}");
        }
    }
}

#[test]
fn only_regular_files_open_and_a_fifo_does_not_block() {
    let tmp = tempfile::tempdir().unwrap();
    std::fs::write(tmp.path().join("file"), "x").unwrap();
    std::fs::create_dir(tmp.path().join("dir")).unwrap();
    symlink("file", tmp.path().join("link")).unwrap();
    let root = Dir::open(tmp.path()).unwrap();
    fs::mknodat(root.as_fd(), "fifo", FileType::Fifo, Mode::RUSR, 0).unwrap();
    assert!(root.open_file(&part("file")).is_ok());
    for name in ["dir", "link", "fifo", "absent"] {
        assert!(root.open_file(&part(name)).is_err(), "{name}");
    }
}

#[test]
fn a_file_is_not_created_through_a_dangling_link() {
    let (tmp, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    symlink(outside.path().join("new"), tmp.path().join("link")).unwrap();
    let root = Dir::open(tmp.path()).unwrap();
    assert_eq!(root.create_file(&part("link")).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
    assert!(!outside.path().join("new").exists());
}

#[test]
fn removing_a_tree_takes_links_and_not_what_they_point_to() {
    let (tmp, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    std::fs::write(outside.path().join("keep"), "x").unwrap();
    std::fs::create_dir_all(tmp.path().join("tree/deep")).unwrap();
    symlink(outside.path(), tmp.path().join("tree/deep/out")).unwrap();
    symlink(outside.path(), tmp.path().join("link")).unwrap();
    let root = Dir::open(tmp.path()).unwrap();
    for name in ["tree", "link", "absent"] {
        root.remove_tree(&part(name)).unwrap();
    }
    assert!(root.entries(1).unwrap().is_empty());
    assert!(outside.path().join("keep").exists());
}

#[test]
fn a_tree_without_end_is_refused_and_not_recursed_into() {
    let tmp = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(tmp.path().join("d/".repeat(MAX_DEPTH + 3))).unwrap();
    let root = Dir::open(tmp.path()).unwrap();
    assert!(root.remove_tree(&part("d")).is_err());
}

#[test]
fn a_new_name_is_not_taken_from_what_is_there() {
    let tmp = tempfile::tempdir().unwrap();
    std::fs::create_dir(tmp.path().join("new")).unwrap();
    std::fs::create_dir(tmp.path().join("there")).unwrap();
    let root = Dir::open(tmp.path()).unwrap();
    let error = root.rename_new(&part("new"), &part("there")).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
    root.rename_new(&part("new"), &part("free")).unwrap();
}

#[test]
fn a_directory_made_again_under_the_same_name_is_another() {
    let tmp = tempfile::tempdir().unwrap();
    let root = Dir::open(tmp.path()).unwrap();
    let first = root.create_dir(&part("d")).unwrap().identity().unwrap();
    assert_eq!(root.open_beneath(&[&part("d")]).unwrap().identity().unwrap(), first);
    root.remove_tree(&part("d")).unwrap();
    std::thread::sleep(std::time::Duration::from_millis(20));
    assert_ne!(root.create_dir(&part("d")).unwrap().identity().unwrap(), first);
}

#[test]
fn a_replaced_file_is_private_and_leaves_nothing_beside_it() {
    let tmp = tempfile::tempdir().unwrap();
    let root = Dir::open(tmp.path()).unwrap();
    std::fs::write(tmp.path().join("..new-f"), "left by a crash").unwrap();
    root.replace_file(&part("f"), b"one").unwrap();
    root.replace_file(&part("f"), b"two").unwrap();
    assert_eq!(std::fs::read(tmp.path().join("f")).unwrap(), b"two");
    assert_eq!(std::fs::metadata(tmp.path().join("f")).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(root.entries(9).unwrap().len(), 1);
}

#[test]
fn a_crowded_directory_is_an_error_and_not_a_list() {
    let tmp = tempfile::tempdir().unwrap();
    for n in 0..5 {
        std::fs::write(tmp.path().join(n.to_string()), "").unwrap();
    }
    let root = Dir::open(tmp.path()).unwrap();
    assert_eq!(root.entries(5).unwrap().len(), 5);
    assert!(root.entries(4).is_err());
}

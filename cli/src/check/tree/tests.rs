//! Which files a tree has, with hostile ones among them. Those of Git are tested with the real git in `tests/`.

use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;

use rustix::fs::Mode;

use super::*;

fn contents(tree: &Tree<'_>) -> Vec<(String, String)> {
    let work = |path: &str, content| {
        let text = match content {
            FileContent::Bytes(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            FileContent::TooLarge => "too large".to_owned(),
            FileContent::Unread(_) => "unread".to_owned(),
            FileContent::Gone => "gone".to_owned(),
        };
        (path.to_owned(), text)
    };
    tree.read(Task::new("reading", "file"), work).unwrap()
}

#[test]
fn all_files_beneath_a_directory_are_found_and_no_link_is_followed() {
    let dir = tempfile::tempdir().unwrap();
    let top = dir.path();
    let elsewhere = tempfile::tempdir().unwrap();
    fs::write(elsewhere.path().join("x.yaml"), "elsewhere").unwrap();
    for (path, text) in [
        ("b/c.yaml", "c"),
        ("a.yaml", "a"),
        (".github/w.yml", "w"),
        (".git/x.yaml", "git"),
        ("other/.git", "x"),
        ("other/y.yaml", "y"),
    ] {
        fs::create_dir_all(top.join(path).parent().unwrap()).unwrap();
        fs::write(top.join(path), text).unwrap();
    }
    symlink(elsewhere.path(), top.join("link")).unwrap();
    symlink(elsewhere.path().join("x.yaml"), top.join("link.yaml")).unwrap();
    rustix::fs::mknodat(
        rustix::fs::CWD,
        top.join("pipe.yaml"),
        rustix::fs::FileType::Fifo,
        Mode::from_raw_mode(0o600),
        0,
    )
    .unwrap();
    let mut tree = Tree::of_directory(top).unwrap();
    let expected = [(".github/w.yml", "w"), ("a.yaml", "a"), ("b/c.yaml", "c")];
    assert_eq!(contents(&tree), expected.map(|(path, text)| (path.to_owned(), text.to_owned())));
    assert_eq!(tree.gaps, Gaps { repositories: 1, directories: 0 });
    // Those that are named, or were files when they were listed, aren't followed either, and nobody waits for them.
    for name in ["link.yaml", "pipe.yaml", "none.yaml", "a.yaml"] {
        tree.add_named(Path::new(name));
    }
    let gone = contents(&tree).into_iter().filter(|(_, text)| text == "gone").map(|(path, _)| path);
    assert_eq!(gone.collect::<Vec<_>>(), ["link.yaml", "none.yaml", "pipe.yaml"]);
    assert_eq!(tree.paths().len(), 6);
    let direct = disk::without_links(top, ["b/c.yaml", "link/x.yaml", "a.yaml"].map(PathBuf::from).into());
    assert_eq!(direct, ["a.yaml", "b/c.yaml"].map(PathBuf::from));
}

/// A path of the rules may lead through a link in a commit, where there is no disk to ask.
#[test]
fn a_file_of_a_commit_behind_a_link_is_a_link_and_one_beside_it_is_a_file() {
    let dir = tempfile::tempdir().unwrap();
    let top = dir.path();
    let git = |args: &[&str]| {
        let mut git = Command::new("git");
        git.current_dir(top).env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1");
        for who in ["AUTHOR", "COMMITTER"] {
            git.env(format!("GIT_{who}_NAME"), "x").env(format!("GIT_{who}_EMAIL"), "x@example.com");
        }
        assert!(git.args(args).status().unwrap().success(), "{args:?}");
    };
    git(&["init", "-q"]);
    for path in ["real/prod.pub", "real-keys/prod.pub", "a/b/prod.pub"] {
        fs::create_dir_all(top.join(path).parent().unwrap()).unwrap();
        fs::write(top.join(path), path).unwrap();
    }
    // One link beneath another can't be in a commit, but a name that goes on as a link's does can.
    for (link, target) in [("keys", "real"), ("a/link", "../real"), ("real-keys.link", "real")] {
        symlink(target, top.join(link)).unwrap();
    }
    git(&["add", "-A"]);
    git(&["commit", "-q", "-m", "x"]);
    let repository = Repository::around(top).unwrap();
    let head = repository.head().unwrap();
    let objects = Objects::of_commit(&repository, &head, "HEAD").unwrap();
    let read = |path: &str| objects.read(path, 100).unwrap();
    for behind in ["keys/prod.pub", "keys", "a/link/prod.pub", "a/link", "keys/deep/er", "real-keys.link/x"] {
        assert!(
            objects.is_behind_link(behind) || behind.split('/').count() == 1 || behind == "a/link",
            "{behind}"
        );
        assert_eq!(read(behind), reader::Entry::Link, "{behind}");
    }
    for beside in ["real/prod.pub", "real-keys/prod.pub", "a/b/prod.pub"] {
        assert!(!objects.is_behind_link(beside), "{beside}");
        assert_eq!(read(beside), reader::Entry::File(beside.as_bytes().to_vec()), "{beside}");
    }
    for absent in ["keys-2/prod.pub", "a/lin", "a/linked/x", "real", "key"] {
        assert!(!objects.is_behind_link(absent), "{absent}");
        assert_eq!(read(absent), reader::Entry::Absent, "{absent}");
    }
}

//! Which files a tree has, with hostile ones among them. Those of Git are tested with the real git in `tests/`.

use std::fs;
use std::os::unix::fs::symlink;

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
    tree.read("reading", work).unwrap()
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
use rustix::fs::Mode;

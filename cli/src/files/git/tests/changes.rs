//! Tests with the real git of what is about to be committed, what a range brings in, and when a word was first committed.

use std::collections::{BTreeSet, HashSet};

use super::*;

fn paths<'p>(entries: impl IntoIterator<Item = &'p Entry>) -> Vec<String> {
    entries.into_iter().map(|entry| entry.path.to_str().unwrap().to_owned()).collect()
}

fn text(content: Option<Content>) -> Option<String> {
    content.map(|content| match content {
        Content::Bytes(bytes) => String::from_utf8(bytes).unwrap(),
        Content::TooLarge => "too large".to_owned(),
        Content::Missing => "missing".to_owned(),
    })
}

#[test]
fn files_of_a_commit_are_read_by_path_and_a_link_is_none() {
    let fixture = Fixture::new();
    std::os::unix::fs::symlink("a.yaml", fixture.path().join("link")).unwrap();
    fixture.commit(&[("a.yaml", "one"), ("dir/*", "star"), ("dir/b\nc", "line")]);
    fixture.commit(&[("a.yaml", "two")]);
    let repository = fixture.repository();
    let head = repository.head().unwrap();
    let wanted = ["dir/b\nc", "nothing", "a.yaml", "link", "dir", "dir/*", "-x"].map(Path::new);
    let found: Vec<_> = repository.files_at(&head, &wanted).unwrap().into_iter().map(text).collect();
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(found, [some("line"), None, some("two"), None, None, some("star"), None]);
    let before = repository.commit("HEAD~1").unwrap();
    assert_eq!(text(repository.file_at(&before, Path::new("a.yaml")).unwrap()), some("one"));
    let link = repository.entries_at(&head, &[Path::new("link")]).unwrap().pop().unwrap().unwrap();
    assert_eq!(link.kind, EntryKind::Link);
}

#[test]
fn the_index_is_what_is_staged_and_not_what_is_on_the_disk() {
    let fixture = Fixture::new();
    fixture.commit(&[("a.yaml", "old"), ("moved.yaml", "same")]);
    std::fs::write(fixture.path().join("a.yaml"), "staged").unwrap();
    fixture.git(&["add", "a.yaml"]);
    std::fs::write(fixture.path().join("a.yaml"), "disk").unwrap();
    fixture.git(&["mv", "moved.yaml", "new name.yaml"]);
    std::fs::create_dir(fixture.path().join("dir")).unwrap();
    for (name, text) in [("dir/untracked.yaml", "x"), ("ignored.yaml", "x"), (".gitignore", "ignored.yaml\n")]
    {
        std::fs::write(fixture.path().join(name), text).unwrap();
    }
    // Whichever directory the user is in.
    let repository = Repository::around(&fixture.path().join("dir")).unwrap();
    let index = repository.index().unwrap();
    assert_eq!(paths(&index.entries), ["a.yaml", "new name.yaml"]);
    let mut contents = Vec::new();
    let entries: Vec<&Entry> = index.entries.iter().collect();
    repository.read_entries(&entries, |_, content| contents.extend(text(Some(content)))).unwrap();
    assert_eq!(contents, ["staged", "same"]);
    let untracked: Vec<PathBuf> = vec![".gitignore".into(), "dir/untracked.yaml".into()];
    assert_eq!(repository.untracked().unwrap(), untracked);
    let staged: BTreeSet<PathBuf> = ["a.yaml", "moved.yaml", "new name.yaml"].map(PathBuf::from).into();
    assert_eq!(repository.staged_paths(repository.head().as_ref()).unwrap(), staged);
}

#[test]
fn a_path_in_conflict_is_in_the_index_once_and_told_of() {
    let fixture = Fixture::new();
    fixture.commit(&[("a.yaml", "base\n"), ("b.yaml", "x\n")]);
    fixture.git(&["checkout", "-q", "-b", "side"]);
    fixture.commit(&[("a.yaml", "theirs\n")]);
    fixture.git(&["checkout", "-q", "main"]);
    fixture.commit(&[("a.yaml", "ours\n")]);
    let merge =
        Command::new("git").current_dir(fixture.path()).args(["merge", "-q", "side"]).output().unwrap();
    assert!(!merge.status.success());
    let repository = fixture.repository();
    let index = repository.index().unwrap();
    assert_eq!(paths(&index.entries), ["a.yaml", "b.yaml"]);
    assert_eq!(index.unmerged, [PathBuf::from("a.yaml")].into());
    let mut contents = Vec::new();
    repository.read_entries(&[&index.entries[0]], |_, content| contents.extend(text(Some(content)))).unwrap();
    assert_eq!(contents, ["ours\n"]);
}

#[test]
fn a_range_brings_in_every_content_that_any_of_its_commits_has() {
    let fixture = Fixture::new();
    fixture.commit(&[("a.yaml", "old"), ("kept.yaml", "kept")]);
    fixture.git(&["tag", "base"]);
    fixture.git(&["checkout", "-q", "-b", "side"]);
    fixture.commit(&[("side.yaml", "side")]);
    fixture.git(&["checkout", "-q", "main"]);
    fixture.commit(&[("b\nc.yaml", "leaked")]);
    fixture.git(&["rm", "-q", "b\nc.yaml"]);
    fixture.commit(&[("a.yaml", "new")]);
    // A merge may bring in what neither side has.
    fixture.git(&["merge", "-q", "--no-commit", "side"]);
    std::fs::write(fixture.path().join("evil.yaml"), "evil").unwrap();
    fixture.commit(&[]);
    let repository = fixture.repository();
    let texts = |range: &str| {
        let introduced = repository.introduced(&repository.range(range).unwrap()).unwrap();
        let entries: Vec<&Entry> = introduced.iter().map(|file| &file.entry).collect();
        let mut found = BTreeSet::new();
        let add = |index: usize, content| {
            found.insert(format!("{:?}: {}", entries[index].path, text(Some(content)).unwrap()));
        };
        repository.read_entries(&entries, add).unwrap();
        found
    };
    let expected =
        [r#""a.yaml": new"#, r#""b\nc.yaml": leaked"#, r#""evil.yaml": evil"#, r#""side.yaml": side"#];
    assert_eq!(texts("base..HEAD"), expected.map(str::to_owned).into());
    assert_eq!(texts("base.."), texts("base..main"));
    assert!(texts("HEAD..base").is_empty());
    // The server's hook names a branch that is new, or goes.
    let zeros = "0".repeat(40);
    assert!(texts(&format!("base..{zeros}")).is_empty());
    assert!(texts(&format!("{zeros}..HEAD")).is_empty(), "a branch has all of it");
    let head = fixture.git(&["rev-parse", "HEAD"]);
    fixture.git(&["checkout", "-q", "--detach"]);
    fixture.git(&["branch", "-q", "-D", "main", "side"]);
    fixture.git(&["checkout", "-q", "base"]);
    assert_eq!(texts(&format!("{zeros}..{head}")), expected.map(str::to_owned).into());
}

#[test]
fn what_is_no_range_is_refused() {
    let fixture = Fixture::new();
    fixture.commit(&[("a", "x")]);
    let repository = fixture.repository();
    for text in ["HEAD", "..", "HEAD...HEAD", ""] {
        assert!(matches!(repository.range(text), Err(GitError::NoRange(_))), "{text}");
    }
    for text in ["--all..HEAD", "HEAD..nothing"] {
        assert!(matches!(repository.range(text), Err(GitError::NoRevision(_))), "{text}");
    }
}

#[test]
fn upstream_is_the_branchs_and_the_remotes_or_head() {
    let origin = Fixture::new();
    let names = |repository: Repository| {
        repository.upstream().iter().map(|upstream| upstream.name).collect::<Vec<_>>()
    };
    assert!(names(origin.repository()).is_empty());
    origin.commit(&[("a", "x")]);
    assert_eq!(names(origin.repository()), ["HEAD"]);
    let clones = Fixture::new();
    clones.git(&["clone", "-q", origin.path().to_str().unwrap(), "clone"]);
    let clone = clones.path().join("clone");
    let git = |args: &[&str]| clones.git(&[&["-C", clone.to_str().unwrap()], args].concat());
    let here = || names(Repository::around(&clone).unwrap());
    assert_eq!(here(), ["@{upstream}"], "which is the main branch of origin, too");
    git(&["commit", "-q", "--allow-empty", "-m", "x"]);
    git(&["push", "-q", "origin", "HEAD:refs/heads/feature"]);
    git(&["checkout", "-q", "-b", "feature", "origin/feature"]);
    assert_eq!(here(), ["@{upstream}", "origin/HEAD"]);
    git(&["remote", "set-head", "origin", "--delete"]);
    let main = here()[1];
    assert!(["origin/main", "origin/master"].contains(&main), "{main}");
    git(&["remote", "set-head", "origin", main.strip_prefix("origin/").unwrap()]);
    git(&["reset", "-q", "--hard", main]);
    git(&["checkout", "-q", "--no-track", "-b", "side"]);
    // A local branch of that name isn't the remote's.
    git(&["branch", "-q", "origin/HEAD"]);
    git(&["commit", "-q", "--allow-empty", "-m", "x"]);
    let repository = Repository::around(&clone).unwrap();
    let [upstream] = &repository.upstream()[..] else { panic!() };
    assert_eq!((upstream.name, &upstream.commit), ("origin/HEAD", &repository.commit("HEAD~1").unwrap()));
    let base = repository.merge_base(&upstream.commit, &repository.head().unwrap()).unwrap();
    assert_eq!(base.as_ref(), Some(&upstream.commit));
    git(&["checkout", "-q", "--orphan", "other"]);
    git(&["commit", "-q", "-m", "other"]);
    let head = repository.head().unwrap();
    assert_eq!(repository.merge_base(&head, &repository.commit("side").unwrap()).unwrap(), None);
}

#[test]
fn a_name_of_two_references_is_refused() {
    let fixture = Fixture::new();
    fixture.commit(&[("a", "x")]);
    fixture.git(&["branch", "-q", "one"]);
    fixture.git(&["update-ref", "refs/remotes/origin/main", "HEAD"]);
    fixture.git(&["tag", "one"]);
    let repository = fixture.repository();
    let old = repository.commit("HEAD").unwrap();
    assert_eq!(repository.commit("one").unwrap(), old, "both name one commit");
    fixture.commit(&[("a", "y")]);
    fixture.git(&[
        "-c",
        "user.name=x",
        "-c",
        "user.email=x@example.com",
        "tag",
        "-a",
        "-m",
        "x",
        "origin/main",
    ]);
    for revision in ["origin/main", "origin/main~0", "origin/main^{tree}"] {
        let error = repository.commit(revision).unwrap_err();
        assert!(
            matches!(error, GitError::Ambiguous { .. }) || revision.contains("tree"),
            "{revision}: {error}"
        );
    }
    assert!(matches!(repository.range("origin/main..HEAD"), Err(GitError::Ambiguous { .. })));
    assert_eq!(repository.commit("refs/remotes/origin/main").unwrap(), old);
}

#[test]
fn a_bare_repository_has_commits_and_no_work_tree_and_a_work_tree_has_its_own_top() {
    let origin = Fixture::new();
    origin.commit(&[("a.yaml", "x")]);
    let clones = Fixture::new();
    clones.git(&["clone", "-q", "--bare", origin.path().to_str().unwrap(), "bare.git"]);
    let bare = Repository::around(&clones.path().join("bare.git")).unwrap();
    assert!(bare.top().is_none() && matches!(bare.index(), Err(GitError::NoWorkTree)));
    assert!(matches!(bare.path_within(Path::new(".")), Err(GitError::NoWorkTree)));
    let head = bare.head().unwrap();
    assert_eq!(text(bare.file_at(&head, Path::new("a.yaml")).unwrap()).unwrap(), "x");

    origin.git(&["worktree", "add", "-q", clones.path().join("linked").to_str().unwrap()]);
    let linked = Repository::around(&clones.path().join("linked")).unwrap();
    assert!(linked.top().unwrap().ends_with("linked"));
    clones.git(&["submodule", "--quiet", "add", origin.path().to_str().unwrap(), "sub"]);
    let sub = Repository::around(&clones.path().join("sub")).unwrap();
    assert!(sub.top().unwrap().ends_with("sub"));
    let kinds: Vec<_> = clones.repository().index().unwrap().entries.iter().map(|entry| entry.kind).collect();
    assert_eq!(kinds, [EntryKind::File, EntryKind::Submodule]);
}

#[test]
fn a_repository_that_can_not_be_read_is_not_taken_for_none() {
    let fixture = Fixture::new();
    std::fs::write(fixture.path().join(".git/HEAD"), "nonsense").unwrap();
    std::fs::remove_dir_all(fixture.path().join(".git/refs")).unwrap();
    // git goes on looking above, and there is no repository for it. The directory has a `.git` all the same.
    assert!(is_beneath_git(fixture.path()));
    assert!(Repository::find(fixture.path()).is_err());
}

#[test]
fn a_word_is_as_old_as_the_oldest_commit_with_it() {
    let fixture = Fixture::new();
    let commit = |text: &str, day: &str| {
        std::fs::write(fixture.path().join("a.yaml"), text).unwrap();
        fixture.git(&["add", "-A"]);
        let output = Command::new("git")
            .current_dir(fixture.path())
            .args(["-c", "user.name=x", "-c", "user.email=x@example.com", "commit", "-q", "-m", "x"])
            .env("GIT_COMMITTER_DATE", format!("{day}T00:00:00Z"))
            .output()
            .unwrap();
        assert!(output.status.success());
    };
    commit("a: one\nb: 'two'\n", "2026-01-01");
    commit("a: three\n", "2026-01-02");
    commit("x: [three,one]\n", "2026-01-03");
    let repository = fixture.repository();
    let words = HashSet::from(["one", "two", "three", "four", "a"]);
    let found = repository.first_committed(&repository.head().unwrap(), &words).unwrap();
    let day = |day: i64| 1_767_225_600 + (day - 1) * 86_400;
    let expected = [("one", day(1)), ("two", day(1)), ("three", day(2))];
    assert_eq!(found, expected.map(|(word, time)| (word.to_owned(), time)).into());
}

#[test]
fn the_last_change_of_a_file_is_known_with_its_author() {
    let fixture = Fixture::new();
    fixture.commit(&[("keys/a.pub", "one"), ("b", "x")]);
    fixture.commit(&[("keys/a.pub", "two")]);
    fixture.commit(&[("b", "y")]);
    let repository = fixture.repository();
    let change = repository.last_change(Path::new("keys/a.pub")).unwrap().unwrap();
    assert_eq!((change.author.as_str(), &change.commit), ("x", &repository.commit("HEAD~1").unwrap()));
    assert_eq!(change.day.len(), 10);
    assert_eq!(repository.last_change(Path::new("keys/*")).unwrap(), None);
    assert_eq!(repository.commits_that_changed(Path::new("keys/a.pub")).unwrap(), 2);
}

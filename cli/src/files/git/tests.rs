//! Tests with the real git: what is found in a history, what a clone lacks, and that a hostile repository starts nothing.

mod changes;

use std::collections::HashSet;
use std::process::Command;

use super::*;

/// A repository in a temporary directory.
struct Fixture(tempfile::TempDir);

impl Fixture {
    fn new() -> Self {
        let fixture = Self(tempfile::tempdir().unwrap());
        fixture.git(&["init", "-q", "-b", "main"]);
        fixture
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    #[track_caller]
    fn git(&self, args: &[&str]) -> String {
        let who = ["-c", "user.name=x", "-c", "user.email=x@example.com", "-c", "protocol.file.allow=always"];
        let output = Command::new("git")
            .current_dir(self.path())
            .args(who)
            .args(args)
            .envs([("GIT_CONFIG_GLOBAL", "/dev/null"), ("GIT_CONFIG_NOSYSTEM", "1")])
            .output()
            .unwrap();
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    fn commit(&self, files: &[(&str, &str)]) {
        for (name, text) in files {
            let path = self.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        self.git(&["add", "-A"]);
        self.git(&["commit", "-q", "-m", "x"]);
    }

    fn repository(&self) -> Repository {
        Repository::around(self.path()).unwrap()
    }
}

/// Path and text of each file.
fn contents(repository: &Repository, blobs: &[Blob]) -> Vec<(String, String)> {
    let mut found = Vec::new();
    repository
        .read(blobs, |blob, content| {
            let text = match content {
                Content::Bytes(bytes) => String::from_utf8(bytes).unwrap(),
                Content::TooLarge => "too large".to_owned(),
                Content::Missing => "missing".to_owned(),
            };
            found.push((blob.path.clone(), text));
        })
        .unwrap();
    found.sort();
    found
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect()
}

#[test]
fn a_revision_has_its_files_and_the_history_has_all_that_ever_were() {
    let fixture = Fixture::new();
    fixture.commit(&[("a.yaml", "one\n"), ("dir/b ü.yaml", "two")]);
    fixture.git(&["tag", "v1"]);
    fixture.commit(&[("a.yaml", "three\n"), ("empty", "")]);
    fixture.git(&["rm", "-q", "dir/b ü.yaml"]);
    fixture.commit(&[]);
    fixture.git(&["checkout", "-q", "-b", "side"]);
    fixture.commit(&[("c.yaml", "four")]);
    std::os::unix::fs::symlink("a.yaml", fixture.path().join("link")).unwrap();
    fixture.commit(&[]);
    fixture.git(&["checkout", "-q", "main"]);
    let repository = fixture.repository();

    let v1 = repository.files_of(&repository.commit("v1").unwrap()).unwrap();
    assert_eq!(contents(&repository, &v1), pairs(&[("a.yaml", "one\n"), ("dir/b ü.yaml", "two")]));
    let main = repository.history(&[repository.commit("main").unwrap()]).unwrap();
    let expected = [("a.yaml", "one\n"), ("a.yaml", "three\n"), ("dir/b ü.yaml", "two"), ("empty", "")];
    assert_eq!((contents(&repository, &main.blobs), main.missing), (pairs(&expected), 0));
    let all = repository.history(&repository.all_tips().unwrap().commits).unwrap();
    assert!(contents(&repository, &all.blobs).contains(&("c.yaml".to_owned(), "four".to_owned())));
    let side = repository.files_of(&repository.commit("side").unwrap()).unwrap();
    assert!(!side.iter().any(|blob| blob.path == "link"), "a link is no file");
    assert_eq!(repository.gap().unwrap(), None);
}

#[test]
fn a_revision_is_a_name_and_never_an_option() {
    let fixture = Fixture::new();
    fixture.commit(&[("a", "x")]);
    let repository = fixture.repository();
    for name in ["nothing", "--all", "--output=x", "-h", "", "HEAD:a", "HEAD..HEAD"] {
        assert!(matches!(repository.commit(name), Err(GitError::NoRevision(_))), "{name}");
    }
    assert!(repository.commit("HEAD").is_ok() && repository.commit("main~0").is_ok());
    assert!(matches!(Repository::around(Path::new("/")), Err(GitError::NoRepository { .. })));
    assert!(Repository::find(Path::new("/")).unwrap().is_none());
}

#[test]
fn an_empty_repository_has_an_empty_history() {
    let fixture = Fixture::new();
    let repository = fixture.repository();
    assert_eq!(repository.all_tips().unwrap().commits, []);
    assert!(repository.history(&[]).unwrap().blobs.is_empty());
}

#[test]
fn a_shallow_clone_and_a_partial_one_are_known_as_such() {
    let origin = Fixture::new();
    origin.commit(&[("a.yaml", "one")]);
    origin.commit(&[("a.yaml", "two")]);
    origin.git(&["config", "uploadpack.allowFilter", "true"]);
    let url = format!("file://{}", origin.path().display());
    let clones = Fixture::new();
    clones.git(&["clone", "-q", "--depth=1", &url, "shallow"]);
    clones.git(&["clone", "-q", "--filter=blob:none", "--no-checkout", &url, "partial"]);
    let shallow = Repository::around(&clones.path().join("shallow")).unwrap();
    assert_eq!(shallow.gap().unwrap(), Some(Gap::Shallow));
    let partial = Repository::around(&clones.path().join("partial")).unwrap();
    assert_eq!(partial.gap().unwrap(), Some(Gap::Partial));
    // Its files aren't fetched behind the user's back.
    let history = partial.history(&partial.all_tips().unwrap().commits).unwrap();
    assert_eq!((history.blobs.len(), history.missing), (0, 2));
    let files = partial.files_of(&partial.commit("HEAD").unwrap()).unwrap();
    assert_eq!(contents(&partial, &files), pairs(&[("a.yaml", "missing")]));
}

#[test]
fn git_itself_comes_from_no_directory_that_depends_on_where_the_user_is() {
    let fixture = Fixture::new();
    let git = fixture.repository().git.command();
    assert!(Path::new(git.get_program()).is_absolute(), "a relative entry of PATH would mean the repository");
}

#[test]
fn a_hostile_repository_starts_no_program() {
    let fixture = Fixture::new();
    fixture.commit(&[("a.yaml", "one"), (".gitattributes", "*.yaml diff=x filter=x\n")]);
    let blob = fixture.git(&["rev-parse", "HEAD:a.yaml"]);
    let trap = fixture.path().join("trap");
    let run = format!("touch {}", trap.display());
    for (key, value) in [
        ("core.fsmonitor", run.clone()),
        ("core.pager", run.clone()),
        ("pager.cat-file", run.clone()),
        ("core.sshCommand", run.clone()),
        ("core.hooksPath", fixture.path().display().to_string()),
        ("diff.x.textconv", run.clone()),
        ("filter.x.smudge", run.clone()),
        ("protocol.ext.allow", "always".to_owned()),
        ("remote.evil.url", format!("ext::{run}")),
        ("remote.evil.promisor", "true".to_owned()),
        ("remote.evil.partialclonefilter", "blob:none".to_owned()),
        ("extensions.partialclone", "evil".to_owned()),
    ] {
        fixture.git(&["config", key, &value]);
    }
    // The object that a promise covers is gone, so git would ask the remote for it.
    std::fs::remove_file(fixture.path().join(".git/objects").join(&blob[..2]).join(&blob[2..])).unwrap();
    let repository = fixture.repository();
    let files = repository.files_of(&repository.commit("HEAD").unwrap()).unwrap();
    let found = contents(&repository, &files);
    assert!(found.contains(&("a.yaml".to_owned(), "missing".to_owned())), "{found:?}");
    let history = repository.history(&repository.all_tips().unwrap().commits);
    assert!(history.is_err() || history.unwrap().missing > 0);
    assert_eq!(repository.gap().unwrap(), Some(Gap::Partial));
    assert!(!trap.exists(), "a program ran");
    // Without the precautions the same question does start the program.
    let plain = ["-c", "core.fsmonitor=false", "cat-file", "-e", &blob];
    let asked = Command::new("git").current_dir(fixture.path()).args(plain).status().unwrap();
    assert!(!asked.success() && trap.exists(), "the trap is none");
}

#[test]
fn what_a_promise_covers_is_not_fetched_even_if_git_is_asked_for_it() {
    let fixture = Fixture::new();
    fixture.commit(&[("a.yaml", "one")]);
    let blob = fixture.git(&["rev-parse", "HEAD:a.yaml"]);
    let trap = fixture.path().join("trap");
    for (key, value) in [
        ("protocol.ext.allow", "always"),
        ("remote.evil.url", &format!("ext::touch {}", trap.display())),
        ("remote.evil.promisor", "true"),
    ] {
        fixture.git(&["config", key, value]);
    }
    std::fs::remove_file(fixture.path().join(".git/objects").join(&blob[..2]).join(&blob[2..])).unwrap();
    let wanted = Blob { id: blob, path: "a.yaml".to_owned(), is_missing: false };
    // Some versions of git end over it, and others say that the object is missing.
    let is_missing = |content| assert!(matches!(content, Content::Missing));
    let _ = fixture.repository().read(&[wanted], |_, content| is_missing(content));
    assert!(!trap.exists(), "a program ran");
}

#[test]
fn a_replaced_object_is_read_as_it_was_committed() {
    let fixture = Fixture::new();
    fixture.commit(&[("a.yaml", "leaked")]);
    let blob = fixture.git(&["rev-parse", "HEAD:a.yaml"]);
    std::fs::write(fixture.path().join("clean"), "clean").unwrap();
    let clean = fixture.git(&["hash-object", "-w", "clean"]);
    fixture.git(&["replace", &blob, &clean]);
    let repository = fixture.repository();
    let files = repository.files_of(&repository.commit("HEAD").unwrap()).unwrap();
    assert_eq!(contents(&repository, &files), pairs(&[("a.yaml", "leaked")]));
}

#[test]
fn no_name_of_a_file_hides_it_from_the_history() {
    let fixture = Fixture::new();
    fixture.commit(&[("\nhidden.yaml", "one"), ("dir/\nhidden.yaml", "two"), ("a.yaml", "three")]);
    let repository = fixture.repository();
    let history = repository.history(&repository.all_tips().unwrap().commits).unwrap();
    let texts: HashSet<String> =
        contents(&repository, &history.blobs).into_iter().map(|(_, text)| text).collect();
    assert_eq!(texts, ["one", "two", "three"].map(str::to_owned).into());
    assert!(history.blobs.iter().all(|blob| !blob.path.is_empty()), "each has a name for messages");
}

#[test]
fn submodules_are_found_in_any_commit_and_behind_a_copy_of_their_list() {
    let fixture = Fixture::new();
    let names = |fixture: &Fixture| {
        let repository = fixture.repository();
        repository.names_submodules(&repository.all_tips().unwrap().commits).unwrap()
    };
    fixture.commit(&[("dir/.gitmodules", "another\n"), ("a.yaml", "x")]);
    assert!(!names(&fixture));
    // A side branch had them, and the merge threw them away.
    fixture.git(&["checkout", "-q", "-b", "side"]);
    fixture.commit(&[("-copy", "list\n"), (".gitmodules", "list\n")]);
    fixture.git(&["checkout", "-q", "main"]);
    fixture.git(&["merge", "-q", "-s", "ours", "-m", "x", "side"]);
    fixture.git(&["branch", "-q", "-D", "side"]);
    assert!(names(&fixture));
    let within = Repository::around(&fixture.path().join("dir")).unwrap();
    assert!(within.names_submodules(&within.all_tips().unwrap().commits).unwrap());
}

#[test]
fn the_repository_is_the_one_around_the_user_whatever_work_tree_it_names() {
    let (fixture, other) = (Fixture::new(), Fixture::new());
    fixture.commit(&[("a.yaml", "here")]);
    other.commit(&[("a.yaml", "elsewhere")]);
    fixture.git(&["config", "core.worktree", other.path().to_str().unwrap()]);
    let repository = fixture.repository();
    let history = repository.history(&repository.all_tips().unwrap().commits).unwrap();
    assert_eq!(contents(&repository, &history.blobs), pairs(&[("a.yaml", "here")]));
}

#[test]
fn a_commit_graph_that_lies_hides_no_commit() {
    let fixture = Fixture::new();
    fixture.commit(&[("a.yaml", "leaked")]);
    fixture.commit(&[("a.yaml", "new")]);
    fixture.git(&["commit-graph", "write", "--reachable"]);
    let path = fixture.path().join(".git/objects/info/commit-graph");
    let mut graph = std::fs::read(&path).unwrap();
    // A header of 8 bytes, then a row of 12 for each chunk: its name and where it starts.
    let chunk = |name: &[u8]| {
        let row = graph[8..].chunks(12).find(|row| row.starts_with(name)).unwrap();
        usize::try_from(u64::from_be_bytes(row[4..12].try_into().unwrap())).unwrap()
    };
    let head = fixture.git(&["rev-parse", "HEAD"]);
    let ids = &graph[chunk(b"OIDL")..][..40];
    let hex = |id: &[u8]| id.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let index = ids.chunks(20).position(|id| hex(id) == head).unwrap();
    // 36 bytes for each commit: after the tree, the first parent. This value says that there is none.
    let parent = chunk(b"CDAT") + 36 * index + 20;
    graph[parent..parent + 4].copy_from_slice(&0x7000_0000_u32.to_be_bytes());
    std::fs::remove_file(&path).unwrap();
    std::fs::write(&path, graph).unwrap();
    let listed = fixture.git(&["rev-list", "HEAD"]);
    assert_eq!(listed, head, "without the precautions git believes it");
    let repository = fixture.repository();
    let history = repository.history(&repository.all_tips().unwrap().commits).unwrap();
    let expected = [("a.yaml", "leaked"), ("a.yaml", "new")];
    assert_eq!(contents(&repository, &history.blobs), pairs(&expected));
}

#[test]
fn a_branch_that_can_not_be_read_is_told_of() {
    let fixture = Fixture::new();
    fixture.commit(&[("a.yaml", "x")]);
    assert!(fixture.repository().all_tips().unwrap().unread.is_none());
    std::fs::write(fixture.path().join(".git/refs/heads/broken"), "nonsense\n").unwrap();
    let tips = fixture.repository().all_tips().unwrap();
    assert!(tips.unread.unwrap().contains("refs/heads/broken"));
    assert!(!tips.commits.is_empty());
    std::fs::write(fixture.path().join(".git/packed-refs"), "nonsense\n").unwrap();
    assert!(matches!(fixture.repository().all_tips(), Err(GitError::Failed { .. })));
}

#[test]
fn a_path_outside_of_the_repository_is_refused() {
    let fixture = Fixture::new();
    fixture.commit(&[("dir/a.yaml", "x")]);
    let repository = fixture.repository();
    assert_eq!(repository.path_within(&fixture.path().join("dir")).unwrap(), Path::new("dir"));
    assert_eq!(repository.path_within(fixture.path()).unwrap(), Path::new(""));
    assert!(matches!(repository.path_within(Path::new("/")), Err(GitError::Outside { .. })));
}

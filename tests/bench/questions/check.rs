//! `seal check` over a whole repository, beside `git grep` over the same files: what a pull request waits for.
//!
//! Invariant: the repository is the one of the tests, in which nothing is wrong, and every file is committed.

use std::fs;
use std::path::Path;

use seal_tests::repository::files;
use seal_tests::repository::sealed::Keys;

use super::Bench;
use crate::figure::{Figure, Ratio, SEAL, Unit};
use crate::programs::{confined, seconds};
use crate::sample::Takes;

const GIT_GREP: &str = "git grep";

pub(super) fn answer(bench: &mut Bench) -> (Vec<Figure>, Vec<Ratio>) {
    let count = bench.size.repository;
    let dir = tempfile::tempdir().expect("there is room for temporary files");
    let dir = dir.path();
    for (path, content) in files(&Keys::generate(), count, 12) {
        let path = dir.join(path);
        fs::create_dir_all(path.parent().unwrap_or(dir)).expect("the directory is ours");
        fs::write(path, content).expect("the directory is ours");
    }
    let git = |args: &[&str]| seconds(confined(Path::new("git"), dir).args(args), None);
    git(&["init", "-q", "-b", "main"]);
    git(&["add", "-A"]);
    git(&["-c", "user.name=t", "-c", "user.email=t@example.com", "commit", "-q", "-m", "all"]);

    let mut figure = Figure::new("check", "A repository, checked without a key", Unit::Seconds, Takes::Median, "files")
        .note("`git grep -l 'kind: Secret'` reads the same files and understands none. seal check parses the manifests among \
               them, applies every rule, and reads the history of sealed files.");
    for _ in 0..bench.size.runs.div_ceil(4) {
        figure.add(GIT_GREP, count, git(&["grep", "-l", "kind: Secret"]));
        figure.add(SEAL, count, seconds(bench.programs.seal(dir).arg("check"), None));
    }
    let ratios = figure.versus(SEAL, GIT_GREP);
    (vec![figure], ratios)
}

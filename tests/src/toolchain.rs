//! The paths of the programs that the tests run: kube-apiserver, kubectl, age and so on, built by
//! `tests/toolchain/`, and our own.
//!
//! It builds nothing and never looks in `PATH`: a program that happens to be installed has another version than
//! the pinned one.
//!
//! Invariant: every path that it returns is an existing file, of `KUBEBUILDER_ASSETS` or of
//! `target/toolchain/bin`.

use std::fmt;
use std::path::{Path, PathBuf};

/// The path of a program of the toolchain, such as `age` or `kubectl`.
///
/// # Panics
/// When it hasn't been built, with the command to run. A test whose peer is missing fails; it isn't skipped.
#[must_use]
#[track_caller]
pub fn bin(name: &str) -> PathBuf {
    find(name).unwrap_or_else(|missing| panic!("{missing}"))
}

/// As [`bin`], for callers who report the error themselves.
///
/// # Errors
/// When the program hasn't been built.
pub fn find(name: &str) -> Result<PathBuf, Missing> {
    let assets = std::env::var_os("KUBEBUILDER_ASSETS").map(PathBuf::from);
    let built = repository().join("target/toolchain/bin");
    assets
        .into_iter()
        .chain([built])
        .map(|dir| dir.join(name))
        .find(|path| path.is_file())
        .ok_or_else(|| Missing { name: name.to_owned() })
}

/// The path of a program of this package. Cargo puts those beside the folder `deps` that tests run from, and builds them
/// before it runs a test. A program finds the others beside itself.
///
/// # Panics
/// When the operating system doesn't tell the path of this process.
#[must_use]
pub fn own(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("the operating system knows what it runs");
    let dir = test.parent().expect("a program is in a directory");
    let dir = if dir.ends_with("deps") { dir.parent().unwrap_or(dir) } else { dir };
    dir.join(name)
}

/// The root of the repository.
#[must_use]
pub fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the tests crate is a folder of the repository")
}

/// The repository as a path from a directory: kustomize takes only relative ones.
///
/// # Panics
/// When the directory isn't there.
#[must_use]
pub fn repository_from(dir: &Path) -> String {
    let real = |path: &Path| path.canonicalize().expect("the directory is there");
    let up = "../".repeat(real(dir).components().count() - 1);
    format!("{up}{}", real(repository()).strip_prefix("/").expect("it is absolute").display())
}

/// A program of the toolchain that isn't there.
#[derive(Debug)]
pub struct Missing {
    name: String,
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} is neither in target/toolchain/bin nor in KUBEBUILDER_ASSETS: run `make toolchain` (once; some 10 minutes)",
            self.name
        )
    }
}

impl std::error::Error for Missing {}

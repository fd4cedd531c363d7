//! The files of `cli/git-example/` and `.pre-commit-hooks.yaml`: what people copy, run as the programs would run it that read them.
//!
//! GitHub and GitLab aren't here: their scripts are taken out of the files and run by a shell, with the variables that they
//! would have. Invariant: a script runs as it stands, byte for byte.

mod allowed;
mod jobs;
mod pre_commit;
mod push;

use std::fs;

use seal_tests::toolchain;

/// A file of the repository.
#[track_caller]
fn read(path: &str) -> String {
    fs::read_to_string(toolchain::repository().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// A file of the repository as YAML.
#[track_caller]
fn yaml(path: &str) -> serde_yaml::Value {
    serde_yaml::from_str(&read(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

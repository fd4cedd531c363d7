//! A program of this machine, found in `PATH`.
//!
//! The threat is a repository that somebody else made: a relative entry of `PATH`, an empty one too, means a file in it.
//! Invariant: a program is found in an absolute directory, or not at all.

use std::env;
use std::ffi::OsStr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

/// Where execvp(3) looks if there is no `PATH`.
const DEFAULT_PATH: &str = "/bin:/usr/bin";

/// The first program of this name.
pub(crate) fn find(name: &str) -> Option<PathBuf> {
    find_in(&env::var_os("PATH").unwrap_or_else(|| DEFAULT_PATH.into()), name)
}

/// The first program of this name in the directories of a `PATH`.
pub(crate) fn find_in(path: &OsStr, name: &str) -> Option<PathBuf> {
    let is_program = |path: &PathBuf| {
        path.metadata().is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
    };
    let directories = env::split_paths(path).filter(|directory| directory.is_absolute());
    directories.map(|directory| directory.join(name)).find(is_program)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_program_is_found_in_absolute_directories_alone() {
        let directory = tempfile::tempdir().unwrap();
        let program = directory.path().join("x");
        fs::write(&program, "").unwrap();
        let set_mode = |mode| fs::set_permissions(&program, fs::Permissions::from_mode(mode)).unwrap();
        set_mode(0o755);
        let absolute = directory.path().to_str().unwrap();
        let found = |path: &str| find_in(path.as_ref(), "x");
        assert_eq!(found(&format!(".::relative:{absolute}")), Some(program.clone()));
        assert_eq!(found("."), None);
        set_mode(0o644);
        assert_eq!(found(absolute), None);
    }
}

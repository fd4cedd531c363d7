//! The site of a file: the repository around it, and its path there.
//!
//! The top of a repository is the directory that has `.git` in it, a directory or a file: a work tree and a submodule have
//! rules of their own. Outside of a repository the top is the current directory, or for a file that isn't beneath it the
//! file's own directory: no rules file is found above what the user named, because on a shared machine somebody else may
//! write to the directories above.
//!
//! The site of a symbolic link is that of its target, which is what a command reads and replaces. Invariant: a path in a
//! repository has no `.` and no `..` and no symbolic link in it.

use std::io;
use std::path::{Component, Path, PathBuf};

use crate::files::input::InputError;
use crate::talk::failure::Failure;

/// The site of a file, which needn't be there yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Site {
    /// An absolute path without symbolic links.
    pub(crate) top: PathBuf,
    pub(crate) is_in_git: bool,
    /// The path from the top, with `/` between names. A name that isn't UTF-8 has U+FFFD in it; no rules file can name it.
    pub(crate) path: String,
}

impl Site {
    /// The site of a file.
    ///
    /// # Errors
    ///
    /// A directory on the way can't be read, or the path has `..` behind a directory that isn't there.
    pub(crate) fn of(file: &Path) -> Result<Self, Failure> {
        let unreadable = |error| InputError::Unreadable(file.display().to_string(), error);
        let whole = whole(file).map_err(unreadable)?;
        let directory = whole.parent().unwrap_or(&whole);
        let here = std::env::current_dir().and_then(|here| here.canonicalize()).map_err(unreadable)?;
        let git = directory.ancestors().find(|above| above.join(".git").symlink_metadata().is_ok());
        let top = git.unwrap_or(if directory.starts_with(&here) { &here } else { directory });
        let names = whole.strip_prefix(top).into_iter().flat_map(Path::components);
        let names: Vec<String> = names.map(|name| name.as_os_str().to_string_lossy().into_owned()).collect();
        Ok(Self { top: top.to_owned(), is_in_git: git.is_some(), path: names.join("/") })
    }
}

/// The absolute path of a file without symbolic links; what isn't there yet stands behind what is.
fn whole(file: &Path) -> io::Result<PathBuf> {
    let mut there = if file.is_absolute() { file.to_owned() } else { std::env::current_dir()?.join(file) };
    let mut missing = Vec::new();
    loop {
        match there.canonicalize() {
            Ok(mut whole) => {
                whole.extend(missing.iter().rev());
                return Ok(whole);
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                // `..` behind a directory that isn't there has no meaning.
                let Some(Component::Normal(name)) = there.components().next_back() else { return Err(error) };
                // A dangling link is replaced itself.
                missing.push(name.to_owned());
                there.pop();
            }
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_file_is_in_the_innermost_repository() {
        let dir = tempfile::tempdir().unwrap();
        let top = dir.path().canonicalize().unwrap();
        fs::create_dir_all(top.join("repo/.git")).unwrap();
        fs::create_dir_all(top.join("repo/a/b")).unwrap();
        fs::create_dir_all(top.join("repo/module")).unwrap();
        fs::write(top.join("repo/module/.git"), "gitdir: ../.git/modules/module\n").unwrap();
        let site = |path: &str| {
            let site = Site::of(&top.join(path)).unwrap();
            (site.top.strip_prefix(&top).unwrap().display().to_string(), site.is_in_git, site.path)
        };
        let at = |top: &str, path: &str| (top.to_owned(), true, path.to_owned());
        assert_eq!(site("repo/a/b/c.yaml"), at("repo", "a/b/c.yaml"));
        assert_eq!(site("repo/a/new/dir/c.yaml"), at("repo", "a/new/dir/c.yaml"));
        assert_eq!(site("repo/a/../c.yaml"), at("repo", "c.yaml"));
        assert_eq!(site("repo/module/c.yaml"), at("repo/module", "c.yaml"));
        // Outside of a repository nothing above the file counts.
        assert_eq!(site("x.yaml"), (String::new(), false, "x.yaml".to_owned()));
        assert!(Site::of(&top.join("none/../x.yaml")).is_err());
    }

    #[test]
    fn a_link_is_where_its_target_is() {
        let dir = tempfile::tempdir().unwrap();
        let top = dir.path().canonicalize().unwrap();
        fs::create_dir_all(top.join("prod")).unwrap();
        fs::create_dir_all(top.join("dev/.git")).unwrap();
        fs::write(top.join("dev/db.yaml"), "").unwrap();
        symlink("../dev/db.yaml", top.join("prod/db.yaml")).unwrap();
        symlink("nowhere", top.join("dev/dangling.yaml")).unwrap();
        let site = Site::of(&top.join("prod/db.yaml")).unwrap();
        assert_eq!((site.top, site.path.as_str()), (top.join("dev"), "db.yaml"));
        assert_eq!(Site::of(&top.join("dev/dangling.yaml")).unwrap().path, "dangling.yaml");
    }
}

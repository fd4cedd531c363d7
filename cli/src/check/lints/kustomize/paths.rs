//! The paths of a repository, and the way from a kustomization to the files that it names.
//!
//! A path is relative to the top of the repository, with `/` between its segments; the top itself is the empty path.
//! Invariant: a path that leads out of the repository is no path here, so nothing outside is ever looked at.

/// The names that kustomize knows a kustomization by, in its order.
const KUSTOMIZATION_NAMES: [&str; 3] = ["kustomization.yaml", "kustomization.yml", "Kustomization"];

/// The paths of all files of a repository, sorted.
#[derive(Default)]
pub(super) struct Paths<'a>(Vec<&'a str>);

impl<'a> FromIterator<&'a str> for Paths<'a> {
    fn from_iter<I: IntoIterator<Item = &'a str>>(paths: I) -> Self {
        let mut paths: Vec<&str> = paths.into_iter().collect();
        paths.sort_unstable();
        Self(paths)
    }
}

impl<'a> Paths<'a> {
    /// Whether a file has this path.
    pub(super) fn has_file(&self, path: &str) -> bool {
        self.0.binary_search(&path).is_ok()
    }

    /// Whether a file lies beneath a directory of this path.
    pub(super) fn has_directory(&self, path: &str) -> bool {
        self.beneath(path).next().is_some()
    }

    /// The files beneath a directory, at any depth, in the order of their paths.
    pub(super) fn beneath(&self, directory: &str) -> impl Iterator<Item = &'a str> {
        let start = if directory.is_empty() { String::new() } else { format!("{directory}/") };
        let from = self.0.partition_point(|path| *path < start.as_str());
        self.0[from..].iter().copied().take_while(move |path| path.starts_with(&start))
    }
}

/// The path that an entry of a kustomization in `directory` names. `None` if the entry leads out of the repository, or is
/// a URL.
pub(in super::super) fn join(directory: &str, entry: &str) -> Option<String> {
    if entry.is_empty() || entry.contains("://") {
        return None;
    }
    let mut segments: Vec<&str> = directory.split('/').filter(|segment| !segment.is_empty()).collect();
    for segment in entry.split('/') {
        match segment {
            "" | "." => {}
            ".." => drop(segments.pop()?),
            name => segments.push(name),
        }
    }
    Some(segments.join("/"))
}

/// The directory of a file.
pub(super) fn directory(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(directory, _)| directory)
}

/// The name of a file in its directory.
pub(super) fn file_name(path: &str) -> &str {
    path.rsplit_once('/').map_or(path, |(_, name)| name)
}

/// Whether a file is a kustomization, by its name.
pub(crate) fn is_kustomization(path: &str) -> bool {
    KUSTOMIZATION_NAMES.contains(&file_name(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_joined_to_the_directory_of_its_kustomization() {
        for (directory, entry, expected) in [
            ("a/b", "../c", Some("a/c")),
            ("a/b", "./x.yaml", Some("a/b/x.yaml")),
            ("", "x//y/", Some("x/y")),
            ("a", "..", Some("")),
            ("a", "../../b", None),
            ("a", "https://example.com/x", None),
            ("a", "", None),
        ] {
            assert_eq!(join(directory, entry).as_deref(), expected, "{directory} {entry}");
        }
    }

    #[test]
    fn a_directory_has_the_files_beneath_it_and_no_others() {
        let paths: Paths<'_> = ["a/x", "a/b/y", "ab/z", "c"].into_iter().collect();
        assert_eq!(paths.beneath("a").collect::<Vec<_>>(), ["a/b/y", "a/x"]);
        assert_eq!(paths.beneath("").count(), 4);
        assert!(paths.has_directory("ab") && !paths.has_directory("c") && paths.has_file("c"));
        assert!(is_kustomization("a/kustomization.yml") && !is_kustomization("a/kustomizations.yaml"));
    }
}

//! The warning of `seal -w` about plaintext that stays in Git: sealing a file takes nothing out of its history.
//!
//! Invariant: Git is asked after the files are written, and whatever it answers, the command has done its work.

use std::path::Path;

use seal_documents::manifest::{Kind, Manifest};
use seal_documents::source::Source;
use zeroize::Zeroizing;

use crate::files::git::{Content, Repository};
use crate::talk::terminal;

/// Warns of each of these files whose plaintext is committed or staged. The files have just been sealed.
pub(super) fn warn(paths: &[&Path]) {
    let Some(first) = paths.first() else { return };
    let directory = first.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let Ok(Some(repository)) = Repository::find(directory) else { return };
    let head = repository.head();
    let index = repository.index().unwrap_or_default();
    for path in paths {
        let Ok(within) = repository.path_within(path) else { continue };
        let committed = head.as_ref().and_then(|head| repository.file_at(head, &within).ok()?);
        if committed.is_some_and(has_secret) {
            let commits = match repository.commits_that_changed(&within) {
                Ok(1) => "1 commit".to_owned(),
                Ok(commits) if commits > 1 => format!("{commits} commits"),
                _ => "the history".to_owned(),
            };
            let path = path.display();
            terminal::warn(
                &format!("the plaintext of {path} is still in {commits}; change the values at their source"),
                None,
            );
            continue;
        }
        let mut is_staged = false;
        let staged: Vec<_> = index.entries.iter().filter(|entry| entry.path == within).collect();
        let _ = repository.read_entries(&staged, |_, content| is_staged |= has_secret(content));
        if is_staged {
            let path = path.display();
            terminal::warn(&format!("{path} is staged in plaintext: git add {path}"), None);
        }
    }
}

/// Whether a file has a Secret with values.
fn has_secret(content: Content) -> bool {
    let Content::Bytes(bytes) = content else { return false };
    let Ok(text) = String::from_utf8(bytes) else { return false };
    let source = Source::new(String::new(), Zeroizing::new(text));
    let Ok(manifest) = Manifest::parse(&source) else { return false };
    manifest.objects.iter().filter(|object| object.kind == Kind::Secret).any(|object| {
        let tree = manifest.tree(object);
        let values = ["data", "stringData"].iter().filter_map(|key| tree.get(object.node, key));
        values.into_iter().any(|values| tree.mapping(values).is_some_and(|entries| !entries.is_empty()))
    })
}

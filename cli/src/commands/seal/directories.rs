//! Directories among the arguments of `seal`: the files beneath them that have Secrets or SealedSecrets.
//!
//! Invariants: a named file stays as it was named; no symbolic link beneath a directory is followed. A file that has a
//! Secret is never passed over: it is sealed, or it is a failure, or, as a template that nobody rendered, it is warned of.

use std::path::{Path, PathBuf};

use seal_documents::manifest::{Kind, Manifest, ManifestError};

use crate::files::repository::{self, FilesFound, Interest};
use crate::talk::failure::{Explain, Failure, Rule};
use crate::talk::terminal;

#[derive(Debug, thiserror::Error)]
#[error("there is no Secret in {0}")]
struct NothingInDirectory(String);

impl Explain for NothingInDirectory {
    fn rule(&self) -> Rule {
        Rule::NothingToDo
    }

    fn hint(&self) -> Option<String> {
        Some(
            "*.yaml, *.yml and *.json are looked at; a Secret has apiVersion: v1 and kind: Secret".to_owned(),
        )
    }
}

/// The files to seal.
pub(super) struct Expanded {
    pub(super) files: Vec<PathBuf>,
    /// How many files with Secrets stay as they are, and were warned of; `None` if no directory was named.
    pub(super) skipped: Option<usize>,
}

/// The files to seal: directories are replaced by the files beneath them, each file once.
///
/// # Errors
///
/// A file beneath a directory has a Secret and can't be read; nothing beneath a directory is for `seal`.
pub(super) fn expand(paths: &[PathBuf]) -> Result<Expanded, Failure> {
    if !paths.iter().any(|path| path.is_dir()) {
        return Ok(Expanded { files: paths.to_vec(), skipped: None });
    }
    let (streams, named): (Vec<PathBuf>, Vec<PathBuf>) =
        paths.iter().cloned().partition(|path| path == Path::new("-"));
    let FilesFound { files, failures, links } = repository::files(&named, interest)?;
    if let Some(failure) = failures.into_iter().next() {
        return Err(failure);
    }
    let mut found = streams;
    let mut skipped = links;
    for file in files {
        // A named file is read, and refused, as if it were the only one.
        let is_named = paths.contains(&file.path);
        let has_work = match Manifest::parse(&file.source) {
            Ok(manifest) => manifest.objects.iter().any(|object| object.kind != Kind::Other),
            Err(_) if is_named => true,
            Err(error) if file.must_be_read => match error.error {
                ManifestError::Unrendered(_) => {
                    let warning =
                        "this template isn't rendered, and stays as it is: helm template … | seal …";
                    terminal::warn(warning, Some(&error.spot));
                    skipped += 1;
                    false
                }
                _ => return Err(error.into()),
            },
            Err(_) => false,
        };
        found.extend((is_named || has_work).then_some(file.path));
    }
    if found.is_empty() {
        let paths: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
        return Err(NothingInDirectory(paths.join(", ")).into());
    }
    Ok(Expanded { files: found, skipped: Some(skipped) })
}

/// The interest of `seal` in a file, by its words. A file that says `kind: Secret` has to be readable; another one, such
/// as the values of a chart, needn't be a manifest.
fn interest(text: &str) -> Interest {
    let says_secret = |line: &str| {
        let line = line.trim_start_matches([' ', '-', '{']);
        let kind = line.strip_prefix("kind:").or_else(|| line.strip_prefix("\"kind\":"));
        kind.is_some_and(|kind| kind.trim().trim_matches(['"', '\'', ',']) == "Secret")
    };
    if !text.contains("Secret") {
        Interest::None
    } else if text.lines().any(says_secret) {
        Interest::Wanted
    } else {
        Interest::Mentioned
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn only_a_file_that_says_it_is_a_secret_has_to_be_readable() {
        for text in [
            "kind: Secret\n",
            "a:\n- kind: \"Secret\"\n",
            "{\n  \"kind\": \"Secret\",\n",
            "  kind:   Secret  \n",
        ] {
            assert_eq!(interest(text), Interest::Wanted, "{text}");
        }
        for text in ["existingSecret: x\n", "kind: SealedSecret\n", "kind: SecretStore\n"] {
            assert_eq!(interest(text), Interest::Mentioned, "{text}");
        }
        assert_eq!(interest("kind: ConfigMap\n"), Interest::None);
    }

    #[test]
    fn a_directory_stands_for_its_files_with_secrets_and_a_named_file_stays_as_it_was_named() {
        let directory = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = directory.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, text).unwrap();
            path
        };
        let secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: db}\n";
        let one = write("a/one.yaml", secret);
        let two = write("two.json", "{\"apiVersion\":\"v1\",\"kind\":\"Secret\"}");
        let named = write("map.yaml", "apiVersion: v1\nkind: ConfigMap\n");
        write("values.yaml", "existingSecret: [x\n");
        write("template.yaml", "kind: Secret\nmetadata: {name: {{ .Release.Name }}-x}\n");
        write("other.yaml", "apiVersion: v1\nkind: ConfigMap\ndata: {x: Secret}\n");
        let all = directory.path().to_owned();
        let expanded = |paths: &[PathBuf]| {
            let Expanded { files, skipped } = expand(paths).unwrap();
            (files, skipped)
        };
        // The template isn't rendered, and is warned of.
        assert_eq!(expanded(std::slice::from_ref(&all)), (vec![one.clone(), two.clone()], Some(1)));
        assert_eq!(
            expanded(&[named.clone(), all.clone(), one.clone()]),
            (vec![named.clone(), one.clone(), two], Some(1))
        );
        assert_eq!(expanded(&["-".into(), named.clone()]), (vec![PathBuf::from("-"), named], None));
        write("broken.yaml", "kind: Secret\n\tx\n");
        assert!(expand(&[all]).is_err());
        let empty = tempfile::tempdir().unwrap();
        assert!(expand(&[empty.path().to_owned()]).err().unwrap().facts[0].contains("there is no Secret in"));
    }
}

//! The files of a kubeconfig, read and merged as kubectl does.
//!
//! Not what is in them ([`Route`](crate::Route)). Invariant: a path inside a file is relative to that file. Of a
//! parser's error only the place is passed on, since its words may quote a token.

use std::path::{Path, PathBuf};
use std::{env, fs, io};

use kube::config::{Kubeconfig, KubeconfigError};

use crate::error::ReadError;

/// The kubeconfig at `path`. Without a path, the files in `KUBECONFIG`; without those, `~/.kube/config`.
///
/// # Errors
///
/// Any [`ReadError`]. A missing file in `KUBECONFIG` is skipped, unless all of them are missing.
pub fn read(path: Option<&Path>) -> Result<Kubeconfig, ReadError> {
    if let Some(path) = path {
        return read_file(path);
    }
    let named: Vec<PathBuf> = env::var_os("KUBECONFIG")
        .map(|list| env::split_paths(&list).filter(|path| !path.as_os_str().is_empty()).collect())
        .unwrap_or_default();
    if !named.is_empty() {
        return read_list(named);
    }
    let path = env::home_dir().ok_or(ReadError::None)?.join(".kube/config");
    match read_file(&path) {
        Err(ReadError::Unreadable(_, error)) if is_missing(&error) => Err(ReadError::None),
        read => read,
    }
}

fn read_list(paths: Vec<PathBuf>) -> Result<Kubeconfig, ReadError> {
    let mut merged: Option<Kubeconfig> = None;
    for path in &paths {
        let next = match read_file(path) {
            Err(ReadError::Unreadable(_, error)) if is_missing(&error) => continue,
            read => read?,
        };
        merged = Some(match merged {
            Some(merged) => merged.merge(next).map_err(|_| ReadError::OtherKind(path.clone()))?,
            None => next,
        });
    }
    merged.ok_or(ReadError::Missing(paths))
}

fn is_missing(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound
}

fn read_file(path: &Path) -> Result<Kubeconfig, ReadError> {
    let bytes = fs::read(path).map_err(|error| ReadError::Unreadable(path.to_owned(), error))?;
    let text = text(bytes).ok_or_else(|| ReadError::NotText(path.to_owned()))?;
    let mut kubeconfig = Kubeconfig::from_yaml(&text)
        .map_err(|error| ReadError::Malformed { path: path.to_owned(), place: place(&error) })?;
    // An empty name counts as none, so that a later file can set it.
    kubeconfig.current_context = kubeconfig.current_context.filter(|name| !name.is_empty());
    resolve(&mut kubeconfig, path.parent().unwrap_or(Path::new("")));
    Ok(kubeconfig)
}

/// Decodes UTF-8 or UTF-16, with or without a byte order mark: editors on Windows and PowerShell write both.
fn text(bytes: Vec<u8>) -> Option<String> {
    let utf16 = |bytes: &[u8], unit: fn([u8; 2]) -> u16| {
        let (units, []) = bytes.as_chunks::<2>() else { return None };
        String::from_utf16(&units.iter().map(|&pair| unit(pair)).collect::<Vec<_>>()).ok()
    };
    match bytes.as_slice() {
        [0xff, 0xfe, rest @ ..] => utf16(rest, u16::from_le_bytes),
        [0xfe, 0xff, rest @ ..] => utf16(rest, u16::from_be_bytes),
        [0xef, 0xbb, 0xbf, rest @ ..] => String::from_utf8(rest.to_vec()).ok(),
        _ => String::from_utf8(bytes).ok(),
    }
}

/// ` at line 6, column 2`; empty if the place isn't known.
fn place(error: &KubeconfigError) -> String {
    let KubeconfigError::Parse(error) = error else { return String::new() };
    let place = error.location();
    place.map_or_else(String::new, |place| format!(" at line {}, column {}", place.line(), place.column()))
}

/// Makes the paths in a kubeconfig relative to its directory, as kubectl does. A login program's command is
/// resolved only if it is a path.
fn resolve(kubeconfig: &mut Kubeconfig, dir: &Path) {
    let resolve = |path: &mut Option<String>| {
        if let Some(text) = path.as_mut().filter(|text| !text.is_empty())
            && let Some(resolved) = dir.join(&*text).to_str()
        {
            *text = resolved.to_owned();
        }
    };
    for cluster in kubeconfig.clusters.iter_mut().filter_map(|named| named.cluster.as_mut()) {
        resolve(&mut cluster.certificate_authority);
    }
    for user in kubeconfig.auth_infos.iter_mut().filter_map(|named| named.auth_info.as_mut()) {
        resolve(&mut user.client_certificate);
        resolve(&mut user.client_key);
        resolve(&mut user.token_file);
        if let Some(exec) = user.exec.as_mut()
            && exec.command.as_ref().is_some_and(|command| command.contains('/'))
        {
            resolve(&mut exec.command);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(dir: &Path, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = dir.join(name);
        fs::write(&path, content).unwrap();
        path
    }

    #[test]
    fn a_missing_file_of_the_list_is_passed_over_unless_all_are() {
        let dir = tempfile::tempdir().unwrap();
        let missing = dir.path().join("missing");
        let one =
            write(dir.path(), "one", "current-context: ''\ncontexts: [{name: a, context: {cluster: a}}]");
        let two =
            write(dir.path(), "two", "current-context: b\ncontexts: [{name: a, context: {cluster: x}}]");
        let merged = read_list(vec![missing.clone(), one, missing.clone(), two]).unwrap();
        assert_eq!(merged.current_context.as_deref(), Some("b"));
        assert_eq!(merged.contexts.len(), 1);
        assert_eq!(merged.contexts[0].context.as_ref().unwrap().cluster, "a");
        let error = read_list(vec![missing.clone(), missing.clone()]).unwrap_err();
        let missing = missing.display();
        assert_eq!(error.to_string(), format!("KUBECONFIG names no file that exists: {missing}, {missing}"));
    }

    #[test]
    fn a_file_that_cannot_be_read_or_merged_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let one = write(dir.path(), "one", "apiVersion: v1\nkind: Config\n");
        let other = write(dir.path(), "other", "apiVersion: v2\nkind: Config\n");
        let error = read_list(vec![one, other.clone()]).unwrap_err();
        assert!(matches!(error, ReadError::OtherKind(path) if path == other));
        let error = read_list(vec![dir.path().to_owned()]).unwrap_err();
        assert!(matches!(error, ReadError::Unreadable(path, _) if path == dir.path()));
    }

    #[test]
    fn what_is_not_valid_is_named_by_file_and_line_and_not_quoted() {
        let dir = tempfile::tempdir().unwrap();
        let head = "apiVersion: v1\nkind: Config\nusers:\n";
        for (content, place) in [
            ("- {name: u, user: {token: [hunter2]}}\n", " at line 4, column 27"),
            ("- {name: u, user: {token: [hunter2}}\n", " at line 4, column"),
            ("- {name: u, user: {exec: {interactiveMode: hunter2}}}\n", " at line 4, column 44"),
            ("- name: u\n  user: {exec: {command: a, args: hunter2}}\n", " at line 5, column"),
        ] {
            let path = write(dir.path(), "config", format!("{head}{content}"));
            let error = read(Some(&path)).unwrap_err().to_string();
            let start = format!("the kubeconfig {} isn't valid{place}", path.display());
            assert!(error.starts_with(&start) && !error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn text_is_read_in_the_encodings_that_windows_writes() {
        let text_of = |bytes: &[u8]| text(bytes.to_vec());
        assert_eq!(text_of(b"\xef\xbb\xbfa").as_deref(), Some("a"));
        assert_eq!(text_of(b"\xff\xfea\0").as_deref(), Some("a"));
        assert_eq!(text_of(b"\xfe\xff\0a").as_deref(), Some("a"));
        assert_eq!(text_of(b"\xff\xfea\0b"), None);
        assert_eq!(text_of(b"\xfe\xff\xd8\0"), None);
        assert_eq!(text_of(b"\xff"), None);
    }

    #[test]
    fn paths_are_relative_to_the_file_and_commands_only_if_they_are_paths() {
        let mut kubeconfig = Kubeconfig::from_yaml(
            "clusters: [{name: c, cluster: {certificate-authority: ca.crt}}]\n\
             users:\n\
             - name: a\n  user: {client-certificate: /tls.crt, client-key: '', tokenFile: ../token, \
             exec: {command: ./login, apiVersion: v1}}\n\
             - name: b\n  user: {exec: {command: aws, apiVersion: v1}}\n",
        )
        .unwrap();
        resolve(&mut kubeconfig, Path::new("/etc/kube"));
        let cluster = kubeconfig.clusters[0].cluster.as_ref().unwrap();
        assert_eq!(cluster.certificate_authority.as_deref(), Some("/etc/kube/ca.crt"));
        let user = |at: usize| kubeconfig.auth_infos[at].auth_info.as_ref().unwrap();
        assert_eq!(user(0).client_certificate.as_deref(), Some("/tls.crt"));
        assert_eq!(user(0).client_key.as_deref(), Some(""));
        assert_eq!(user(0).token_file.as_deref(), Some("/etc/kube/../token"));
        assert_eq!(user(0).exec.as_ref().unwrap().command.as_deref(), Some("/etc/kube/./login"));
        assert_eq!(user(1).exec.as_ref().unwrap().command.as_deref(), Some("aws"));
    }
}

//! The text of the hooks: one text for all of them, since it takes its name from `$0`.
//!
//! Its second line is a mark with a checksum of what follows. So a hook that another version of seal wrote is told from one
//! that somebody changed, and no list of old texts is kept. Invariants: the hook that was there before runs first, with the
//! same arguments, and its exit code counts; without `seal` the commit goes on, with a warning. A check that is missing on one
//! machine must not stop the work there: the same check runs where commits are accepted.

use seal_crds::hex::hex;
use sha2::{Digest as _, Sha256};

/// The hooks. `git merge` runs no `pre-commit`.
pub(super) const NAMES: [&str; 2] = ["pre-commit", "pre-merge-commit"];

/// What is appended to the name of a hook that was there before.
pub(super) const BEFORE: &str = ".before-seal";

/// The first line of every hook of ours.
const SHELL: &str = "#!/bin/sh\n";

/// The start of the line by which a hook is known as one of ours, whatever was changed in it. A checksum follows.
const MARK: &str = "# seal hook ";

/// The lines below the mark.
///
/// The other hook comes first because it may change what is staged, as formatters do: what is checked last is committed.
const LINES: &str = r#"# "seal hook install" wrote this file, and "seal hook uninstall" removes it. Another hook goes beside it, under this file's
# name with .before-seal behind it: it runs first.
if test -x "$0.before-seal"; then
	"$0.before-seal" "$@" || exit
fi
if command -v seal >/dev/null 2>&1; then
	exec seal check --staged
fi
echo "warning: seal isn't installed, so nobody looked for Secrets in plaintext (seal check --staged)" >&2
"#;

/// A hook of ours, as it stands in a clone.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Own {
    /// As this version writes it.
    Current,
    /// As another version wrote it.
    OtherVersion,
    /// Somebody changed it.
    Changed,
}

/// The hook.
pub(super) fn text() -> String {
    written(LINES)
}

/// Whether a file is a hook of ours, and which; `None` for any other.
pub(super) fn own(text: &[u8]) -> Option<Own> {
    let marked = text.strip_prefix(SHELL.as_bytes())?.strip_prefix(MARK.as_bytes())?;
    if text == self::text().as_bytes() {
        return Some(Own::Current);
    }
    let lines = marked.iter().position(|byte| *byte == b'\n').map(|end| &marked[end + 1..]);
    let is_unchanged = lines.and_then(|lines| std::str::from_utf8(lines).ok());
    let is_unchanged = is_unchanged.is_some_and(|lines| written(lines).as_bytes() == text);
    Some(if is_unchanged { Own::OtherVersion } else { Own::Changed })
}

/// These lines as a hook of ours.
fn written(lines: &str) -> String {
    let hash = Sha256::digest(lines.as_bytes());
    let short = hex(&hash[..8]);
    format!("{SHELL}{MARK}{short}\n{lines}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hook_is_known_by_its_mark_and_calls_the_other_by_the_name_that_it_gets() {
        assert_eq!(own(text().as_bytes()), Some(Own::Current));
        assert_eq!(own(b"#!/bin/sh\nseal check --staged\n"), None);
        assert_eq!(LINES.matches(&format!("\"$0{BEFORE}\"")).count(), 2);
    }

    #[test]
    fn a_hook_of_another_version_is_told_from_one_that_was_changed() {
        let other = written(&LINES.replace("exec seal check --staged", "seal check --staged --some-flag"));
        assert_eq!(own(other.as_bytes()), Some(Own::OtherVersion));
        for changed in [
            format!("{}make lint\n", text()),
            other.replace("--some-flag", ""),
            format!("{SHELL}{MARK}v1\n{LINES}"),
            format!("{SHELL}{MARK}"),
        ] {
            assert_eq!(own(changed.as_bytes()), Some(Own::Changed), "{changed}");
        }
    }
}

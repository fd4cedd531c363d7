//! The text of the hooks: one text for all of them, since it takes its name from `$0`.
//!
//! Invariants: the hook that was there before runs first, with the same arguments, and its exit code counts; without `seal`
//! the commit goes on, with a warning. A check that is missing on one machine must not stop the work there: the same check
//! runs where commits are accepted.

/// The hooks. `git merge` runs no `pre-commit`.
pub(super) const NAMES: [&str; 2] = ["pre-commit", "pre-merge-commit"];

/// What is appended to the name of a hook that was there before.
pub(super) const BEFORE: &str = ".before-seal";

/// The line by which a hook is known as one of ours, whatever was changed in it.
pub(super) const MARK: &str = "# seal hook v1";

/// The hook.
///
/// The other hook comes first because it may change what is staged, as formatters do: what is checked last is committed.
pub(super) const TEXT: &str = r#"#!/bin/sh
# seal hook v1
# "seal hook install" wrote this file, and "seal hook uninstall" removes it. Another hook goes beside it, under this file's
# name with .before-seal behind it: it runs first.
if test -x "$0.before-seal"; then
	"$0.before-seal" "$@" || exit
fi
if command -v seal >/dev/null 2>&1; then
	exec seal check --staged
fi
echo "warning: seal isn't installed, so nobody looked for Secrets in plaintext (seal check --staged)" >&2
"#;

/// Whether a file is a hook of ours, perhaps with changes.
pub(super) fn is_ours(text: &[u8]) -> bool {
    text.split(|byte| *byte == b'\n').nth(1) == Some(MARK.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hook_is_known_by_its_mark_and_calls_the_other_by_the_name_that_it_gets() {
        assert!(is_ours(TEXT.as_bytes()));
        assert!(!is_ours(b"#!/bin/sh\nseal check --staged\n"));
        assert_eq!(TEXT.matches(&format!("\"$0{BEFORE}\"")).count(), 2);
    }
}

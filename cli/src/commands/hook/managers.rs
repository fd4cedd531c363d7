//! Programs that keep hooks: husky, pre-commit, lefthook and their kind.
//!
//! Such a program writes its hook anew whenever it likes, and some refuse to run under another name. So their hooks are never
//! chained. The program runs `seal check` if its own configuration says so.

use std::path::Path;

use super::calls;

/// A program that keeps hooks.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct HookManager {
    pub(super) name: &'static str,
    /// A word that its hooks contain.
    mark: &'static str,
    /// The files in which it is told what to run, from the top of the work tree; the first is the usual one.
    files: &'static [&'static str],
}

static ALL: [HookManager; 5] = [
    HookManager { name: "pre-commit", mark: "pre-commit.com", files: &[".pre-commit-config.yaml"] },
    HookManager {
        name: "lefthook",
        mark: "lefthook",
        files: &["lefthook.yml", ".lefthook.yml", "lefthook.yaml", "lefthook.json", "lefthook.toml"],
    },
    HookManager { name: "husky", mark: "husky", files: &[".husky/pre-commit", "package.json"] },
    HookManager { name: "overcommit", mark: "overcommit", files: &[".overcommit.yml"] },
    HookManager {
        name: "simple-git-hooks",
        mark: "SKIP_SIMPLE_GIT_HOOKS",
        files: &["package.json", ".simple-git-hooks.json"],
    },
];

/// The program that wrote a hook, if it is one that keeps hooks.
pub(super) fn of_hook(text: &[u8]) -> Option<&'static HookManager> {
    ALL.iter().find(|manager| has(text, manager.mark))
}

/// The program that `core.hooksPath` belongs to, as far as the name tells.
pub(super) fn of_path(dir: &Path, top: &Path) -> Option<&'static HookManager> {
    // Above the work tree a user may have any name.
    let path = dir.strip_prefix(top).unwrap_or(dir).to_string_lossy();
    ALL.iter().find(|manager| path.contains(manager.mark))
}

impl HookManager {
    /// The file in which it is told what to run.
    pub(super) fn file(&self) -> &'static str {
        self.files[0]
    }

    /// Whether its configuration has our check run.
    pub(super) fn runs_seal(&self, top: &Path) -> bool {
        self.files.iter().any(|file| calls::in_configuration(&super::state::bytes_of(&top.join(file))))
    }
}

fn has(text: &[u8], word: &str) -> bool {
    text.windows(word.len()).any(|window| window == word.as_bytes())
}

//! `seal hook uninstall`: what was installed, and nothing else.
//!
//! Invariants: a hook or a setting that somebody changed stays, and is named; a hook that was there before comes back in one
//! step; lines of `.gitattributes` that are committed are the repository's.

use std::fs;

use super::attributes::{self, FILE_NAME};
use super::state::{Attributes, Configured, Hook, HookKind, Setup, before};
use crate::files::git::Repository;
use crate::files::output::{self, OutputError, Replacement};
use crate::talk::exit::Exit;
use crate::talk::failure::Failure;
use crate::talk::terminal;

pub(super) fn run(repository: &Repository) -> Result<Exit, Failure> {
    let setup = Setup::of(repository)?;
    let mut lines = Vec::new();
    let is_written = |hook: &&Hook| matches!(hook.kind, HookKind::Ours | HookKind::OtherVersion);
    for hook in setup.hooks.iter().filter(is_written) {
        lines.push(format!("{}: {}", setup.shown(&hook.path), remove_hook(hook)?));
    }
    // A value that was set twice is somebody's own.
    let is_installed =
        |configured: &&Configured| configured.own == [configured.setting.value] || configured.is_outdated();
    for configured in setup.settings.iter().filter(is_installed) {
        repository.unset(configured.setting.name)?;
        lines.push(format!("{}: unset", configured.setting.name));
    }
    if let Some(fact) = remove_attributes(&setup.attributes)? {
        lines.push(format!("{FILE_NAME}: {fact}"));
    }
    if lines.is_empty() {
        lines.push("nothing was installed".to_owned());
    }
    output::report(&lines)?;
    let changed: Vec<&Hook> = setup.hooks.iter().filter(|hook| hook.kind == HookKind::Changed).collect();
    for hook in &changed {
        let path = setup.shown(&hook.path);
        terminal::warn(&format!("{path} was changed since it was installed, so it stays"), None);
    }
    Ok(if changed.is_empty() { Exit::Done } else { Exit::Findings })
}

fn remove_hook(hook: &Hook) -> Result<&'static str, OutputError> {
    let unwritable = |error| OutputError::Unwritable(hook.path.clone(), error);
    if hook.has_before {
        fs::rename(before(&hook.path), &hook.path).map_err(unwritable)?;
        return Ok("as it was before");
    }
    fs::remove_file(&hook.path).map_err(unwritable)?;
    Ok("removed")
}

/// Takes the lines out, and says so. `None` if there are none.
fn remove_attributes(found: &Attributes) -> Result<Option<&'static str>, OutputError> {
    let Some(old) = &found.bytes else { return Ok(None) };
    let Some(new) = attributes::without_lines(old) else { return Ok(None) };
    if found.is_committed {
        return Ok(Some("the lines stay, since they are committed; without the settings they do nothing"));
    }
    if new.is_empty() {
        fs::remove_file(&found.path).map_err(|error| OutputError::Unwritable(found.path.clone(), error))?;
        return Ok(Some("removed"));
    }
    output::replace_files(&[Replacement { path: &found.path, old, new: &new }])?;
    Ok(Some("lines removed"))
}

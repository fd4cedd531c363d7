//! `seal hook status`: what is installed, and what is missing or somebody else's.
//!
//! Invariant: a clone in which git would merge lines in silence, or commit without a check, ends with 1.

use std::path::Path;

use super::attributes::FILE_NAME;
use super::managers;
use super::script::BEFORE;
use super::state::{Hook, HookKind, Setup};
use crate::files::git::Repository;
use crate::files::output;
use crate::talk::exit::Exit;
use crate::talk::failure::Failure;

/// A line of the report.
struct Line {
    subject: String,
    fact: String,
    is_problem: bool,
}

impl Line {
    fn fine(subject: impl Into<String>, fact: impl Into<String>) -> Self {
        Self { subject: subject.into(), fact: fact.into(), is_problem: false }
    }

    fn problem(subject: impl Into<String>, fact: impl Into<String>) -> Self {
        Self { subject: subject.into(), fact: fact.into(), is_problem: true }
    }

    fn text(&self) -> String {
        let mark = if self.is_problem { '!' } else { ' ' };
        format!("{mark} {}: {}", self.subject, self.fact)
    }
}

pub(super) fn run(repository: &Repository) -> Result<Exit, Failure> {
    let setup = Setup::of(repository)?;
    let lines = report(&setup);
    output::report(lines.iter().map(Line::text))?;
    Ok(if lines.iter().any(|line| line.is_problem) { Exit::Findings } else { Exit::Done })
}

fn report(setup: &Setup) -> Vec<Line> {
    let mut lines = match &setup.place.elsewhere {
        Some(dir) => vec![elsewhere(dir, setup)],
        None => setup.hooks.iter().map(|hook| hook_line(hook, setup)).collect(),
    };
    lines.push(attributes_line(setup));
    lines.extend(setting_lines(setup));
    lines.push(if setup.has_program {
        Line::fine("seal", "in PATH")
    } else {
        Line::problem("seal", "not in PATH: git commits without a check and merges lines")
    });
    lines
}

/// The line about hooks that `core.hooksPath` has elsewhere.
fn elsewhere(dir: &Path, setup: &Setup) -> Line {
    let path = setup.shown(dir);
    if setup.is_run_elsewhere {
        return Line::fine(path, "core.hooksPath has hooks there, and they run seal check");
    }
    let file = managers::of_path(dir, &setup.top)
        .map_or_else(|| format!("{path}/pre-commit"), |manager| manager.file().to_owned());
    Line::problem(
        path,
        format!(
            "core.hooksPath has hooks there, and no commit is checked; add seal check --staged to {file}"
        ),
    )
}

fn hook_line(hook: &Hook, setup: &Setup) -> Line {
    let path = setup.shown(&hook.path);
    match hook.kind {
        HookKind::Absent => Line::problem(path, "missing; seal hook install writes it"),
        _ if !hook.is_executable => Line::problem(
            path,
            format!("not executable, so git ignores it; chmod +x {}", setup.shown(&hook.path)),
        ),
        HookKind::Ours if hook.has_before => {
            Line::fine(path, format!("installed; {}{BEFORE} runs first", hook.name))
        }
        HookKind::Ours => Line::fine(path, "installed"),
        HookKind::OtherVersion => {
            Line::problem(path, "of another version of seal; seal hook install brings it up to date")
        }
        HookKind::Changed => Line::problem(path, "changed since it was installed"),
        HookKind::Checks => Line::fine(path, "not ours; it runs seal check"),
        HookKind::Managed(manager) if manager.runs_seal(&setup.top) => {
            Line::fine(path, format!("{}'s, which runs seal check", manager.name))
        }
        HookKind::Managed(manager) => Line::problem(
            path,
            format!(
                "{}'s, which doesn't run seal check --staged; add it to {}",
                manager.name,
                manager.file()
            ),
        ),
        HookKind::Foreign => {
            Line::problem(path, "not ours, and it doesn't run seal check; seal hook install runs both")
        }
    }
}

fn attributes_line(setup: &Setup) -> Line {
    if setup.attributes.ask_for_driver() {
        Line::fine(FILE_NAME, "asks for merge=seal")
    } else {
        Line::problem(FILE_NAME, "doesn't ask for merge=seal, so git merges lines; seal hook install adds it")
    }
}

fn setting_lines(setup: &Setup) -> Vec<Line> {
    let line = |configured: &super::state::Configured| {
        let name = configured.setting.name;
        match &configured.value {
            Some(_) if configured.is_ours() => Line::fine(name, "set"),
            Some(_) if configured.is_outdated() => {
                Line::problem(name, "of an earlier version of seal; seal hook install brings it up to date")
            }
            Some(_) => Line::fine(name, "set to something of your own"),
            None if setup.attributes.ask_for_driver() => Line::problem(
                name,
                format!(
                    "not set in this clone, and {FILE_NAME} needs it: git goes by lines, in silence; seal hook install sets it"
                ),
            ),
            None => Line::problem(name, "not set; seal hook install sets it"),
        }
    };
    setup.settings.iter().map(line).collect()
}

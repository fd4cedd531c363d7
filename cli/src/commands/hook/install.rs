//! `seal hook install`: decide, then write.
//!
//! Invariants: if something is in the way, nothing is written; what is there already is left alone, so that the command may
//! run twice, or again after it was cut off; a hook that was there before is never out of the way, not even for a moment.

use std::fs;
use std::io;

use super::super::git::setup::{DRIVER, Setting};
use super::attributes::{self, FILE_NAME};
use super::managers::{self, HookManager};
use super::script::{self, BEFORE};
use super::state::{Attributes, Configured, Hook, HookKind, Setup, before};
use crate::args::InstallArgs;
use crate::files::git::{Attribute, Repository};
use crate::files::output::{self, OutputError, Privacy, Replacement};
use crate::talk::exit::Exit;
use crate::talk::failure::{Explain, Failure, Rule};
use crate::talk::terminal;

/// Something of somebody else's that stands where seal would install its own.
#[derive(Debug, thiserror::Error)]
enum InTheWay {
    #[error("core.hooksPath makes git look for hooks in {path}")]
    HooksPath { path: String, manager: Option<&'static HookManager> },
    #[error("{hook} belongs to {}", .manager.name)]
    Managed { hook: String, manager: &'static HookManager },
    #[error("{0} is a hook of seal that was changed")]
    Changed(String),
    #[error("{0} is there, and so is a hook of that name with {BEFORE}")]
    Taken(String),
    #[error("{0} is a symbolic link")]
    Link(String),
    #[error("{path} has the attribute {name}={value}", path = .0.path, name = .0.name, value = .0.value)]
    Attribute(Attribute),
}

impl Explain for InTheWay {
    fn rule(&self) -> Rule {
        Rule::InTheWay
    }

    fn hint(&self) -> Option<String> {
        let told = |file: &str| {
            format!(
                "let it run seal check --staged ({file}), and install the rest: seal hook install --no-hooks"
            )
        };
        Some(match self {
            Self::HooksPath { path, manager: None } => told(&format!("{path}/pre-commit")),
            Self::HooksPath { manager: Some(manager), .. } | Self::Managed { manager, .. } => {
                told(manager.file())
            }
            Self::Changed(hook) => {
                format!("look at it, move it away, and run this again: mv {hook} {hook}.old")
            }
            Self::Taken(hook) => {
                format!("which of the two should run? Move the other one away: mv {hook} {hook}.old")
            }
            Self::Link(_) => "git doesn't follow it; make a file of it".to_owned(),
            Self::Attribute(_) => format!(
                "seal git attributes prints the lines; write those into {FILE_NAME} by hand that you want, and run \
                 this again"
            ),
        })
    }
}

/// What there is to write.
struct Plan<'s> {
    hooks: Vec<&'s Hook>,
    /// The new bytes of the file.
    attributes: Option<Vec<u8>>,
    settings: Vec<&'static Setting>,
}

pub(super) fn run(args: &InstallArgs, repository: &Repository) -> Result<Exit, Failure> {
    let setup = Setup::of(repository)?;
    let plan = plan(&setup, args)?;
    let mut lines = Vec::new();
    if let Some(new) = &plan.attributes {
        write_attributes(&setup.attributes, new)?;
        lines.push(format!("{FILE_NAME}: lines added; commit them, so that every clone has them"));
    }
    for hook in &plan.hooks {
        lines.push(format!("{}: {}", setup.shown(&hook.path), write_hook(hook)?));
    }
    for setting in &plan.settings {
        repository.set(setting.name, setting.value)?;
        lines.push(format!("{}: set in this clone", setting.name));
    }
    if lines.is_empty() {
        lines.push("everything was installed already".to_owned());
    }
    output::report(&lines)?;
    for kept in setup.settings.iter().filter(|configured| is_kept(configured)) {
        let name = kept.setting.name;
        terminal::warn(
            &format!("{name} is set to something else, and stays; git config --unset-all {name} makes room"),
            None,
        );
    }
    if !setup.has_program {
        terminal::warn("seal isn't in PATH: until it is, git commits without a check and merges lines", None);
    }
    Ok(Exit::Done)
}

fn plan<'s>(setup: &'s Setup, args: &InstallArgs) -> Result<Plan<'s>, InTheWay> {
    let mut hooks = Vec::new();
    if !args.no_hooks {
        match &setup.place.elsewhere {
            Some(_) if setup.is_run_elsewhere => {}
            Some(path) => {
                return Err(InTheWay::HooksPath {
                    path: setup.shown(path),
                    manager: managers::of_path(path, &setup.top),
                });
            }
            // The directory may be a link into the repository, or to anywhere.
            None if setup.place.own.is_symlink() => {
                return Err(InTheWay::Link(setup.shown(&setup.place.own)));
            }
            None => {
                for hook in &setup.hooks {
                    if has_to_be_written(hook, setup)? {
                        hooks.push(hook);
                    }
                }
            }
        }
    }
    let settings = setup.settings.iter().filter(|configured| !configured.is_ours() && !is_kept(configured));
    let settings = settings.map(|configured| configured.setting).collect();
    Ok(Plan { hooks, attributes: new_attributes(&setup.attributes)?, settings })
}

/// Whether a hook has to be written; whether something is in the way.
fn has_to_be_written(hook: &Hook, setup: &Setup) -> Result<bool, InTheWay> {
    let shown = setup.shown(&hook.path);
    match hook.kind {
        HookKind::Absent | HookKind::OtherVersion => Ok(true),
        HookKind::Ours => Ok(!hook.is_executable),
        HookKind::Checks => Ok(false),
        HookKind::Changed => Err(InTheWay::Changed(shown)),
        HookKind::Managed(manager) if manager.runs_seal(&setup.top) => Ok(false),
        HookKind::Managed(manager) => Err(InTheWay::Managed { hook: shown, manager }),
        HookKind::Foreign if hook.has_before => Err(InTheWay::Taken(shown)),
        HookKind::Foreign => Ok(true),
    }
}

fn new_attributes(found: &Attributes) -> Result<Option<Vec<u8>>, InTheWay> {
    if found.is_link {
        return Err(InTheWay::Link(FILE_NAME.to_owned()));
    }
    let new = attributes::with_lines(found.bytes.as_deref().unwrap_or_default());
    let is_others = |attribute: &&Attribute| !["unspecified", DRIVER].contains(&attribute.value.as_str());
    match (new, found.in_effect.iter().find(is_others)) {
        (Some(_), Some(other)) => Err(InTheWay::Attribute(other.clone())),
        (new, _) => Ok(new),
    }
}

/// Whether the clone has a value of somebody's own, such as a driver with an identity.
fn is_kept(configured: &Configured) -> bool {
    !configured.is_ours() && !configured.is_outdated() && !configured.own.is_empty()
}

/// Writes a hook, and says what became of it.
fn write_hook(hook: &Hook) -> Result<String, OutputError> {
    let unwritable = |error| OutputError::Unwritable(hook.path.clone(), error);
    match hook.kind {
        HookKind::Foreign => {
            // A second name for the file, and then ours over the first one: whenever git looks, a hook is there. A name that
            // is taken fails.
            fs::hard_link(&hook.path, before(&hook.path)).map_err(unwritable)?;
            output::to_program_in_place(&hook.path, script::text().as_bytes())?;
            Ok(format!("written; the hook that was there runs first, as {}{BEFORE}", hook.name))
        }
        HookKind::Ours => {
            output::to_program_in_place(&hook.path, script::text().as_bytes())?;
            Ok("made executable".to_owned())
        }
        HookKind::OtherVersion => {
            output::to_program_in_place(&hook.path, script::text().as_bytes())?;
            Ok("was another version's, and is this one's now".to_owned())
        }
        _ => {
            let dir = hook.path.parent().ok_or_else(|| unwritable(io::ErrorKind::NotFound.into()))?;
            fs::create_dir_all(dir).map_err(unwritable)?;
            output::to_new_program(&hook.path, script::text().as_bytes())?;
            Ok("written".to_owned())
        }
    }
}

fn write_attributes(found: &Attributes, new: &[u8]) -> Result<(), OutputError> {
    match &found.bytes {
        Some(old) => output::replace_files(&[Replacement { path: &found.path, old, new }]),
        None => output::to_files(&[(&found.path, new)], Privacy::Public),
    }
}

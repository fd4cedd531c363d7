//! `seal hook …`: hooks, attributes and configuration of one clone.
//!
//! | file | does |
//! | --- | --- |
//! | [`state`] | what is there |
//! | [`script`] | the text of the hooks |
//! | [`attributes`] | lines in `.gitattributes`, and out of it |
//! | [`calls`] | whether a hook, or what a hook manager is told, runs our check |
//! | [`managers`] | hooks that a program keeps, which are never chained |
//! | [`install`], [`status`], [`uninstall`] | the commands |
//!
//! [`super::git::setup`] has the lines for git. Invariants: nothing of anybody else's is overwritten or removed; whatever is
//! installed does no harm where `seal` is missing.

mod attributes;
mod calls;
mod install;
mod managers;
mod script;
mod state;
mod status;
mod uninstall;

use std::path::Path;

use crate::args::HookCommand;
use crate::files::git::Repository;
use crate::talk::exit::Exit;
use crate::talk::failure::Failure;

pub(super) fn run(command: &HookCommand) -> Result<Exit, Failure> {
    let repository = Repository::around(Path::new("."))?;
    match command {
        HookCommand::Install(args) => install::run(args, &repository),
        HookCommand::Status => status::run(&repository),
        HookCommand::Uninstall => uninstall::run(&repository),
    }
}

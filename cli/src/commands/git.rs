//! `seal git …`: the programs that git runs on files of SealedSecrets, and the configuration that makes it run them.
//!
//! | file | does |
//! | --- | --- |
//! | [`merge`] | the merge driver |
//! | [`textconv`] | a file with short names in the place of ciphertext |
//! | [`diff`] | one file's changes in words |
//! | [`setup`] | the lines for `.gitattributes` and git's configuration |
//! | [`labels`] | the names of the sides of a merge |

mod diff;
pub(super) mod labels;
pub(super) mod merge;
pub(crate) mod setup;
mod textconv;

use crate::args::GitCommand;
use crate::files::output;
use crate::talk::exit::Exit;
use crate::talk::failure::Failure;

pub(super) fn run(command: &GitCommand) -> Result<Exit, Failure> {
    match command {
        GitCommand::Merge(args) => merge::run(args),
        GitCommand::Textconv(args) => textconv::run(args),
        GitCommand::Diff(args) => diff::run(args),
        GitCommand::Config => print(&setup::config()),
        GitCommand::Attributes => print(setup::ATTRIBUTES),
    }
}

fn print(text: &str) -> Result<Exit, Failure> {
    output::to_stdout(text.as_bytes())?;
    Ok(Exit::Done)
}

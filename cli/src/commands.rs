//! The commands, one to a file. Each file tells its command step by step: read, decide, do, write. The rooms
//! below do the steps.

mod again;
mod check;
mod choose;
mod create;
mod diff;
mod edit;
mod git;
mod hook;
mod init;
mod keys;
mod migrate;
mod reference;
mod relocate;
mod resolve;
mod rm;
mod rotate;
mod seal;
mod sealed_files;
mod set;
mod show;
mod target;
mod tidy;
mod unseal;
mod values;

use std::collections::BTreeSet;

use seal_crds::ItemName;

use crate::args::{Command, LowArgs};
use crate::talk::exit::Exit;
use crate::talk::failure::Failure;

/// Runs the command that was typed.
pub(crate) fn run(args: LowArgs) -> Result<Exit, Failure> {
    match args.command {
        None => seal::run(args.seal),
        Some(Command::Create(args)) => create::run(*args),
        Some(Command::Set(args)) => set::run(*args),
        Some(Command::Rm(args)) => rm::run(&args),
        Some(Command::Edit(args)) => edit::run(*args),
        Some(Command::Move(args)) => relocate::run(*args),
        Some(Command::Tidy(args)) => tidy::run(&args),
        Some(Command::Unseal(args)) => unseal::run(&args),
        Some(Command::Show(args)) => show::run(&args),
        Some(Command::Help(args)) => reference::help(&args),
        Some(Command::Completions(args)) => reference::completions(&args),
        Some(Command::Man(args)) => reference::man(&args),
        Some(Command::Migrate(args)) => migrate::run(args),
        Some(Command::Rotate(args)) => rotate::run(*args),
        Some(Command::Check(args)) => check::run(&args),
        Some(Command::Diff(args)) => diff::run(&args),
        Some(Command::Resolve(args)) => resolve::run(&args),
        Some(Command::Git(command)) => git::run(&command),
        Some(Command::Hook(command)) => hook::run(&command),
        Some(Command::Init(args)) => init::run(&args),
        Some(Command::Keys(command)) => keys::run(&command),
        Some(Command::Kubeseal) => unreachable!("it is recognized before clap sees the arguments"),
    }
}

/// The names of items for a message, sorted, each once; after the first 20 only the number of the others.
fn list<'i>(items: impl IntoIterator<Item = &'i ItemName>) -> String {
    const SHOWN: usize = 20;
    let items: BTreeSet<&ItemName> = items.into_iter().collect();
    let mut names: Vec<String> = items.iter().take(SHOWN).map(ToString::to_string).collect();
    if items.len() > SHOWN {
        names.push(format!("{} more", items.len() - SHOWN));
    }
    names.join(", ")
}

/// A number with its noun: `1 file`, `2 files`.
fn counted(number: usize, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_are_listed_once_each_and_never_all_of_very_many() {
        let items: Vec<ItemName> = (10..40).map(|n| format!("i{n}").parse().unwrap()).collect();
        assert_eq!(list([&items[1], &items[0], &items[1]]), "i10, i11");
        assert!(list(&items).ends_with("i28, i29, 10 more"));
    }
}

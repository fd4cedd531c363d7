//! What is made of the table of flags for people and shells: help, completions, manual pages.
//!
//! Invariant: none of it is written by hand, so none of it can differ from what the program takes.

use std::io::Write as _;
use std::path::PathBuf;

use clap::{Args, ValueHint};
use clap_complete::Shell;
use clap_mangen::Man;

use super::{command, program};
use crate::files::output;
use crate::talk::exit::Exit;
use crate::talk::failure::{Explain, Failure, Rule};

#[derive(Args)]
#[command(after_help = "\
Examples:
  seal help create
  seal help keys fetch")]
pub(crate) struct HelpArgs {
    /// The words of the command; without any, the help of the program
    #[arg(value_name = "COMMAND")]
    pub(crate) words: Vec<String>,
}

#[derive(Args)]
#[command(after_help = "\
Examples:
  seal completions bash > ~/.local/share/bash-completion/completions/seal
  seal completions zsh > ~/.zfunc/_seal
  seal completions fish > ~/.config/fish/completions/seal.fish")]
pub(crate) struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    pub(crate) shell: Shell,
}

#[derive(Args)]
#[command(after_help = "\
Examples:
  seal man create | man -l -
  seal man -o ~/.local/share/man/man1")]
pub(crate) struct ManArgs {
    /// The words of the command; without any, the page of the program
    #[arg(value_name = "COMMAND")]
    pub(crate) words: Vec<String>,

    /// Write the pages of all commands into this directory
    #[arg(short, long, value_name = "DIR", value_hint = ValueHint::DirPath, conflicts_with = "words")]
    pub(crate) output: Option<PathBuf>,
}

#[derive(Debug, thiserror::Error)]
#[error("there is no command {0}")]
struct NoSuchCommand(String);

impl Explain for NoSuchCommand {
    fn rule(&self) -> Rule {
        Rule::Usage
    }

    fn exit(&self) -> Exit {
        Exit::Usage
    }

    fn hint(&self) -> Option<String> {
        Some("seal help lists the commands".to_owned())
    }
}

/// One page of the manual.
pub(crate) struct Page {
    /// `seal-keys-fetch.1`
    pub(crate) file_name: String,
    pub(crate) text: Vec<u8>,
}

/// Prints the help, or the version, that clap made an error of, and ends the process.
pub(super) fn answer(error: &clap::Error) -> ! {
    // A closed pipe is a success, as everywhere: `seal --help | head`.
    let _ = to_terminal(&error.render().ansi().to_string());
    std::process::exit(Exit::Done as i32)
}

/// Prints the help of a command, as its `--help` does.
pub(crate) fn help(words: &[String]) -> Result<(), Failure> {
    let mut root = command();
    root.build();
    let text = find(&mut root, words)?.render_long_help().ansi().to_string();
    to_terminal(&text).map_err(|error| Failure::stdout(&error))
}

/// Prints a text with styles, which go if standard output is no terminal.
fn to_terminal(text: &str) -> std::io::Result<()> {
    let mut stdout = anstream::stdout();
    stdout.write_all(program::as_called(text, &program::name()).as_bytes())?;
    stdout.flush()
}

/// The script by which a shell completes the arguments of `seal`.
pub(crate) fn completions(shell: Shell) -> Vec<u8> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command(), "seal", &mut script);
    script
}

/// The manual page of a command.
pub(crate) fn page(words: &[String]) -> Result<Page, Failure> {
    let mut root = manual();
    Ok(to_page(find(&mut root, words)?.clone()))
}

/// The manual pages of all commands.
pub(crate) fn pages() -> Vec<Page> {
    fn add(command: &clap::Command, pages: &mut Vec<Page>) {
        pages.push(to_page(command.clone()));
        command.get_subcommands().for_each(|command| add(command, pages));
    }
    let mut pages = Vec::new();
    add(&manual(), &mut pages);
    pages
}

/// The commands, built, so that each knows its whole name.
fn manual() -> clap::Command {
    let mut root = command().bin_name("seal").disable_help_subcommand(true);
    root.build();
    root
}

fn to_page(command: clap::Command) -> Page {
    let man = Man::new(command);
    let mut text = Vec::new();
    man.render(&mut text).expect("a Vec takes every byte");
    Page { file_name: man.get_filename(), text }
}

fn find<'c>(root: &'c mut clap::Command, words: &[String]) -> Result<&'c mut clap::Command, Failure> {
    let mut found = root;
    for word in words {
        found = found
            .find_subcommand_mut(word)
            .ok_or_else(|| NoSuchCommand(seal_foreign::line(&words.join(" "), 200)))?;
    }
    Ok(found)
}

/// Writes all pages into a directory, which is made if it isn't there; all of them or none.
pub(crate) fn write_pages(directory: &std::path::Path) -> Result<usize, Failure> {
    let pages = pages();
    std::fs::create_dir_all(directory)
        .map_err(|error| output::OutputError::Unwritable(directory.to_owned(), error))?;
    let paths: Vec<PathBuf> = pages.iter().map(|page| directory.join(&page.file_name)).collect();
    let files: Vec<_> =
        paths.iter().zip(&pages).map(|(path, page)| (path.as_path(), page.text.as_slice())).collect();
    output::to_files(&files, output::Privacy::Public)?;
    Ok(pages.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The paths of all commands that do something, without the one whose flags aren't ours.
    fn commands() -> Vec<Vec<String>> {
        fn add(command: &clap::Command, path: &[String], found: &mut Vec<Vec<String>>) {
            for below in command.get_subcommands().filter(|command| !command.is_hide_set()) {
                let path = [path, &[below.get_name().to_owned()]].concat();
                if below.get_name() != "kubeseal" && !below.has_subcommands() {
                    found.push(path.clone());
                }
                add(below, &path, found);
            }
        }
        let mut found = vec![Vec::new()];
        add(&command(), &[], &mut found);
        found
    }

    /// Commands that only Git runs, with words that it makes up.
    const RUN_BY_GIT: [[&str; 2]; 2] = [["git", "merge"], ["git", "diff"]];

    /// The lines of a help that people paste, without what stands behind them.
    fn examples(help: &str) -> Vec<String> {
        let pasted = help.lines().filter_map(|line| line.strip_prefix("  seal "));
        let end = |line: &str| {
            ["  ", " | ", " || ", " < ", " > ", " >> "].iter().filter_map(|end| line.find(end)).min()
        };
        pasted.map(|line| line[..end(line).unwrap_or(line.len())].to_owned()).collect()
    }

    #[test]
    fn every_command_has_an_example_and_the_program_takes_each() {
        let mut root = command();
        for path in
            commands().into_iter().filter(|path| RUN_BY_GIT.iter().all(|of_git| of_git[..] != path[..]))
        {
            let found = find(&mut root, &path).ok().unwrap();
            let help = found.get_after_help().map(ToString::to_string).unwrap_or_default();
            let start = path.iter().map(|word| format!("{word} ")).collect::<String>();
            let examples = examples(&help);
            let is_own = |example: &String| format!("{example} ").starts_with(&start);
            assert!(examples.iter().any(is_own), "{path:?} has no example:\n{help}");
            for example in examples {
                let typed = format!("seal {example}");
                let parsed = command().try_get_matches_from(typed.split(' '));
                assert!(parsed.is_ok(), "{typed}: {}", parsed.unwrap_err());
            }
        }
    }

    #[test]
    fn every_command_has_a_page_of_its_own_with_its_flags() {
        let pages = pages();
        let text = |name: &str| {
            let page = pages.iter().find(|page| page.file_name == name).unwrap_or_else(|| panic!("{name}"));
            String::from_utf8(page.text.clone()).unwrap()
        };
        for path in commands() {
            let name = [&["seal".to_owned()], &path[..]].concat().join("-");
            assert!(text(&format!("{name}.1")).contains(".SH NAME"), "{name}");
        }
        assert!(text("seal-create.1").contains("\\-\\-dotenv"));
        assert_eq!(page(&["create".to_owned()]).ok().unwrap().text, text("seal-create.1").into_bytes());
    }

    #[test]
    fn every_shell_gets_completions_that_name_every_command() {
        use clap::ValueEnum as _;
        for shell in Shell::value_variants() {
            let script = String::from_utf8(completions(*shell)).unwrap();
            for path in commands() {
                assert!(path.iter().all(|word| script.contains(word.as_str())), "{shell}: {path:?}");
            }
        }
    }

    #[test]
    fn a_command_that_is_not_there_is_a_usage_error() {
        let failure = page(&["keys".to_owned(), "fetsh".to_owned()]).err().unwrap();
        assert_eq!(
            (failure.exit, failure.facts[0].as_str()),
            (Exit::Usage, "there is no command keys fetsh")
        );
    }
}

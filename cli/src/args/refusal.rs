//! Errors of clap, in the words and the form of every other error here.
//!
//! Arguments that make no sense together are refused in [`crate::args::intent`]. Invariant: an argument that
//! may hold a value of a Secret (`password=hunter2` without its `--literal`) is never repeated, because
//! errors end up in the logs of CI systems.

use clap::Command;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use seal_crds::names::{NameError, NameKind};

use crate::talk::exit::Exit;
use crate::talk::failure::{Explain, Rule};

/// An error about arguments that clap refused.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{fact}")]
pub(super) struct ArgumentError {
    fact: String,
    hint: String,
}

impl Explain for ArgumentError {
    fn rule(&self) -> Rule {
        Rule::Usage
    }

    fn exit(&self) -> Exit {
        Exit::Usage
    }

    fn hint(&self) -> Option<String> {
        Some(self.hint.clone())
    }
}

/// Words an error of clap anew. `typed` holds the arguments after the program's name.
pub(super) fn explain(error: &clap::Error, program: &mut Command, typed: &[String]) -> ArgumentError {
    program.build();
    let command = Typed::find(program, typed);
    let arg = one(error, ContextKind::InvalidArg);
    let fact = match error.kind() {
        ErrorKind::UnknownArgument => unknown(error, arg, command.takes_values()),
        ErrorKind::InvalidSubcommand => {
            let word = one(error, ContextKind::InvalidSubcommand);
            format!("unknown command {word}{}", meant(error, ContextKind::SuggestedSubcommand))
        }
        ErrorKind::InvalidValue if one(error, ContextKind::InvalidValue).is_empty() => {
            format!("{arg} needs a value")
        }
        ErrorKind::InvalidValue => {
            let value = one(error, ContextKind::InvalidValue);
            let suggested = meant(error, ContextKind::SuggestedValue);
            format!("{} can't be {value:?}{suggested}", option(arg))
        }
        ErrorKind::ValueValidation => format!("{}: {}", option(arg), broken_rule(error)),
        ErrorKind::ArgumentConflict => conflict(error, arg),
        ErrorKind::MissingRequiredArgument => {
            let missing = all(error, ContextKind::InvalidArg);
            format!("{} {} missing", missing.join(" and "), if missing.len() == 1 { "is" } else { "are" })
        }
        ErrorKind::MissingSubcommand | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            format!("{} needs a command after it: {}", command.path, command.commands().join(" or "))
        }
        ErrorKind::TooManyValues => format!("{} takes no value", option(arg)),
        ErrorKind::InvalidUtf8 => "an argument isn't text in UTF-8".to_owned(),
        // The arguments of this program can't cause any other kind.
        kind => kind.as_str().unwrap_or("the arguments make no sense").to_owned(),
    };
    ArgumentError { fact, hint: hint(error, &command, arg) }
}

fn hint(error: &clap::Error, command: &Typed<'_>, arg: &str) -> String {
    let path = &command.path;
    match error.kind() {
        ErrorKind::UnknownArgument if arg.starts_with('-') => match command.one_that_has(arg) {
            Some(other) => format!("{path} {other} has it, and options go after the command"),
            None => format!("{path} --help lists the options"),
        },
        ErrorKind::UnknownArgument if command.takes_values() => {
            "a value is given by --prompt, --file, --env-file, --dotenv or --literal".to_owned()
        }
        ErrorKind::InvalidSubcommand => format!("{path} --help lists the commands"),
        ErrorKind::InvalidValue if !all(error, ContextKind::ValidValue).is_empty() => {
            format!("it is one of {}", all(error, ContextKind::ValidValue).join(", "))
        }
        ErrorKind::ValueValidation => match command.variable_of(option(arg)) {
            Some(variable) => format!("it comes from the environment: {variable}"),
            None => format!("{path} --help says what it takes"),
        },
        _ => format!("{path} --help says what it takes"),
    }
}

fn unknown(error: &clap::Error, arg: &str, may_be_value: bool) -> String {
    if arg.starts_with('-') {
        return format!("unknown option {arg}{}", meant(error, ContextKind::SuggestedArg));
    }
    match arg.split_once('=') {
        Some((name, _)) => format!("unexpected argument {name}=…"),
        None if may_be_value => "an argument too many".to_owned(),
        None => format!("unexpected argument {arg}"),
    }
}

/// The rule that a value breaks. The value itself isn't shown: the value of an item may stand where a name
/// belongs.
fn broken_rule(error: &clap::Error) -> String {
    let source = std::error::Error::source(error);
    match source.and_then(|source| source.downcast_ref::<NameError>()) {
        Some(error) if error.kind == NameKind::Item => format!("this {}", error.rule),
        Some(error) => error.to_string(),
        None => source.map_or_else(|| "this value can't be used".to_owned(), ToString::to_string),
    }
}

fn conflict(error: &clap::Error, arg: &str) -> String {
    let others = all(error, ContextKind::PriorArg);
    let others: Vec<&str> = others.iter().map(|other| option(other)).collect();
    if others.is_empty() || others == [option(arg)] {
        return format!("{} is given twice", option(arg));
    }
    format!("{} and {} can't be given together", option(arg), others.join(", "))
}

/// `--output` of `--output <FILE>`.
fn option(arg: &str) -> &str {
    arg.split(' ').next().unwrap_or(arg)
}

fn meant(error: &clap::Error, kind: ContextKind) -> String {
    let suggested = all(error, kind);
    suggested.first().map(|meant| format!(", did you mean {meant}?")).unwrap_or_default()
}

fn one(error: &clap::Error, kind: ContextKind) -> &str {
    match error.get(kind) {
        Some(ContextValue::String(text)) => text,
        _ => "",
    }
}

fn all(error: &clap::Error, kind: ContextKind) -> Vec<String> {
    match error.get(kind) {
        Some(ContextValue::String(text)) => vec![text.clone()],
        Some(ContextValue::Strings(texts)) => texts.clone(),
        _ => Vec::new(),
    }
}

/// The command that was typed: the longest start of the arguments that names a command.
struct Typed<'c> {
    /// The words of the command with the program's name before them: `seal keys fetch`.
    path: String,
    command: &'c Command,
    words: &'c [String],
}

impl<'c> Typed<'c> {
    fn find(program: &'c Command, words: &'c [String]) -> Self {
        let mut found =
            Self { path: program.get_bin_name().unwrap_or("seal").to_owned(), command: program, words };
        for word in words {
            let Some(next) = found.command.find_subcommand(word) else { break };
            found = Self { path: format!("{} {word}", found.path), command: next, words };
        }
        found
    }

    /// The environment variable that gave an option its value, if the option wasn't typed.
    fn variable_of(&self, option: &str) -> Option<&str> {
        let name = option.strip_prefix("--")?;
        let arg = self.command.get_arguments().find(|arg| arg.get_long() == Some(name))?;
        arg.get_env()?.to_str().filter(|_| !self.words.iter().any(|word| word.starts_with(option)))
    }

    fn commands(&self) -> Vec<&str> {
        let named = self.command.get_subcommands().map(Command::get_name);
        named.filter(|name| *name != "help").collect()
    }

    /// The name of a command below this one that has the option.
    fn one_that_has(&self, option: &str) -> Option<&str> {
        let is_it = |arg: &clap::Arg| match option.strip_prefix("--") {
            Some(long) => arg.get_long_and_visible_aliases().is_some_and(|names| names.contains(&long)),
            None => arg.get_short().is_some_and(|short| option == format!("-{short}")),
        };
        let has = |command: &&Command| command.get_arguments().any(is_it);
        self.command.get_subcommands().find(has).map(Command::get_name)
    }

    /// Whether the command takes items, so that an extra word may be the value of one.
    fn takes_values(&self) -> bool {
        self.command.get_arguments().any(|arg| arg.get_long() == Some("literal"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::talk::failure::Failure;

    fn refusal(typed: &[&str]) -> (String, String) {
        let mut program = super::super::command();
        let error = program.clone().try_get_matches_from([&["seal"], typed].concat()).unwrap_err();
        let typed: Vec<String> = typed.iter().map(|word| (*word).to_owned()).collect();
        let explained = explain(&error, &mut program, &typed);
        assert_eq!(Failure::from(explained).exit, Exit::Usage);
        let ArgumentError { fact, hint } = explain(&error, &mut program, &typed);
        (fact, hint)
    }

    #[test]
    fn the_command_whose_help_is_named_is_the_one_that_was_typed() {
        for (typed, path) in [
            (&["--bogus"][..], "seal --help"),
            (&["create", "db", "--bogus"], "seal create --help"),
            (&["keys", "fetch", "--bogus"], "seal keys fetch --help"),
            (&["keys", "bogus"], "seal keys --help"),
            (&["-n", "prod", "--bogus", "create"], "seal --help"),
        ] {
            let (_, hint) = refusal(typed);
            assert!(hint.starts_with(path), "{typed:?}: {hint}");
        }
    }

    #[test]
    fn what_may_be_the_value_of_an_item_is_not_repeated() {
        for typed in [
            &["create", "db", "password=hunter2"][..],
            &["create", "db", "hunter2"],
            &["create", "db", "--prompt", "password=hunter2"],
            &["create", "db", "--prompt", "hunter2!"],
            &["create", "db", "--password=hunter2"],
            &["create", "db", "-phunter2"],
            &["--template-item", "hunter2!"],
            &["unseal", "-i", "key", "--item", "hunter2!"],
            &["unseal", "-i", "key", "--show=hunter2"],
            &["create", "db", "--immutable=hunter2"],
        ] {
            let (fact, hint) = refusal(typed);
            assert!(!fact.contains("hunter") && !hint.contains("hunter"), "{typed:?}: {fact}: {hint}");
        }
    }

    #[test]
    fn a_value_that_nobody_typed_is_traced_to_its_variable() {
        let mut program = super::super::command();
        program.build();
        let words: Vec<String> = ["keys", "fetch", "--context=x"].map(str::to_owned).into();
        let typed = Typed::find(&program, &words);
        assert_eq!(typed.variable_of("--controller-namespace"), Some("SEAL_CONTROLLER_NAMESPACE"));
        assert_eq!(typed.variable_of("--context"), None);
        let words: Vec<String> = ["--controller-namespace=A"].map(str::to_owned).into();
        assert_eq!(Typed::find(&program, &words).variable_of("--controller-namespace"), None);
    }

    #[test]
    fn an_option_of_another_command_is_found_there() {
        let (fact, hint) = refusal(&["--literal", "a=b"]);
        assert_eq!(fact, "unknown option --literal");
        assert_eq!(hint, "seal create has it, and options go after the command");
        assert!(refusal(&["--from-literal", "a=b"]).1.starts_with("seal create has it"));
        assert!(refusal(&["--item", "password", "sealed.yaml"]).1.starts_with("seal unseal has it"));
    }
}

//! Flags in pflag's syntax: `--flag value`, `--flag=value`, `-o yaml`, `-oyaml`, `--raw`, `--raw=false`,
//! `--`.
//!
//! clap's syntax differs, so this doesn't use it. [`super::options`] decides what the flags mean together.
//! Invariant: a flag that isn't in [`table::FLAGS`] is refused, and so is a value that pflag would refuse.

mod help;
pub(super) mod table;

use std::collections::BTreeMap;

pub(super) use help::{help, list, title};
use table::{FLAGS, Flag, FlagKind};

use crate::talk::exit::Exit;
use crate::talk::failure::{Explain, Rule};

/// The prefix of the environment variables that set flags; the flag's name in capitals follows.
const ENVIRONMENT: &str = "SEALED_SECRETS_";

/// Reasons why arguments are refused, in pflag's words, because scripts may look for them.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum FlagError {
    #[error("unknown flag: --{0}")]
    Unknown(String),
    #[error("unknown shorthand flag: '{flag}' in -{group}")]
    UnknownShort { flag: char, group: String },
    #[error("bad flag syntax: {0}")]
    Syntax(String),
    #[error("flag needs an argument: {0}")]
    NoValue(String),
    #[error("invalid argument {value:?} for \"{flag}\" flag: {rule}")]
    Value { value: String, flag: String, rule: String },
    #[error("an argument isn't text in UTF-8")]
    NotText,
}

impl Explain for FlagError {
    fn rule(&self) -> Rule {
        Rule::Usage
    }

    fn exit(&self) -> Exit {
        Exit::Usage
    }

    fn hint(&self) -> Option<String> {
        Some("kubeseal --help lists the flags".to_owned())
    }
}

/// The values of flags. It has no `Debug`, since a value may be a token.
#[derive(Default)]
pub(super) struct FlagValues {
    values: BTreeMap<&'static str, Vec<String>>,
    /// Notes to print about the flags that were used.
    pub(super) notes: Vec<String>,
    /// Whether `-h` was given, which pflag answers at once.
    pub(super) wants_help: bool,
}

impl FlagValues {
    /// The last value of a flag; `None` if it is empty.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        self.values.get(name)?.last().filter(|text| !text.is_empty()).cloned()
    }

    /// All values of a flag.
    pub(super) fn texts(&self, name: &str) -> Vec<String> {
        self.values.get(name).cloned().unwrap_or_default()
    }

    /// Whether a bool is true; the default is false.
    pub(super) fn is_set(&self, name: &str) -> bool {
        self.values
            .get(name)
            .and_then(|values| values.last())
            .is_some_and(|value| parse_bool(value) == Some(true))
    }

    /// The value of a bool; `None` if it wasn't given, so that another default applies.
    pub(super) fn given(&self, name: &str) -> Option<bool> {
        parse_bool(self.values.get(name)?.last()?)
    }

    fn set(&mut self, flag: &'static Flag, value: &str) -> Result<(), String> {
        flag.kind.check(value)?;
        // The two flags are names of one option, of which the last value counts.
        let name = if flag.name == "rotate" { "re-encrypt" } else { flag.name };
        let values = self.values.entry(name).or_default();
        match flag.kind {
            FlagKind::Texts => values.extend(split(value)),
            FlagKind::TextArray => values.push(value.to_owned()),
            _ => *values = vec![value.to_owned()],
        }
        Ok(())
    }
}

/// Reads the environment, then the arguments.
///
/// # Errors
///
/// Any [`FlagError`] about an argument. A wrong value in the environment is ignored, as in kubeseal.
pub(super) fn parse(
    args: impl IntoIterator<Item = String>,
    environment: impl Fn(&str) -> Option<String>,
) -> Result<FlagValues, FlagError> {
    let mut values = FlagValues::default();
    for flag in FLAGS.iter().filter(|flag| !flag.is_klog) {
        let name = format!("{ENVIRONMENT}{}", flag.name.to_uppercase().replace('-', "_"));
        if let Some(value) = environment(&name) {
            let _ = values.set(flag, &value);
        }
    }
    let mut args = args.into_iter();
    while let Some(arg) = args.next() {
        match arg.as_bytes() {
            [b'-', b'-'] => break,
            [b'-', b'-', ..] => long(&arg, &mut args, &mut values)?,
            [b'-', _, ..] => short(&arg[1..], &mut args, &mut values)?,
            // kubeseal ignores words that aren't flags, without a message.
            _ => {}
        }
        if values.wants_help {
            break;
        }
    }
    Ok(values)
}

fn long(
    arg: &str,
    args: &mut impl Iterator<Item = String>,
    values: &mut FlagValues,
) -> Result<(), FlagError> {
    let (name, value) = match arg[2..].split_once('=') {
        Some((name, value)) => (name, Some(value.to_owned())),
        None => (&arg[2..], None),
    };
    if name.is_empty() || name.starts_with('-') {
        return Err(FlagError::Syntax(arg.to_owned()));
    }
    let flag =
        FLAGS.iter().find(|flag| flag.name == name).ok_or_else(|| FlagError::Unknown(name.to_owned()))?;
    let value = match value {
        Some(value) => value,
        None if flag.kind == FlagKind::Bool => "true".to_owned(),
        None => args.next().ok_or_else(|| FlagError::NoValue(format!("--{name}")))?,
    };
    set(flag, value, values)
}

/// Reads a group of one-letter flags. The first flag that takes a value takes the rest of the group.
fn short(
    group: &str,
    args: &mut impl Iterator<Item = String>,
    values: &mut FlagValues,
) -> Result<(), FlagError> {
    let mut rest = group;
    while let Some(letter) = rest.chars().next() {
        let after = &rest[letter.len_utf8()..];
        let Some(flag) = FLAGS.iter().find(|flag| flag.short == Some(letter)) else {
            if letter == 'h' {
                values.wants_help = true;
                return Ok(());
            }
            return Err(FlagError::UnknownShort { flag: letter, group: rest.to_owned() });
        };
        let value = match after.strip_prefix('=') {
            Some(value) if !value.is_empty() => value.to_owned(),
            _ if flag.kind == FlagKind::Bool => {
                set(flag, "true".to_owned(), values)?;
                rest = after;
                continue;
            }
            _ if !after.is_empty() => after.to_owned(),
            _ => args.next().ok_or_else(|| FlagError::NoValue(format!("'{letter}' in -{rest}")))?,
        };
        return set(flag, value, values);
    }
    Ok(())
}

fn set(flag: &'static Flag, value: String, values: &mut FlagValues) -> Result<(), FlagError> {
    let shown = match flag.short {
        Some(letter) => format!("-{letter}, --{}", flag.name),
        None => format!("--{}", flag.name),
    };
    // The error repeats the value. Flags with secret values (a token, a password) take any text, so they
    // never fail here.
    values.set(flag, &value).map_err(|rule| FlagError::Value { value, flag: shown, rule })?;
    if flag.name == "rotate" {
        values.notes.push("Flag --rotate has been deprecated, please use --re-encrypt instead".to_owned());
    }
    Ok(())
}

/// Parses a bool as Go's `strconv.ParseBool` does.
fn parse_bool(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "TRUE" | "true" | "True" => Some(true),
        "0" | "f" | "F" | "FALSE" | "false" | "False" => Some(false),
        _ => None,
    }
}

/// The fields of a line of CSV. A field that contains a comma stands in quotes.
fn split(text: &str) -> Vec<String> {
    if text.is_empty() {
        return Vec::new();
    }
    let (mut fields, mut field, mut is_quoted) = (Vec::new(), String::new(), false);
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' if is_quoted && chars.peek() == Some(&'"') => {
                chars.next();
                field.push('"');
            }
            '"' if is_quoted || field.is_empty() => is_quoted = !is_quoted,
            ',' if !is_quoted => fields.push(std::mem::take(&mut field)),
            c => field.push(c),
        }
    }
    fields.push(field);
    fields
}

#[cfg(test)]
mod tests;

//! The values of items, from flags, files, prompts and chance: for `seal create` and `seal set`.
//!
//! Each item comes from one place only, and a person is asked last ([`ask`]), after everything that can be refused without
//! the values. Invariant: a message names a flag's item at most, and never repeats
//! its value; nor a word that stands where a path belongs and leads to no file, because it may be a value.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use seal_crds::{ItemName, NameError, Plaintext};
use seal_documents::source::Visible;

use crate::args::ValueArgs;
use crate::files::dotenv::{self, DotenvItem};
use crate::files::env_file;
use crate::files::input::{Input, InputError};
use crate::talk::exit::Exit;
use crate::talk::failure::{Explain, Failure, Rule};
use crate::talk::{prompt, terminal};

#[derive(Debug, thiserror::Error)]
enum ValueError {
    #[error("{0} wants ITEM=VALUE")]
    NoValue(&'static str),
    #[error("{0} isn't a Secret key (a-z, A-Z, 0-9, '-', '_' and '.')")]
    BadItem(&'static str),
    #[error(transparent)]
    Name(#[from] NameError),
    #[error("item {0} is given twice")]
    Duplicate(ItemName),
    #[error("standard input can't be read twice")]
    StdinTwice,
    #[error("--file - needs a name for the item")]
    UnnamedStdin,
    #[error("--file {0}=… names a file that isn't there")]
    NoFile(ItemName),
    #[error("{0} names a file that isn't there, with = in its name")]
    NoFileOfItems(&'static str),
}

impl Explain for ValueError {
    fn rule(&self) -> Rule {
        match self {
            Self::NoFile(_) | Self::NoFileOfItems(_) => Rule::Unreadable,
            _ => Rule::Usage,
        }
    }

    fn exit(&self) -> Exit {
        match self {
            Self::NoFile(_) | Self::NoFileOfItems(_) => Exit::Failure,
            _ => Exit::Usage,
        }
    }

    fn hint(&self) -> Option<String> {
        let here = || std::env::current_dir().unwrap_or_default();
        match self {
            Self::NoFile(item) => Some(format!(
                "check the path; a relative one starts at {}; --prompt {item} asks for a value",
                here().display()
            )),
            Self::NoFileOfItems(flag) => Some(format!(
                "{flag} takes a path alone; a relative one starts at {}; --prompt ITEM asks for a value",
                here().display()
            )),
            Self::Name(_) => Some("give the item a name of its own: --file NAME=PATH".to_owned()),
            Self::UnnamedStdin => Some("--file NAME=-".to_owned()),
            _ => None,
        }
    }
}

pub(super) type Items = BTreeMap<ItemName, Plaintext>;

/// Reads every item of `--literal`.
pub(super) fn literals(literals: &[String]) -> Result<Items, Failure> {
    let mut items = Items::new();
    for literal in literals {
        let (key, value) = literal.split_once('=').ok_or(ValueError::NoValue("--literal"))?;
        // The error doesn't repeat the key: if the name was forgotten, the value stands in its place.
        let item = key.parse().map_err(|_| ValueError::BadItem("the name in --literal"))?;
        add(&mut items, item, Plaintext::from(value.as_bytes().to_vec()))?;
    }
    Ok(items)
}

/// Adds every item that a file gives. Those of `--prompt` come from [`ask`], those of `--generate` from [`generate`].
pub(super) fn read(args: &ValueArgs, items: &mut Items) -> Result<(), Failure> {
    if args.stdin_uses() > 1 {
        return Err(ValueError::StdinTwice.into());
    }
    for file in &args.files {
        add_file(items, file, args.chomp)?;
    }
    for file in &args.env_files {
        check_path("--env-file", file)?;
        let source = Input::from_arg(file).read()?;
        let found = env_file::parse(source.text())
            .map_err(|(error, at)| Failure::from(error).at(source.spot(at, &Visible::default())))?;
        for env in found {
            if env.is_quoted {
                let warning =
                    format!("the quotes around {} in {} are part of its value", env.item, source.name);
                terminal::warn(&warning, None);
            }
            add(items, env.item, env.value)?;
        }
    }
    for file in &args.dotenv_files {
        check_path("--dotenv", file)?;
        let source = Input::from_arg(file).read()?;
        let found = dotenv::parse(source.text())
            .map_err(|(error, at)| Failure::from(error).at(source.spot(at, &Visible::default())))?;
        for DotenvItem { item, value, has_variable } in found {
            if has_variable {
                let warning =
                    format!("the $ in {item} in {} stays as it is: no variable is expanded", source.name);
                terminal::warn(&warning, None);
            }
            add(items, item, value)?;
        }
    }
    Ok(())
}

/// The names of these items, and of those that are asked for or made up later and aren't among them yet.
///
/// # Errors
///
/// An item is given twice.
pub(super) fn names<'a>(
    items: &'a Items,
    later: impl Iterator<Item = &'a ItemName>,
) -> Result<BTreeSet<ItemName>, Failure> {
    let mut names: BTreeSet<ItemName> = items.keys().cloned().collect();
    for item in later {
        if !names.insert(item.clone()) {
            return Err(ValueError::Duplicate(item.clone()).into());
        }
    }
    Ok(names)
}

/// Asks for the items of `--prompt`.
pub(super) fn ask(args: &ValueArgs, items: &mut Items) -> Result<(), Failure> {
    for item in &args.prompts {
        add(items, item.clone(), prompt::ask(item)?)?;
    }
    Ok(())
}

/// Adds a fresh value for each `--generate`.
pub(super) fn generate(args: &ValueArgs, items: &mut Items) -> Result<(), Failure> {
    for generate in &args.generates {
        add(items, generate.item.clone(), generate.value())?;
    }
    Ok(())
}

/// Adds the items of `[ITEM=]PATH`. As with kubectl, a directory without a name gives one item for each of
/// its files.
fn add_file(items: &mut Items, argument: &str, chomp: bool) -> Result<(), Failure> {
    let (item, path) = match argument.split_once('=') {
        // Neither side is repeated before it is known to be a name or a path.
        Some((item, path)) => {
            let item = item.parse::<ItemName>().map_err(|_| ValueError::BadItem("the name in --file"))?;
            (Some(item), path)
        }
        None => (None, argument),
    };
    let input = Input::from_arg(Path::new(path));
    if let (Some(item), Input::File(path)) = (&item, &input)
        && !is_there(path)
    {
        return Err(ValueError::NoFile(item.clone()).into());
    }
    if item.is_none() && Path::new(path).is_dir() {
        let unreadable = |error| InputError::Unreadable(path.to_owned(), error);
        let mut files = Vec::new();
        for entry in fs::read_dir(path).map_err(unreadable)? {
            let file = entry.map_err(unreadable)?.path();
            if file.is_file() {
                files.push(file);
            }
        }
        files.sort();
        for file in files {
            let item = item_of(&file)?;
            add(items, item, from_input(&Input::File(file), chomp)?)?;
        }
        return Ok(());
    }
    let item = match (item, &input) {
        (Some(item), _) => item,
        (None, Input::Stdin) => return Err(ValueError::UnnamedStdin.into()),
        (None, Input::File(path)) => item_of(path)?,
    };
    add(items, item, from_input(&input, chomp)?)
}

/// Refuses ITEM=VALUE where a path belongs, without repeating it.
fn check_path(flag: &'static str, argument: &Path) -> Result<(), ValueError> {
    let is_assignment = argument.as_os_str().as_encoded_bytes().contains(&b'=');
    if is_assignment && !is_there(argument) { Err(ValueError::NoFileOfItems(flag)) } else { Ok(()) }
}

/// Whether something stands at a path, so that the word is one. What can't be looked at may as well be a value.
fn is_there(path: &Path) -> bool {
    path.symlink_metadata().is_ok()
}

/// The bytes of an input; with `chomp`, without one line break at their end.
pub(super) fn from_input(input: &Input, chomp: bool) -> Result<Plaintext, InputError> {
    let mut bytes = input.read_bytes()?;
    if chomp && bytes.last() == Some(&b'\n') {
        bytes.pop();
        if bytes.last() == Some(&b'\r') {
            bytes.pop();
        }
    }
    Ok(bytes.into())
}

fn item_of(path: &Path) -> Result<ItemName, ValueError> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    Ok(name.parse()?)
}

fn add(items: &mut Items, item: ItemName, value: Plaintext) -> Result<(), Failure> {
    if items.contains_key(&item) {
        return Err(ValueError::Duplicate(item).into());
    }
    items.insert(item, value);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_gives_one_item_for_each_file() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("tls.crt"), "c").unwrap();
        fs::write(directory.path().join("tls.key"), [0, 255]).unwrap();
        fs::create_dir(directory.path().join("sub")).unwrap();
        let mut items = Items::new();
        add_file(&mut items, directory.path().to_str().unwrap(), false).unwrap();
        let found: Vec<_> = items.iter().map(|(k, v)| (k.as_str(), v.expose())).collect();
        assert_eq!(found, [("tls.crt", &b"c"[..]), ("tls.key", &[0, 255])]);
    }

    #[test]
    fn one_line_break_is_left_out_if_that_is_asked_for() {
        let file = tempfile::NamedTempFile::new().unwrap();
        for (text, chomped) in
            [("a\n", "a"), ("a\r\n", "a"), ("a\n\n", "a\n"), ("a", "a"), ("", ""), ("\n", "")]
        {
            fs::write(file.path(), text).unwrap();
            let read = |chomp| from_input(&Input::File(file.path().to_owned()), chomp).unwrap();
            assert_eq!((read(false).expose(), read(true).expose()), (text.as_bytes(), chomped.as_bytes()));
        }
    }

    #[test]
    fn an_item_comes_from_one_place() {
        let mut items = Items::new();
        add(&mut items, "a".parse().unwrap(), Plaintext::from(Vec::new())).unwrap();
        let failure = add(&mut items, "a".parse().unwrap(), Plaintext::from(Vec::new())).unwrap_err();
        assert_eq!(
            (failure.exit, failure.facts.clone()),
            (Exit::Usage, vec!["item a is given twice".to_owned()])
        );
    }
}

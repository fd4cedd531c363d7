//! The items and the metadata of `seal create`, from flags, files and prompts.
//!
//! Each item comes from one place only. Invariant: a message names a flag's item at most, and never repeats
//! its value.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use seal_crds::secret::{Mark, SecretError, check_annotations, check_label};
use seal_crds::{ItemName, NameError, Plaintext};
use seal_documents::source::Visible;

use crate::args::CreateArgs;
use crate::files::env_file;
use crate::files::input::{Input, InputError};
use crate::talk::exit::Exit;
use crate::talk::failure::{Explain, Failure, Rule};
use crate::talk::terminal;

#[derive(Debug, thiserror::Error)]
enum CollectError {
    #[error("{0} wants ITEM=VALUE")]
    NoValue(&'static str),
    #[error("{0} wants KEY=VALUE")]
    NoPair(&'static str),
    #[error("{0} isn't a Secret key (a-z, A-Z, 0-9, '-', '_' and '.')")]
    BadItem(&'static str),
    #[error(transparent)]
    Name(#[from] NameError),
    #[error(transparent)]
    Metadata(#[from] SecretError),
    #[error("{0} {1} doesn't go on a Secret: {2}")]
    Marked(&'static str, String, Mark),
    #[error("item {0} is given twice")]
    Duplicate(ItemName),
    #[error("standard input can't be read twice")]
    StdinTwice,
    #[error("--file - needs a name for the item")]
    UnnamedStdin,
}

impl Explain for CollectError {
    fn rule(&self) -> Rule {
        Rule::Usage
    }

    fn exit(&self) -> Exit {
        Exit::Usage
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Name(_) => Some("give the item a name of its own: --file NAME=PATH".to_owned()),
            Self::UnnamedStdin => Some("--file NAME=-".to_owned()),
            _ => None,
        }
    }
}

type Items = BTreeMap<ItemName, Plaintext>;

/// Reads every item that the arguments name.
pub(super) fn items(args: &CreateArgs) -> Result<Items, Failure> {
    let mut items = Items::new();
    for literal in &args.literals {
        let (key, value) = literal.split_once('=').ok_or(CollectError::NoValue("--literal"))?;
        // The error doesn't repeat the key: if the name was forgotten, the value stands in its place.
        let item = key.parse().map_err(|_| CollectError::BadItem("the name in --literal"))?;
        add(&mut items, item, Plaintext::from(value.as_bytes().to_vec()))?;
    }
    let stdin = args.files.iter().filter(|file| *file == "-" || file.ends_with("=-")).count()
        + args.env_files.iter().filter(|file| file.as_os_str() == "-").count();
    if stdin > 1 {
        return Err(CollectError::StdinTwice.into());
    }
    for file in &args.files {
        add_file(&mut items, file)?;
    }
    for file in &args.env_files {
        let source = Input::from_arg(file).read()?;
        let found = env_file::parse(source.text())
            .map_err(|(error, at)| Failure::from(error).at(source.spot(at, &Visible::default())))?;
        for env in found {
            if env.is_quoted {
                let warning =
                    format!("the quotes around {} in {} are part of its value", env.item, source.name);
                terminal::warn(&warning, None);
            }
            add(&mut items, env.item, env.value)?;
        }
    }
    for item in &args.prompts {
        add(&mut items, item.clone(), crate::talk::prompt::ask(item)?)?;
    }
    Ok(items)
}

/// Adds the items of `[ITEM=]PATH`. As with kubectl, a directory without a name gives one item for each of
/// its files.
fn add_file(items: &mut Items, argument: &str) -> Result<(), Failure> {
    let (item, path) = match argument.split_once('=') {
        Some((item, path)) => (Some(item.parse::<ItemName>().map_err(CollectError::from)?), path),
        None => (None, argument),
    };
    let input = Input::from_arg(Path::new(path));
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
            add(items, item, Input::File(file).read_bytes()?.into())?;
        }
        return Ok(());
    }
    let item = match (item, &input) {
        (Some(item), _) => item,
        (None, Input::Stdin) => return Err(CollectError::UnnamedStdin.into()),
        (None, Input::File(path)) => item_of(path)?,
    };
    add(items, item, input.read_bytes()?.into())
}

fn item_of(path: &Path) -> Result<ItemName, CollectError> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    Ok(name.parse()?)
}

fn add(items: &mut Items, item: ItemName, value: Plaintext) -> Result<(), Failure> {
    if items.contains_key(&item) {
        return Err(CollectError::Duplicate(item).into());
    }
    items.insert(item, value);
    Ok(())
}

type Strings = BTreeMap<String, String>;

/// Labels and annotations. One that a Secret wouldn't get is refused here, because the user asked for it by
/// name.
pub(super) fn metadata(args: &CreateArgs) -> Result<(Strings, Strings), Failure> {
    let (labels, annotations) = (pairs(&args.labels, "--label")?, pairs(&args.annotations, "--annotation")?);
    for (key, value) in &labels {
        check_label(key, value).map_err(CollectError::from)?;
    }
    check_annotations(&annotations).map_err(CollectError::from)?;
    for (what, strings) in [("label", &labels), ("annotation", &annotations)] {
        let marked = strings.keys().find_map(|key| Some((key, Mark::of(key)?)));
        if let Some((key, mark)) = marked {
            return Err(CollectError::Marked(what, key.clone(), mark).into());
        }
    }
    Ok((labels, annotations))
}

fn pairs(given: &[String], flag: &'static str) -> Result<Strings, CollectError> {
    let pair = |text: &String| text.split_once('=').map(|(k, v)| (k.to_owned(), v.to_owned()));
    given.iter().map(|text| pair(text).ok_or(CollectError::NoPair(flag))).collect()
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
        add_file(&mut items, directory.path().to_str().unwrap()).unwrap();
        let found: Vec<_> = items.iter().map(|(k, v)| (k.as_str(), v.expose())).collect();
        assert_eq!(found, [("tls.crt", &b"c"[..]), ("tls.key", &[0, 255])]);
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

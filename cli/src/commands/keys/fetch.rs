//! `seal keys fetch`: the recipients of a cluster, as a file to commit.
//!
//! With `-o` the file is merged and replaced as a whole; with `--check` it is only compared. Invariant: a file that is up
//! to date isn't written.

use std::path::Path;

use super::today;
use crate::args::FetchArgs;
use crate::args::intent::{self, Destination, IntentError};
use crate::files::input::Input;
use crate::files::output::{self, Privacy, Replacement};
use crate::keys::cluster::{self, Fetched};
use crate::talk::exit::Exit;
use crate::talk::failure::Failure;
use crate::talk::terminal;

pub(super) fn run(args: &FetchArgs) -> Result<Exit, Failure> {
    if args.cluster.context.is_none() && !intent::is_watched() {
        return Err(IntentError::UnnamedFetch.into());
    }
    match (&args.check, Destination::from_output(args.output.clone())) {
        (Some(path), _) => check(args, path),
        (None, Destination::File(path)) => update(args, &path),
        (None, Destination::Stdout | Destination::InPlace) => {
            let fetched = fetch(args)?;
            output::to_stdout(fetched.merge("", "", today())?.text.as_bytes())?;
            Ok(Exit::Done)
        }
    }
}

fn fetch(args: &FetchArgs) -> Result<Fetched, Failure> {
    let fetched = cluster::fetch(&args.cluster)?;
    terminal::note(&format!("fetched from {}", fetched.summary()));
    Ok(fetched)
}

fn check(args: &FetchArgs, path: &Path) -> Result<Exit, Failure> {
    let source = Input::File(path.to_owned()).read()?;
    let merge = fetch(args)?.merge(&source.name, source.text(), today())?;
    merge.warnings.iter().for_each(|warning| terminal::warn(warning, None));
    if merge.changes.is_empty() {
        terminal::note(&format!("{} is up to date", source.name));
        return Ok(Exit::Done);
    }
    output::report(merge.changes.iter().map(|change| format!("{} {}", source.name, change.due())))?;
    terminal::note(&format!("{0} is behind: seal keys fetch -o {0} brings it up to date", source.name));
    Ok(Exit::Findings)
}

fn update(args: &FetchArgs, path: &Path) -> Result<Exit, Failure> {
    // A device or a pipe has no content to keep, and reading it may wait for ever.
    let is_stream = std::fs::metadata(path).is_ok_and(|found| !found.is_dir() && !found.is_file());
    let old = if is_stream || !path.exists() { None } else { Some(Input::File(path.to_owned()).read()?) };
    let name = path.display().to_string();
    let merge = fetch(args)?.merge(&name, old.as_ref().map_or("", |old| old.text()), today())?;
    match &old {
        None => output::to_files(&[(path, merge.text.as_bytes())], Privacy::Public)?,
        Some(old) if merge.text != old.text() => output::replace_files(&[Replacement {
            path,
            old: old.text().as_bytes(),
            new: merge.text.as_bytes(),
        }])?,
        Some(_) => terminal::note(&format!("{name} is up to date")),
    }
    merge.warnings.iter().for_each(|warning| terminal::warn(warning, None));
    if old.is_some() {
        merge.changes.iter().for_each(|change| terminal::note(&format!("{name} {}", change.done())));
    }
    Ok(Exit::Done)
}

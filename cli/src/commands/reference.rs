//! `seal help`, `seal completions`, `seal man`: what [`args::reference`](crate::args::reference) makes of the flags.

use std::path::Path;

use crate::args::reference;
use crate::args::{CompletionsArgs, HelpArgs, ManArgs};
use crate::files::output;
use crate::kubeseal;
use crate::talk::exit::Exit;
use crate::talk::failure::Failure;
use crate::talk::terminal;

pub(super) fn help(args: &HelpArgs) -> Result<Exit, Failure> {
    // Its flags are not clap's.
    if args.words == ["kubeseal"] {
        output::to_stdout(kubeseal::help("seal kubeseal").as_bytes())?;
    } else {
        reference::help(&args.words)?;
    }
    Ok(Exit::Done)
}

pub(super) fn completions(args: &CompletionsArgs) -> Result<Exit, Failure> {
    output::to_stdout(&reference::completions(args.shell))?;
    Ok(Exit::Done)
}

pub(super) fn man(args: &ManArgs) -> Result<Exit, Failure> {
    match &args.output {
        Some(directory) => {
            let pages = reference::write_pages(directory)?;
            terminal::note(&format!("{} pages in {}", pages, Path::new(directory).display()));
        }
        None => output::to_stdout(&reference::page(&args.words)?.text)?,
    }
    Ok(Exit::Done)
}

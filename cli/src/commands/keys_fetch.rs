//! `seal keys fetch`: prints the recipients of a cluster, as a file to commit.

use std::path::Path;

use crate::args::FetchArgs;
use crate::args::intent::{self, Destination, IntentError};
use crate::files::output::{self, Privacy};
use crate::keys::cluster;
use crate::talk::exit::Exit;
use crate::talk::failure::Failure;
use crate::talk::terminal;

pub(super) fn run(args: &FetchArgs) -> Result<Exit, Failure> {
    if args.cluster.context.is_none() && !intent::is_watched() {
        return Err(IntentError::UnnamedFetch.into());
    }
    let fetched = cluster::fetch(&args.cluster)?;
    terminal::note(&format!("fetched from {}", fetched.summary()));
    let text = fetched.to_file();
    match Destination::from_output(args.output.clone()) {
        Destination::File(path) => {
            let path: &Path = &path;
            output::to_files(&[(path, text.as_bytes())], Privacy::Public)?;
        }
        Destination::Stdout | Destination::InPlace => output::to_stdout(text.as_bytes())?,
    }
    Ok(Exit::Done)
}

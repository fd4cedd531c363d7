//! `seal git textconv FILE`: one version of a file as git shows it in a diff.
//!
//! Git hands this text to people and never back to a file. Invariant: a file without a readable SealedSecret is printed
//! byte for byte.

use std::path::Path;

use seal_documents::manifest::Manifest;
use seal_documents::source::Source;
use zeroize::Zeroizing;

use crate::args::TextconvArgs;
use crate::files::input::Input;
use crate::files::output;
use crate::objects::{outline, short};
use crate::talk::exit::Exit;
use crate::talk::failure::Failure;

pub(super) fn run(args: &TextconvArgs) -> Result<Exit, Failure> {
    let bytes = Input::File(args.file.clone()).read_bytes()?;
    match shortened(&args.file, &bytes) {
        Some(text) => output::to_stdout(text.as_bytes())?,
        None => output::to_stdout(&bytes)?,
    }
    Ok(Exit::Done)
}

/// The short form of a file; `None` if it has none.
pub(super) fn shortened(path: &Path, bytes: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(bytes).ok().filter(|text| outline::mentions_sealed_secret(text))?;
    let source = Source::new(path.display().to_string(), Zeroizing::new(text.to_owned()));
    let manifest = Manifest::parse(&source).ok()?;
    short::shortened(&manifest)
}

//! `seal show [PATH…]`: what SealedSecrets say in the open, for people without a key.
//!
//! [`Outline`] reads each object leniently, and the rules of the repository give names to its recipients. Invariants:
//! nothing is decided by what is shown, since all of it is only claimed; each line is escaped, because the words are those
//! of whoever wrote the file. An object that no reader accepts is shown with the reason, and never left out.

mod print;

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use seal_documents::manifest::Manifest;

use super::sealed_files::{self, SealedFile};
use crate::args::{ShowArgs, ShowFormat};
use crate::files::output;
use crate::files::repository::{NothingSealed, Problems};
use crate::objects::outline::{self, Outline};
use crate::rules::book::{Book, Rules, Ruling};
use crate::rules::reader::Disk;
use crate::rules::site::Site;
use crate::talk::exit::Exit;
use crate::talk::failure::Failure;
use print::Shown;

/// The rules around the files that are shown. A repository's rules file is read once.
#[derive(Default)]
struct Books(HashMap<PathBuf, Book<Disk>>);

/// What the rules say of one file.
struct Found {
    rules: Option<std::sync::Arc<Rules>>,
    ruling: Option<Ruling>,
}

pub(super) fn run(args: &ShowArgs) -> Result<Exit, Failure> {
    let mut problems = Problems::default();
    let found = sealed_files::read(&args.paths)?;
    problems.extend(found.failures);
    let mut books = Books::default();
    let mut shown = Vec::new();
    for SealedFile { path, source } in &found.files {
        let Some(manifest) = problems.keep(Manifest::parse(source).map_err(Failure::from)) else { continue };
        let outlines = outline::read_all(&manifest);
        if outlines.is_empty() {
            continue;
        }
        // A rules file that isn't understood stops sealing, and doesn't stop looking.
        let found = path.as_ref().and_then(|path| problems.keep(books.around(path)));
        shown.extend(outlines.iter().map(|outline| show(&manifest, outline, found.as_ref())));
    }
    if shown.is_empty() && problems.is_empty() {
        return Err(NothingSealed::in_paths(&args.paths).into());
    }
    match args.format {
        ShowFormat::Text => output::report(print::lines(&shown))?,
        ShowFormat::Json => output::to_stdout(print::json(&shown).as_bytes())?,
    }
    Ok(if problems.print() == 0 { Exit::Done } else { Exit::Failure })
}

impl Books {
    fn around(&mut self, file: &Path) -> Result<Found, Failure> {
        let site = Site::of(file)?;
        let book = self.0.entry(site.top.clone()).or_insert_with(|| Book::new(Disk::beneath(&site.top)));
        let governing = book.around(&site.path)?;
        let ruling = governing.ruling(&site.path);
        Ok(Found { rules: governing.rules, ruling })
    }
}

fn show(manifest: &Manifest<'_>, outline: &Outline, found: Option<&Found>) -> Shown {
    let rules = found.and_then(|found| found.rules.as_deref());
    let ruling = found.and_then(|found| found.ruling.as_ref());
    Shown::new(&manifest.source.name, manifest.spot(outline.at).line, outline, rules, ruling)
}

//! `seal show [PATH…]`: what SealedSecrets say in the open, for people without a key.
//!
//! [`Outline`] reads each object leniently, and the rules of the repository give names to its recipients. Invariants:
//! nothing is decided by what is shown, since all of it is only claimed; each line is escaped, because the words are those
//! of whoever wrote the file. An object that no reader accepts is shown with the reason, and never left out.

mod print;

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use seal_documents::manifest::Manifest;
use seal_documents::source::Source;

use crate::args::{ShowArgs, ShowFormat};
use crate::files::input::Input;
use crate::files::output;
use crate::files::repository::{self, Interest, NothingSealed, Problems};
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
    let sources = sources(args, &mut problems)?;
    let mut books = Books::default();
    let mut shown = Vec::new();
    for (path, source) in &sources {
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

/// The texts to look at, each with its path if it has one.
fn sources(args: &ShowArgs, problems: &mut Problems) -> Result<Vec<(Option<PathBuf>, Source)>, Failure> {
    let (streams, paths): (Vec<PathBuf>, Vec<PathBuf>) =
        args.paths.iter().cloned().partition(|path| path == Path::new("-"));
    let mut sources = Vec::new();
    if !streams.is_empty() {
        sources.push((None, Input::Stdin.read()?));
    }
    if !paths.is_empty() || streams.is_empty() {
        let interest = |text: &str| {
            if outline::mentions_sealed_secret(text) { Interest::Mentioned } else { Interest::None }
        };
        let found = repository::files(&paths, interest)?;
        problems.extend(found.failures);
        // What only mentions a SealedSecret, such as a chart, isn't shown.
        let is_shown =
            |file: &repository::FileFound| file.must_be_read || Manifest::parse(&file.source).is_ok();
        let files = found.files.into_iter().filter(is_shown);
        sources.extend(files.map(|file| (Some(file.path), file.source)));
    }
    Ok(sources)
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

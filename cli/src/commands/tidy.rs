//! `seal tidy PATH…`: envelopes that no item uses go, and second copies of one, as a text merge leaves them.
//!
//! Invariant: nothing else changes, and no item loses its data key.

use seal_crds::Format;
use seal_documents::manifest::{Edits, Kind, Manifest, edit};

use crate::args::TidyArgs;
use crate::commands::counted;
use crate::files::output::{self, Replacement};
use crate::files::repository::{self, FilesFound, Interest, Lines, NothingSealed, Problems};
use crate::objects::change;
use crate::objects::outline::mentions_sealed_secret;
use crate::objects::sealed;
use crate::talk::exit::Exit;
use crate::talk::failure::Failure;
use crate::talk::terminal;

pub(super) fn run(args: &TidyArgs) -> Result<Exit, Failure> {
    let interest = |text: &str| if mentions_sealed_secret(text) { Interest::Wanted } else { Interest::None };
    let FilesFound { files, failures, .. } = repository::files(&args.paths, interest)?;
    let mut problems = Problems::default();
    problems.extend(failures);
    let manifests: Vec<_> = files
        .iter()
        .filter_map(|file| Some((file, problems.keep(Manifest::parse(&file.source).map_err(Failure::from))?)))
        .collect();
    let (mut objects, mut lines, mut results) = (0, Vec::new(), Vec::new());
    for (file, manifest) in &manifests {
        let mut edits: Vec<Edits> = Vec::new();
        let numbers = Lines::new(manifest.source);
        for object in manifest.objects.iter().filter(|object| object.kind == Kind::SealedSecret) {
            objects += 1;
            let change = match sealed::format(manifest, object) {
                Ok(Format::Native) => change::tidy(manifest, object),
                Ok(Format::Bitnami) => Ok(None),
                Err(failure) => Err(failure),
            };
            let Some(Some(tidied)) = problems.keep(change) else { continue };
            let at = manifest.tree(object).range(object.node).start;
            let what =
                format!("{}: {} dropped", tidied.object_name, counted(tidied.dropped, "unused envelope"));
            lines.push(numbers.line(at, &what));
            edits.push(tidied.change.edits);
        }
        if edits.is_empty() {
            continue;
        }
        let edited = edit(manifest, &edits).map_err(|error| manifest.locate(error).into());
        let Some(edited) = problems.keep(edited) else { continue };
        for at in &edited.lost_comments {
            terminal::warn("a comment is left out with what it stood at", Some(&manifest.spot(*at)));
        }
        results.push((file, manifest, edited.text));
    }
    if objects == 0 && problems.is_empty() {
        return Err(NothingSealed::in_paths(&args.paths).into());
    }
    problems.settle()?;
    let replaced: Vec<Replacement<'_>> = results
        .iter()
        .map(|(file, manifest, text)| Replacement {
            path: &file.path,
            old: manifest.source.text().as_bytes(),
            new: text.as_bytes(),
        })
        .collect();
    output::replace_files(&replaced)?;
    lines.sort();
    output::report(lines.iter().map(|line| &line.text))?;
    if lines.is_empty() {
        terminal::note("nothing to tidy");
    }
    Ok(Exit::Done)
}

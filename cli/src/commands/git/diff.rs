//! `seal git diff …`: git's external diff, which says in words how one file changed.
//!
//! Under the words stands the diff of the short forms, so that comments and other documents show too. A file without a
//! SealedSecret shows as git shows it. Invariant: nothing is opened, and no program but git runs.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use seal_documents::source::Source;
use zeroize::Zeroizing;

use super::textconv::shortened;
use crate::args::ExternalDiffArgs;
use crate::files::git::diff_lines;
use crate::files::input::Input;
use crate::files::output;
use crate::objects::difference::{ObjectChange, Snapshot, differences};
use crate::talk::exit::Exit;
use crate::talk::failure::Failure;

/// Git's name for a side on which there is no file.
const ABSENT: &str = "/dev/null";

/// One side of the diff.
struct Side {
    bytes: Zeroizing<Vec<u8>>,
}

pub(super) fn run(args: &ExternalDiffArgs) -> Result<Exit, Failure> {
    // `path`; `path old-file old-hex old-mode new-file new-hex new-mode`; and behind them a new name and what was renamed.
    let words: Vec<&OsStr> = args.arguments.iter().map(AsRef::as_ref).collect();
    let (old_path, old, new, new_path) = match words[..] {
        [path, old, _, _, new, _, _] => (path, old, new, path),
        [path, old, _, _, new, _, _, renamed, ..] => (path, old, new, renamed),
        [path, ..] => {
            output::report([format!("* Unmerged path {}", path.to_string_lossy())])?;
            return Ok(Exit::Done);
        }
        [] => return Ok(Exit::Done),
    };
    let (old, new) = (Side::read(old)?, Side::read(new)?);
    let (old_name, new_name) = (old_path.to_string_lossy(), new_path.to_string_lossy());
    output::report(
        std::iter::once(format!("diff --git a/{old_name} b/{new_name}"))
            .chain(words_of(&old, &new, &new_name)),
    )?;
    let short = |side: &Side, path: &OsStr| {
        shortened(Path::new(path), &side.bytes).map_or_else(|| side.bytes.to_vec(), String::into_bytes)
    };
    output::to_stdout(&diff_lines(&short(&old, old_path), &short(&new, new_path))?)?;
    Ok(Exit::Done)
}

impl Side {
    fn read(path: &OsStr) -> Result<Self, Failure> {
        if path == ABSENT {
            return Ok(Self { bytes: Zeroizing::default() });
        }
        Ok(Self { bytes: Input::File(PathBuf::from(path)).read_bytes()? })
    }

    fn snapshot(&self, path: &str) -> Snapshot {
        let Ok(text) = std::str::from_utf8(&self.bytes) else { return Snapshot::default() };
        let source = Source::new(path.to_owned(), Zeroizing::new(text.to_owned()));
        Snapshot::read(path, &source, &|_, _| None)
    }
}

fn words_of(old: &Side, new: &Side, path: &str) -> Vec<String> {
    let changes = differences(&[old.snapshot(path)], &[new.snapshot(path)], &[]);
    changes.iter().flat_map(ObjectChange::lines).collect()
}

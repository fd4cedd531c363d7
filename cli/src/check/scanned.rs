//! A file as the lints see it.
//!
//! Only files of interest are here: by their names and words they may have something to do with a lint. Invariant: a path
//! is from the root of the repository, with `/`, and stands for one file of a tree.

use std::sync::OnceLock;

use seal_documents::manifest::Lenient;
use seal_documents::source::Source;

use super::finding::{Finding, Position};
use super::lint::Lint;
use crate::objects::outline::{self, Outline};
use crate::rules::book::Governing;

/// A file that was read.
pub(crate) struct Scanned<'s> {
    /// From the root of the repository, with `/`. `<stdin>` for standard input.
    pub(crate) path: &'s str,
    /// A file that isn't UTF-8 has U+FFFD for its wrong bytes.
    pub(crate) source: &'s Source,
    pub(crate) origin: Origin,
    /// The commit that brought the file in, for [`Origin::Past`].
    pub(crate) commit: Option<&'s str>,
    /// The objects of the file, read as far as it goes; `None` for a file that by its name is no manifest.
    pub(crate) manifest: Option<Lenient<'s>>,
    /// The outlines of its SealedSecrets, in their order.
    pub(crate) outlines: Vec<Outline>,
    /// The rules that count for the file: those of `--policy`, else those of the tree. None for rendered objects.
    pub(crate) governing: Governing,
    lines: OnceLock<Vec<usize>>,
}

/// Where a file comes from, and so which lints are for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// A file of the tree that is looked at.
    Tree,
    /// Objects as a tool rendered them, on standard input: they stand at no path, so no rule of `.seal.yaml` is for them,
    /// and they repeat objects of the tree.
    Rendered,
    /// A file that a commit of a range brought in and a later one changed or removed. Only lints that need nothing but the
    /// file are for it.
    Past,
}

impl<'s> Scanned<'s> {
    /// Reads the objects of a text.
    pub(crate) fn manifest(path: &'s str, source: &'s Source, origin: Origin) -> Self {
        let manifest = Lenient::read(source);
        let outlines = outline::read_all(&manifest.manifest);
        let governing = Governing::default();
        Self {
            path,
            source,
            origin,
            commit: None,
            manifest: Some(manifest),
            outlines,
            governing,
            lines: OnceLock::new(),
        }
    }

    /// A text that by its name is no manifest.
    pub(crate) fn text(path: &'s str, source: &'s Source, origin: Origin) -> Self {
        let (outlines, governing) = (Vec::new(), Governing::default());
        Self {
            path,
            source,
            origin,
            commit: None,
            manifest: None,
            outlines,
            governing,
            lines: OnceLock::new(),
        }
    }

    /// A finding about a byte of this file.
    pub(crate) fn finding(&self, lint: Lint, at: usize, message: impl Into<String>) -> Finding {
        Finding::new(lint, self.path, message).at(at)
    }

    /// Line and column of a byte.
    pub(crate) fn position(&self, at: usize) -> Position {
        let text = self.source.text();
        let at = text.floor_char_boundary(at);
        let starts = self.lines.get_or_init(|| text.match_indices('\n').map(|(end, _)| end + 1).collect());
        let before = starts.partition_point(|start| *start <= at);
        let start = before.checked_sub(1).map_or(0, |index| starts[index]);
        Position { line: before + 1, column: text[start..at].chars().count() + 1 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use zeroize::Zeroizing;

    #[test]
    fn a_byte_has_the_line_and_column_that_an_editor_shows() {
        let source = Source::new("f".to_owned(), Zeroizing::new("a: é\nbé: x\n\nc".to_owned()));
        let file = Scanned::text("f", &source, Origin::Tree);
        let at = |at| (file.position(at).line, file.position(at).column);
        assert_eq!(
            [0, 3, 4, 6, 7, 10, 13, 14, 99].map(at),
            [(1, 1), (1, 4), (1, 4), (2, 1), (2, 2), (2, 4), (3, 1), (4, 1), (4, 2)]
        );
    }
}

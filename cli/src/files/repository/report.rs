//! The lines of a report, `file:line: text`, in the order of files and of positions in them.

use seal_documents::source::Source;

/// One line of a report. Lines compare by file, then by position.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Line {
    file: String,
    at: usize,
    /// The whole line as printed.
    pub(crate) text: String,
}

/// The starts of all lines of a file, found once.
pub(crate) struct Lines<'s> {
    source: &'s Source,
    starts: Vec<usize>,
}

impl<'s> Lines<'s> {
    pub(crate) fn new(source: &'s Source) -> Self {
        Self { source, starts: source.text().match_indices('\n').map(|(at, _)| at + 1).collect() }
    }

    /// A line of the report about the file's text at byte `at`.
    pub(crate) fn line(&self, at: usize, text: &str) -> Line {
        let number = self.starts.partition_point(|start| *start <= at) + 1;
        let file = self.source.name.clone();
        Line { text: format!("{file}:{number}: {text}"), file, at }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use zeroize::Zeroizing;

    #[test]
    fn lines_are_numbered_from_one_and_sort_by_file_and_place() {
        let source = |name: &str| Source::new(name.to_owned(), Zeroizing::new("a\nb\n\nc".to_owned()));
        let (first, second) = (source("a.yaml"), source("b.yaml"));
        let mut lines = [
            Lines::new(&second).line(0, "x"),
            Lines::new(&first).line(5, "late"),
            Lines::new(&first).line(2, "z"),
            Lines::new(&first).line(4, "early"),
        ];
        lines.sort();
        let texts: Vec<_> = lines.iter().map(|line| line.text.as_str()).collect();
        assert_eq!(texts, ["a.yaml:2: z", "a.yaml:3: early", "a.yaml:4: late", "b.yaml:1: x"]);
    }
}

//! Conflict markers in a text: written, found, and settled by the choice of a side.
//!
//! ```text
//! <<<<<<< LABEL        our side
//! ||||||| LABEL        the base, only in the styles diff3 and zdiff3
//! =======
//! >>>>>>> LABEL        their side
//! ```
//! A marker is a line that begins with the same character, as often as the length of markers says, and then ends or has a
//! blank. Invariant: a text whose markers don't belong together is refused, and never guessed at.

use std::ops::Range;

/// The length of markers, if nobody says another.
pub(crate) const MARKER_SIZE: usize = 7;

/// The names of the sides, and the length of the markers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Labels {
    pub(crate) base: String,
    pub(crate) ours: String,
    pub(crate) theirs: String,
    pub(crate) size: usize,
}

/// A side of a conflict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Ours,
    Theirs,
}

impl Side {
    /// The word by which people choose it, which is git's.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Ours => "ours",
            Self::Theirs => "theirs",
        }
    }

    pub(crate) fn other(self) -> Self {
        match self {
            Self::Ours => Self::Theirs,
            Self::Theirs => Self::Ours,
        }
    }
}

/// One conflict in a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Conflict<'t> {
    /// From its first marker to the end of its last.
    pub(crate) range: Range<usize>,
    pub(crate) ours_label: &'t str,
    pub(crate) theirs_label: &'t str,
    /// The lines of each side, without the markers.
    pub(crate) ours: &'t str,
    pub(crate) theirs: &'t str,
}

/// The markers of a text don't belong together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a conflict marker stands alone")]
pub(crate) struct StrayMarker {
    /// The byte at which the marker begins.
    pub(crate) at: usize,
}

impl<'t> Conflict<'t> {
    pub(crate) fn side(&self, side: Side) -> &'t str {
        match side {
            Side::Ours => self.ours,
            Side::Theirs => self.theirs,
        }
    }

    pub(crate) fn label(&self, side: Side) -> &'t str {
        match side {
            Side::Ours => self.ours_label,
            Side::Theirs => self.theirs_label,
        }
    }
}

/// The conflicts of a text, in their order.
///
/// # Errors
///
/// A marker stands where none belongs.
pub(crate) fn find(text: &str, size: usize) -> Result<Vec<Conflict<'_>>, StrayMarker> {
    /// A conflict that has begun.
    struct Open<'t> {
        start: usize,
        label: &'t str,
        ours: Range<usize>,
        is_base: bool,
        theirs: Option<usize>,
    }
    let mut found = Vec::new();
    let mut open: Option<Open<'_>> = None;
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let (start, end) = (at, at + line.len());
        at = end;
        let stray = Err(StrayMarker { at: start });
        match (marker(line, size), &mut open) {
            (Some(('<', label)), None) => {
                open = Some(Open { start, label, ours: end..end, is_base: false, theirs: None });
            }
            (Some(('|', _)), Some(conflict)) if conflict.theirs.is_none() && !conflict.is_base => {
                conflict.is_base = true;
            }
            (Some(('=', "")), Some(conflict)) if conflict.theirs.is_none() => conflict.theirs = Some(end),
            (Some(('>', theirs_label)), Some(conflict)) => {
                let Some(theirs) = conflict.theirs else { return stray };
                found.push(Conflict {
                    range: conflict.start..end,
                    ours_label: conflict.label,
                    theirs_label,
                    ours: &text[conflict.ours.clone()],
                    theirs: &text[theirs..start],
                });
                open = None;
            }
            // Text such as a heading may be underlined with such characters.
            (Some(('=' | '|', _)), None) | (None, None) => {}
            (None, Some(conflict)) if conflict.theirs.is_none() && !conflict.is_base => {
                conflict.ours.end = end;
            }
            (None, Some(_)) => {}
            (Some(_), _) => return stray,
        }
    }
    match open {
        Some(conflict) => Err(StrayMarker { at: conflict.start }),
        None => Ok(found),
    }
}

/// The character and the label of a marker.
fn marker(line: &str, size: usize) -> Option<(char, &str)> {
    let line = line.trim_end_matches(['\n', '\r']);
    let first = line.chars().next().filter(|first| "<|=>".contains(*first))?;
    let rest = line.trim_start_matches(first);
    let is_marker = line.len() - rest.len() == size && (rest.is_empty() || rest.starts_with(' '));
    is_marker.then(|| (first, rest.trim_start()))
}

/// The text with one side chosen everywhere; `None` if its markers don't belong together.
pub(crate) fn take(text: &str, size: usize, side: Side) -> Option<String> {
    let conflicts = find(text, size).ok()?;
    Some(replace(text, conflicts.iter().map(|conflict| (conflict.range.clone(), conflict.side(side)))))
}

/// The text with other texts in the place of some ranges, which are in order.
pub(crate) fn replace<'r>(text: &str, replaced: impl IntoIterator<Item = (Range<usize>, &'r str)>) -> String {
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    for (range, new) in replaced {
        out.push_str(&text[at..range.start]);
        out.push_str(new);
        at = range.end;
    }
    out + &text[at..]
}

/// Two texts as one conflict.
pub(crate) fn around(ours: &str, theirs: &str, labels: &Labels) -> String {
    let marker = |character: &str, label: &str| {
        let marker = character.repeat(labels.size);
        if label.is_empty() { format!("{marker}\n") } else { format!("{marker} {label}\n") }
    };
    let whole = |text: &str| {
        let is_open = !text.is_empty() && !text.ends_with('\n');
        if is_open { format!("{text}\n") } else { text.to_owned() }
    };
    [marker("<", &labels.ours), whole(ours), marker("=", ""), whole(theirs), marker(">", &labels.theirs)]
        .concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conflicts_are_found_in_either_style() {
        let text = "a: 1\n<<<<<<< main\nb: 2\n||||||| base\nb: 1\n=======\nb: 3\nc: 4\n>>>>>>> feature x\nd: 5\n\
                    <<<<<<<\r\n=======\r\ne: 6\r\n>>>>>>>\r\n";
        let found = find(text, 7).unwrap();
        let facts: Vec<_> = found.iter().map(|c| (c.ours_label, c.ours, c.theirs_label, c.theirs)).collect();
        assert_eq!(facts, [("main", "b: 2\n", "feature x", "b: 3\nc: 4\n"), ("", "", "", "e: 6\r\n")]);
        assert_eq!(take(text, 7, Side::Ours).unwrap(), "a: 1\nb: 2\nd: 5\n");
        assert_eq!(take(text, 7, Side::Theirs).unwrap(), "a: 1\nb: 3\nc: 4\nd: 5\ne: 6\r\n");
        assert_eq!(find(text, 8), Ok(Vec::new()), "markers of another length are text");
    }

    #[test]
    fn markers_that_do_not_belong_together_are_refused() {
        for (text, at) in [
            ("<<<<<<< a\n", 0),
            ("x\n>>>>>>> a\n", 2),
            ("<<<<<<< a\n<<<<<<< b\n", 10),
            ("<<<<<<< a\n>>>>>>> b\n", 10),
            ("<<<<<<< a\n=======\n=======\n>>>>>>> b\n", 18),
            ("<<<<<<< a\n=======\n||||||| c\n>>>>>>> b\n", 18),
        ] {
            assert_eq!(find(text, 7), Err(StrayMarker { at }), "{text}");
        }
        let heading = "Heading\n=======\n|||||||\n<<<<<<<x\n";
        assert_eq!(find(heading, 7), Ok(Vec::new()));
    }

    #[test]
    fn two_whole_texts_are_one_conflict_that_loses_nothing() {
        let labels = Labels {
            base: String::new(),
            ours: "main".to_owned(),
            theirs: "feature".to_owned(),
            size: MARKER_SIZE,
        };
        let text = around("a\nb", "c\n", &labels);
        assert_eq!(text, "<<<<<<< main\na\nb\n=======\nc\n>>>>>>> feature\n");
        assert_eq!(take(&text, 7, Side::Theirs).unwrap(), "c\n");
    }
}
